/** `sealtree image` on real things: commits of an ostree repository, mounts by the real kernel. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { mountImage, unmountImage } from '../../src/image/mount.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle, type RunResult, runHost } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { mountsUnder, Sandbox } from '../support/sandbox.ts';
import { PROJECT, sealtree } from '../support/sealtree.ts';

describeSystem('image', ['sid'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  const sid = oracle('sid');
  const repo = work.join('repo');
  const objects = join(repo, 'objects');
  const image = work.join('image.cfs');
  const mounted = work.mkdir('mounted');

  const run = (...args: string[]): RunResult => sealtree(['image', ...args], { allowFailure: true });
  const listing = (path: string): string =>
    runHost([process.execPath, join(PROJECT, 'test/support/list-tree.ts'), path]).stdout;

  before(() => {
    makeDiskTree(new Random(7), work.join('tree'), { entries: 100 });
    writeFileSync(work.join('tree/certain'), 'a file that has an object');
    const script = `cd "$1"; ostree --repo=repo init --mode=bare; ostree --repo=repo config set core.fsync false
      ostree --repo=repo commit --branch=main --tree=dir=tree >/dev/null
      ostree --repo=repo checkout --composefs main expected.cfs
      ostree --repo=repo checkout --composefs-noverity main unprotected.cfs`;
    sid.runScript(script, [work.path]);
  });

  it('create makes what ostree makes of a commit', () => {
    const { status, stdout } = run('create', 'main', '--repo', repo, '-o', image);
    assert.equal(status, 0);
    assert(readFileSync(image).equals(readFileSync(work.join('expected.cfs'))));
    assert.equal(stdout, sid.run(['composefs-info', 'measure-file', image]).stdout);
    run('create', 'main', '--repo', repo, '--digests', 'no', '-o', `${image}.no`);
    assert(readFileSync(`${image}.no`).equals(readFileSync(work.join('unprotected.cfs'))));
  });

  it('verify accepts it, and says what has no digest', () => {
    assert.equal(run('verify', image, '--objects', objects).status, 0);
    const { status, stdout } = run('verify', `${image}.no`, '--objects', objects);
    assert.equal(status, 0);
    assert.match(stdout, /lists no digest for \d+ of \d+ objects/);
  });

  it('diff says that only digests differ', () => {
    const { changes, objects: found } = JSON.parse(run('diff', image, `${image}.no`, '--json').stdout) as {
      changes: { fields: { field: string }[] }[];
      objects: { onlyInA: unknown[]; onlyInB: unknown[]; changed: unknown[] };
    };
    assert.deepEqual(
      new Set(changes.flatMap(({ fields }) => fields.map(({ field }) => field))),
      new Set(['digest']),
    );
    assert.deepEqual([found.onlyInA, found.onlyInB], [[], []]);
    assert(found.changed.length > 0);
  });

  it('mount shows the tree, umount leaves nothing behind', () => {
    const { status, stdout, stderr } = run('mount', image, mounted, '--objects', objects);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /neither the image nor the objects are checked/);
    const seen = listing(mounted);
    sid.run(['ostree', `--repo=${repo}`, 'checkout', 'main', work.join('checkout')]);
    for (const name of ['usr', 'etc', 'boot', 'var', 'sysroot'])
      runHost(['sh', '-c', '[ -d "$0" ] || mkdir -m 755 "$0"', work.join('checkout', name)]);
    assert.equal(seen, listing(work.join('checkout')));
    assert.deepEqual(mountsUnder(work.path), [mounted]);
    assert.equal(run('umount', mounted).status, 0);
    assert.deepEqual(mountsUnder(work.path), []);
  });

  it('mount has the image that was looked at, though its name is given to another meanwhile', async () => {
    const name = work.join('renamed.cfs');
    copyFileSync(image, name);
    const swapping: System = {
      ...linuxSystem,
      mkdir(path, mode) {
        linuxSystem.unlink(name);
        writeFileSync(name, 'another file');
        linuxSystem.mkdir(path, mode);
      },
    };
    await mountImage({ image: name, directory: mounted, objects: [objects] }, swapping, silent());
    assert.equal(readFileSync(join(mounted, 'certain'), 'utf8'), 'a file that has an object');
    await unmountImage(mounted, linuxSystem);
    assert.deepEqual(mountsUnder(work.path), []);
  });

  it('mount fails where the first file cannot be read, and takes itself down', () => {
    const hidden = work.join('objects-gone');
    renameSync(objects, hidden);
    work.mkdir('repo/objects');
    const { status, stderr } = run('mount', image, mounted, '--objects', objects);
    rmSync(objects, { recursive: true });
    renameSync(hidden, objects);
    assert.equal(status, 1);
    assert.match(stderr, /cannot be read through the mount: its object is missing/);
    assert.deepEqual(mountsUnder(work.path), []);
  });

  it('mount never promises more than the kernel does', () => {
    // Objects without fs-verity: whatever this kernel can do, the demand must be refused.
    for (const demand of [['--verity'], ['--digest', 'e'.repeat(64)]]) {
      const { status, stderr } = run('mount', image, mounted, '--objects', objects, ...demand);
      assert([1, 69].includes(status), `${status}: ${stderr}`);
      assert.match(stderr, /fs-verity|verity=require/);
      assert.deepEqual(mountsUnder(work.path), []);
    }
  });

  it('verify finds what is wrong with objects', () => {
    const copy = work.join('objects-copy');
    runHost(['cp', '-a', objects, copy]);
    const { objects: list } = JSON.parse(run('objects', image, '--json').stdout) as {
      objects: { path: string }[];
    };
    const [missing, changed] = list.map(({ path }) => join(copy, path)) as [string, string];
    rmSync(missing);
    const bytes = readFileSync(changed);
    bytes[0]! ^= 1;
    rmSync(changed);
    writeFileSync(changed, bytes);
    const { status, stdout } = run('verify', image, '--objects', copy, '--json');
    assert.equal(status, 2);
    const { findings } = JSON.parse(stdout) as { findings: { code: string; severity: string }[] };
    const errors = findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
    assert.deepEqual(errors.sort(), ['object-digest', 'object-missing']);
    assert.equal(run('missing-objects', image, '--objects', copy).stdout, `${list[0]?.path}\n`);
  });
});
