/** The unit files as systemd reads them. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { changeUnits, readUnits, UNIT_NAMES } from '../../src/boot/keep/units.ts';
import { describeSystem, ORACLES, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';

describeSystem('units', ['machine'], () => {
  it('pass systemd-analyze verify where they are installed', async () => {
    using work = new Sandbox();
    // A root of its own, with systemd and ostree's units; what is installed there lies above it.
    const root = work.join('root');
    for (const folder of ['root', 'upper', 'work', 'deployment/etc'])
      mkdirSync(work.join(folder), { recursive: true });
    const deployment = { id: 'os/0', path: work.join('deployment'), booted: false };
    mkdirSync(join(deployment.path, 'usr/lib/systemd'), { recursive: true });
    writeFileSync(join(deployment.path, 'usr/lib/systemd/systemd'), '');
    const { wanted, links } = readUnits(deployment, undefined, linuxSystem);
    const step = {
      kind: 'units',
      deployment: 'os/0',
      writes: wanted,
      links,
      removes: [],
      isRunning: false,
    } as const;
    await changeUnits(step, linuxSystem);
    runHost(['cp', '--archive', join(deployment.path, 'etc'), work.join('upper')]);
    const script = `
      mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4"
      mount -t proc proc "$4/proc"
      mkdir -p "$4/var/lib/sealtree/app" "$4/sysroot"
      shift 3
      chroot "$1" sh -euc 'shift; exec systemd-analyze verify --man=no --recursive-errors=yes "$@"' sh "$@"`;
    const { stdout, stderr } = runHost([
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', script, 'sh'],
      ...[join(ORACLES, 'machine'), work.join('upper'), work.join('work'), root],
      ...UNIT_NAMES,
      'multi-user.target',
      'boot-complete.target',
    ]);
    assert.deepEqual([stdout, stderr], ['', '']);
  });
});
