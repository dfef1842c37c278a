/** Mutants of the GVariants a repository is made of. */
import assert from 'node:assert/strict';
import type { Stats } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { type ByteString, textToBytes } from '../../src/base/bytes.ts';
import { type Checksum, nativeEngine } from '../../src/base/digest.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readVariant, type Value, type Variant, writeVariant } from '../../src/formats/gvariant.ts';
import { formatVariant } from '../../src/formats/gvariant-text.ts';
import {
  filezHeader,
  parseCommit,
  parseDirmeta,
  parseDirtree,
  parseOstreemeta,
  parseXattrs,
  serializeDirmeta,
  serializeDirtree,
  serializeOstreemeta,
  serializeXattrs,
} from '../../src/formats/objects.ts';
import { ContentReader } from '../../src/repository/content.ts';
import { ObjectStore } from '../../src/repository/objects.ts';
import { type FuzzInput, fuzz } from '../support/fuzz.ts';

const checksum = (n: number): Checksum => nativeEngine.sha256(Buffer.from([n])).toString('hex') as Checksum;
const bytesOf = (n: number): Buffer => Buffer.from(checksum(n), 'hex');
const b = (text: string): ByteString => textToBytes(text);

const XATTRS = [
  [b('security.selinux'), b('system_u:object_r:usr_t:s0\0')],
  [b('user.empty'), b('')],
  [b('user.long'), b('v'.repeat(300))],
] as const;

const METADATA = new Map<ByteString, Variant>([
  [b('version'), { type: 's', value: b('41.20261123') }],
  [b('ostree.bootable'), { type: 'b', value: true }],
  [b('ostree.ref-binding'), { type: 'as', value: [b('os/one'), b('os/two')] }],
  [b('ostree.composefs.digest.v0'), { type: 'ay', value: bytesOf(9) }],
  [
    b('nested'),
    { type: 'v', value: { type: 'a{sv}', value: new Map([[b('k'), { type: 't', value: 7n }]]) } },
  ],
  [b('tuple'), { type: '(sxmi)', value: [b('text'), -1n, null] }],
]);

/** Of keys that occur twice a Map keeps one, so values are compared, not bytes. */
function assertRewritten(type: string, value: Value): void {
  assert.deepEqual(readVariant(type, writeVariant(type, value), 'written'), value);
}

const COMMIT = '(a{sv}aya(say)sstayay)';

const commits: FuzzInput[] = [
  {
    name: 'first commit',
    bytes: writeVariant(COMMIT, [new Map(), Buffer.alloc(0), [], b(''), b(''), 0n, bytesOf(1), bytesOf(2)]),
  },
  {
    name: 'commit with all',
    bytes: writeVariant(COMMIT, [
      METADATA,
      bytesOf(3),
      [[b('other'), bytesOf(4)]],
      b('Subject'),
      b('Body\nof text\n'),
      0x65_0000_0000n,
      bytesOf(1),
      bytesOf(2),
    ]),
  },
];

fuzz({
  name: 'commit',
  inputs: commits,
  open(bytes) {
    const value = readVariant(COMMIT, bytes, 'commit');
    return () => {
      assertRewritten(COMMIT, value);
      formatVariant(COMMIT, value);
      parseCommit(bytes, 'commit');
    };
  },
});

const names = Array.from({ length: 40 }, (_, i) => b(`name-${String(i).padStart(3, '0')}${'x'.repeat(i)}`));
const trees = [
  { files: [], dirs: [] },
  {
    files: [{ name: b('a'), checksum: checksum(1) }],
    dirs: [{ name: b('usr'), tree: checksum(2), meta: checksum(3) }],
  },
  {
    files: names.map((name, i) => ({ name, checksum: checksum(i) })),
    dirs: names.map((name, i) => ({ name: b(`dir-${name}`), tree: checksum(i), meta: checksum(i + 1) })),
  },
];

