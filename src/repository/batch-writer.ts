/**
 * Many contents at a time: small ones are collected in batches, large ones cut in pieces, and threads hash and write
 * them while the caller reads on; of files on the disk the threads get the paths, and read them, too. Threads write to
 * staging folders of their own only, where nobody sees it; what makes objects visible stays with
 * {@link RepositoryWriter}, in one place and order. With a {@link System} other than the kernel's, on one processor, or
 * for less than one batch, the same is done without threads.
 */
import type { ByteString } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { InterruptedError, OperationError } from '../base/errors.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { processors, Thread } from '../base/threads.ts';
import { contentHeader, type FileHeader } from '../formats/objects.ts';
import type { NewFile, RepositoryWriter } from './write.ts';
import {
  type Batch,
  type BatchTarget,
  type DiskFiles,
  HASH_FIRST_BYTES,
  type Piece,
  StagingFolder,
  type Written,
} from './write-batch.ts';
import type { BatchAnswer, BatchRequest } from './write-batch-worker.ts';

/** The largest content that goes into a batch. */
export const MAX_BATCHED = HASH_FIRST_BYTES;

const BATCH_BYTES = 2 << 20;
const BATCH_FILES = 256;
/** Of files that are read by who writes them: no memory is held, it is for the last threads to end together. */
const DISK_BYTES = 8 << 20;

/** More would wait for the disk and for who reads the source. */
const MAX_THREADS = 4;
/** Requests that may be on their way for each thread: one is worked on while the next ones wait. */
const PER_THREAD = 3;

const PROGRAM = new URL('./write-batch-worker.ts', import.meta.url);

interface BatchThread {
  readonly thread: Thread<BatchRequest, BatchAnswer>;
  readonly target: BatchTarget;
}

/** Whether a thread may be worth its start. */
type Which = 'more comes' | 'the last';

/** Is told a checksum once it is known. */
type Done = (checksum: Checksum) => void;

/** A batch as it is filled. */
interface Filling {
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled: number;
  readonly headers: FileHeader[];
  readonly files: number[];
  readonly done: Done[];
}

/** A batch of files on the disk as it is filled. */
interface Listing {
  readonly paths: ByteString[];
  readonly sizes: number[];
  readonly headers: FileHeader[];
  readonly headerOf: number[];
  readonly done: Done[];
  bytes: number;
}

type ContentHeader = Omit<FileHeader, 'target'>;

export interface BatchWriterOptions {
  /** At most this many; 0 for none. Default: as many as there are processors, up to four. */
  readonly threads?: number;
  /** Aborted, it has nobody wait for threads any longer. */
  readonly signal?: AbortSignal | undefined;
}

/** A file whose content comes in pieces; its checksum comes later. */
export interface LargeFile {
  write(chunk: Uint8Array): void;
  end(): void;
  /** Lets go of it, ended or not. */
  close(): void;
}

/** Writes regular files into one transaction; to be closed before that is committed or given up. */
export class BatchWriter {
  readonly writer: RepositoryWriter;
  #maxThreads: number;
  readonly #threads: BatchThread[] = [];
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  /** By owner and permissions: nearly all files of a tree share a few. */
  readonly #headers = new Map<string, { readonly header: FileHeader; readonly hashed: Buffer }>();
  #own: StagingFolder | undefined;
  #filling: Filling | undefined;
  #listing: Listing | undefined;
  /** Requests that threads have not answered. */
  #waiting = 0;
  #failure: unknown;
  #wake = (): void => undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(writer: RepositoryWriter, options: BatchWriterOptions = {}) {
    this.writer = writer;
    this.#signal = options.signal;
    options.signal?.addEventListener('abort', () => this.#wake(), { once: true });
    const wanted = options.threads ?? (processors() > 1 ? Math.min(processors(), MAX_THREADS) : 0);
    this.#maxThreads = writer.system === linuxSystem ? wanted : 0;
  }

  /**
   * A small regular file.
   * @param size bytes of its content, at most {@link MAX_BATCHED}
   * @param done is told its checksum, at the latest before {@link finish} resolves
   * @returns memory for the content, which must be there before the next call
   * @throws what went wrong with files before
   */
  add(header: ContentHeader, size: number, done: Done): Buffer {
    this.#check();
    const { header: kept, hashed } = this.#prepare(header);
    const length = hashed.length + size;
    if (this.#filling !== undefined) {
      const { done, filled, bytes } = this.#filling;
      if (done.length === BATCH_FILES || filled + length > bytes.length) this.#dispatchFilled('more comes');
    }
    this.#filling ??= { bytes: this.#memory(length), filled: 0, headers: [], files: [], done: [] };
    const filling = this.#filling;
    const { bytes, headers, files, filled: start } = filling;
    if (headers.at(-1) !== kept) headers.push(kept);
    bytes.set(hashed, start);
    const contentStart = start + hashed.length;
    filling.filled = contentStart + size;
    files.push(headers.length - 1, start, contentStart, filling.filled);
    filling.done.push(done);
    return Buffer.from(bytes.buffer, contentStart, size);
  }

  /**
   * A regular file of any size that lies on the disk, and is read when it is written.
   * @param done as of {@link add}
   */
  copy(header: ContentHeader, path: ByteString, size: number, done: Done): void {
    this.#check();
    const { header: kept } = this.#prepare(header);
    this.#listing ??= { paths: [], sizes: [], headers: [], headerOf: [], done: [], bytes: 0 };
    const listing = this.#listing;
    if (listing.headers.at(-1) !== kept) listing.headers.push(kept);
    listing.paths.push(path);
    listing.sizes.push(size);
    listing.headerOf.push(listing.headers.length - 1);
    listing.done.push(done);
    listing.bytes += size;
    if (listing.done.length === BATCH_FILES || listing.bytes >= DISK_BYTES)
      this.#dispatchListed('more comes');
  }

