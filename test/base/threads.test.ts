/** Worker threads: answers in order, errors as what they were, and no thread that outlives its use. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode, IoError, OperationError, UnsupportedError } from '../../src/base/errors.ts';
import { Thread } from '../../src/base/threads.ts';
import type { Task } from '../support/task-worker.ts';

const start = (): Thread<Task, unknown> => new Thread(new URL('../support/task-worker.ts', import.meta.url));

describe('a worker thread', () => {
  it('answers in the order it is asked, and gives memory back', async () => {
    await using thread = start();
    const bytes = new Uint8Array([1, 2, 3]);
    const answers = [
      thread.ask({ add: 1, to: bytes }, [bytes.buffer]),
      thread.ask({ add: 2, to: new Uint8Array([5]) }),
    ];
    assert.equal(bytes.length, 0, 'the memory was handed over');
    assert.equal(thread.waiting, 2);
    assert.deepEqual(await Promise.all(answers), [new Uint8Array([2, 3, 4]), new Uint8Array([7])]);
    assert.equal(thread.waiting, 0);
  });

  it('rejects with the errors that its module throws, and goes on', async () => {
    await using thread = start();
    await assert.rejects(thread.ask({ fail: 'io' }), (error) => {
      assert(error instanceof IoError && error instanceof OperationError === false);
      assert.equal(error.errno, 'ENOSPC');
      assert.equal(error.exitCode, ExitCode.io);
      assert.deepEqual(error.details, { operation: 'write', path: '/x', errno: 'ENOSPC' });
      return true;
    });
    await assert.rejects(
      thread.ask({ fail: 'unsupported' }),
      (error) => error instanceof UnsupportedError && error.hint === 'do without',
    );
    await assert.rejects(thread.ask({ fail: 'other' }), /^TypeError: not meant to happen/);
    assert.deepEqual(await thread.ask({ add: 1, to: new Uint8Array([1]) }), new Uint8Array([2]));
  });

  it('that ends rejects what it was asked, then and later', async () => {
    const thread = start();
    const asked = thread.ask({ add: 1, to: new Uint8Array([1]) });
    await thread.close();
    await assert.rejects(asked, OperationError);
    await assert.rejects(thread.ask({ fail: 'io' }), /has ended/);
  });
});
