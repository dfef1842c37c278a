/**
 * Many small contents at a time: they are collected in batches, which threads hash and write while the caller reads on.
 * Threads write to staging folders of their own only, where nobody sees it; what makes objects visible stays with
 * {@link RepositoryWriter}, in one place and order. With a {@link System} other than the kernel's, on one processor, or
 * for less than one batch, the same is done without threads.
 */
import type { Checksum } from '../base/digest.ts';
import { OperationError } from '../base/errors.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { processors, Thread } from '../base/threads.ts';
import { contentHeader, type FileHeader } from '../formats/objects.ts';
import { HASH_FIRST_BYTES, type RepositoryWriter } from './write.ts';
import { type BatchFile, type BatchResult, writeBatch } from './write-batch.ts';
import type { BatchAnswer, BatchRequest } from './write-batch-worker.ts';

/** The largest content that goes into a batch. */
export const MAX_BATCHED = HASH_FIRST_BYTES;

const BATCH_BYTES = 2 << 20;
const BATCH_FILES = 256;

/** More would wait for the disk and for who reads the source. */
const MAX_THREADS = 4;
/** Batches that may be on their way for each thread: one is worked on while the next one waits. */
const PER_THREAD = 3;

const PROGRAM = new URL('./write-batch-worker.ts', import.meta.url);

/** What the staging folder is called for what is written without a thread; threads have theirs beside it. */
const OWN_FOLDER = 'batch';

interface BatchThread {
  readonly thread: Thread<BatchRequest, BatchAnswer>;
  /** Name of its staging folder. */
  readonly folder: string;
}

/** A batch as it is filled. */
interface Pending {
  bytes: Uint8Array<ArrayBuffer>;
  filled: number;
  readonly files: BatchFile[];
  readonly done: ((checksum: Checksum) => void)[];
}

export interface BatchWriterOptions {
  /** At most this many; 0 for none. Default: as many as there are processors, up to four. */
  readonly threads?: number;
}

/** Writes regular files of up to {@link MAX_BATCHED} bytes into a transaction. To be closed before the transaction. */
export class BatchWriter {
  readonly writer: RepositoryWriter;
  readonly #maxThreads: number;
  readonly #threads: BatchThread[] = [];
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  /** By owner and permissions: nearly all files of a tree share a few. */
  readonly #headers = new Map<string, { readonly header: FileHeader; readonly hashed: Buffer }>();
  #filling: Pending | undefined;
  /** Batches that threads have not answered. */
  #waiting = 0;
  #failure: unknown;
  #wake = (): void => undefined;

  constructor(writer: RepositoryWriter, options: BatchWriterOptions = {}) {
    this.writer = writer;
    const wanted = options.threads ?? (processors() > 1 ? Math.min(processors(), MAX_THREADS) : 0);
    this.#maxThreads = writer.system === linuxSystem ? wanted : 0;
  }