fuzz({
  name: 'dirtree',
  inputs: trees.map((tree, i) => ({ name: `dirtree ${i}`, bytes: serializeDirtree(tree) })),
  open(bytes) {
    readVariant('(a(say)a(sayay))', bytes, 'dirtree');
    return () => assert(serializeDirtree(parseDirtree(bytes, 'dirtree')).equals(bytes));
  },
});

const owned = { uid: 1000, gid: 0xffff_fffe, xattrs: XATTRS };

fuzz({
  name: 'dirmeta',
  inputs: [
    { name: 'plain', bytes: serializeDirmeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] }) },
    { name: 'with xattrs', bytes: serializeDirmeta({ ...owned, mode: 0o41777 }) },
  ],
  open(bytes) {
    readVariant('(uuua(ayay))', bytes, 'dirmeta');
    return () => assert(serializeDirmeta(parseDirmeta(bytes, 'dirmeta')).equals(bytes));
  },
});

fuzz({
  name: 'user.ostreemeta',
  inputs: [
    { name: 'file', bytes: serializeOstreemeta({ ...owned, mode: 0o104755 }) },
    { name: 'symlink', bytes: serializeOstreemeta({ uid: 0, gid: 0, mode: 0o120777, xattrs: [] }) },
  ],
  open(bytes) {
    readVariant('(uuua(ayay))', bytes, 'user.ostreemeta');
    return () => {
      // Not the bytes: xattrs may be stored in any order.
      const meta = parseOstreemeta(bytes, 'user.ostreemeta');
      assert.deepEqual(parseOstreemeta(serializeOstreemeta(meta), 'written'), meta);
    };
  },
});

fuzz({
  name: '.file-xattrs',
  inputs: [{ name: 'xattrs', bytes: serializeXattrs(XATTRS) }],
  open(bytes) {
    readVariant('a(ayay)', bytes, 'xattrs');
    return () => assert(serializeXattrs(parseXattrs(bytes, 'xattrs')).equals(bytes));
  },
});

fuzz({
  name: '.commitmeta',
  inputs: [
    {
      name: 'signatures',
      bytes: writeVariant(
        'a{sv}',
        new Map([[b('ostree.sign.ed25519'), { type: 'aay', value: [bytesOf(1), bytesOf(2)] }]]),
      ),
    },
    { name: 'all types', bytes: writeVariant('a{sv}', METADATA) },
  ],
  open(bytes) {
    const value = readVariant('a{sv}', bytes, 'commitmeta');
    return () => {
      assertRewritten('a{sv}', value);
      formatVariant('a{sv}', value);
    };
  },
});

/** A system in which every path is one file of these bytes. */
function systemOf(bytes: Buffer): System {
  const reads: Pick<System, 'openRead' | 'close' | 'fstat' | 'read'> = {
    openRead: () => 0,
    close: () => undefined,
    fstat: () => ({ size: bytes.length }) as Stats,
    read: (_fd, into, position) => bytes.copy(into, 0, position ?? 0),
  };
  return { ...linuxSystem, ...reads };
}

function filez(content: Buffer, mode: number, target: string): Buffer {
  const header = { ...owned, mode, target: b(target) };
  const head = filezHeader({ header, size: content.length });
  return Buffer.concat([head, target === '' ? deflateRawSync(content) : Buffer.alloc(0)]);
}

fuzz({
  name: '.filez',
  inputs: [
    { name: 'empty', bytes: filez(Buffer.alloc(0), 0o100644, '') },
    { name: 'text', bytes: filez(Buffer.from('some text that deflates '.repeat(40)), 0o100755, '') },
    { name: 'noise', bytes: filez(Buffer.concat([bytesOf(1), bytesOf(2), bytesOf(3)]), 0o104755, '') },
    { name: 'symlink', bytes: filez(Buffer.alloc(0), 0o120777, '../target') },
  ],
  open(bytes) {
    const reader = new ContentReader(new ObjectStore('/objects', 'archive', systemOf(bytes)), false);
    const info = reader.info(checksum(0));
    return async () => {
      let size = 0;
      await reader.read(checksum(0), (chunk) => {
        size += chunk.length;
      });
      assert.equal(size, info?.size);
    };
  },
});
