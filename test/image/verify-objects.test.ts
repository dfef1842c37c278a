/** Objects of an image in a bare repository, whose xattrs are not shown to everybody. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { ObjectVerifier } from '../../src/image/verify-objects.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { lookup, rootOf } from '../../src/repository/tree.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { Sandbox } from '../support/sandbox.ts';

const CONTENT = 'as it was';
const ME = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

for (const [seesAll, severity] of [
  [true, 'error'],
  [false, 'unchecked'],
] as const)
  test(`of an object with other metadata is said: ${severity} where ${seesAll ? 'all' : 'not all'} xattrs are seen`, async () => {
    using work = new Sandbox();
    initRepository(work.join('repo'), 'bare', linuxSystem);
    const repository = Repository.open(work.join('repo'), {
      ...linuxSystem,
      seesTrustedXattrs: () => seesAll,
    });
    using writer = await RepositoryWriter.open(repository, { fsync: false });
    const tree = sourceDirectory({ file: sourceFile(CONTENT, ME) }, ME);
    const commit = await writeCommitOf(writer, tree, { timestamp: 1, ref: 'os' });
    writer.commit();
    const node = lookup(repository, rootOf(repository, commit), '/file' as never);
    assert(node.kind === 'file');
    const expected = { sizeBytes: CONTENT.length, digest: verityDigest(Buffer.from(CONTENT)) };
    const verify = async () => {
      const verifier = new ObjectVerifier(repository, 'deep');
      const found: (readonly [severity: string, code: string])[] = [];
      for await (const { severity, code } of verifier.verify(new Map([[node.checksum, expected]]), silent()))
        found.push([severity, code]);
      return found;
    };
    assert.deepEqual(await verify(), []);
    const path = repository.objectPath(node.checksum, 'file');
    chmodSync(path, 0o600);
    assert.deepEqual(await verify(), [[severity, 'object-corrupt']]);
    writeFileSync(path, CONTENT.replace('w', 'i'));
    assert.deepEqual(await verify(), [['error', 'object-corrupt']]);
  });
