/**
 * Tar archives become objects. tar-stream cuts the archive into members, {@link TarTap} in front of it says what each
 * member is, byte by byte; where the two differ the archive has two readings and is refused. Memory is bounded by the
 * number of members, never by their size.
 */
import { type Extract, extract, type Header } from 'tar-stream';
import { type ByteString, displayBytes, isText } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { FormatError, OperationError, UnsupportedError } from '../base/errors.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import { SparseExpander } from '../formats/sparse.ts';
import { type TarMember, TarTap } from '../formats/tar.ts';
import { type BatchWriter, MAX_BATCHED } from './batch-writer.ts';
import { type NewFile, TreeBuilder } from './new-tree.ts';
import type { RepositoryWriter } from './write.ts';

/** What one archive may come to, so that a small file cannot fill memory or disk. */
export interface TarLimits {
  readonly entries: number;
  /** Bytes of all files together, holes included. */
  readonly bytes: number;
}

export const DEFAULT_LIMITS: TarLimits = { entries: 2_000_000, bytes: 64 * 2 ** 30 };

export interface ImportOptions {
  /** What errors call the archive. */
  readonly where: string;
  readonly limits: TarLimits;
  /** Leave device nodes and FIFOs out, which a commit cannot hold, instead of refusing the archive. */
  readonly skipSpecial: boolean;
  /** The archive is a layer: names that begin with `.wh.` say what is gone. */
  readonly hasWhiteouts?: boolean;
  /** The archive is known to be whole by a digest. */
  readonly endIsOptional?: boolean;
  /** Counts members and bytes. */
  readonly progress: Progress;
}

export interface ImportedTar {
  readonly tree: TreeBuilder;
  readonly entries: number;
  readonly bytes: number;
  /** Paths that were left out. */
  readonly skipped: readonly ByteString[];
}

/**
 * Writes the objects of an archive that is not compressed (any more), and builds its tree.
 * @throws FormatError, UnsupportedError for what is damaged, has two readings or cannot be held by a commit
 */
export async function importTar(
  source: AsyncIterable<Uint8Array>,
  batches: BatchWriter,
  options: ImportOptions,
): Promise<ImportedTar> {
  const work = new TarImport(batches, options);
  try {
    await readTar(source, work, options);
    await batches.finish();
  } finally {
    work.close();
  }
  return work;
}

/** What takes the members, one after the other. */
export interface MemberSink {
  begin(member: TarMember): void;
  /** The stored data of the member that began last. */
  write(chunk: Uint8Array): void;
  end(): void;
  /** Resolves when more can be taken: asked between pieces of the archive. */
  room?(): Promise<void>;
}

/** Names as bytes, and archives from before there was a magic number: options that the types do not list. */
const EXTRACT_OPTIONS = { filenameEncoding: 'latin1', allowUnknownFormat: true } as Parameters<
  typeof extract
>[0];

/**
 * Reads an archive that is not compressed (any more): every member is told and its data handed over, in order.
 * @throws FormatError where it is damaged, cut off, or has two readings; whatever `sink` throws
 */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  sink: MemberSink,
  { where, endIsOptional, progress }: Pick<ImportOptions, 'where' | 'endIsOptional' | 'progress'>,
): Promise<void> {
  const tap = new TarTap({ where, endIsOptional: endIsOptional ?? false });
  const stream: Extract = extract(EXTRACT_OPTIONS);
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    stream.destroy(null);
  };
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      fail(error);
    }
  };
  stream.on('error', (error) =>
    fail(new FormatError(where, 'no tar archive', { got: error.message, cause: error })),
  );
  stream.on('entry', (header, content, next) => {
    let written = 0;
    let size = 0;
    attempt(() => {
      const member = tap.next();
      if (member === undefined || !isSame(header, member))
        throw new FormatError(where, 'two readers of this archive see two different members', {
          got: displayBytes((header.name ?? '') as ByteString),
          want: member && displayBytes(member.path),
        });
      size = member.storedSize;
      sink.begin(member);
    });
    content.on('data', (data) =>
      attempt(() => {
        const chunk = data as Uint8Array;
        written += chunk.length;
        sink.write(chunk);
      }),
    );
    content.on('end', () => {
      attempt(() => {
        if (written !== size)
          throw new FormatError(where, 'member with too little data', { got: written, want: size });
        sink.end();
      });
      next();
    });
  });
  let isClosed = false;
  let wake = (): void => undefined;
  stream.on('drain', () => wake());
  stream.on('close', () => {
    isClosed = true;
    wake();
  });
  const event = (): Promise<void> =>
    new Promise((resolve) => {
      if (isClosed) resolve();
      else wake = resolve;
    });
  try {
    for await (const chunk of source) {
      for (const piece of tap.push(chunk)) if (!stream.write(piece)) await event();
      if (failure !== undefined) break;
      await sink.room?.();
      await progress.breathe();
    }
    if (failure === undefined) {
      tap.end();
      stream.end(undefined);
      while (!isClosed) await event();
    }
  } finally {
    stream.destroy(null);
  }
  if (failure !== undefined) throw failure;
}

/** Whether tar-stream saw the same data where the tap did. Names are the tap's: those of PAX are bytes only there. */
function isSame({ size, type }: Header, member: TarMember): boolean {
  return size === member.storedSize && (type !== 'directory' || size === 0);
}

type ContentHeader = Parameters<RepositoryWriter['beginFile']>[0];

