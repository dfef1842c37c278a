/**
 * Firmware starts a boot loader, and that the system: plain until the running system has sealed itself by what
 * `sealtree boot status` found out about the loader, sealed from then on. Kernel and initramfs that a loader reads are
 * under fs-verity where its file system has that.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import {
  GRUB_BIOS,
  GRUB_BLSCFG,
  GRUB_EFI,
  grubVersion,
  makeGrubDisk,
  makeSystemdBootDisk,
} from '../support/firmware.ts';
import {
  deployLoaderMachine,
  type LoaderBoot,
  LoaderMachine,
  prepareBlscfg,
  prepareGrub,
} from '../support/loader-machine.ts';
import { copyBoot, readMenu } from '../support/machine.ts';
import { describeSystem } from '../support/oracle.ts';
import type { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { walk } from '../support/walk.ts';

/** What the firmware says of itself and of the loader. */
const SURVEY = `
if [ -d /sys/firmware/efi ]; then
  step efi modprobe efivarfs
  step variables mount -t efivarfs efivarfs /sys/firmware/efi/efivars
fi
step firmware cat /sys/class/dmi/id/bios_version
step loader sh -c 'tail -c +5 /sys/firmware/efi/efivars/LoaderInfo-*'
`;

const INSTALL = `${SURVEY}
step seal sealtree seal --all
step install sealtree boot install --yes
step status sealtree --json boot status
step image fsverity measure /sysroot/ostree/deploy/*/deploy/*.0/.ostree.cfs
`;

/** All that a loader reads in /boot; kernel and initramfs may be under fs-verity as objects of the repository. */
const PROTECT = `
protect() {
  find /boot/ostree -type f | while read -r file; do
    fsverity measure "$file" || fsverity enable "$file" || return
  done
}
step protect protect
step protected find /boot/ostree -type f -exec lsattr {} +
`;

const CHECK = `
step check sealtree boot check
`;

/** As contrib/doc/loaders.md has it. */
const COPY = `
copy() {
  cp -R /boot/ostree /efi/boot/ && sync && cp /boot/loader/entries/*.conf /efi/loader/entries/
}
step copy copy
`;

/** By ostree alone, whose back end has GRUB generate the menu. */
const DEPLOY = `
step device grub-probe --target=device /
step deploy ostree admin deploy small
step deployed ostree admin status
`;

interface Status {
  readonly loader: { readonly name: string; readonly readsEntries: string; readonly initrds: string };
  readonly way: string | null;
}

