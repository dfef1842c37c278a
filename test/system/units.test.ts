/** The unit files as systemd reads them. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { changeUnits, readUnits, UNIT_NAMES } from '../../src/boot/keep/units.ts';
import { payloadFile } from '../../src/boot/payload.ts';
import { describeSystem, ORACLES, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';

describeSystem('units', ['machine'], () => {
  /** `systemd-analyze verify` in a system of its own, with systemd and ostree's units, and `files` above it. */
  function verify(work: Sandbox, files: string, units: readonly string[]): void {
    const [root, above] = [work.mkdir('root'), work.mkdir('work')];
    const script = `
      mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4"
      mount -t proc proc "$4/proc"
      mkdir -p "$4/sysroot"
      shift 3
      chroot "$1" sh -euc 'shift; exec systemd-analyze verify --man=no --recursive-errors=yes "$@"' sh "$@"`;
    const { stdout, stderr } = runHost([
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', script, 'sh'],
      ...[join(ORACLES, 'machine'), files, above, root],
      ...units,
    ]);
    assert.deepEqual([stdout, stderr], ['', '']);
  }

  it('pass systemd-analyze verify where they are installed', async () => {
    using work = new Sandbox();
    const path = work.join('deployment');
    work.mkdir('deployment/etc');
    work.write('deployment/usr/lib/systemd/systemd', '');
    const { wanted, links } = readUnits({ id: 'os/0', path, booted: false }, undefined, linuxSystem);
    const common = { kind: 'units', deployment: 'os/0', removes: [], isRunning: false } as const;
    await changeUnits({ ...common, writes: wanted, links }, linuxSystem);
    const files = work.mkdir('files');
    runHost(['cp', '--archive', join(path, 'etc'), files]);
    mkdirSync(join(files, 'var/lib/sealtree/app'), { recursive: true });
    verify(work, files, [...UNIT_NAMES, 'multi-user.target', 'boot-complete.target']);
  });

  it('of the initramfs pass it where they stand there', () => {
    using work = new Sandbox();
    const files = work.mkdir('files');
    const units = ['sealtree-prepare.service', 'sealtree-root.service'] as const;
    for (const name of units) work.write(`files/usr/lib/systemd/system/${name}`, payloadFile(name));
    work.write('files/usr/lib/sealtree/seal-root', payloadFile('seal-root'));
    chmodSync(join(files, 'usr/lib/sealtree/seal-root'), 0o755);
    // As systemd-fstab-generator makes it of `root=`.
    work.write('files/etc/systemd/system/sysroot.mount', '[Mount]\nWhat=/dev/vda\nWhere=/sysroot\n');
    verify(work, files, [...units, 'initrd-root-fs.target']);
  });
});
