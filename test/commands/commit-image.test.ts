/** What `digest` and `image create` say of the image of a commit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository, type RepositoryMode } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { Sandbox } from '../support/sandbox.ts';
import { memorySurroundings } from '../support/surroundings.ts';

const ME = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

for (const [mode, disableXattrs, seesAll, warns] of [
  ['bare', 'false', false, true],
  ['bare', 'false', true, false],
  ['bare', 'true', false, false],
  ['archive', 'false', false, false],
] as const satisfies readonly (readonly [RepositoryMode, string, boolean, boolean])[])
  test(`the digest of ${mode} ${warns ? 'warns' : 'does not warn'} of hidden xattrs (${disableXattrs}, ${seesAll})`, async () => {
    using work = new Sandbox();
    const path = work.join('repo');
    initRepository(path, mode, linuxSystem, { config: { core: { 'disable-xattrs': disableXattrs } } });
    using writer = await RepositoryWriter.open(Repository.open(path, linuxSystem));
    const tree = sourceDirectory({ file: sourceFile('x', ME) }, ME);
    await writeCommitOf(writer, tree, { timestamp: 1, ref: 'os' });
    writer.commit();
    const system = { ...linuxSystem, seesTrustedXattrs: () => seesAll };
    const surroundings = memorySurroundings({ system });
    const args = ['digest', 'os', '--repo', path, '--progress', 'none'];
    const exitCode = await runProgram(args, surroundings, { version: '0', commands: COMMANDS });
    assert.deepEqual([exitCode, surroundings.stdout.text.length], [0, 65]);
    assert.equal(/warning: unchecked: .*trusted xattrs/.test(surroundings.stderr.text), warns);
  });
