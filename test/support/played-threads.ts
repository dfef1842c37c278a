/** What Node's worker threads do on a bad day, played: a system that lets us have few, messages that cannot be read. */
import { EventEmitter, once } from 'node:events';
import { createRequire } from 'node:module';
import type { MessagePort, Worker } from 'node:worker_threads';

/** The module as all others see it: what is replaced here is replaced for them. */
const workerThreads: {
  Worker: new (...args: ConstructorParameters<typeof Worker>) => Worker;
  parentPort: MessagePort | null;
} = createRequire(import.meta.url)('node:worker_threads');

/** After `count` more worker threads all others are refused, as RLIMIT_NPROC or a unit's TasksMax does. */
export function allowThreads(count: number): Disposable {
  let left = count;
  return replaceWorker((start) => {
    // As Node does when pthread_create fails.
    if (left-- <= 0) throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    return start();
  });
}

/** `onStart` is told of each worker thread. */
export function watchWorkers(onStart: (worker: Worker) => void): Disposable {
  return replaceWorker((start) => {
    const worker = start();
    onStart(worker);
    return worker;
  });
}

function replaceWorker(instead: (start: () => Worker) => Worker): Disposable {
  const { Worker } = workerThreads;
  workerThreads.Worker = new Proxy(Worker, {
    construct: (target, args: ConstructorParameters<typeof Worker>) => instead(() => new target(...args)),
  });
  return {
    [Symbol.dispose]() {
      workerThreads.Worker = Worker;
    },
  };
}

/** The other end of a worker thread's port, in this thread. */
export class PretendedPort extends EventEmitter {
  readonly #replies: unknown[] = [];

  /** What is served from now on is asked here. */
  ofThisThread(): Disposable {
    const { parentPort } = workerThreads;
    workerThreads.parentPort = this as unknown as MessagePort;
    return {
      [Symbol.dispose]() {
        workerThreads.parentPort = parentPort;
      },
    };
  }

  postMessage(reply: unknown): void {
    this.#replies.push(reply);
    this.emit('reply');
  }

  /** The first `count` replies. */
  async replies(count: number): Promise<unknown[]> {
    while (this.#replies.length < count) await once(this, 'reply');
    return this.#replies;
  }
}
