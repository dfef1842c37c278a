/**
 * `boot install` and `boot remove` on sysroots of ostree 2022.7, 2025.2 and 2026.4: ostree goes on working with what
 * install left, entries stay right, and remove gives back /boot and configuration to the byte. fs-verity is played:
 * few kernels that run these tests have it.
 */
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { silent } from '../../src/base/progress.ts';
import { removerPath } from '../../src/boot/journal.ts';
import type { BootState } from '../../src/boot/state.ts';
import { sealDeployments } from '../../src/deployment/seal.ts';
import { change, readState, snapshot } from '../support/boot-change.ts';
import { bootableTree, playedVerity } from '../support/bootable-tree.ts';
import { describeSystem, oracle, runHost, SUITES } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

for (const suite of SUITES) {
  for (const way of ['append', 'overlay'] as const) {
    describeSystem(`boot install by ${way} with ostree of ${suite}`, [suite], () => {
      let work: Sandbox;
      let sysroot: OstreeSysroot;
      const system = playedVerity();

      before(() => {
        work = new Sandbox();
        sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
        sysroot.commit('os/1', bootableTree('1', way));
        sysroot.commit('os/2', bootableTree('2', way));
        sysroot.commit('os/3', bootableTree('3', way, 'another kernel'));
        sysroot.deploy('os', 'os/1', ['--karg=root=LABEL=x', '--karg=console=ttyS0']);
        sysroot.deploy('os', 'os/2');
      });
      after(() => work.dispose());

      const target = () => ({ ...sysroot, path: sysroot.path }) as never;
      const seal = async (): Promise<void> => {
        const options = {
          digests: 'yes',
          verity: 'require',
          dryRun: false,
          rebuild: false,
          lockTimeoutMs: 10_000,
          progress: silent(),
        } as const;
        const results = await sealDeployments(
          sysroot.path,
          ({ deployments }) => deployments,
          options,
          system,
        );
        for (const { error } of results) if (error !== undefined) throw error;
      };
      const install = async (): Promise<string> => (await change(target(), 'install', system)).outcome;
      const state = (): Promise<BootState> => readState(target(), system);

      /** Every deployment has its own pin, and the script. */
      const assertInstalled = async (): Promise<void> => {
        const { targets, initramfs, overlays } = await state();
        for (const { entry } of targets) {
          assert.equal(entry.pin, 'right', entry.bytes.toString());
          assert.equal(entry.initrds.length, way === 'append' ? 1 : 2, entry.bytes.toString());
        }
        for (const { content } of initramfs)
          assert.equal(content, way === 'append' ? 'extended' : 'original');
        assert.equal(overlays.length > 0, way === 'overlay');
      };

      /** Inode numbers of the files of /boot: hard links are to be hard links again. */
      const inodes = (): Map<string, number> => {
        const folder = join(sysroot.path, 'boot/ostree');
        return new Map(
          readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => [
            name,
            lstatSync(join(folder, name)).ino,
          ]),
        );
      };

      it('gives back what was there, links and all', async () => {
        await seal();
        const plain = snapshot(sysroot.path);
        const links = inodes();
        assert.equal(await install(), 'done');
        await assertInstalled();
        assert.equal(await install(), 'nothing');
        sysroot.admin('status');
        assert.equal((await change(target(), 'remove', system)).outcome, 'done');
        assert.deepEqual(snapshot(sysroot.path), plain);
        assert.deepEqual(inodes(), links);
        assert.equal((await change(target(), 'remove', system)).outcome, 'nothing');
      });

      it('is taken back by the remover alone', async () => {
        const plain = snapshot(sysroot.path);
        const links = inodes();
        assert.equal(await install(), 'done');
        runHost(['sh', removerPath(sysroot.repositoryPath)]);
        assert.deepEqual(snapshot(sysroot.path), plain);
        assert.deepEqual(inodes(), links);
      });

      /** Lets ostree work where the file system has no fs-verity: it must not ask for it meanwhile. */
      const byOstree = (work: () => void): void => {
        const path = join(sysroot.repositoryPath, 'config');
        const config = readFileSync(path, 'utf8');
        writeFileSync(path, config.replace('fsverity=yes', 'fsverity=no'));
        work();
        writeFileSync(path, config);
      };

      it('goes on working with what ostree does to deployments', async () => {
        assert.equal(await install(), 'done');
        byOstree(() => {
          sysroot.admin('status');
          sysroot.admin('pin', ['0']);
          sysroot.admin('cleanup');
        });
        await assertInstalled();

        // Another userland: its entry has the pin of the one before.
        byOstree(() => sysroot.deploy('os', 'os/1'));
        const stale = await state();
        assert.equal(stale.targets[0]?.entry.pin, 'stale');
        assert.deepEqual(
          stale.targets.slice(1).map(({ entry }) => entry.pin),
          ['right', 'right'],
        );
        await seal();
        assert.equal(await install(), 'done');
        await assertInstalled();

        // Another kernel: its initramfs is as ostree put it there.
        byOstree(() => sysroot.deploy('os', 'os/3'));
        await seal();
        assert.equal(await install(), 'done');
        await assertInstalled();

        byOstree(() => {
          sysroot.admin('undeploy', ['0']);
          sysroot.admin('cleanup');
        });
        await assertInstalled();
        byOstree(() => sysroot.admin('instutil', ['set-kargs', '--merge', '--append=quiet']));
        const { targets } = await state();
        assert.match(targets[0]?.entry.options ?? '', /(^| )quiet( |$)/);
        await assertInstalled();
        assert.equal(await install(), 'nothing');
      });

      it('leaves nothing behind after all of that', async () => {
        assert.equal((await change(target(), 'remove', system)).outcome, 'done');
        const { entries, initramfs, overlays, installed, config } = await state();
        for (const { bytes, initrds } of entries) {
          assert.doesNotMatch(bytes.toString('latin1'), /sealtree/);
          assert.equal(initrds.length, 1);
        }
        for (const { content, path, original } of initramfs) {
          assert.equal(content, 'original');
          assert.equal(lstatSync(path).ino, lstatSync(original as string).ino);
        }
        assert.deepEqual([overlays, installed], [[], undefined]);
        assert.doesNotMatch(config.bytes.toString(), /ex-integrity/);
        sysroot.admin('status');
        sysroot.deploy('os', 'os/2');
        sysroot.repo('fsck', ['--quiet']);
      });
    });
  }
}
