/**
 * A refused boot entry makes way for the one before it, with nobody there: systemd-boot counts the tries in its name,
 * the script reboots, and in the end the older entry is what boots.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { makeSystemdBootDisk } from '../support/firmware.ts';
import { deployLoaderMachine, LoaderMachine } from '../support/loader-machine.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { walk } from '../support/walk.ts';

const TRIES = 2;

/**
 * The entry as it was sealed, and a newer one with tries left whose image is another: what an upgrade leaves that was
 * damaged since. Copied to where systemd-boot reads, as contrib/doc/loaders.md has it.
 */
const INSTALL = `
step mount mount -t vfat /dev/vda /efi
step seal sealtree seal --all
printf 'on-refusal = reboot\\n' >>/etc/sealtree/sealtree.conf
step install sealtree boot install --yes
copy() {
  cp -R /boot/ostree /efi/boot/ && cp /boot/loader/entries/*.conf /efi/loader/entries/ &&
    sed 's/^version .*/version 9/; s/\\(sealtree\\.pin=[0-9a-f]*\\):[0-9a-f]*/\\1:${'0'.repeat(64)}/' \\
      /boot/loader/entries/ostree-1.conf >/efi/loader/entries/ostree-9+${TRIES}.conf
}
step copy copy
step entries ls /efi/loader/entries
step sync umount /efi
`;

describeSystem('boot counting', ['trixie', 'guest', 'loaders', 'machine'], () => {
  const work = new Sandbox();
  after(() => work.dispose());

  it('takes the older entry once the refused one has no tries left', async (t) => {
    using own = new Sandbox();
    const sysroot = await deployLoaderMachine(own);
    const boot = join(sysroot.path, 'boot');
    const files = (folder: string, to: string): [string, string][] =>
      walk(join(boot, folder))
        .filter(({ stats }) => stats.isFile())
        .map(({ name }) => [join(to, name), join(boot, folder, name)]);
    const copied = [...files('ostree', 'boot/ostree'), ...files('loader.1/entries', 'loader/entries')];
    const disk = makeSystemdBootDisk(work.mkdir('loader'), Object.fromEntries(copied));
    const machine = LoaderMachine.of(sysroot, work.join('machine'));

    const installed = await machine.boot('efi', disk, INSTALL);
    t.diagnostic(`${installed.seconds.toFixed(0)} s to install`);
    for (const name of ['mount', 'seal', 'install', 'copy', 'sync'])
      assert.equal(installed.step(name).status, 0, `${name}: ${installed.step(name).stderr}`);
    assert.equal(installed.step('entries').stdout, `ostree-1.conf\nostree-9+${TRIES}.conf\n`);

    const last = await machine.boot('efi', disk, undefined, { mayReboot: true });
    t.diagnostic(`${last.seconds.toFixed(0)} s to fall back`);
    const refusals = last.console.filter((line) => line.includes('REFUSED TO BOOT'));
    assert.equal(refusals.length, TRIES, last.console.join('\n'));
    assert.deepEqual([last.root, last.end], ['sealed', 'power off'], last.console.join('\n'));
    assert.doesNotMatch(last.commandLine ?? '', /:0{64}/);
    const { stdout } = runHost(['mdir', '-b', '-i', disk, '::/loader/entries']);
    assert.match(stdout, new RegExp(`ostree-9\\+0-${TRIES}\\.conf`), 'boot counting has given up on it');
  });
});
