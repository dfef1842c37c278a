/** Errors as a person or a program sees them: a message on stderr and an exit code. */
import { ExitCode, errnoOf, IoError, SealtreeError } from '../base/errors.ts';
import { type GlobalOptions, say } from './context.ts';
import { formatJson } from './output.ts';
import { BrokenPipe, type Surroundings } from './surroundings.ts';

/** Reports what ended a command; returns the exit code. */
export function reportFailure(
  error: unknown,
  surroundings: Surroundings,
  options: Pick<GlobalOptions, 'json' | 'quiet' | 'verbose' | 'color'>,
): number {
  if (error instanceof BrokenPipe) return ExitCode.brokenPipe;
  try {
    surroundings.stdout.flush();
  } catch (flushError) {
    // What was printed so far has no reader any more; the error still has one.
    if (!(flushError instanceof BrokenPipe)) throw flushError;
  }
  const failure = asSealtreeError(error);
  if (options.json) {
    surroundings.stderr.write(`${formatJson(failure.toJSON(), 0)}\n`);
    surroundings.stderr.flush();
  } else if (failure.exitCode !== ExitCode.interrupted) {
    say(surroundings, options, 'error', failure.message);
    if (failure.hint !== undefined) say(surroundings, { ...options, quiet: false }, 'info', failure.hint);
    if (options.verbose && error instanceof Error) say(surroundings, options, 'debug', error.stack ?? '');
  }
  if (failure.exitCode === ExitCode.interrupted)
    return surroundings.interruptedExitCode ?? ExitCode.interrupted;
  return failure.exitCode;
}

/** Gives an error of another origin its family: failed system calls, aborts, and defects of this program. */
function asSealtreeError(error: unknown): SealtreeError {
  if (error instanceof SealtreeError) return error;
  if (error instanceof Error && error.name === 'AbortError')
    return new SealtreeError('interrupted', ExitCode.interrupted, 'interrupted', { cause: error });
  const errno = errnoOf(error);
  if (errno !== undefined) {
    const { syscall, path } = error as NodeJS.ErrnoException;
    return new IoError(syscall ?? 'use', path ?? '?', errno, { cause: error });
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new SealtreeError('internal', ExitCode.failed, `internal error: ${message}`, {
    hint: 'this is a defect of sealtree; --verbose shows where it happened',
    cause: error,
  });
}
