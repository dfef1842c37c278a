/** Other programs read exported archives as the tree they were made of. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';
import { walk } from '../support/walk.ts';

const EQUALS = 'user.x=y' as ByteString;

/** Commits `--tree=$3` to repository $2 as ref $4 and prints the checksums of its root. */
const COMMIT = `ostree --repo="$1" commit --branch="$3" --timestamp=@0 --no-bindings --tree="$2" >/dev/null
  ostree --repo="$1" ls -dC "$3" /`;

describeSystem('export tar', ['sid'], () => {
  const sid = oracle('sid');

  for (const mode of ['bare', 'bare-user', 'archive'])
    it(`of a ${mode} repository is read by GNU tar, by libarchive and by sealtree as what it was`, () => {
      using work = new Sandbox();
      makeDiskTree(new Random(mode.length), work.join('tree'), { entries: 120 });
      // GNU tar does not read the records that names with "=" need, nor libarchive those GNU tar would write.
      for (const path of [work.join('tree'), ...walk(work.join('tree')).map((entry) => entry.path)])
        if (linuxSystem.getxattr(path, EQUALS) !== undefined) linuxSystem.removexattr(path, EQUALS);
      const repo = work.join('repo');
      const root = (source: string, ref: string): string => sid.runScript(COMMIT, [repo, source, ref]).stdout;
      sid.run(['ostree', 'init', `--repo=${repo}`, `--mode=${mode}`]);
      const want = root(`dir=${work.join('tree')}`, 'original');

      const archive = work.join('a.tar');
      sealtree(['export', 'tar', '--repo', repo, 'original', '-o', archive]);
      assert.equal(root(`tar=${archive}`, 'libarchive'), want);

      const { stderr } = runHost(
        [
          'tar',
          '--xattrs',
          '--xattrs-include=*',
          '--same-owner',
          '-pxf',
          archive,
          '-C',
          work.mkdir('unpacked'),
        ],
        { allowFailure: false },
      );
      assert.equal(stderr, '');
      assert.equal(root(`dir=${work.join('unpacked')}`, 'gnu'), want);

      sealtree(['import', 'tar', '--repo', repo, '--ref=again', archive]);
      assert.equal(sid.run(['ostree', `--repo=${repo}`, 'ls', '-dC', 'again', '/']).stdout, want);
    });
});
