/** What a boot loader sees of a file system whose journal it does not look at. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';

describeSystem('checkpoint', [], () => {
  const work = new Sandbox();
  const disk = work.join('disk');
  const folder = work.join('mounted');

  before(() => {
    runHost(['truncate', '--size=64M', disk]);
    runHost(['mke2fs', '-q', '-t', 'ext4', disk]);
    mkdirSync(folder);
    // No write-back of its own accord while the test looks.
    runHost(['mount', '-o', 'loop,commit=300', disk, folder]);
  });
  after(() => void runHost(['umount', folder]));

  /** debugfs reads ext4 as GRUB and U-Boot do: the journal is not replayed. */
  const seen = (name: string): string => runHost(['debugfs', '-R', `cat /${name}`, disk]).stdout;

  const rename = (text: string): void => {
    writeFileSync(join(folder, 'aside'), text, { flush: true });
    linuxSystem.rename(join(folder, 'aside'), join(folder, 'entry'));
    linuxSystem.fsyncDirectory(folder);
  };

  it('shows a loader what is only in the journal after an fsync', () => {
    rename('old');
    linuxSystem.checkpoint(folder);
    assert.equal(seen('entry'), 'old');
    rename('new');
    // What makes the call necessary; a kernel that did better would not need it.
    assert.equal(seen('entry'), 'old');
    linuxSystem.checkpoint(folder);
    assert.equal(seen('entry'), 'new');
  });
});
