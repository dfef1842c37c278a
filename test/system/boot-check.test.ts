/**
 * `boot check` of sysroots that a real ostree made and that `boot install` prepared, on file systems of several kinds:
 * what is right passes, what ostree does afterwards is seen, and what this kernel cannot show is not called right.
 */
import assert from 'node:assert/strict';
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { kernelFacts } from '../../src/base/capabilities.ts';
import { ExitCode } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { InitramfsSettings } from '../../src/boot/initramfs-settings.ts';
import { readStorage } from '../../src/boot/storage.ts';
import type { Finding } from '../../src/image/findings.ts';
import { addScript, pinAll } from '../support/bootable-sysroot.ts';
import { guestKernelRelease } from '../support/guest.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';
import { makeSmallTree } from '../support/small-machine.ts';

/** Makes a file system in a file and mounts it. */
function mountNew(work: Sandbox, name: string, type: string, options: readonly string[]): string {
  const disk = work.write(`${name}.img`, '');
  runHost(['mke2fs', '-q', '-F', '-t', type, ...options, disk, '320M']);
  const folder = work.mkdir(name);
  runHost(['mount', '-t', type, '-o', 'loop', disk, folder]);
  return folder;
}

const MODULES = join('usr/lib/modules', guestKernelRelease());

const SETTINGS: InitramfsSettings = { policy: 'enforce', unpinned: 'refuse', onRefusal: 'auto' };

describeSystem('boot check', ['trixie', 'machine', 'guest'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let sysroot: OstreeSysroot;
  /** What this kernel cannot show where it has no fs-verity. */
  const HERE: ReadonlySet<string> = new Set(
    kernelFacts().verity.state === 'yes'
      ? []
      : ['storage-verity', 'objects-without-verity', 'image-verity', 'rehearsal'],
  );

  before(async () => {
    mountNew(work, 'sysroot', 'ext4', ['-O', 'verity']);
    sysroot = new OstreeSysroot(oracle('trixie'), work, ['os']);
    for (const version of ['1', '2', '3']) {
      const tree = work.join(`tree-${version}`);
      makeSmallTree(tree, version);
      // One initramfs for all, as a new version without a new kernel has it.
      if (version !== '1')
        copyFileSync(work.join('tree-1', MODULES, 'initramfs.img'), join(tree, MODULES, 'initramfs.img'));
      sysroot.repo('commit', [`--branch=os/${version}`, `--tree=dir=${tree}`]);
    }
    for (const version of ['1', '2']) deploy(version);
    await install();
  });

  const deploy = (version: string): string => {
    const folder = sysroot.deploy('os', `os/${version}`, ['--karg=root=LABEL=root']);
    const path = join(folder, 'etc/sealtree/sealtree.conf');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '[boot]\npolicy=enforce\n');
    return folder;
  };

  /** What `boot install` would do, where it does not refuse for want of fs-verity. */
  const install = async (): Promise<void> => {
    sealtree(['--sysroot', sysroot.path, 'seal']);
    pinAll({ path: sysroot.path, system: linuxSystem });
    const files = globSync('boot/ostree/*/initramfs-*', { cwd: sysroot.path });
    assert(files.length > 0);
    for (const file of files) {
      const path = join(sysroot.path, file);
      const original = join(sysroot.deployments()[0] as string, MODULES, 'initramfs.img');
      const subject = { deploymentPaths: sysroot.deployments(), system: linuxSystem };
      await addScript(subject, path, SETTINGS, readFileSync(original), guestKernelRelease());
    }
  };

  interface Answer {
    readonly findings: readonly Finding[];
  }
  /** What it finds besides what it cannot see here: `severity code`. */
  const check = (...options: readonly string[]): { status: number; found: string[]; unseen: string[] } => {
    const argv = ['--sysroot', sysroot.path, '--json', 'boot', 'check', ...options];
    const { status, stdout, stderr } = sealtree(argv, { allowFailure: true });
    assert(status === 0 || status === ExitCode.findings, stdout + stderr);
    const { findings } = JSON.parse(stdout) as Answer;
    const isUnseen = ({ severity, code }: Finding): boolean =>
      severity === 'unchecked' && (HERE.has(code) || code === 'loader-unknown');
    const unseen = findings.filter(isUnseen).map(({ code }) => code);
    const found = findings
      .filter((finding) => !isUnseen(finding))
      .map(({ severity, code }) => `${severity} ${code}`);
    return { status, found: found.sort(), unseen };
  };

  it('finds nothing wrong with what install leaves, and says what it could not see', () => {
    const { status, found, unseen } = check('--deep');
    assert.deepEqual(found, []);
    assert.equal(status, ExitCode.ok);
    for (const code of [...HERE, 'loader-unknown'])
      assert(unseen.includes(code), `${code}: ${unseen.join()}`);
  });

  it('warns where ostree was told not to wait for the disk, until it was told to again', () => {
    sysroot.repo('config', ['set', 'core.fsync', 'false']);
    const { status, found } = check('--no-rehearsal');
    assert.deepEqual([status, found], [ExitCode.ok, ['warning fsync-off']]);
    sysroot.repo('config', ['set', 'core.fsync', 'true']);
    assert.deepEqual(check('--no-rehearsal').found, []);
  });

  it('sees a kernel that a power cut left empty', () => {
    const [kernel = ''] = globSync('boot/ostree/*/vmlinuz-*', { cwd: sysroot.path });
    const path = join(sysroot.path, kernel);
    const bytes = readFileSync(path);
    rmSync(path);
    writeFileSync(path, '');
    const { status, found } = check('--no-rehearsal');
    assert.deepEqual(found, ['error kernel-damaged']);
    assert.equal(status, ExitCode.findings);
    writeFileSync(path, bytes);
    assert.deepEqual(check('--no-rehearsal').found, []);
  });

  it('sees that ostree copied the pin to a new deployment, and that all is right again after the next install', async () => {
    deploy('3');
    const { status, found } = check('--no-rehearsal');
    assert.deepEqual(found, ['error not-sealed', 'error pin-stale']);
    assert.equal(status, ExitCode.findings);
    await install();
    assert.deepEqual(check('--no-rehearsal').found, []);
  });

  it('finds nothing wrong after other commands of ostree', () => {
    for (const [verb, ...args] of [
      ['set-default', '1'],
      ['pin', '0'],
      ['cleanup'],
      ['undeploy', '2'],
    ] as const) {
      sysroot.admin(verb, args);
      assert.deepEqual(check('--no-rehearsal').found, [], verb);
    }
  });

  it('sees that what is staged will refuse to boot', () => {
    const [booted = ''] = sysroot.deployments();
    const script = `
      ostree admin deploy --os=os --stage os/1 >&2
      sealtree --json boot check --no-rehearsal || test $? -eq ${ExitCode.findings}`;
    const { stdout } = sysroot.runBooted(booted, script);
    const staged = (JSON.parse(stdout) as Answer).findings.find(({ code }) => code === 'staged-pin');
    assert.equal(staged?.severity, 'error');
    assert.match(staged.message, /refuse to boot/);
    assert.deepEqual(staged.remedy, ['sealtree boot install']);
  });
});

