/** What `import dir` makes of a folder is the commit that ostree makes of it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';

/** Commits the folder into one new repository, makes the other, and prints the commit. */
const COMMIT = `for repo in "$1" "$2"; do ostree init --repo="$repo" --mode="$4" >/dev/null; done
repo=$1 tree=$3; shift 4
ostree --repo="$repo" commit --branch=x --timestamp=@0 "$@" --tree=dir="$tree"`;

describeSystem('import dir', ['sid'], () => {
  const sid = oracle('sid');
  const VARIANTS: readonly (readonly [mode: string, ours: readonly string[], theirs: readonly string[]])[] = [
    ['bare', [], []],
    ['bare-user', [], []],
    ['archive', [], []],
    ['bare-user-only', [], ['--canonical-permissions', '--no-xattrs']],
    ['bare', ['--no-xattrs'], ['--no-xattrs']],
    ['archive', ['--owner-uid=5', '--owner-gid=6'], ['--owner-uid=5', '--owner-gid=6']],
  ];
  for (const [seed, [mode, ours, theirs]] of VARIANTS.entries())
    it(`commits what ostree commits to a ${mode} repository ${ours.join(' ')}`, () => {
      using work = new Sandbox();
      // Enough for threads to have several batches each.
      makeDiskTree(new Random(seed + 300), work.join('tree'), { entries: 700 });
      const paths = [work.join('theirs'), work.join('ours'), work.join('tree')];
      const wanted = sid.runScript(COMMIT, [...paths, mode, ...theirs]).stdout;
      const { stdout } = sealtree([
        ...['import', 'dir', '--repo', work.join('ours'), '--ref=x', '--timestamp=0', ...ours],
        work.join('tree'),
      ]);
      assert.equal(stdout, wanted);
      sid.runScript('ostree fsck --quiet --all --repo="$1"', [work.join('ours')]);
    });
});