/** A member whose content is coming. */
interface OpenFile {
  write(chunk: Uint8Array): void;
  end(): void;
  close(): void;
}

/** A file whose object is on its way. */
class FileToBe implements NewFile {
  readonly kind = 'file';
  #checksum: Checksum | undefined;

  get checksum(): Checksum {
    if (this.#checksum === undefined)
      throw new TypeError('asked for the checksum of what is not written yet');
    return this.#checksum;
  }

  set checksum(checksum: Checksum) {
    this.#checksum = checksum;
  }
}

class TarImport implements MemberSink, ImportedTar {
  readonly tree: TreeBuilder;
  readonly skipped: ByteString[] = [];
  entries = 0;
  bytes = 0;
  readonly #batches: BatchWriter;
  readonly #writer: RepositoryWriter;
  readonly #options: ImportOptions;
  #open: OpenFile | undefined;

  constructor(batches: BatchWriter, options: ImportOptions) {
    this.#batches = batches;
    this.#writer = batches.writer;
    this.#options = options;
    this.tree = new TreeBuilder(options.where);
  }

  begin(member: TarMember): void {
    const { limits, where, skipSpecial, progress } = this.#options;
    const at = `${where}: ${displayBytes(member.path)}`;
    this.entries++;
    this.bytes += member.size;
    progress.advance(1);
    if (this.entries > limits.entries)
      throw tooMuch(at, `more than ${limits.entries} entries`, '--max-entries');
    if (this.bytes > limits.bytes) throw tooMuch(at, `more than ${limits.bytes} bytes`, '--max-size');
    const { path, target, uid, gid, permissions, xattrs } = member;
    if (this.#options.hasWhiteouts && member.type !== 'folder' && isWhiteout(path)) {
      this.tree.addWhiteout(path);
      return;
    }
    switch (member.type) {
      case 'folder':
        this.tree.addFolder(path, { uid, gid, mode: S_IFDIR | permissions, xattrs });
        break;
      case 'hard link':
        this.tree.addLink(path, target);
        break;
      case 'symlink': {
        if (target === '') throw new FormatError(at, 'symlink without a target');
        if (!isText(target)) throw new FormatError(at, 'link target is not UTF-8, which ostree requires');
        // A symlink's permissions mean nothing, and archives have them in many ways.
        const mode = S_IFLNK | 0o777;
        const checksum = this.#writer.writeSymlink({ uid, gid, mode, xattrs, target });
        this.tree.addFile(path, { kind: 'symlink', checksum });
        break;
      }
      case 'file':
        this.#open = this.#file(member);
        break;
      default:
        if (!skipSpecial)
          throw new UnsupportedError(`${at}: a commit cannot hold a ${member.type}`, {
            hint: '--skip-special leaves such entries out',
          });
        this.skipped.push(path);
    }
  }

  write(chunk: Uint8Array): void {
    this.#options.progress.advance(0, chunk.length);
    this.#open?.write(chunk);
  }

  end(): void {
    this.#open?.end();
    this.#open = undefined;
  }

  room(): Promise<void> {
    return this.#batches.room();
  }

  close(): void {
    this.#open?.close();
  }

  #file(member: TarMember): OpenFile {
    // Refused before anything is written.
    this.tree.names(member.path);
    const { uid, gid, permissions, xattrs, size, sparse, path } = member;
    const header = { uid, gid, mode: S_IFREG | permissions, xattrs };
    if (sparse === undefined)
      return size <= MAX_BATCHED ? this.#small(size, header, path) : this.#large(size, header, path);
    const plain = size <= MAX_BATCHED ? this.#small(size, header, path) : this.#holed(size, header, path);
    const expander = new SparseExpander(sparse, `${this.#options.where}: ${displayBytes(path)}`, (chunk) =>
      plain.write(chunk),
    );
    return {
      write: (chunk) => expander.write(chunk),
      end: () => {
        expander.end();
        plain.end();
      },
      close: () => plain.close(),
    };
  }

  #small(size: number, header: ContentHeader, path: ByteString): OpenFile {
    const file = new FileToBe();
    const content = this.#batches.add(header, size, (checksum) => {
      file.checksum = checksum;
    });
    let filled = 0;
    return {
      write: (chunk) => {
        content.set(chunk, filled);
        filled += chunk.length;
      },
      end: () => this.tree.addFile(path, file),
      close: () => undefined,
    };
  }

  #large(size: number, header: ContentHeader, path: ByteString): OpenFile {
    const file = new FileToBe();
    const object = this.#batches.begin(header, size, (checksum) => {
      file.checksum = checksum;
    });
    return {
      write: (chunk) => object.write(chunk),
      end: () => {
        object.end();
        this.tree.addFile(path, file);
      },
      close: () => object.close(),
    };
  }

  /** Written here: a hole comes all at once, whatever its size, and would be in memory until threads have written it. */
  #holed(size: number, header: ContentHeader, path: ByteString): OpenFile {
    const object = this.#writer.beginFile(header, size);
    return {
      write: (chunk) => object.write(chunk),
      end: () => this.tree.addFile(path, { kind: 'file', checksum: object.finish() }),
      close: () => object.close(),
    };
  }
}

const isWhiteout = (path: ByteString): boolean => path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.');

function tooMuch(where: string, what: string, option: string): OperationError {
  return new OperationError('limit', `${where}: ${what} in this archive`, {
    hint: `${option} sets the limit, if that is what the archive is meant to hold`,
  });
}
