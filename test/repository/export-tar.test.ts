/** Archives out: the same bytes for the same tree, which come back as that tree. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { FormatError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { TarTap } from '../../src/formats/tar.ts';
import { BatchWriter } from '../../src/repository/batch-writer.ts';
import { exportTar } from '../../src/repository/export-tar.ts';
import { DEFAULT_LIMITS, importTar } from '../../src/repository/import-tar.ts';
import { initRepository } from '../../src/repository/init.ts';
import { writeNewTree } from '../../src/repository/new-tree.ts';
import { Repository } from '../../src/repository/repository.ts';
import { type SourceNode, sourceDirectory, sourceFile, sourceSymlink } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import fc from '../support/fast-check.ts';
import { Sandbox } from '../support/sandbox.ts';
import { inPieces } from '../support/tar.ts';

/** An archive repository, which keeps everything and needs no root. */
function emptyRepository(work: Sandbox): Repository {
  initRepository(work.join('repo'), 'archive', linuxSystem);
  return Repository.open(work.join('repo'), linuxSystem);
}

async function commitOf(repository: Repository, children: Record<string, SourceNode>): Promise<Checksum> {
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  const commit = await writeCommitOf(writer, sourceDirectory(children), { timestamp: 0 });
  writer.commit();
  return commit;
}

async function archiveOf(repository: Repository, commit: Checksum): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of exportTar(repository, commit, silent())) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The root dirtree and dirmeta that an archive becomes. */
async function reimported(repository: Repository, archive: Buffer) {
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  const options = { where: 'archive', limits: DEFAULT_LIMITS, skipSpecial: false, progress: silent() };
  await using batches = new BatchWriter(writer);
  return writeNewTree(writer, (await importTar(inPieces(archive), batches, options)).tree.finish());
}

const XATTR: readonly [ByteString, ByteString] = ['user.x=y' as ByteString, '\xff\0\n=' as ByteString];

describe('an exported archive', () => {
  it('comes back as the same tree, whatever is in it', async () => {
    using work = new Sandbox();
    const repository = emptyRepository(work);
    const name = fc.oneof(
      fc.constantFrom('a', 'ä', 'x'.repeat(99), 'y'.repeat(150), '.wh.z', 'PaxFile', ' ', '\n'),
      fc
        .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
        .filter((text) => !/^\.{1,2}$|[/\0]/.test(text)),
    );
    const options = fc.record({
      uid: fc.constantFrom(0, 1000, 262_143, 262_144, 4_294_967_294),
      gid: fc.constantFrom(0, 3_000_000),
      permissions: fc.constantFrom(0, 0o644, 0o7777),
      xattrs: fc.constantFrom(
        [],
        [XATTR],
        [['security.capability', '\x01\0\0\x02\x80'] as unknown as typeof XATTR, XATTR],
      ),
    });
    const { node } = fc.letrec<{ node: SourceNode }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.tuple(fc.uint8Array({ maxLength: 1100 }), options).map(([content, of]) => sourceFile(content, of)),
        fc.tuple(name, options).map(([target, of]) => sourceSymlink(target, { ...of, permissions: 0o777 })),
        fc
          .tuple(fc.dictionary(name, tie('node'), { maxKeys: 4 }), options)
          .map(([entries, of]) => sourceDirectory(entries, of)),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, node, { maxKeys: 4 }), async (children) => {
        const commit = await commitOf(repository, children);
        const archive = await archiveOf(repository, commit);
        const { rootTree, rootMeta } = repository.commit(commit);
        assert.deepEqual(await reimported(repository, archive), { rootTree, rootMeta });
        assert(archive.equals(await archiveOf(repository, commit)));
      }),
      { numRuns: 40 },
    );
  });

  it('streams what is larger than memory should hold', async () => {
    using work = new Sandbox();
    const repository = emptyRepository(work);
    const piece = Buffer.alloc(1 << 20, 7);
    const commit = await commitOf(repository, {
      large: sourceFile({ size: 24 << 20, chunks: () => Array.from({ length: 24 }, () => piece) }),
    });
    const { rootTree, rootMeta } = repository.commit(commit);
    assert.deepEqual(await reimported(repository, await archiveOf(repository, commit)), {
      rootTree,
      rootMeta,
    });
  });

  it('has plain headers where they do, times of 0, and the modes as they are', async () => {
    using work = new Sandbox();
    const repository = emptyRepository(work);
    const commit = await commitOf(repository, {
      f: sourceFile('x', { permissions: 0 }),
      s: sourceSymlink('f'),
    });
    const archive = await archiveOf(repository, commit);
    assert.equal(archive.length, 512 * (1 + 2 + 1 + 2));
    const tap = new TarTap({ where: 'archive' });
    tap.push(archive);
    tap.end();
    assert.deepEqual(
      [tap.next(), tap.next(), tap.next()].map((member) => [
        member?.path,
        member?.permissions,
        member?.target,
      ]),
      [
        ['./', 0o755, ''],
        ['f', 0, ''],
        ['s', 0o777, 'f'],
      ],
    );
    assert.equal(archive.toString('latin1', 136, 147), '0'.repeat(11));
  });

  it('is not made of an object that was changed', async () => {
    using work = new Sandbox();
    const repository = emptyRepository(work);
    const commit = await commitOf(repository, { f: sourceFile('content '.repeat(1000)) });
    for (const folder of readdirSync(work.join('repo/objects')))
      for (const name of readdirSync(work.join('repo/objects', folder)))
        if (name.endsWith('.filez')) {
          const path = work.join('repo/objects', folder, name);
          const other = await import('node:zlib').then((zlib) =>
            zlib.deflateRawSync('contemt '.repeat(1000)),
          );
          const bytes = readFileSync(path);
          writeFileSync(path, Buffer.concat([bytes.subarray(0, 8 + bytes.readUInt32BE(0)), other]));
        }
    await assert.rejects(archiveOf(repository, commit), FormatError);
  });
});