describeSystem('file systems that cannot have fs-verity', [], () => {
  const work = new Sandbox();
  after(() => work.dispose());

  /** A folder with what is looked at. */
  const laidOut = (folder: string): string => {
    for (const name of ['ostree/repo/objects', 'ostree/deploy', 'boot'])
      mkdirSync(join(folder, name), { recursive: true });
    return folder;
  };

  it('are named: ext3, which is ext4 by another name', () => {
    const { sysroot, verity } = readStorage(laidOut(mountNew(work, 'ext3', 'ext3', [])), linuxSystem);
    assert.equal(sysroot.device?.kind, 'loop');
    assert(verity.state === 'impossible');
    assert.match(verity.reason, /^ext3 has no fs-verity/);
  });

  it('are named: tmpfs, and an overlay', () => {
    const folder = work.mkdir('tmpfs');
    runHost(['mount', '-t', 'tmpfs', 'tmpfs', folder]);
    const { sysroot, verity } = readStorage(laidOut(folder), linuxSystem);
    assert.equal(sysroot.device, undefined);
    assert.equal(verity.state === 'impossible' ? verity.code : undefined, 'storage-tmpfs');
    const merged = work.mkdir('overlay');
    runHost([
      'mount',
      '-t',
      'overlay',
      '-o',
      `ro,lowerdir=${work.mkdir('empty')}:${folder}`,
      'overlay',
      merged,
    ]);
    const over = readStorage(merged, linuxSystem).verity;
    assert.match(over.state === 'impossible' ? over.reason : '', /name the sysroot below it/);
  });

  it('are never ready without an answer of the kernel', () => {
    for (const feature of ['verity', '^verity']) {
      const folder = laidOut(mountNew(work, `ext4-${feature}`, 'ext4', ['-b', '4096', '-O', feature]));
      const { verity } = readStorage(folder, linuxSystem);
      const wanted =
        kernelFacts().verity.state === 'no' ? 'unknown' : feature === 'verity' ? 'ready' : 'needs-feature';
      assert.equal(verity.state, wanted);
    }
  });
});
