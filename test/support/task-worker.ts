/** A worker thread for test/base/threads.test.ts: adds, or fails. */
import { IoError, UnsupportedError } from '../../src/base/errors.ts';
import { serve } from '../../src/base/threads.ts';

export type Task =
  | { readonly add: number; readonly to: Uint8Array<ArrayBuffer> }
  | { readonly fail: 'io' | 'unsupported' | 'other' };

serve<Task, Uint8Array<ArrayBuffer>>((task) => {
  if ('add' in task) {
    const value = task.to.map((byte) => byte + task.add);
    return { value, transfer: [value.buffer] };
  }
  if (task.fail === 'io') throw new IoError('write', '/x', 'ENOSPC');
  if (task.fail === 'unsupported') throw new UnsupportedError('cannot', { hint: 'do without' });
  throw new TypeError('not meant to happen');
});
