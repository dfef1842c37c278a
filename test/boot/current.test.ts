/** Whether the boot is up to date, as hooks ask it: quickly, and with no more than a look. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { System } from '../../src/base/system.ts';
import { journalPath } from '../../src/boot/journal.ts';
import { isBootCurrent } from '../../src/boot/keep/current.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { change, makeSealedSysroot } from '../support/boot-change.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const isCurrent = ({ path, system }: BootableSysroot, by: System = system): boolean =>
  isBootCurrent(readSysroot(path, by), by);

describe('the boot is up to date', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let made = 0;
  const installed = async (initramfs: string): Promise<BootableSysroot> => {
    const sysroot = await makeSealedSysroot(work, `sysroot${made++}`, { initramfs });
    assert.equal((await change(sysroot, 'install')).outcome, 'done');
    return sysroot;
  };

  it('where nothing was installed', async () => {
    assert.equal(isCurrent(await makeSealedSysroot(work, 'plain')), true);
  });

  for (const initramfs of ['append', 'overlay'])
    it(`after install by ${initramfs}, told without reading an initramfs or an image`, async () => {
      const sysroot = await installed(initramfs);
      const read: string[] = [];
      const readFile: System['readFile'] = (path) => {
        read.push(String(path));
        return sysroot.system.readFile(path);
      };
      assert.equal(isCurrent(sysroot, { ...sysroot.system, readFile }), true);
      assert.deepEqual(
        read.filter((path) => /initramfs|\.cfs$|\.img$|\.file$/.test(path)),
        [],
      );
    });

  const BEHIND: readonly (readonly [
    what: string,
    initramfs: string,
    breakIt: (of: BootableSysroot) => void,
  ])[] = [
    [
      'an entry has the seal pin of another deployment',
      'append',
      ({ entries: [entry = ''] }) =>
        writeFileSync(
          entry,
          readFileSync(entry, 'latin1').replace(/pin=[0-9a-f]{12}/, `pin=${'0'.repeat(12)}`),
        ),
    ],
    [
      'an entry has no seal pin',
      'append',
      ({ entries: [entry = ''] }) =>
        writeFileSync(entry, readFileSync(entry, 'latin1').replace(/sealtree\.pin=\S+ /, '')),
    ],
    [
      'an initramfs is as ostree put it there',
      'append',
      ({ deploymentPaths: [path = ''], initrds: [initrd] }) => {
        copyFileSync(join(path, 'usr/lib/modules/6.12.0-test/initramfs.img'), `${initrd}.new`);
        renameSync(`${initrd}.new`, initrd);
      },
    ],
    ['an initramfs is gone', 'append', ({ initrds: [initrd] }) => rmSync(initrd)],
    ['an initramfs is empty', 'append', ({ initrds: [initrd] }) => writeFileSync(initrd, '')],
    [
      'an entry does not name the overlay initrd',
      'overlay',
      ({ entries: [entry = ''] }) =>
        writeFileSync(entry, readFileSync(entry, 'latin1').replace(/^initrd \S+overlays.*\n/m, '')),
    ],
    ['a run was cut off', 'append', ({ repositoryPath }) => writeFileSync(journalPath(repositoryPath), '{}')],
  ];
  for (const [what, initramfs, breakIt] of BEHIND)
    it(`not where ${what}`, async () => {
      const sysroot = await installed(initramfs);
      breakIt(sysroot);
      assert.equal(isCurrent(sysroot), false);
    });
});
