/** Mutants of archives: what is read of them is what they hold, or they are refused. */
import assert from 'node:assert/strict';
import zlib from 'node:zlib';
import type { Checksum } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { SparseExpander } from '../../src/formats/sparse.ts';
import type { TarMember } from '../../src/formats/tar.ts';
import { ZstdFrames } from '../../src/formats/zstd.ts';
import { readTar } from '../../src/repository/import-tar.ts';
import { TreeBuilder } from '../../src/repository/new-tree.ts';
import { fuzz } from '../support/fuzz.ts';
import { inPieces, tarOf } from '../support/tar.ts';

const plain = tarOf([
  { name: './', type: '5', mode: 0o755 },
  { name: './a/', type: '5', mode: 0o700 },
  { name: './a/f', data: 'content '.repeat(90), mode: 0o4755 },
  { name: './a/l', type: '1', link: './a/f' },
  { name: './s', type: '2', link: 'a/f' },
]);
const pax = tarOf([
  {
    name: 'f',
    data: 'x',
    pax: { 'SCHILY.xattr.security.capability': '\x01\0\0\x02\xff', path: 'long/name', uid: '3000000' },
  },
  { name: 'g', pax: { 'SCHILY.acl.access': 'user::rw-,user:1000:r--,group::r--,mask::r--,other::---' } },
  { name: 'h', pax: { 'LIBARCHIVE.xattr.user.a': 'Yg' } },
]);
const sparse = tarOf([
  {
    name: 's',
    data: 'abcd',
    pax: { 'GNU.sparse.size': '100', 'GNU.sparse.map': '10,2,50,2', 'GNU.sparse.name': 'real' },
  },
  {
    name: 't',
    data: Buffer.concat([Buffer.from('2\n10\n2\n50\n2\n'.padEnd(512, '\0')), Buffer.from('abcd')]),
    pax: {
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.realsize': '100',
      'GNU.sparse.name': 'other',
    },
  },
]);
const oldSparse = tarOf([
  {
    name: 'o',
    type: 'S',
    data: 'ab',
    patch: { 257: 'ustar  \0', 386: '00000000012\0' + '00000000002\0', 483: '00000000100\0' },
  },
]);

/** Larger files are not expanded: what is fuzzed is the reader, not the limit of who calls it. */
const MAX_BYTES = 1 << 20;

const CHECKSUM = '0'.repeat(64) as Checksum;

fuzz({
  name: 'tar archive',
  inputs: Object.entries({ plain, pax, sparse, oldSparse }).map(([name, bytes]) => ({ name, bytes })),
  open: (bytes) => async () => {
    const tree = new TreeBuilder('mutant');
    let current: { member: TarMember; got: number; expander: SparseExpander | undefined } | undefined;
    await readTar(
      inPieces(bytes, 700),
      {
        begin(member) {
          const { sparse, path, type, target, size } = member;
          const one = { member, got: 0, expander: undefined as SparseExpander | undefined };
          if (sparse !== undefined && size <= MAX_BYTES)
            one.expander = new SparseExpander(sparse, 'mutant', (chunk) => {
              one.got += chunk.length;
            });
          current = one;
          if (type === 'folder') tree.addFolder(path, { uid: 0, gid: 0, mode: 0o40755, xattrs: [] });
          else if (type === 'hard link') tree.addLink(path, target);
          else if (type === 'file' || type === 'symlink')
            tree.addFile(path, { kind: type, checksum: CHECKSUM });
        },
        write(chunk) {
          assert(current !== undefined);
          if (current.expander !== undefined) current.expander.write(chunk);
          else current.got += chunk.length;
        },
        end() {
          assert(current !== undefined);
          current.expander?.end();
          const { member, got, expander } = current;
          assert.equal(got, expander === undefined ? member.storedSize : member.size);
        },
      },
      { where: 'mutant', progress: silent() },
    );
    tree.finish();
  },
});

const zstd = (text: string) => zlib.zstdCompressSync(Buffer.from(text));

fuzz({
  name: 'frames of zstd',
  inputs: [{ name: 'three', bytes: Buffer.concat([zstd('one'), zstd('two '.repeat(100)), zstd('')]) }],
  open(bytes) {
    const frames = new ZstdFrames('mutant');
    const out = frames.push(bytes);
    return () => {
      frames.end();
      assert(out.reduce((sum, { length }) => sum + length, 0) <= bytes.length);
    };
  },
});