  /**
   * A regular file.
   * @param size bytes of its content, at most {@link MAX_BATCHED}
   * @param done is told its checksum, at the latest before {@link finish} resolves
   * @returns memory for the content, which must be there before the next call
   * @throws what went wrong with files before
   */
  add(header: Omit<FileHeader, 'target'>, size: number, done: (checksum: Checksum) => void): Buffer {
    if (this.#failure !== undefined) throw this.#failure;
    const { header: kept, hashed } = this.#prepare(header);
    const length = hashed.length + size;
    if (this.#filling !== undefined) {
      const { files, filled, bytes } = this.#filling;
      if (files.length === BATCH_FILES || filled + length > bytes.length) this.#dispatch('more comes');
    }
    this.#filling ??= { bytes: this.#memory(length), filled: 0, files: [], done: [] };
    const { bytes, files, filled: start } = this.#filling;
    bytes.set(hashed, start);
    const contentStart = start + hashed.length;
    const end = contentStart + size;
    files.push({ header: kept, start, contentStart, end });
    this.#filling.done.push(done);
    this.#filling.filled = end;
    return Buffer.from(bytes.buffer, contentStart, size);
  }

  /** Resolves when no more is on the way than the threads can take. @throws what went wrong with files before */
  async room(): Promise<void> {
    await this.#until(() => this.#threads.length === 0 || this.#waiting < this.#threads.length * PER_THREAD);
  }

  /** Resolves when all that was added is part of the transaction. @throws what went wrong */
  async finish(): Promise<void> {
    if (this.#filling !== undefined) this.#dispatch('the last');
    await this.#until(() => this.#waiting === 0);
  }

  /** Ends the threads; what they have not answered is no part of the transaction. */
  async close(): Promise<void> {
    this.#failure ??= new OperationError('closed', 'the writer of batches is closed');
    await Promise.all(this.#threads.splice(0).map(({ thread }) => thread.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #prepare(header: Omit<FileHeader, 'target'>): { readonly header: FileHeader; readonly hashed: Buffer } {
    const { uid, gid, mode, xattrs } = header;
    const key = xattrs.length > 0 ? undefined : `${uid}:${gid}:${mode}`;
    const known = key === undefined ? undefined : this.#headers.get(key);
    if (known !== undefined) return known;
    const kept = this.writer.keptHeader({ uid, gid, mode, xattrs });
    const prepared = { header: kept, hashed: contentHeader(kept) };
    if (key !== undefined) this.#headers.set(key, prepared);
    return prepared;
  }

  #memory(length: number): Uint8Array<ArrayBuffer> {
    // An xattr may make a header longer than any batch.
    if (length > BATCH_BYTES) return new Uint8Array(length);
    return this.#free.pop() ?? new Uint8Array(BATCH_BYTES);
  }

  #dispatch(which: 'more comes' | 'the last'): void {
    const batch = this.#filling as Pending;
    this.#filling = undefined;
    const thread = this.#thread(which);
    if (thread === undefined) {
      const target = this.#target(OWN_FOLDER);
      try {
        this.#take(batch, target.folder, writeBatch(this.writer.system, target, batch));
      } catch (error) {
        this.#failure = error;
        throw error;
      }
      this.#recycle(batch.bytes);
      return;
    }
    const { bytes, files } = batch;
    const target = this.#target(thread.folder);
    this.#waiting++;
    thread.thread
      .ask({ target, batch: { bytes, files } }, [bytes.buffer])
      .then((answer) => {
        this.#recycle(answer.bytes);
        // After a failure nothing is taken in any more.
        if (this.#failure === undefined) this.#take(batch, target.folder, answer);
      })
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#waiting--;
        this.#wake();
      });
  }

  #target(folder: string): BatchRequest['target'] {
    const { path, mode } = this.writer;
    return { repositoryPath: path, mode, folder: this.writer.stagingFolder(folder) };
  }

  /** The one with the least to do, a new one while all have something; none where one batch is all there is. */
  #thread(which: 'more comes' | 'the last'): BatchThread | undefined {
    const least = this.#threads.toSorted((a, b) => a.thread.waiting - b.thread.waiting)[0];
    const mayStart = which === 'more comes' && this.#threads.length < this.#maxThreads;
    if (least?.thread.waiting === 0 || !mayStart) return least;
    const folder = `${OWN_FOLDER}-${this.#threads.length}`;
    const started: BatchThread = { thread: new Thread(PROGRAM), folder };
    this.#threads.push(started);
    return started;
  }

  #take({ done }: Pending, folder: string, { checksums, isStaged }: BatchResult): void {
    for (const [i, checksum] of checksums.entries()) {
      if (isStaged[i]) this.writer.adoptContent(folder, checksum);
      done[i]?.(checksum);
    }
  }

  #recycle(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === BATCH_BYTES) this.#free.push(bytes);
  }

  /** Waits for answers until that is so. @throws what went wrong */
  async #until(isSo: () => boolean): Promise<void> {
    while (this.#failure === undefined && !isSo())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure !== undefined) throw this.#failure;
  }
}
