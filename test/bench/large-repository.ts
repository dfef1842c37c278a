/** Repositories of sizes no fixture has: a hundred thousand commits, a million files. Written without any durability. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import {
  contentChecksum,
  metadataChecksum,
  serializeCommit,
  serializeDirmeta,
  serializeDirtree,
} from '../../src/formats/objects.ts';
import { initRepository } from '../../src/repository/init.ts';

export interface LargeRepository {
  readonly path: string;
  /** Files in the tree of the ref `large`. */
  readonly files: number;
  /** Files in its folder /wide. */
  readonly wideFiles: number;
  /** Commits of the refs `history-N`. */
  readonly commits: number;
}

const FILE = { uid: 0, gid: 0, mode: 0o100644, xattrs: [] };
const FOLDERS = 1000;
const FILES_EACH = 900;
const WIDE_FILES = 100_000;
const BRANCHES = 3;
const COMMITS = 100_000;
const MINUTE = 60;
/** 2000-01-01. */
const FIRST = 946_684_800;

/** Makes it in the folder `path`, which must not exist. */
export function makeLargeRepository(path: string): LargeRepository {
  mkdirSync(path);
  initRepository(path, 'bare-user-only', linuxSystem);
  for (let i = 0; i < 256; i++)
    mkdirSync(join(path, 'objects', i.toString(16).padStart(2, '0')), { recursive: true });
  const add = (type: string, checksum: Checksum, bytes: Uint8Array): Checksum => {
    writeFileSync(join(path, 'objects', checksum.slice(0, 2), `${checksum.slice(2)}.${type}`), bytes);
    return checksum;
  };
  const addMetadata = (type: string, bytes: Buffer): Checksum => add(type, metadataChecksum(bytes), bytes);
  const content = Buffer.from('every file has this content\n');
  const file = add('file', contentChecksum({ ...FILE, target: '' as ByteString }, content), content);
  const meta = addMetadata('dirmeta', serializeDirmeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] }));
  const folder = (prefix: string, count: number): Checksum =>
    addMetadata(
      'dirtree',
      serializeDirtree({
        files: Array.from({ length: count }, (_, i) => ({ name: nameOf(prefix, i), checksum: file })),
        dirs: [],
      }),
    );
  const wide = folder('wide', WIDE_FILES);
  const dirs = Array.from({ length: FOLDERS }, (_, i) => ({
    name: nameOf('folder', i),
    tree: folder(`file-${i}`, FILES_EACH),
    meta,
  }));
  const rootTree = addMetadata(
    'dirtree',
    serializeDirtree({ files: [], dirs: [...dirs, { name: 'wide' as ByteString, tree: wide, meta }] }),
  );
  const commit = (subject: string, timestamp: number, parent: Checksum | undefined): Checksum =>
    addMetadata(
      'commit',
      serializeCommit({
        metadata: new Map(),
        parent,
        related: [],
        subject: subject as ByteString,
        body: '' as ByteString,
        timestamp,
        rootTree,
        rootMeta: meta,
      }),
    );
  const ref = (name: string, checksum: Checksum): void =>
    writeFileSync(join(path, 'refs/heads', name), `${checksum}\n`);
  ref('large', commit('A million files', FIRST + COMMITS * MINUTE, undefined));
  for (let branch = 0; branch < BRANCHES; branch++) {
    let head: Checksum | undefined;
    for (let i = branch; i < COMMITS; i += BRANCHES)
      head = commit(`Change ${i} of branch ${branch}`, FIRST + i * MINUTE, head);
    ref(`history-${branch}`, head as Checksum);
  }
  return { path, files: FOLDERS * FILES_EACH + WIDE_FILES, wideFiles: WIDE_FILES, commits: COMMITS };
}

const nameOf = (prefix: string, i: number): ByteString =>
  `${prefix}-${String(i).padStart(6, '0')}` as ByteString;