  /**
   * A regular file of any size, whose content comes in pieces: one at a time.
   * @param done as of {@link add}
   */
  begin(header: ContentHeader, size: number, done: Done): LargeFile {
    this.#check();
    const thread = this.#thread('more comes');
    if (thread === undefined) {
      const file: NewFile = this.writer.beginFile(header, size);
      return {
        write: (chunk) => file.write(chunk),
        end: () => done(file.finish()),
        close: () => file.close(),
      };
    }
    let begins: Piece['begins'] = { header: this.writer.keptHeader(header), size };
    let bytes = this.#memory(0);
    let length = 0;
    const send = (isLast: boolean): void => {
      const piece: Piece = { bytes, length, isLast, ...(begins === undefined ? {} : { begins }) };
      this.#send(thread, piece, isLast ? [done] : []);
      begins = undefined;
    };
    return {
      write: (chunk) => {
        for (let at = 0; at < chunk.length; ) {
          if (length === bytes.length) {
            send(false);
            [bytes, length] = [this.#memory(0), 0];
          }
          const part = chunk.subarray(at, at + bytes.length - length);
          bytes.set(part, length);
          length += part.length;
          at += part.length;
        }
      },
      end: () => send(true),
      close: () => undefined,
    };
  }

  /** Resolves when no more is on the way than the threads can take. @throws what went wrong with files before */
  async room(): Promise<void> {
    await this.#until(() => this.#threads.length === 0 || this.#waiting < this.#threads.length * PER_THREAD);
  }

  /** Resolves when all that was added is part of the transaction. @throws what went wrong */
  async finish(): Promise<void> {
    this.#dispatchFilled('the last');
    this.#dispatchListed('the last');
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

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #prepare(header: ContentHeader): { readonly header: FileHeader; readonly hashed: Buffer } {
    const { uid, gid, mode, xattrs } = header;
    const key = xattrs.length > 0 ? undefined : `${uid}:${gid}:${mode}`;
    const known = key === undefined ? undefined : this.#headers.get(key);
    if (known !== undefined) return known;
    const kept = this.writer.keptHeader(header);
    const prepared = { header: kept, hashed: contentHeader(kept) };
    if (key !== undefined) this.#headers.set(key, prepared);
    return prepared;
  }

  #memory(length: number): Uint8Array<ArrayBuffer> {
    // An xattr may make a header longer than any batch.
    if (length > BATCH_BYTES) return new Uint8Array(length);
    return this.#free.pop() ?? new Uint8Array(BATCH_BYTES);
  }

  #dispatchFilled(which: Which): void {
    if (this.#filling === undefined) return;
    const { bytes, headers, files, done } = this.#filling;
    this.#filling = undefined;
    const batch: Batch = { bytes, headers, files };
    const thread = this.#thread(which);
    if (thread !== undefined) {
      this.#send(thread, batch, done);
      return;
    }
    this.#writeHere((folder) => folder.write(batch), done);
    this.#recycle(bytes);
  }

  #dispatchListed(which: Which): void {
    if (this.#listing === undefined) return;
    const { done, paths, sizes, headers, headerOf } = this.#listing;
    this.#listing = undefined;
    const files: DiskFiles = { paths, sizes, headers, headerOf };
    const thread = this.#thread(which);
    if (thread !== undefined) this.#send(thread, files, done);
    else this.#writeHere((folder) => folder.copy(files), done);
  }

  #writeHere(write: (folder: StagingFolder) => readonly Written[], done: readonly Done[]): void {
    try {
      this.#own ??= new StagingFolder(this.writer.system, this.#newTarget());
      this.#take(this.#own.target.folder, write(this.#own), done);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #send({ thread, target }: BatchThread, work: BatchRequest['work'], done: readonly Done[]): void {
    this.#waiting++;
    thread
      .ask({ target, work }, 'bytes' in work ? [work.bytes.buffer] : [])
      .then(({ bytes, written }) => {
        if (bytes !== undefined) this.#recycle(bytes);
        // After a failure nothing is taken in any more.
        if (this.#failure === undefined) this.#take(target.folder, written, done);
      })
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#waiting--;
        this.#wake();
      });
  }

  #newTarget(): BatchTarget {
    const { path, mode } = this.writer;
    return { repositoryPath: path, mode, folder: this.writer.newStagingFolder() };
  }

  /** The one with the least to do, a new one while all have something; none where one batch is all there is. */
  #thread(which: Which): BatchThread | undefined {
    const least = this.#threads.toSorted((a, b) => a.thread.waiting - b.thread.waiting)[0];
    const mayStart = which === 'more comes' && this.#threads.length < this.#maxThreads;
    if (!mayStart || (least !== undefined && least.thread.waiting < 2)) return least;
    const thread = Thread.start<BatchRequest, BatchAnswer>(PROGRAM);
    if (thread === undefined) {
      // The system has no more for us: those that came, or nobody, do it all.
      this.#maxThreads = this.#threads.length;
      return least;
    }
    const started: BatchThread = { thread, target: this.#newTarget() };
    this.#threads.push(started);
    return started;
  }

  #take(folder: string, written: readonly Written[], done: readonly Done[]): void {
    for (const [i, { checksum, isNew }] of written.entries()) {
      if (isNew) this.writer.adoptContent(folder, checksum);
      done[i]?.(checksum);
    }
  }

  #recycle(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length === BATCH_BYTES) this.#free.push(bytes);
  }

  /** Waits for answers until that is so. @throws what went wrong, or InterruptedError */
  async #until(isSo: () => boolean): Promise<void> {
    while (this.#failure === undefined && !isSo()) {
      if (this.#signal?.aborted) throw new InterruptedError();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#check();
  }
}
