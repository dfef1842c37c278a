/** Worker threads: answers in order, errors as what they were, and no thread that outlives its use. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { ExitCode, IoError, OperationError, UnsupportedError } from '../../src/base/errors.ts';
import { serve, startThreads, Thread } from '../../src/base/threads.ts';
import { allowThreads, PretendedPort, watchWorkers } from '../support/played-threads.ts';
import type { Task } from '../support/task-worker.ts';

const THREADS = new URL('../../src/base/threads.ts', import.meta.url);
const PLAYED = new URL('../support/played-threads.ts', import.meta.url);
const PROGRAM = new URL('../support/task-worker.ts', import.meta.url);

function start(): Thread<Task, unknown> {
  const thread = Thread.start<Task, unknown>(PROGRAM);
  assert(thread !== undefined);
  return thread;
}

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

  it('that cannot be started is none, and those that can are', async () => {
    using _ = allowThreads(2);
    const threads = startThreads<Task, unknown>(PROGRAM, 4);
    assert.equal(threads.length, 2);
    assert.equal(Thread.start(PROGRAM), undefined);
    const asked = threads.map((thread) => thread.ask({ add: 1, to: new Uint8Array([1]) }));
    assert.deepEqual(await Promise.all(asked), [new Uint8Array([2]), new Uint8Array([2])]);
    await Promise.all(threads.map((thread) => thread.close()));
  });

  it('is none for that reason alone', () => {
    assert.throws(
      () => Thread.start(new URL('https://example.org/x.ts')),
      /ERR_INVALID_URL_SCHEME|ERR_WORKER_PATH/,
    );
  });

  it('whose answer cannot be read rejects, and is not waited for', async () => {
    let worker: Worker | undefined;
    using _ = watchWorkers((started) => {
      worker = started;
    });
    await using thread = start();
    const asked = thread.ask({ add: 1, to: new Uint8Array([1]) });
    worker?.emit('messageerror', new Error('out of memory'));
    await assert.rejects(asked, /answer could not be read: out of memory/);
  });

  it('that Node had to end says so, which is no defect of ours', async () => {
    let worker: Worker | undefined;
    using _ = watchWorkers((started) => {
      worker = started;
    });
    await using thread = start();
    const asked = thread.ask({ add: 1, to: new Uint8Array([1]) });
    const message = 'Worker initialization failure: EMFILE';
    worker?.emit('error', Object.assign(new Error(message), { code: 'ERR_WORKER_INIT_FAILED' }));
    await assert.rejects(
      asked,
      (error) => error instanceof OperationError && error.message.endsWith(message),
    );
  });

  it('answers a request that it cannot read in its turn', async () => {
    const port = new PretendedPort();
    using _ = port.ofThisThread();
    serve<number, number>(async (n) => ({ value: await Promise.resolve(n) }));
    port.emit('message', 1);
    port.emit('messageerror', new Error('out of memory'));
    port.emit('message', 2);
    const [first, second, third] = await port.replies(3);
    assert.deepEqual([first, third], [{ value: 1 }, { value: 2 }]);
    assert.match(JSON.stringify(second), /request could not be read: out of memory/);
  });

  it('is waited for when it is closed amid an answer', () => {
    const script = `
      import { Thread } from ${JSON.stringify(THREADS)};
      import { watchWorkers } from ${JSON.stringify(PLAYED)};
      let worker;
      watchWorkers((started) => { worker = started; });
      const thread = Thread.start(new URL(${JSON.stringify(PROGRAM)}));
      thread.ask({ add: 1, to: new Uint8Array(1) }).catch(() => undefined);
      const closed = thread.close();
      worker.emit('message', { value: 'on the way' });
      await closed;
      console.log('closed');`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { encoding: 'utf8' },
    );
    assert.deepEqual([status, stdout, stderr], [0, 'closed\n', '']);
  });

  it('that ends rejects what it was asked, then and later', async () => {
    const thread = start();
    const asked = thread.ask({ add: 1, to: new Uint8Array([1]) });
    await thread.close();
    await assert.rejects(asked, OperationError);
    await assert.rejects(thread.ask({ fail: 'io' }), /has ended/);
  });
});
