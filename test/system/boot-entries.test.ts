/** Seal pins in the entries that three releases of ostree wrote: what these make of them, in entries and menus. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type EntryState, readBootEntries } from '../../src/boot/entries.ts';
import { deploymentKernel } from '../../src/boot/kernel.ts';
import { detectLoader } from '../../src/boot/loaders/detect.ts';
import { parseGrubMenu } from '../../src/boot/loaders/grub-menu.ts';
import { ostreeLink } from '../../src/boot/loaders/menu.ts';
import { menuWithOptions } from '../../src/boot/loaders/text-menus.ts';
import { entryWithSealPin, type SealPin, withSealPin } from '../../src/boot/pin.ts';
import type { Deployment } from '../../src/deployment/deployment.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { formatBlsEntry } from '../../src/formats/bls.ts';
import { recordImage } from '../../src/image/records.ts';
import { describeSystem, ORACLES, oracle, SUITES } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const digestFor = (commit: string): Digest =>
  commit.replaceAll(/./g, (c) => (c === 'f' ? 'e' : 'f')) as Digest;

for (const suite of SUITES) {
  describeSystem(`seal pins and ostree of ${suite}`, [suite], () => {
    let work: Sandbox;
    let sysroot: OstreeSysroot;
    before(() => {
      work = new Sandbox();
      sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      sysroot.commit('os/1', { version: '1' });
      sysroot.commit('os/2', { version: '2' });
    });
    after(() => work.dispose());

    const read = (): EntryState[] => readBootEntries(readSysroot(sysroot.path, linuxSystem), linuxSystem);
    const edit = (entry: EntryState, pin: SealPin | undefined): void => {
      assert.ok(entry.entry !== undefined);
      writeFileSync(entry.path, formatBlsEntry(entryWithSealPin(entry.entry, pin, entry.path)));
    };
    const seal = (commit: Checksum): void =>
      recordImage(sysroot.repositoryPath, commit, digestFor(commit), linuxSystem);
    const ostreeWorks = (): void => {
      sysroot.admin('status');
      sysroot.admin('cleanup');
    };

    it('are kept for their deployment, copied to the next one as stale, and gone without a trace', () => {
      sysroot.deploy('os', 'os/1', ['--karg=root=LABEL=x', '--karg=dyndbg="file a.c +p"']);
      const [plain] = read();
      assert.ok(plain?.deployment !== undefined);
      seal(plain.deployment.checksum);
      edit(plain, read()[0]?.expectedPin);
      assert.deepEqual(
        read().map(({ pin }) => pin),
        ['right'],
      );
      ostreeWorks();

      sysroot.deploy('os', 'os/2');
      seal(readSysroot(sysroot.path, linuxSystem).deployments[0]?.checksum as Checksum);
      const [next, old] = read();
      assert.deepEqual([next?.pin, old?.pin], ['stale', 'right']);
      assert.deepEqual(next?.problems, []);
      for (const entry of read()) edit(entry, entry.expectedPin);
      assert.deepEqual(
        read().map(({ pin }) => pin),
        ['right', 'right'],
      );
      ostreeWorks();

      // 2022.7 has no such command.
      if (suite !== 'bookworm') sysroot.admin('set-default', ['1']);
      assert.deepEqual(
        read().map(({ pin }) => pin),
        ['right', 'right'],
      );
      sysroot.admin('undeploy', ['1']);
      const [last] = read();
      assert.equal(last?.pin, 'right');
      edit(last as EntryState, undefined);
      const unpinned = read()[0]?.options;
      const withoutLink = (options: string | undefined): string | undefined =>
        options?.replace(/ostree=\S+/, '');
      assert.equal(withoutLink(unpinned), withoutLink(plain.options));
      ostreeWorks();
    });

    it('reach the menu that grub2-generate prints', () => {
      for (const entry of read()) edit(entry, entry.expectedPin);
      const script = `GRUB2_BOOT_DEVICE_ID=none GRUB2_PREPARE_ROOT_CACHE= ostree admin instutil grub2-generate --sysroot="$sysroot"`;
      const { entries } = parseGrubMenu(sysroot.script(script).bytes, 'grub2-generate');
      assert.deepEqual(
        entries.map(({ options }) => options),
        read().map(({ options }) => options),
      );
      assert.ok(read().every(({ pin }) => pin === 'right'));
    });

    for (const [loader, link, file] of [
      ['syslinux', 'boot/syslinux/syslinux.cfg', 'syslinux.cfg'],
      ['u-boot', undefined, 'uEnv.txt'],
    ] as const)
      it(`are put into the menu of ${loader} as ostree itself does it`, () => {
        const menuOptions = (): ByteString[] =>
          detectLoader(readSysroot(sysroot.path, linuxSystem), linuxSystem).menus.flatMap(({ entries }) =>
            entries.map(({ options }) => options),
          );
        for (const entry of read()) edit(entry, undefined);
        sysroot.repo('config', ['set', 'sysroot.bootloader', 'auto']);
        if (link !== undefined) {
          mkdirSync(join(sysroot.path, 'boot/syslinux'));
          symlinkSync('../loader/syslinux.cfg', join(sysroot.path, link));
        }
        writeFileSync(join(sysroot.path, 'boot/loader', file), '');
        // A deployment more has the back end write the menu, and another one after the pins.
        sysroot.deploy('os', 'os/1');
        const before = detectLoader(readSysroot(sysroot.path, linuxSystem), linuxSystem);
        assert.deepEqual([before.name, before.problems], [loader, []]);
        const { regenerate } = before;
        assert.ok(regenerate?.kind === 'edit');
        const pins = new Map(read().map(({ options, expectedPin }) => [ostreeLink(options), expectedPin]));
        const ours = menuWithOptions(regenerate.menu, ({ options }) =>
          withSealPin(options, pins.get(ostreeLink(options))),
        ).toString('latin1');
        for (const entry of read()) edit(entry, entry.expectedPin);
        writeFileSync(regenerate.output, ours, 'latin1');
        assert.deepEqual(
          menuOptions(),
          read().map(({ options }) => options),
        );

        sysroot.deploy('os', 'os/2');
        assert.deepEqual(
          menuOptions(),
          read().map(({ options }) => options),
        );
        assert.deepEqual(
          read()
            .slice(1)
            .filter(({ pin }) => pin !== 'right'),
          [],
        );
        sysroot.repo('config', ['set', 'sysroot.bootloader', 'none']);
        if (link !== undefined) rmSync(join(sysroot.path, 'boot/syslinux'), { recursive: true });
      });
  });
}

describeSystem('the kernel of Debian', ['guest'], () => {
  it('can all that a sealed root needs', () => {
    const root = join(ORACLES, 'guest');
    const [release = ''] = readdirSync(join(root, 'usr/lib/modules'));
    const work = new Sandbox();
    try {
      // ostree's place for the kernel; Debian has it in /boot.
      work.write(`tree/usr/lib/modules/${release}/vmlinuz`, '');
      for (const name of ['modules.dep', 'modules.builtin'])
        work.write(
          `tree/usr/lib/modules/${release}/${name}`,
          readFileSync(join(root, 'usr/lib/modules', release, name)),
        );
      const config = join(root, `boot/config-${release}`);
      assert.ok(existsSync(config));
      work.write(`tree/usr/lib/modules/${release}/config`, readFileSync(config));
      const deployment = { path: work.join('tree'), booted: false, bootcsum: '', entry: undefined };
      const kernel = deploymentKernel(deployment as unknown as Deployment, linuxSystem);
      for (const [name, fact] of Object.entries(kernel?.facts ?? {}))
        if (typeof fact !== 'string') assert.equal(fact.state, 'yes', `${name}: ${fact.reason}`);
      assert.equal(kernel?.facts.release, release);
    } finally {
      work.dispose();
    }
  });
});