describeSystem('boot loaders', ['trixie', 'guest', 'machine', 'loaders', 'blscfg'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let sysroot: OstreeSysroot;

  before(async () => {
    sysroot = await deployLoaderMachine(work);
  });

  // Two at a time: one for each processor.
  describe('start what is sealed', { concurrency: 2 }, () => {
    it('GRUB, by a menu that ostree has generated', async (t) => {
      const machine = LoaderMachine.of(sysroot, work.join('grub'), prepareGrub);
      const bios = makeGrubDisk(work.mkdir('grub-bios'), GRUB_BIOS);
      const efi = makeGrubDisk(work.mkdir('grub-efi'), GRUB_EFI);
      let installed: LoaderBoot;

      await t.test('plain, and install', async (t) => {
        installed = await machine.boot('bios', bios, INSTALL + CHECK + PROTECT);
        say(t, installed);
        assertPlain(installed);
        assertStatus(installed, { name: 'grub', readsEntries: 'generated', initrds: 'first' }, 'append');
        assertDone(installed, ['check']);
        assertProtected(installed, machine);
      });

      await t.test('sealed, by BIOS', async (t) => {
        const boot = await machine.boot('bios', bios, SURVEY);
        say(t, boot, grubVersion(GRUB_BIOS));
        assertSealed(boot, installed);
        assert.match(boot.commandLine ?? '', /^BOOT_IMAGE=\/boot\/ostree\//);
      });

      await t.test('sealed, by EFI, where ostree deploys', async (t) => {
        const boot = await machine.boot('efi', efi, SURVEY + DEPLOY);
        say(t, boot);
        assertSealed(boot, installed);
        assert.match(boot.commandLine ?? '', /^BOOT_IMAGE=\/boot\/ostree\//);
        assert.match(boot.step('loader').stdout.replaceAll('\0', ''), /^GRUB 2\./);
        assertDone(boot, ['device', 'deploy', 'deployed']);
        assert.equal(boot.step('device').stdout, '/dev/vdb\n');
        assert.match(boot.step('deployed').stdout, /^ {2}small [0-9a-f]{64}\.0 \(pending\)\n.*^\* small /ms);
        assertMenuFollows(machine);
      });
    });

    it('GRUB, by the boot entries', async (t) => {
      const machine = LoaderMachine.of(sysroot, work.join('blscfg'), prepareBlscfg);
      const disk = makeGrubDisk(work.mkdir('grub-blscfg'), GRUB_BLSCFG);
      let installed: LoaderBoot;

      await t.test('plain, and install', async (t) => {
        installed = await machine.boot('efi', disk, INSTALL + CHECK + PROTECT);
        say(t, installed);
        assertPlain(installed);
        assertStatus(installed, { name: 'grub', readsEntries: 'bls', initrds: 'all' }, 'overlay');
        assertDone(installed, ['check']);
        assertProtected(installed, machine);
      });

      await t.test('sealed', async (t) => {
        const unpin = `step unpin sed -i 's/ sealtree\\.pin=[^ ]*//' /boot/loader/entries/ostree-1.conf`;
        const boot = await machine.boot('efi', disk, unpin);
        say(t, boot, grubVersion(GRUB_BLSCFG));
        assertSealed(boot, installed);
        assert.match(boot.commandLine ?? '', /^BOOT_IMAGE=\/boot\/ostree\//);
        assertDone(boot, ['unpin']);
      });

      await t.test('not at all without the seal pin', async (t) => {
        const boot = await machine.boot('efi', disk);
        say(t, boot);
        assert.deepEqual([boot.root, boot.end], ['nothing', 'restart']);
        assert(boot.console.includes('sealtree: REFUSED TO BOOT: the boot entry has no seal pin'));
      });
    });

    it('systemd-boot, by copies of the boot entries', async (t) => {
      const machine = LoaderMachine.of(sysroot, work.join('systemd-boot'));
      const disk = makeSystemdBootDisk(work.mkdir('systemd-boot-disk'), filesToCopy(sysroot));
      const mount = 'step mount mount -t vfat /dev/vda /efi\n';
      let installed: LoaderBoot;

      await t.test('plain, and install', async (t) => {
        installed = await machine.boot('efi', disk, mount + INSTALL + COPY + CHECK);
        say(t, installed);
        assertPlain(installed);
        assert.match(installed.step('loader').stdout.replaceAll('\0', ''), /^systemd-boot \d/);
        assertStatus(installed, { name: 'systemd-boot', readsEntries: 'bls', initrds: 'all' }, 'overlay');
        assertDone(installed, ['mount', 'copy', 'check']);
      });

      await t.test('sealed', async (t) => {
        const boot = await machine.boot('efi', disk);
        say(t, boot);
        assertSealed(boot, installed);
        assert.match(boot.commandLine ?? '', /^initrd=\\boot\\ostree\\/);
      });
    });
  });
});

/** Figures and versions. */
function say(t: TestContext, boot: LoaderBoot, version?: string): void {
  const said = ['firmware', 'loader'].map((name) => boot.steps.get(name)?.stdout.replaceAll('\0', '').trim());
  t.diagnostic([`${boot.seconds.toFixed(0)} s`, ...said, version].filter(Boolean).join(', '));
}

/** Each step of a job did what it was to do. */
function assertDone(boot: LoaderBoot, steps: readonly string[]): void {
  for (const name of steps) {
    const { status, stdout, stderr } = boot.step(name);
    assert.equal(status, 0, `${name}: exit ${status}\n${stdout}${stderr}`);
  }
}

function assertPlain(boot: LoaderBoot): void {
  assert.deepEqual([boot.root, boot.end], ['plain', 'power off'], boot.console.join('\n'));
  assert.doesNotMatch(boot.commandLine ?? '', /sealtree/);
  assertDone(boot, ['seal', 'install', 'status', 'image']);
}

/** What was found out about the loader, and what was made of it. */
function assertStatus(boot: LoaderBoot, loader: Status['loader'], way: string): void {
  const status = JSON.parse(boot.step('status').stdout) as Status;
  const { name, readsEntries, initrds } = status.loader;
  assert.deepEqual({ name, readsEntries, initrds }, loader);
  assert.equal(status.way, way);
}

/** The root is the image that the kernel has measured before; the loader's command line has its pin. */
function assertSealed(boot: LoaderBoot, installed: LoaderBoot): void {
  const context = boot.console.join('\n');
  assert.deepEqual([boot.root, boot.end, boot.unsealed], ['sealed', 'power off', undefined], context);
  const [, image, commit] =
    /^sha256:([0-9a-f]{64}) .*\/([0-9a-f]{64})\.0\/\.ostree\.cfs$/m.exec(installed.step('image').stdout) ??
    [];
  assert(image !== undefined && commit !== undefined, installed.step('image').stdout);
  assert.equal(boot.sealed, image);
  const pins = (boot.commandLine ?? '').split(' ').filter((karg) => karg.startsWith('sealtree.'));
  assert.deepEqual(pins, [`sealtree.pin=${commit.slice(0, 12)}:${image}`]);
  assert.deepEqual(boot.writable, ['/etc']);
  for (const [name, read] of boot.reads) assert.equal(read, 'right', name);
}

/** Kernel and all initramfs files that the loader is to read have fs-verity. */
function assertProtected(boot: LoaderBoot, machine: LoaderMachine): void {
  assertDone(boot, ['protect', 'protected']);
  const flags = new Map(
    boot
      .step('protected')
      .stdout.trimEnd()
      .split('\n')
      .map((line) => line.split(' ').reverse() as [string, string]),
  );
  const [entry, ...others] = readMenu(copyBoot(machine.disk, `${machine.disk}.boot`));
  assert(entry !== undefined && others.length === 0);
  for (const path of [entry.linux, ...entry.initrds]) assert.match(flags.get(path) ?? '', /V/, path);
}

/** ostree has had the menu generated: it says what the entries say. */
function assertMenuFollows(machine: LoaderMachine): void {
  const boot = copyBoot(machine.disk, `${machine.disk}.boot`);
  const entries = readMenu(boot);
  assert.equal(entries.length, 2);
  const menu = readFileSync(join(boot, 'loader/grub.cfg'), 'utf8');
  for (const { linux, options, initrds } of entries)
    assert(menu.includes(`\nlinux ${linux} ${options}\ninitrd ${initrds[0]}\n}`), `${options}\n${menu}`);
}

/** What systemd-boot reads of a deployment, by where it looks for it. */
function filesToCopy({ path }: OstreeSysroot): Record<string, string> {
  const boot = join(path, 'boot');
  const found = (folder: string, to: string) =>
    walk(join(boot, folder))
      .filter(({ stats }) => stats.isFile())
      .map(({ name }) => [join(to, name), join(boot, folder, name)]);
  return Object.fromEntries([
    ...found('ostree', 'boot/ostree'),
    ...found('loader.1/entries', 'loader/entries'),
  ]) as Record<string, string>;
}
