/**
 * What `sharing` says against du(1) on folders and on checkouts of ostree, and against the disk after a deployment, or a
 * ref, was removed.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { makeOsTree, OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';

interface Size {
  readonly bytes: number;
  readonly objects: number;
  readonly objectBytes: number;
}

interface Share {
  readonly total: Size;
  readonly unique: Size;
  readonly shared: Size;
  readonly freed: Size;
  readonly folderBytes: number;
  readonly keptBy: readonly string[];
}

interface Shown {
  readonly deployments: readonly (Share & { readonly id: string })[];
  readonly refs: readonly (Share & { readonly ref: string })[];
  readonly images: readonly (Share & { readonly path: string })[];
}

const sharing = (...args: string[]): Shown =>
  JSON.parse(sealtree(['sharing', '--json', ...args]).stdout) as Shown;

/** Bytes on the disk of all that is named, each inode once. */
const du = (...paths: string[]): number =>
  Number(
    runHost(['du', '-cs', '--block-size=1', ...paths])
      .stdout.trimEnd()
      .split('\n')
      .at(-1)
      ?.split('\t')[0],
  );

describeSystem('sharing', ['trixie'], () => {
  it('is what du says of folders, and what comes back when a deployment goes', () => {
    using work = new Sandbox();
    const sysroot = new OstreeSysroot(oracle('trixie'), work, ['os']);
    for (const version of ['1', '2', '3']) {
      sysroot.commit('os/main', { version, seed: Number(version) });
      sysroot.deploy('os', 'os/main');
    }
    sealtree(['seal', '--sysroot', sysroot.path]);
    const folders = sysroot.deployments();
    const { deployments, images } = sharing('--sysroot', sysroot.path);
    assert.equal(deployments.length, 3);
    const folderOf = (id: string): string => folders.find((path) => path.endsWith(id.slice(3))) as string;
    for (const { id, folderBytes } of deployments) assert.equal(folderBytes, du(folderOf(id)), id);
    for (const { path, folderBytes } of images) assert.equal(folderBytes, du(path), path);
    // What one has alone in its folder is what du does not count any more when the others were counted before.
    for (const one of deployments) {
      const others = folders.filter((path) => path !== folderOf(one.id));
      const alone = du(...folders) - du(...others);
      assert(one.unique.bytes >= alone, `${one.unique.bytes} in all, ${alone} in the folder`);
    }
    // The newest is what the ref names: its objects stay with that.
    assert.deepEqual(
      deployments.map(({ keptBy }) => keptBy),
      [['os/main'], [], []],
    );
    const oldest = deployments[2]!;
    const before = du(`${sysroot.path}/ostree`);
    sysroot.admin('undeploy', ['2']);
    sealtree(['gc', '--sysroot', sysroot.path]);
    const freed = before - du(`${sysroot.path}/ostree`);
    // ostree's own books go too: the links of the boot entry and their folders, and a record of sealtree's.
    const difference = freed - oldest.freed.bytes;
    assert(difference >= 0 && difference <= 64 * 1024, `said ${oldest.freed.bytes}, freed ${freed}`);
  });

  it('is what du says of checkouts that are hard links of the same objects', () => {
    using work = new Sandbox();
    const { ostree, repository } = madeOf(work, ['1', '2', '3']);
    const names = ['1', '2', '3'].map((version) => work.join(`checkout-${version}`));
    for (const [i, name] of names.entries())
      ostree.run(['ostree', `--repo=${repository}`, 'checkout', '-H', `os/${i + 1}`, name]);
    /** Folders are each checkout's own. */
    const folders = (path: string): number =>
      runHost(['find', path, '-type', 'd', '-printf', '%b\\n'])
        .stdout.trim()
        .split('\n')
        .reduce((sum, blocks) => sum + 512 * Number(blocks), 0);
    for (const chosen of [
      [0, 1],
      [1, 2],
      [0, 1, 2],
    ]) {
      const { refs } = sharing('--repo', repository, ...chosen.map((i) => `os/${i + 1}`));
      const all = chosen.map((i) => names[i] as string);
      for (const [at, { ref, total, unique, shared }] of refs.entries()) {
        const mine = all[at] as string;
        const others = all.filter((path) => path !== mine);
        assert.equal(total.objectBytes, du(mine) - folders(mine), ref);
        assert.equal(unique.objectBytes, du(...all) - du(...others) - folders(mine), ref);
        assert.equal(shared.objectBytes, du(mine) + du(...others) - du(...all), ref);
        assert(shared.objectBytes > 0 && unique.objectBytes > 0);
      }
    }
  });

  it('is what comes back when a ref goes', () => {
    using work = new Sandbox();
    const { ostree, repository } = madeOf(work, ['1', '2']);
    sealtree(['seal', '--repo', repository, '--ref', 'os/2']);
    const { refs, images } = sharing('--repo', repository);
    assert.deepEqual(
      images.map(({ freed, keptBy }) => [freed.bytes, keptBy]),
      [[0, ['os/2']]],
    );
    const said = refs.find(({ ref }) => ref === 'os/2')?.freed.bytes as number;
    const disk = (): number => du(`${repository}/objects`, `${repository}/extensions/sealtree/images`);
    const before = disk();
    ostree.run(['ostree', `--repo=${repository}`, 'refs', '--delete', 'os/2']);
    ostree.run(['ostree', `--repo=${repository}`, 'prune', '--refs-only', '--depth=0']);
    sealtree(['gc', '--repo', repository]);
    // Of the folders of objects none gets smaller by itself.
    assert.equal(before - disk(), said);
  });
});

/** A repository with a commit of each version of a tree: they overlap. */
function madeOf(work: Sandbox, versions: readonly string[]) {
  const ostree = oracle('trixie');
  const repository = work.join('repo');
  ostree.run(['ostree', `--repo=${repository}`, 'init', '--mode=bare']);
  for (const version of versions) {
    const tree = work.join(`tree-${version}`);
    makeOsTree(tree, { version, seed: Number(version) });
    // ostree links no file without content, and one with xattrs takes a block.
    runHost(['find', tree, '-type', 'f', '-empty', '-delete']);
    ostree.run(['ostree', `--repo=${repository}`, 'commit', `--branch=os/${version}`, `--tree=dir=${tree}`]);
  }
  return { ostree, repository };
}
