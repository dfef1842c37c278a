/**
 * The script that mounts the root, and its rehearsal, against a kernel that has fs-verity: a virtual machine with a
 * deployment of ostree 2025.2. Also what only other tools can say: the template's bytes, and that the scripts are
 * sound.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, it } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import { type Fact, type KernelFacts, kernelFacts } from '../../src/base/capabilities.ts';
import { type Digest, digestOf } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { PAYLOAD_NAMES, payloadPath } from '../../src/boot/payload.ts';
import { type RehearsalRequest, rehearse } from '../../src/boot/rehearsal.ts';
import { sealTemplateImage } from '../../src/boot/template.ts';
import type { Deployment } from '../../src/deployment/deployment.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import type { Finding } from '../../src/image/findings.ts';
import { faultSystem } from '../support/fault-system.ts';
import { type GuestRun, runInGuest } from '../support/guest-script.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT, sealtree } from '../support/sealtree.ts';
import { lintScripts } from '../support/shellcheck.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';

describeSystem('the template image', ['sid'], () => {
  it('is the one mkcomposefs makes', () => {
    for (const digest of ['00'.repeat(32), 'ff'.repeat(32), '0123456789abcdef'.repeat(4)]) {
      const dump = `/ 0 40755 2 0 0 0 0.0 - - -\n/image 4096 100600 1 0 0 0 0.0 .ostree.cfs - ${digest}\n`;
      const { bytes } = oracle('sid').run(['mkcomposefs', '--from-file', '-', '-'], { input: dump });
      assert.deepEqual(bytes, sealTemplateImage(digest as Digest));
    }
  });
});

describeSystem('scripts for an initramfs', [], () => {
  const scripts = PAYLOAD_NAMES.map(payloadPath).filter(
    (path) => !/\.(conf|service|path|timer)$|\/90sealtree$/.test(path),
  );

  it('have nothing that shellcheck minds', () => lintScripts(scripts));

  it('can be parsed by every shell they may meet', () => {
    const portable = scripts.filter((path) => !/module-setup\.sh$|\/mkinitcpio\//.test(path));
    for (const shell of [['dash'], ['bash', '--posix'], ['busybox', 'sh']])
      for (const path of portable) {
        const [program = '', ...args] = shell;
        const { status, stderr, error } = spawnSync(program, [...args, '-n', path], { encoding: 'utf8' });
        assert.equal(error, undefined);
        assert.equal(status, 0, stderr);
      }
  });
});

/** $deployment: its folder; $link: its boot link; $pin, $other: seal pins; $object: of the file that is read first. */
const SCRIPT = `
rehearse() { node /opt/sealtree/test/support/programs/rehearse.ts /disk 0 "$@"; }
mkdir /disk
mount /dev/vda /disk
find /disk/ostree/repo/objects "/disk/$deployment/.ostree.cfs" -type f -size +0 -exec fsverity enable {} ';'
step mounts-before cat /proc/self/mountinfo
step pins rehearse \
  enforce "root=LABEL=root $pin ostree=$link" \
  enforce "$other ostree=$link" \
  prefer "$other ostree=$link" \
  enforce "sealtree.pin=000000000000:\${pin##*:} ostree=$link" \
  enforce "ostree=$link" \
  enforce "root=LABEL=root $pin"
cp "/disk/$object" /run/object
rm "/disk/$object"
cp /run/object "/disk/$object"
step unprotected rehearse enforce "$pin ostree=$link"
step mounts-after cat /proc/self/mountinfo
step left ls -A /run
umount /disk
`;

