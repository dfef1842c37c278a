/**
 * Worker threads: a module named `…-worker.ts` answers requests, one after the other, through {@link serve}, and whoever
 * has its {@link Thread} asks. Requests and answers are plain data (structured clone); memory can be handed over instead
 * of copied. Errors arrive as the typed errors they were. Works from the sources and from the bundle, for which
 * `contrib/build.ts` puts every such module into `dist/chunks`.
 */
import { availableParallelism } from 'node:os';
import { basename, dirname } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { type ErrorRecord, errorOfRecord, OperationError, recordOfError } from './errors.ts';

/** What answers carry, and the memory that goes with it and is the worker's no more. */
export interface Answer<T> {
  readonly value: T;
  readonly transfer?: readonly ArrayBuffer[];
}

/** Loaded by the first thread: most runs have none. */
const workerThreads = () => process.getBuiltinModule('node:worker_threads');

type Reply = { readonly value: unknown } | { readonly error: ErrorRecord };

/** In a worker's module: answers all requests. What `work` throws is what asking rejects with. */
export function serve<Request, Value>(
  work: (request: Request) => Answer<Value> | Promise<Answer<Value>>,
): void {
  const port = workerThreads().parentPort;
  if (port === null) throw new TypeError('this module is the program of a worker thread');
  let last = Promise.resolve();
  port.on('message', (request: Request) => {
    // Work that takes promises must not be overtaken.
    last = last.then(async () => {
      let answer: Answer<Value>;
      try {
        answer = await work(request);
      } catch (error) {
        port.postMessage({ error: recordOfError(error) } satisfies Reply);
        return;
      }
      port.postMessage({ value: answer.value } satisfies Reply, answer.transfer ?? []);
    });
  });
  // In its turn, or the answers after it would be taken for it.
  port.on('messageerror', (error) => {
    last = last.then(() => port.postMessage({ error: recordOfError(unread('request', error)) }));
  });
}

/** Of a message that came and could not be unpacked: for want of memory, say. */
const unread = (what: string, error: Error): OperationError =>
  new OperationError('thread', `a worker thread's ${what} could not be read: ${error.message}`, {
    cause: error,
  });

interface Question {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** A thread that runs a worker's module. It keeps the process alive only while there is something to answer. */
export class Thread<Request, Value> {
  readonly #worker: Worker;
  readonly #questions: Question[] = [];
  #ended: unknown;
  #isClosing = false;

  /**
   * Undefined where the system lets this process have no more threads (RLIMIT_NPROC, a unit's TasksMax): what a thread
   * would have done is then done without.
   * @param module where the module's source is: `new URL('./x-worker.ts', import.meta.url)`
   */
  static start<Request, Value>(module: URL): Thread<Request, Value> | undefined {
    try {
      return new Thread(module);
    } catch (error) {
      if (codeOf(error) === 'ERR_WORKER_INIT_FAILED') return undefined;
      throw error;
    }
  }

  private constructor(module: URL) {
    this.#worker = new (workerThreads().Worker)(programOf(module), {
      env: environment(),
      // Some are opened by the C library: Node would miss those, and warn where they are closed.
      trackUnmanagedFds: false,
    });
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => {
      const question = this.#questions.shift();
      if (this.#questions.length === 0 && !this.#isClosing) this.#worker.unref();
      if ('error' in reply) question?.reject(errorOfRecord(reply.error));
      else question?.resolve(reply.value);
    });
    this.#worker.on('messageerror', (error) => this.#end(unread('answer', error)));
    this.#worker.on('error', (error) => this.#end(reasonOf(error)));
    this.#worker.on('exit', () => this.#end(new OperationError('thread', 'a worker thread has ended')));
  }

  /** Requests that are not answered yet. */
  get waiting(): number {
    return this.#questions.length;
  }

  /** Answers come in the order of the requests. @throws what the worker threw, or why there is no thread any more */
  ask(request: Request, transfer: readonly ArrayBuffer[] = []): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      // First: what cannot be sent has no answer, and must not be given another's.
      this.#worker.postMessage(request, transfer);
      this.#questions.push({ resolve: resolve as Question['resolve'], reject });
      this.#worker.ref();
    });
  }

  /** Ends the thread after the system call it is in, whatever it has to answer. */
  async close(): Promise<void> {
    // Until it has ended it keeps the process alive, also when an answer was on the way.
    this.#isClosing = true;
    await this.#worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #end(reason: unknown): void {
    this.#ended ??= reason;
    for (const { reject } of this.#questions.splice(0)) reject(this.#ended);
  }
}

/** Why a thread ended: what its module threw is that; what Node could not give it (memory, descriptors) is no defect. */
function reasonOf(error: unknown): unknown {
  if (!(error instanceof Error) || codeOf(error)?.startsWith('ERR_WORKER_') !== true) return error;
  return new OperationError('thread', `a worker thread could not go on: ${error.message}`, { cause: error });
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** As many threads as wanted, or as many of them as the system lets this process have: maybe none. */
export function startThreads<Request, Value>(module: URL, wanted: number): Thread<Request, Value>[] {
  const threads: Thread<Request, Value>[] = [];
  while (threads.length < wanted) {
    const thread = Thread.start<Request, Value>(module);
    if (thread === undefined) break;
    threads.push(thread);
  }
  return threads;
}

/** How many threads can work at a time; 1 where there is one processor only. */
export const processors = (): number => availableParallelism();

/** A thread looks for compiled code only where the environment tells it to. */
function environment(): NodeJS.ProcessEnv {
  const folder = process.getBuiltinModule('node:module').getCompileCacheDir?.();
  return folder === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(folder) };
}

/** From the sources the module itself; of the bundle, where this file is a chunk or in the entry, the chunk of its name. */
function programOf(module: URL): URL {
  const here = import.meta.url;
  if (here.endsWith('.ts')) return module;
  const chunks = /\/chunks\/[^/]+$/.test(here) ? './' : './chunks/';
  return new URL(`${chunks}${basename(module.pathname, '.ts')}.js`, here);
}
