/**
 * fs-verity made possible and complete, on a kernel that has it: the ext4 feature turned on below a mounted and an
 * unmounted file system, every object protected by runs that are killed and continued, and an ostree that goes on so.
 * One machine does everything; a test is one fact of what it saw.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { build } from 'esbuild';
import { type ByteString, bytesToText } from '../../src/base/bytes.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { programFiles } from '../../src/boot/initramfs/programs.ts';
import { TreeRoot } from '../../src/boot/initramfs/tree-root.ts';
import type { ProtectionResult, ProtectionState } from '../../src/boot/protect.ts';
import type { StorageState } from '../../src/boot/storage.ts';
import { type GuestRun, POWER_CUT, runInGuest } from '../support/guest-script.ts';
import { describeSystem, ORACLES, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT } from '../support/sealtree.ts';

const SCRIPT = `
storage() { node /opt/sealtree/storage.js "$@"; }
ostree() { /opt/ostree/lib/ld.so --library-path /opt/ostree/lib /opt/ostree/bin/ostree "$@"; }
dmsetup() { DM_DISABLE_UDEV=1 /opt/dmsetup/lib/ld.so --library-path /opt/dmsetup/lib /opt/dmsetup/bin/dmsetup "$@"; }
commit() { # NAME
  mkdir -p /run/tree && echo "$1" >"/run/tree/$1" &&
  ostree --repo=/disk/ostree/repo commit --branch=new --tree=dir=/run/tree
}
sysroot() { mkdir -p "$1/ostree/repo/objects" "$1/ostree/deploy" "$1/boot"; }

mkdir /disk /other /small /fat /loop /volume /cut /careless
mount /dev/vda /disk
cp /disk/ostree/repo/config /run/config
step commit-plain commit plain
step config-too-early storage /disk config
step commit-too-early commit early
cp /run/config /disk/ostree/repo/config
step killed storage /disk state feature state count protect:7
step refused-to-clear tune2fs -O ^verity /dev/vda
step protect storage /disk count protect count config config
step measured sh -c 'find /disk/ostree/repo/objects -type f -exec fsverity measure {} +'
step commit-new commit new
step new-objects find /disk/ostree/repo/objects -type f -newer /run/tree/new
umount /disk
step fsck-mounted e2fsck -f -n /dev/vda
mount /dev/vda /disk
step remounted sh -c 'find /disk/ostree/repo/objects -type f -newer /run/tree/new -exec fsverity measure {} +'
umount /disk

step unmounted tune2fs -O verity /dev/vdb
mount /dev/vdb /other
step tune2fs-small tune2fs -O verity /dev/vdc
mount /dev/vdc /small && sysroot /small
step mount-fat mount -t vfat /dev/vdd /fat
sysroot /fat
truncate -s 16M /run/file && mkfs.ext4 -q -b 4096 -O ^verity /run/file
mount -o loop /run/file /loop && sysroot /loop
truncate -s 16M /run/volume && losetup /dev/loop5 /run/volume
step dmsetup dmsetup create --table "0 32768 linear /dev/loop5 0" vg0-root
step mkfs-volume mkfs.ext4 -q -b 4096 -O ^verity /dev/mapper/vg0-root
step mount-volume mount /dev/mapper/vg0-root /volume
sysroot /volume
step others storage /other state protect /small state /fat state /loop state feature state /volume state feature state
umount /other
step fsck-unmounted e2fsck -f -n /dev/vdb

# A file that is removed while it is open brings the superblock into the journal.
mount /dev/vde /cut && sysroot /cut
mount /dev/vdf /careless
exec 5>/cut/open 6>/careless/open
rm /cut/open /careless/open
sync
step cut storage /cut feature
step careless tune2fs -O verity /dev/vdf
${POWER_CUT}`;

describeSystem('fs-verity made possible', ['trixie', 'guest', 'loaders'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let guest: GuestRun;
  /** An installed Debian, and over it what was only unpacked. */
  let root: string;

  before(async () => {
    root = work.mkdir('debian');
    const layers = ['loaders', 'trixie'].map((name) => join(ORACLES, name)).join(':');
    runHost(['mount', '-t', 'overlay', '-o', `ro,lowerdir=${layers}`, 'overlay', root]);
    const sysroot = new OstreeSysroot(oracle('trixie'), work, ['os']);
    sysroot.commit('os/1', { version: '1', seed: 1 });
    sysroot.deploy('os', 'os/1');
    const program = work.join('storage.js');
    await build({
      entryPoints: [join(PROJECT, 'test/machine/programs/storage.ts')],
      outfile: program,
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['koffi'],
      logLevel: 'warning',
    });
    const packages = join(PROJECT, 'node_modules');
    guest = await runInGuest(work.mkdir('guest'), {
      script: SCRIPT,
      disks: [
        disk('mounted.img', ['-b', '4096', '-d', sysroot.path]),
        disk('unmounted.img', ['-b', '4096', '-d', sysroot.path]),
        disk('small-blocks.img', ['-b', '1024']),
        fatDisk('fat.img'),
        disk('cut.img', ['-b', '4096', '-O', '^verity,^orphan_file']),
        disk('careless.img', ['-b', '4096', '-O', '^verity,^orphan_file']),
      ],
      modules: ['virtio_blk', 'vfat', 'nls_cp437', 'nls_ascii', 'loop', 'dm-mod'],
      files: {
        'usr/bin/node': process.execPath,
        'opt/sealtree/storage.js': program,
        'opt/sealtree/node_modules/koffi': join(packages, 'koffi'),
        'opt/sealtree/node_modules/@koromix': join(packages, '@koromix'),
        'opt/ostree': programOf('usr/bin/ostree'),
        'opt/dmsetup': programOf('usr/sbin/dmsetup'),
      },
    });
  });

  const disk = (name: string, options: readonly string[]): string => {
    const path = work.write(name, '');
    runHost(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^verity', ...options, path, '64M']);
    return path;
  };

  const fatDisk = (name: string): string => {
    const path = work.write(name, Buffer.alloc(16 << 20));
    runHost(['mkfs.vfat', path]);
    return path;
  };

  /** A folder with a program of Debian's and all it needs. */
  const programOf = (program: string): string => {
    const name = basename(program);
    const folder = work.join(name);
    const files = programFiles(program as ByteString, new TreeRoot(root, linuxSystem));
    assert(files?.loader !== undefined, program);
    const copy = (from: ByteString, to: string): void => {
      mkdirSync(join(folder, dirname(to)), { recursive: true });
      copyFileSync(join(root, bytesToText(from)), join(folder, to));
    };
    copy(files.path, `bin/${name}`);
    copy(files.loader, 'lib/ld.so');
    for (const { name: library, path } of files.libraries) copy(path, `lib/${library}`);
    return folder;
  };

  /** The answers of a step, one for each word. */
  const answers = (name: string, status = 0): unknown[] => {
    const step = guest.step(name);
    assert.equal(step.status, status, `${name}: ${step.stdout}${step.stderr}`);
    return step.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  };
  const verityOf = (answer: unknown): StorageState['verity'] => (answer as StorageState).verity;
  const counts = (answer: unknown): ProtectionState => answer as ProtectionState;

  it('turns the feature on below a mounted file system, where it holds at once', (t) => {
    const slowest = [...guest.steps].sort(([, a], [, b]) => b.seconds - a.seconds).slice(0, 5);
    const times = slowest.map(([name, { seconds }]) => `${name} ${seconds.toFixed(0)} s`).join(', ');
    t.diagnostic(`the machine ran ${guest.seconds.toFixed(0)} s, of these ${times}`);
    const [state, feature, now, count] = answers('killed', 137);
    const verity = verityOf(state);
    assert(verity.state === 'needs-feature');
    assert.deepEqual(verity.step.argv, ['tune2fs', '-O', 'verity', '/dev/vda']);
    assert.deepEqual(feature, { done: verity.step.argv });
    assert.deepEqual(verityOf(now), { state: 'ready' });
    const { total, disabled } = counts(count);
    assert(total > 30);
    assert.equal(disabled, total);
  });

  it('says rightly that it cannot be taken back', () => {
    assert.notEqual(guest.step('refused-to-clear').status, 0);
    assert.match(guest.step('refused-to-clear').stderr, /Clearing filesystem feature 'verity' not supported/);
  });

  it('goes on where a killed run was', () => {
    const [between, result, done] = answers('protect');
    assert.equal(counts(between).enabled, 7);
    const { enabledNow, enabledBefore, failed } = result as ProtectionResult;
    assert.deepEqual(failed, []);
    assert.equal(enabledBefore, 7);
    const total = enabledNow + enabledBefore;
    assert.deepEqual(done, { total, enabled: total, disabled: 0, unsupported: 0, unreadable: [] });
    const { status, stdout, stderr } = guest.step('measured');
    assert.equal(status, 0, stderr);
    assert.equal([...stdout.matchAll(/^sha256:/gm)].length, total);
  });

  it('comes before the configuration, with which ostree writes nothing where there is no fs-verity', () => {
    assert.equal(guest.step('commit-plain').status, 0, guest.step('commit-plain').stderr);
    answers('config-too-early');
    assert.notEqual(guest.step('commit-too-early').status, 0);
    assert.match(
      guest.step('commit-too-early').stderr,
      /fsverity required but filesystem does not support it/,
    );
  });

  it('makes ostree protect what it writes from then on', (t) => {
    const [, , , first, second] = answers('protect');
    assert.deepEqual(first, { before: { line: null, group: false, newline: true } });
    assert.deepEqual(second, {});
    assert.equal(guest.step('commit-new').status, 0, guest.step('commit-new').stderr);
    const written = guest.step('new-objects').stdout.trimEnd().split('\n');
    t.diagnostic(`${written.length} new objects`);
    assert(written.some((path) => path.endsWith('.commit')));
    // After the file system was mounted again: it is on the disk.
    const { status, stdout, stderr } = guest.step('remounted');
    assert.equal(status, 0, stderr);
    for (const path of written) assert(stdout.includes(path), path);
  });

  it('leaves file systems that e2fsck finds whole', () => {
    for (const name of ['fsck-mounted', 'fsck-unmounted']) {
      const { status, stdout, stderr } = guest.step(name);
      assert.equal(status, 0, stdout + stderr);
    }
  });

  it('keeps the feature over a power cut, which tune2fs alone does not', (t) => {
    for (const name of ['cut', 'careless']) assert.equal(guest.step(name).status, 0, guest.step(name).stderr);
    const featuresOf = (name: string): string => {
      const path = work.join(name);
      // 1: it has mended what a power cut leaves.
      const { status, stdout } = runHost(['e2fsck', '-f', '-y', path], { allowFailure: true });
      assert(status <= 1, stdout);
      return /^Filesystem features: +(.*)$/m.exec(runHost(['dumpe2fs', '-h', path]).stdout)?.[1] ?? '';
    };
    assert.match(featuresOf('cut.img'), /\bverity\b/);
    // What makes the care necessary, as long as kernels replay what was the superblock then.
    const isKept = /\bverity\b/.test(featuresOf('careless.img'));
    t.diagnostic(`tune2fs alone: the feature is ${isKept ? 'kept' : 'lost'}`);
  });

  it('works on a file system that is not mounted, too', () => {
    assert.equal(guest.step('unmounted').status, 0, guest.step('unmounted').stderr);
    const [state, result] = answers('others');
    assert.deepEqual(verityOf(state), { state: 'ready' });
    assert((result as ProtectionResult).enabledNow > 30);
  });

  it('refuses blocks that are too small, which tune2fs does not', () => {
    assert.equal(guest.step('tune2fs-small').status, 0, guest.step('tune2fs-small').stderr);
    const verity = verityOf(answers('others')[2]);
    assert(verity.state === 'impossible');
    assert.equal(verity.code, 'storage-block-size');
  });

  it('refuses FAT by name', () => {
    assert.equal(guest.step('mount-fat').status, 0, guest.step('mount-fat').stderr);
    const verity = verityOf(answers('others')[3]);
    assert(verity.state === 'impossible');
    assert.match(verity.reason, /^FAT has no fs-verity/);
  });

  it('finds the device of a file', () => {
    const [state, feature, now] = answers('others').slice(4);
    const { device } = (state as StorageState).sysroot;
    assert.equal(device?.kind, 'loop');
    assert.deepEqual(feature, { done: ['tune2fs', '-O', 'verity', device?.path] });
    assert.deepEqual(verityOf(now), { state: 'ready' });
  });

  it('finds a logical volume by its name', () => {
    for (const name of ['dmsetup', 'mkfs-volume', 'mount-volume'])
      assert.equal(guest.step(name).status, 0, guest.step(name).stderr);
    const [state, feature, now] = answers('others').slice(7);
    assert.deepEqual((state as StorageState).sysroot.device?.path, '/dev/mapper/vg0-root');
    assert.equal((state as StorageState).sysroot.device?.kind, 'dm');
    assert.deepEqual(feature, { done: ['tune2fs', '-O', 'verity', '/dev/mapper/vg0-root'] });
    assert.deepEqual(verityOf(now), { state: 'ready' });
  });
});