describeSystem('the rehearsal of a boot, where the kernel checks nothing', [], () => {
  const fact = (state: Fact['state']): Fact => ({ state, reason: 'so says the test' });
  const kernel = (verity: Fact['state']): KernelFacts => ({
    ...kernelFacts(),
    overlayVerity: fact(verity),
    verity: fact(verity),
  });
  const stages = (): string[] => readdirSync('/run').filter((name) => name.startsWith('sealtree-rehearsal-'));

  /** A deployment with an image, as far as a rehearsal looks. */
  const makeRequest = async (work: Sandbox): Promise<RehearsalRequest> => {
    const { path, commits } = await makeSmallSysroot(work.join('sysroot'));
    const [deployment] = readSysroot(path, linuxSystem).deployments;
    assert.ok(deployment !== undefined);
    for (const name of ['usr', 'etc', 'sysroot', 'boot']) mkdirSync(join(deployment.path, name));
    writeFileSync(join(deployment.path, '.ostree.cfs'), 'no image');
    const commandLine = `sealtree.pin=${commits[1].slice(0, 12)}:${'e'.repeat(64)} ostree=/ostree/boot.0/alpha/x/0`;
    return {
      sysroot: path,
      deployment,
      commandLine: textToBytes(commandLine),
      settings: { policy: 'prefer', unpinned: 'refuse', onRefusal: 'emergency' },
    };
  };

  it('says so, and does not begin', async () => {
    using work = new Sandbox();
    const system = faultSystem(linuxSystem);
    const [finding, ...others] = await rehearse(await makeRequest(work), system, kernel('no'));
    assert.deepEqual(others, []);
    assert.equal(finding?.severity, 'unchecked');
    assert.match(
      finding?.message ?? '',
      /^the running kernel has no overlayfs' verity=require, .*: so says the test$/,
    );
    assert.deepEqual(system.steps, []);
  });

  it('is refused, when it was believed to check', async () => {
    using work = new Sandbox();
    const [finding, ...others] = await rehearse(await makeRequest(work), linuxSystem, kernel('yes'));
    assert.deepEqual(others, []);
    assert.deepEqual([finding?.severity, finding?.code], ['warning', 'rehearsal-refused']);
    assert.match(finding?.message ?? '', /the deployment's image is not the pinned one/);
  });

  it('is not begun for an unlocked deployment', async () => {
    using work = new Sandbox();
    const request = await makeRequest(work);
    const unlocked: Deployment = { ...request.deployment, unlocked: 'hotfix' };
    const [finding] = await rehearse({ ...request, deployment: unlocked }, linuxSystem, kernel('yes'));
    assert.match(finding?.message ?? '', /^the deployment is unlocked/);
  });

  it('is unchecked where the stage cannot be set up', async () => {
    using work = new Sandbox();
    const request = await makeRequest(work);
    rmSync(join(request.deployment.path, 'usr'), { recursive: true });
    const [finding, ...others] = await rehearse(request, linuxSystem, kernel('yes'));
    assert.deepEqual(others, []);
    assert.deepEqual([finding?.severity, finding?.code], ['unchecked', 'rehearsal']);
    assert.match(finding?.message ?? '', /^the boot could not be rehearsed here: .*usr/);
  });

  it('leaves no stage behind, whichever step of making it fails', async () => {
    using work = new Sandbox();
    const request = await makeRequest(work);
    const before = stages();
    for (let at = 0; ; at++) {
      // Steps of taking it down come after those of setting it up; here only those are to fail.
      const system = faultSystem(linuxSystem, { kind: 'fail', at, errno: 'ENOSPC' });
      const outcome = await rehearse(request, system, kernel('yes')).then(
        () => 'done',
        () => 'failed',
      );
      const failed = system.steps[at];
      if (outcome === 'done' || failed?.call === 'unlink' || failed?.call === 'rmdir') break;
      assert.deepEqual(stages(), before, `step ${at} of setting up: ${failed?.call}`);
    }
    for (const name of stages().filter((one) => !before.includes(one)))
      rmSync(join('/run', name), { recursive: true });
  });
});

describeSystem('the rehearsal of a boot', ['trixie', 'guest'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let guest: GuestRun;
  let id: string;

  before(async () => {
    const sysroot = new OstreeSysroot(oracle('trixie'), work, ['os']);
    sysroot.commit('os/1', { version: '1' });
    const deployment = sysroot.deploy('os', 'os/1');
    id = deployment.slice(join(sysroot.path, 'ostree/deploy/').length).replace('/deploy/', '/');
    const path = (absolute: string): string => absolute.slice(sysroot.path.length + 1);
    const find = [
      'find',
      join(sysroot.repositoryPath, 'objects'),
      '-samefile',
      join(deployment, 'usr/lib/os-release'),
    ];
    sealtree(['--sysroot', sysroot.path, 'seal']);
    const pin = `sealtree.pin=${basename(deployment).slice(0, 12)}:`;
    const image = digestOf(verityDigest(readFileSync(join(deployment, '.ostree.cfs'))));
    const disk = work.write('disk.img', '');
    const link = runHost([
      'sh',
      '-c',
      'sed -n "s/^options .*ostree=//p" "$0"/boot/loader/entries/*',
      sysroot.path,
    ]);
    const values = {
      deployment: path(deployment),
      pin: pin + image,
      other: pin + 'e'.repeat(64),
      link: link.stdout.trim().split(' ')[0] ?? '',
      object: path(runHost(find).stdout.trim()),
    };
    runHost(['truncate', '--size', '64M', disk]);
    runHost(['mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', '-O', 'verity', '-d', sysroot.path, disk]);
    guest = await runInGuest(work.mkdir('guest'), {
      script:
        Object.entries(values)
          .map(([name, value]) => `${name}=${value}\n`)
          .join('') + SCRIPT,
      disks: [disk],
      modules: ['virtio_blk', 'erofs', 'overlay'],
      files: {
        'usr/bin/node': process.execPath,
        'opt/sealtree/src': join(PROJECT, 'src'),
        'opt/sealtree/contrib/boot': join(PROJECT, 'contrib/boot'),
        'opt/sealtree/test/support/programs/rehearse.ts': join(PROJECT, 'test/support/programs/rehearse.ts'),
        'opt/sealtree/package.json': join(PROJECT, 'package.json'),
        'opt/sealtree/node_modules/koffi': join(PROJECT, 'node_modules/koffi'),
        'opt/sealtree/node_modules/@koromix': join(PROJECT, 'node_modules/@koromix'),
      },
    });
  });

  /** Of all rehearsals of a step, in their order. */
  const findings = (step: string): Finding[][] => {
    const { status, stdout, stderr } = guest.step(step);
    assert.equal(status, 0, stderr);
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Finding[]);
  };

  it('finds nothing where the root comes up sealed', () => {
    assert.deepEqual(findings('pins')[0], []);
  });

  const REFUSED: readonly (readonly [
    what: string,
    step: string,
    index: number,
    severity: string,
    message: RegExp,
  ])[] = [
    [
      'another image',
      'pins',
      1,
      'error',
      /not the pinned one, .*, found a file with another fs-verity digest$/,
    ],
    ['another image under prefer', 'pins', 2, 'warning', /the deployment's image is not the pinned one/],
    [
      'a stale pin',
      'pins',
      3,
      'error',
      /is of another deployment, expected .*, found commit 000000000000\.\.$/,
    ],
    ['no pin', 'pins', 4, 'error', /has no seal pin/],
    ['a command line that names no deployment', 'pins', 5, 'error', /left the root as it was/],
    [
      'an object without fs-verity',
      'unprotected',
      0,
      'error',
      /expected \/usr\/lib\/os-release as sealed, found a file without fs-verity$/,
    ],
  ];
  for (const [what, step, index, severity, message] of REFUSED)
    it(`says what the boot would say of ${what}`, () => {
      const [finding, ...others] = findings(step)[index] ?? [];
      assert.deepEqual(others, []);
      assert.equal(finding?.severity, severity);
      assert.equal(finding?.code, 'rehearsal-refused');
      assert.equal(finding?.where, id);
      assert.match(finding?.message ?? '', message);
    });

  it('leaves nothing behind', () => {
    assert.equal(guest.step('mounts-after').stdout, guest.step('mounts-before').stdout);
    assert.doesNotMatch(guest.step('left').stdout, /sealtree/);
  });
});
