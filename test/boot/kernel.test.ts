/** The kernel of a deployment: which one, and what its own files say of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { release as runningRelease } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { kernelFacts } from '../../src/base/capabilities.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { copiedBytes, type DeploymentKernel, deploymentKernel } from '../../src/boot/kernel.ts';
import type { Deployment } from '../../src/deployment/deployment.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';

let work: Sandbox;
let path: string;
let folder: string;
beforeEach(async () => {
  work = new Sandbox();
  path = work.join('sysroot');
  const { deploymentPaths } = await makeSmallSysroot(path);
  folder = deploymentPaths[0] as string;
});
afterEach(() => work.dispose());

const write = (name: string, content = ''): void => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
};
const first = (): Deployment => readSysroot(path, linuxSystem).deployments[0] as Deployment;
const kernel = (): DeploymentKernel | undefined => deploymentKernel(first(), linuxSystem);
const states = ({ facts }: DeploymentKernel): Record<string, string> =>
  Object.fromEntries(
    Object.entries(facts).flatMap(([name, fact]) => (typeof fact === 'string' ? [] : [[name, fact.state]])),
  );

const DEP =
  'kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz\nkernel/fs/overlayfs/overlay.ko.xz:\nkernel/drivers/block/loop.ko:\n';
const CONFIG = [
  'EROFS_FS=m',
  'EROFS_FS_XATTR=y',
  'EROFS_FS_BACKED_BY_FILE=y',
  'OVERLAY_FS=m',
  'BLK_DEV_LOOP=m',
  'FS_VERITY=y',
]
  .map((one) => `CONFIG_${one}\n`)
  .join('');

describe('the kernel of a deployment', () => {
  it('is none without one in usr/lib/modules', () => {
    assert.equal(kernel(), undefined);
    write('usr/lib/modules/6.12.0/modules.dep', DEP);
    write('usr/lib/modules/vmlinuz');
    write('usr/lib/ostree-boot/vmlinuz-abc');
    assert.equal(kernel(), undefined);
  });

  it('has its files beside its modules', () => {
    write('usr/lib/modules/6.12.0/vmlinuz');
    const modulesFolder = join(folder, 'usr/lib/modules/6.12.0');
    const { facts, ...bare } = kernel() as DeploymentKernel;
    assert.equal(facts.release, '6.12.0');
    assert.deepEqual(bare, {
      release: '6.12.0',
      vmlinuz: join(modulesFolder, 'vmlinuz'),
      initramfs: undefined,
      modulesFolder,
    });
    write('usr/lib/modules/6.12.0/initramfs');
    assert.equal(kernel()?.initramfs, join(modulesFolder, 'initramfs'));
    write('usr/lib/modules/6.12.0/initramfs.img');
    assert.equal(kernel()?.initramfs, join(modulesFolder, 'initramfs.img'));
  });

  it('is of several the one that the boot entry names', () => {
    for (const release of ['6.1.0', '6.12.0', '6.6.0']) write(`usr/lib/modules/${release}/vmlinuz`);
    const entry = join(path, 'boot/loader.0/entries/ostree-3.conf');
    const text = readFileSync(entry, 'latin1');
    for (const release of ['6.12.0', '6.6.0']) {
      writeFileSync(entry, text.replace('vmlinuz', `vmlinuz-${release}`));
      assert.equal(kernel()?.release, release);
    }
  });

  it('is of several the one that ostree made the bootcsum of, before there is an entry', () => {
    const parts = {
      vmlinuz: 'the kernel',
      'initramfs.img': 'the initramfs',
      'dtb/a.dtb': 'a tree',
      'dtb/b/c.dtb': 'another tree',
      '.vmlinuz.hmac': 'not counted',
    };
    for (const [name, text] of Object.entries(parts)) write(`usr/lib/modules/6.6.0/${name}`, text);
    for (const release of ['6.1.0', '6.12.0']) write(`usr/lib/modules/${release}/vmlinuz`, release);
    const bootcsum = createHash('sha256').update('the kernelthe initramfsa treeanother tree').digest('hex');
    const staged = { ...first(), entry: undefined };
    const of = (deployment: Deployment) => deploymentKernel(deployment, linuxSystem);
    assert.equal(of({ ...staged, bootcsum })?.release, '6.6.0');
    assert.equal(of(staged), undefined, 'which one it will be is not guessed');
    const bytes = 'the kernelnot counteda treeanother tree'.length;
    assert.equal(copiedBytes(of({ ...staged, bootcsum }) as DeploymentKernel, linuxSystem), bytes);
  });

  it('is in a folder, not behind a link to one', () => {
    write('usr/lib/modules/6.6.0/vmlinuz');
    symlinkSync('6.6.0', join(folder, 'usr/lib/modules/6.1.0'));
    assert.equal(kernel()?.release, '6.6.0');
  });
});

describe('what it can do', () => {
  it('is told by its configuration and its modules', () => {
    write('usr/lib/modules/6.12.0/vmlinuz');
    write('usr/lib/modules/6.12.0/config', CONFIG);
    write('usr/lib/modules/6.12.0/modules.dep', DEP);
    assert.deepEqual(states(kernel() as DeploymentKernel), {
      erofs: 'yes',
      erofsFromFile: 'yes',
      loop: 'yes',
      overlay: 'yes',
      overlayDataOnly: 'yes',
      overlayVerity: 'yes',
      verity: 'yes',
    });
  });

  for (const place of [
    'usr/lib/ostree-boot/config-6.12.0',
    'usr/lib/kernel/config-6.12.0',
    'boot/config-6.12.0',
  ])
    it(`is told by ${place} too`, () => {
      write('usr/lib/modules/6.12.0/vmlinuz');
      write(place, CONFIG.replace('CONFIG_FS_VERITY=y\n', ''));
      write('usr/lib/modules/6.12.0/modules.dep', DEP);
      const { facts } = kernel() as DeploymentKernel;
      assert.deepEqual(
        [facts.erofs.state, facts.verity.state, facts.overlayVerity.state],
        ['yes', 'no', 'no'],
      );
    });

  it('is not known where nothing says so', () => {
    write('usr/lib/modules/6.12.0/vmlinuz');
    write('usr/lib/modules/6.12.0/modules.dep', DEP);
    const facts = states(kernel() as DeploymentKernel);
    assert.deepEqual([facts.overlay, facts.overlayDataOnly, facts.loop], ['yes', 'yes', 'yes']);
    assert.deepEqual([facts.erofs, facts.verity, facts.overlayVerity], ['unknown', 'unknown', 'unknown']);
  });

  it('is less than it takes before Linux 6.6', () => {
    write('usr/lib/modules/6.1.0-56-cloud-amd64/vmlinuz');
    write('usr/lib/modules/6.1.0-56-cloud-amd64/config', CONFIG);
    write('usr/lib/modules/6.1.0-56-cloud-amd64/modules.dep', DEP);
    const facts = states(kernel() as DeploymentKernel);
    assert.deepEqual(
      [facts.erofs, facts.verity, facts.overlayDataOnly, facts.overlayVerity],
      ['yes', 'yes', 'no', 'no'],
    );
  });

  it('is not there where a module is missing', () => {
    write('usr/lib/modules/6.12.0/vmlinuz');
    write('usr/lib/modules/6.12.0/config', CONFIG);
    write('usr/lib/modules/6.12.0/modules.dep', DEP.replace(/.*erofs.*\n/, ''));
    assert.equal(kernel()?.facts.erofs.state, 'no');
  });

  it('is asked of the running kernel where it is the same one, and only there', () => {
    write(`usr/lib/modules/${runningRelease()}/vmlinuz`);
    const deployment = first();
    const facts = (booted: Deployment | undefined) =>
      deploymentKernel(deployment, linuxSystem, booted)?.facts;
    const running = kernelFacts();
    assert.deepEqual(facts({ ...deployment, booted: true }), running);
    const own = facts(undefined);
    assert.notDeepEqual(own, running);
    assert.deepEqual(facts({ ...deployment, booted: true, bootcsum: 'other' }), own);
  });
});
