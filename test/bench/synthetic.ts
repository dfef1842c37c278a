/**
 * Trees of invented entries, like a Debian system in shape: a folder for each twelve files, one file in sixteen a
 * symlink, and contents of which one in eight is had twice.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
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

const FILES_EACH = 12;
/** Folders beside one another in a folder above. */
const FOLDERS_EACH = 40;
const LINK_EACH = 16;
const TWICE_EACH = 8;
const LARGEST = 20_000;
/** 2026-01-01. */
const TIME = 1_767_225_600;

/** The folders of the lowest level, each with the number of its first file; then those above. */
function shape(entries: number): { readonly leaves: number; readonly tops: number } {
  const leaves = Math.round(entries / (FILES_EACH + 1 + 1 / FOLDERS_EACH));
  return { leaves, tops: Math.ceil(leaves / FOLDERS_EACH) };
}

const isLink = (file: number): boolean => file % LINK_EACH === 5;
/** Files with the same number have the same content. */
const contentOf = (file: number): number => (file % TWICE_EACH === 7 ? file - 3 : file);
const sizeOf = (content: number): number => (Math.imul(content, 0x9e3779b1) >>> 0) % LARGEST;
const fileName = (file: number): string => `file-${String(file).padStart(7, '0')}.data`;
const folderName = (folder: number): string => `folder-${String(folder).padStart(6, '0')}`;

/** Writes a composefs-dump(5) file of about so many entries. */
export function writeSyntheticDump(path: string, entries: number): void {
  const { leaves, tops } = shape(entries);
  const fd = openSync(path, 'w');
  const directory = (at: string, links: number): string => `${at} 0 40755 ${links} 0 0 0 ${TIME}.0 - - -\n`;
  let text = directory('/', 2 + tops);
  for (let top = 0; top < tops; top++) {
    const above = `/${folderName(top)}`;
    const below = Math.min(FOLDERS_EACH, leaves - top * FOLDERS_EACH);
    text += directory(above, 2 + below);
    for (let i = 0; i < below; i++) {
      const leaf = top * FOLDERS_EACH + i;
      const folder = `${above}/${folderName(leaf)}`;
      text += directory(folder, 2);
      for (let j = 0; j < FILES_EACH; j++) text += fileLine(folder, leaf * FILES_EACH + j);
    }
    writeSync(fd, text);
    text = '';
  }
  closeSync(fd);
}

function fileLine(folder: string, file: number): string {
  const at = `${folder}/${fileName(file)}`;
  if (isLink(file)) {
    const target = fileName(file - 1);
    return `${at} ${target.length} 120777 1 0 0 0 ${TIME}.0 ${target} - -\n`;
  }
  const content = contentOf(file);
  const digest = inventedDigest(content);
  const attribute = file % 50 === 0 ? ' user.note=of\\x20some\\x20files' : '';
  return `${at} ${sizeOf(content) + 65} 100644 1 0 0 0 ${TIME}.0 ${digest.slice(0, 2)}/${digest.slice(2)} - ${digest}${attribute}\n`;
}

/** 64 hex digits that are spread as a digest's are. */
function inventedDigest(seed: number): string {
  let text = '';
  for (let i = 1; i <= 8; i++) {
    let word = Math.imul(seed + i * 0x6d2b79f5, 0x9e3779b1);
    word = Math.imul(word ^ (word >>> 15), 0x85ebca6b);
    text += ((word ^ (word >>> 13)) >>> 0).toString(16).padStart(8, '0');
  }
  return text;
}

/** Writes a `bare` repository with one commit of about so many entries, the ref `tree`. Without any durability. */
export function writeSyntheticRepository(path: string, entries: number): void {
  const { leaves, tops } = shape(entries);
  mkdirSync(path);
  initRepository(path, 'bare', linuxSystem);
  for (let i = 0; i < 256; i++)
    mkdirSync(join(path, 'objects', i.toString(16).padStart(2, '0')), { recursive: true });
  const place = (checksum: Checksum, type: string): string =>
    join(path, 'objects', checksum.slice(0, 2), `${checksum.slice(2)}.${type}`);
  const metadata = (type: string, bytes: Buffer): Checksum => {
    const checksum = metadataChecksum(bytes);
    writeFileSync(place(checksum, type), bytes);
    return checksum;
  };
  const owner = { uid: 0, gid: 0, xattrs: [] };
  const link = (target: string): Checksum => {
    const checksum = contentChecksum(
      { ...owner, mode: 0o120777, target: target as ByteString },
      Buffer.alloc(0),
    );
    linuxSystem.symlink(target as ByteString, place(checksum, 'file'));
    return checksum;
  };
  const bytes = Buffer.alloc(LARGEST);
  const file = (content: number): Checksum => {
    const text = `content ${content} `;
    const sized = bytes.subarray(0, sizeOf(content) % 4000);
    sized.fill(text);
    const checksum = contentChecksum({ ...owner, mode: 0o100644, target: '' as ByteString }, sized);
    writeFileSync(place(checksum, 'file'), sized);
    return checksum;
  };
  const meta = metadata('dirmeta', serializeDirmeta({ ...owner, mode: 0o40755 }));
  const dirs = [];
  for (let top = 0; top < tops; top++) {
    const below = Math.min(FOLDERS_EACH, leaves - top * FOLDERS_EACH);
    const subfolders = [];
    for (let i = 0; i < below; i++) {
      const leaf = top * FOLDERS_EACH + i;
      const made: Checksum[] = [];
      const files = Array.from({ length: FILES_EACH }, (_, j) => {
        const number = leaf * FILES_EACH + j;
        const twin = made[contentOf(number) - leaf * FILES_EACH];
        const checksum = isLink(number) ? link(fileName(number - 1)) : (twin ?? file(contentOf(number)));
        made.push(checksum);
        return { name: fileName(number) as ByteString, checksum };
      });
      const tree = metadata('dirtree', serializeDirtree({ files, dirs: [] }));
      subfolders.push({ name: folderName(leaf) as ByteString, tree, meta });
    }
    const tree = metadata('dirtree', serializeDirtree({ files: [], dirs: subfolders }));
    dirs.push({ name: folderName(top) as ByteString, tree, meta });
  }
  const commit = metadata(
    'commit',
    serializeCommit({
      metadata: new Map(),
      parent: undefined,
      related: [],
      subject: `${entries} entries` as ByteString,
      body: '' as ByteString,
      timestamp: TIME,
      rootTree: metadata('dirtree', serializeDirtree({ files: [], dirs })),
      rootMeta: meta,
    }),
  );
  writeFileSync(join(path, 'refs/heads/tree'), `${commit}\n`);
}
