/** A program whose work is done: says farewell where it is left to end in Node's way. Arguments: `koffi`, `error`. */
import { loadKoffi } from '../../../src/base/koffi.ts';
import { leaveAtOnce } from '../../../src/base/leave.ts';

const args = process.argv.slice(2);
if (args.includes('koffi')) loadKoffi();
process.once('exit', () => console.log('done'));
leaveAtOnce();
process.once('beforeExit', () => process.once('exit', () => console.log('farewell')));
if (args.includes('error'))
  setImmediate(() => {
    throw new Error('of a program that is done');
  });
process.exitCode = 3;
