/** How the program ends. */
import module from 'node:module';
import { loadedKoffi } from './koffi.ts';

/**
 * Has this process end at once when nothing is left to do, without what libraries do on their way out: koffi waits until
 * the disk has what standard output and standard error were given (fsync(2), where they are files), Node takes its memory
 * to pieces. All that was asked for is done by then, and listeners to `exit` have run.
 *
 * To be called when the work is done. An error that nobody catches still ends the process in Node's way, which prints it; so
 * does a Node that was given options, since a profile is written at the very end.
 */
export function leaveAtOnce(): void {
  const { NODE_OPTIONS = '', NODE_V8_COVERAGE = '' } = process.env;
  if (process.execArgv.length > 0 || NODE_OPTIONS !== '' || NODE_V8_COVERAGE !== '') return;
  process.once('beforeExit', () => process.once('exit', leave));
}

function leave(exitCode: number): void {
  const koffi = loadedKoffi();
  if (koffi === undefined) return;
  module.flushCompileCache();
  koffi.load(null).func('_exit', 'void', ['int'])(exitCode);
}
