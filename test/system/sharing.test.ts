/** What `sharing` says against du(1) on a checkout of ostree, and against the disk after a deployment was removed. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';

interface Shown {
  readonly deployments: readonly {
    readonly id: string;
    readonly totalBytes: number;
    readonly uniqueBytes: number;
    readonly freedBytes: number;
    readonly folderBytes: number;
    readonly keptBy: readonly string[];
  }[];
  readonly images: readonly { readonly folderBytes: number; readonly path: string }[];
}

const sharing = (path: string): Shown =>
  JSON.parse(sealtree(['sharing', '--json', '--sysroot', path]).stdout) as Shown;

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
    const { deployments, images } = sharing(sysroot.path);
    assert.equal(deployments.length, 3);
    const folderOf = (id: string): string => folders.find((path) => path.endsWith(id.slice(3))) as string;
    for (const { id, folderBytes } of deployments) assert.equal(folderBytes, du(folderOf(id)), id);
    for (const { path, folderBytes } of images) assert.equal(folderBytes, du(path), path);
    // What one has alone in its folder is what du does not count any more when the others were counted before.
    for (const one of deployments) {
      const others = folders.filter((path) => path !== folderOf(one.id));
      const alone = du(...folders) - du(...others);
      assert(one.uniqueBytes >= alone, `${one.uniqueBytes} in all, ${alone} in the folder`);
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
    const difference = freed - oldest.freedBytes;
    assert(difference >= 0 && difference <= 64 * 1024, `said ${oldest.freedBytes}, freed ${freed}`);
  });
});
