/** The kernel mounts our image over the repository's objects, and what it shows is what ostree checks out. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { buildImage } from '../../src/image/plan.ts';
import { Repository } from '../../src/repository/repository.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT, sealtree } from '../support/sealtree.ts';

const SEEDS = Array.from({ length: 12 }, (_, i) => 1001 + i);

const LIST = `"${process.execPath}" "${join(PROJECT, 'test/support/list-tree.ts')}"`;

/** Mounts IMAGE over OBJECTS with the options of the overlay ($3), and runs the rest at $mnt. */
const MOUNT = `
mnt=$4/mounted lower=$4/lower
mkdir -p "$mnt" "$lower"
mount -t erofs -o ro "$1" "$lower"
mount -t overlay overlay -o "ro,metacopy=on,redirect_dir=on,$3lowerdir=$lower::$2" "$mnt"
`;

describeSystem('mounted image', ['sid', 'trixie'], () => {
  const sid = oracle('sid');
  const work = new Sandbox();
  after(() => work.dispose());

  const makeImage = async (branch: string): Promise<string> => {
    const repository = Repository.open(work.join('repo'), linuxSystem);
    const { bytes } = await buildImage(repository, repository.resolve(branch), { progress: silent() });
    return work.write(`${branch}.cfs`, bytes);
  };

  /** Runs a script in a mount namespace of its own where the image is mounted at $mnt. */
  const inside = (
    image: string,
    overlayOptions: string,
    script: string,
    repo = work.join('repo'),
  ): string => {
    const argv = ['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', MOUNT + script, 'mount'];
    return runHost([...argv, image, join(repo, 'objects'), overlayOptions, work.path], {
      timeoutMs: 300_000,
    }).stdout;
  };

  /** What ostree checks out, plus the folders that an image adds to its root. */
  const expected = (branch: string, repo = work.join('repo')): string[] => {
    const checkout = work.join(`${branch}.checkout`);
    sid.run(['ostree', `--repo=${repo}`, 'checkout', branch, checkout]);
    for (const name of ['usr', 'etc', 'boot', 'var', 'sysroot']) {
      runHost(['sh', '-c', '[ -d "$0" ] || mkdir -m 755 "$0"', join(checkout, name)]);
    }
    return runHost(['sh', '-c', `${LIST} "$0"`, checkout], { timeoutMs: 300_000 }).stdout.split('\n');
  };

  const assertSame = (got: string[], want: string[], what: string): void => {
    const missing = want.filter((line) => !got.includes(line)).slice(0, 5);
    const extra = got.filter((line) => !want.includes(line)).slice(0, 5);
    assert.deepEqual({ missing, extra }, { missing: [], extra: [] }, what);
    assert.equal(got.length, want.length, what);
  };

  before(() => {
    for (const seed of SEEDS) makeDiskTree(new Random(seed), work.join(`t${seed}`));
    // Names that the objects' folders have too: a whiteout must not hide them.
    for (const name of ['00', 'ab', 'ff']) mkdirSync(work.join(`t${SEEDS[0]}`, name));
    writeFileSync(work.join(`t${SEEDS[0]}`, 'cd'), 'a file with the name of an object folder');
    writeFileSync(join(work.mkdir('small'), 'file'), 'content of the file');
    const script = `
      cd "$1"
      ostree --repo=repo init --mode=bare
      ostree --repo=repo config set core.fsync false
      for tree in t* small; do ostree --repo=repo commit --branch=$tree --tree=dir=$tree >/dev/null; done`;
    sid.runScript(script, [work.path]);
  });

  it(`shows what ostree checks out of ${SEEDS.length} random trees`, async () => {
    for (const seed of SEEDS) {
      const branch = `t${seed}`;
      const shown = inside(await makeImage(branch), '', `${LIST} "$mnt"`).split('\n');
      assertSame(shown, expected(branch), branch);
    }
  });

  it('shows what ostree checks out of a whole Debian root file system', async (t) => {
    const { root } = oracle('trixie');
    const script = `
      mount -t tmpfs tmpfs "$2/dev"
      ostree --repo="$1/repo" commit --branch=debian --tree=dir="$2" >/dev/null`;
    sid.runScript(script, [work.path, root], { binds: [root] });
    const image = await makeImage('debian');
    const shown = inside(image, '', `${LIST} "$mnt"`).split('\n');
    const want = expected('debian');
    assert.deepEqual(shown, want);
    assert(want.length > 3000);
    runHost(['fsck.erofs', image]);
    t.diagnostic(`${want.length} entries and xattr blocks`);
  });

  it('passes fsck.erofs for every tree', async () => {
    for (const seed of SEEDS) sid.run(['fsck.erofs', await makeImage(`t${seed}`)]);
  });

  it('shows the deployment that was sealed', () => {
    using other = new Sandbox();
    const sysroot = new OstreeSysroot(oracle('trixie'), other, ['alpha']);
    sysroot.commit('small-os', { version: '1', seed: 1 });
    const deployment = sysroot.deploy('alpha', 'small-os');
    sealtree(['--sysroot', sysroot.path, 'seal', '--all']);
    const shown = inside(join(deployment, '.ostree.cfs'), '', `${LIST} "$mnt"`, sysroot.repositoryPath);
    assertSame(shown.split('\n'), expected('small-os', sysroot.repositoryPath), deployment);
  });

  it('is read-only', async () => {
    const script = 'cat "$mnt/file"; if touch "$mnt/new" 2>/dev/null; then exit 9; fi';
    assert.equal(inside(await makeImage('small'), '', script), 'content of the file');
  });

  it('shows a missing object as an error, not as an empty file', async () => {
    const script = `
      object=$(getfattr --only-values --name=trusted.overlay.redirect "$lower/file")
      mv "$2/$object" "$4/aside"
      if cat "$mnt/file" 2>/dev/null; then opened=yes; else opened=no; fi
      mv "$4/aside" "$2/$object"
      echo $opened`;
    assert.equal(inside(await makeImage('small'), '', script), 'no\n');
  });

  it('refuses objects without fs-verity when the overlay requires it', async () => {
    // Objects here have none, on any kernel: mounting succeeds, opening a file must not.
    const script = 'ls "$mnt"; if cat "$mnt/file" 2>/dev/null; then exit 9; fi';
    assert.match(inside(await makeImage('small'), 'verity=require,', script), /^file$/m);
  });
});
