/**
 * A read-only {@link System} over files in memory, for fixtures kept as tar archives: owners, modes, xattrs and
 * symlinks of a repository are there without root. It also counts what is opened.
 */
import { readFileSync, type Stats } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type ByteString, bytesToString } from '../../src/base/bytes.ts';
import { IoError } from '../../src/base/errors.ts';
import { isDirectory, isRegular, isSymlink, S_IFDIR, S_IFLNK, S_IFREG } from '../../src/base/mode.ts';
import type { Path, System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';

export interface ArchivedFile {
  /** Full st_mode. */
  mode: number;
  uid: number;
  gid: number;
  /** Link target of symlinks. */
  content: Buffer;
  xattrs: ReadonlyMap<ByteString, ByteString>;
}

export class ArchivedFiles {
  /** By absolute path. Tests may change, add and remove files; folders need no entry. */
  readonly files = new Map<string, ArchivedFile>();
  /** Paths that were opened or read whole, in order. */
  readonly opened: string[] = [];
  readonly #descriptors = new Map<number, string>();

  /** The repository of test/fixtures/repositories/MODE.tar.gz, at `/MODE`. */
  static repository(mode: string): ArchivedFiles {
    const archive = new ArchivedFiles();
    archive.#unpack(
      gunzipSync(readFileSync(new URL(`../fixtures/repositories/${mode}.tar.gz`, import.meta.url))),
    );
    return archive;
  }

  /** Adds a regular file, or replaces the content of one. */
  write(path: string, content: string | Uint8Array): void {
    const old = this.files.get(path);
    const fresh = { mode: S_IFREG | 0o644, uid: 0, gid: 0, xattrs: new Map<ByteString, ByteString>() };
    this.files.set(path, { ...(old ?? fresh), content: Buffer.from(content) });
  }

  /** The port; calls that write, and those a repository has no use for, are Linux's own on paths that do not exist. */
  system(): System {
    const openRead: System['openRead'] = (path, options) => {
      this.#open(String(path), options?.noFollow !== true);
      const fd = this.#descriptors.size + 1000;
      this.#descriptors.set(fd, String(path));
      return fd;
    };
    return {
      ...linuxSystem,
      stat: (path) => this.#stat('stat', path, true),
      lstat: (path) => this.#stat('lstat', path, false),
      lstatIfExists: (path) => (this.#exists(String(path)) ? this.#stat('lstat', path, false) : undefined),
      fstat: (fd) => this.#stat('fstat', this.#path(fd), false),
      readdir: (path) => this.#readdir(String(path)),
      readlink: (path) => bytesToString(this.#find('readlink', String(path)).content),
      readFile: (path) => this.#open(String(path), true),
      openRead,
      openUnlessLink: (path) => {
        const file = this.files.get(String(path));
        return file === undefined || isSymlink(file.mode) ? undefined : openRead(path, { noFollow: true });
      },
      read: (fd, into, position) => {
        const { content } = this.#find('read', this.#path(fd));
        return content.copy(into, 0, position ?? 0);
      },
      close: (fd) => void this.#path(fd),
      listxattr: (file) => [...this.#find('listxattr', this.#name(file)).xattrs.keys()].sort(),
      getxattr: (file, name) => this.#find('getxattr', this.#name(file)).xattrs.get(name),
    };
  }

  #path(fd: number): string {
    const path = this.#descriptors.get(fd);
    if (path === undefined) throw new IoError('use the descriptor', String(fd), 'EBADF');
    return path;
  }

  #name(file: Path | number): string {
    return typeof file === 'number' ? this.#path(file) : String(file);
  }

  #exists(path: string): boolean {
    return this.files.has(path) || this.#isFolder(path);
  }

  #isFolder(path: string): boolean {
    return [...this.files.keys()].some((other) => other.startsWith(`${path}/`));
  }

  #find(operation: string, path: string): ArchivedFile {
    const file = this.files.get(path);
    if (file !== undefined) return file;
    if (this.#isFolder(path))
      return { mode: S_IFDIR | 0o755, uid: 0, gid: 0, content: Buffer.alloc(0), xattrs: new Map() };
    throw new IoError(operation, path, 'ENOENT');
  }

  #open(path: string, follow: boolean): Buffer {
    const file = this.#follow('open', path, follow);
    if (isDirectory(file.mode)) throw new IoError('read', path, 'EISDIR');
    if (isSymlink(file.mode)) throw new IoError('open', path, 'ELOOP');
    this.opened.push(path);
    return file.content;
  }

  #follow(operation: string, path: string, follow: boolean): ArchivedFile {
    const file = this.#find(operation, path);
    if (!follow || !isSymlink(file.mode)) return file;
    return this.#find(operation, new URL(file.content.toString('utf8'), `file://${path}`).pathname);
  }

  #stat(operation: string, path: Path, follow: boolean): Stats {
    const { mode, uid, gid, content } = this.#follow(operation, String(path), follow);
    // Only what the program asks for; a Stats object cannot be made otherwise.
    const facts: Partial<Stats> = {
      mode,
      uid,
      gid,
      size: content.length,
      isFile: () => isRegular(mode),
      isDirectory: () => isDirectory(mode),
      isSymbolicLink: () => isSymlink(mode),
    };
    return facts as Stats;
  }

  #readdir(path: string): ByteString[] {
    const prefix = `${path.replace(/\/+$/, '')}/`;
    const names = new Set<string>();
    for (const other of this.files.keys())
      if (other.startsWith(prefix)) names.add(other.slice(prefix.length).split('/', 1)[0]!);
    if (names.size === 0 && !this.files.has(path)) throw new IoError('read the folder', path, 'ENOENT');
    return [...names].map((name) => bytesToString(Buffer.from(name)));
  }

  /** What `tar --format=pax --xattrs` writes (POSIX pax; GNU tar's SCHILY.xattr records). */
  #unpack(tar: Buffer): void {
    let extended = new Map<string, ByteString>();
    for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
      const header = tar.subarray(at, at + 512);
      const size = Number.parseInt(header.toString('latin1', 124, 136), 8);
      const data = tar.subarray(at + 512, at + 512 + size);
      at += 512 + Math.ceil(size / 512) * 512;
      const type = header.toString('latin1', 156, 157);
      if (type === 'x') {
        extended = paxRecords(data);
        continue;
      }
      const prefix = field(header, 345, 500);
      const short = prefix === '' ? field(header, 0, 100) : `${prefix}/${field(header, 0, 100)}`;
      const path = `/${extended.get('path') ?? short}`;
      const target = extended.get('linkpath') ?? field(header, 157, 257);
      const owner = {
        uid: Number.parseInt(field(header, 108, 116), 8),
        gid: Number.parseInt(field(header, 116, 124), 8),
        xattrs: xattrsOf(extended),
      };
      const permissions = Number.parseInt(field(header, 100, 108), 8);
      if (type === '0') this.files.set(path, { ...owner, mode: S_IFREG | permissions, content: data });
      else if (type === '2')
        this.files.set(path, { ...owner, mode: S_IFLNK | 0o777, content: Buffer.from(target, 'latin1') });
      else if (type === '1') this.files.set(path, this.#find('link', `/${target}`));
      extended = new Map();
    }
  }
}

function field(header: Buffer, start: number, end: number): string {
  return header.toString('latin1', start, end).replace(/[\0 ].*$/s, '');
}

/** Records `LENGTH KEY=VALUE\n`; values may hold any bytes. */
function paxRecords(data: Buffer): Map<string, ByteString> {
  const records = new Map<string, ByteString>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const end = at + Number(data.toString('latin1', at, space));
    const record = data.toString('latin1', space + 1, end - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1) as ByteString);
    at = end;
  }
  return records;
}

function xattrsOf(records: ReadonlyMap<string, ByteString>): Map<ByteString, ByteString> {
  const prefix = 'SCHILY.xattr.';
  const xattrs = new Map<ByteString, ByteString>();
  for (const [key, value] of records)
    if (key.startsWith(prefix)) xattrs.set(key.slice(prefix.length) as ByteString, value);
  return xattrs;
}
