/**
 * The seal under fs-verity, on a kernel that has it: two virtual machines with a disk each that ostree 2025.2
 * deployed to, one an ext4 with the verity feature, the other without. Each runs once and does everything; a
 * test is one fact of what it saw.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { buildProgram } from '../../contrib/build.ts';
import { ExitCode } from '../../src/base/errors.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { type GuestRun, runInGuest } from '../support/guest-script.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT } from '../support/sealtree.ts';
import type { Step } from '../support/steps.ts';
import { type Walked, walk } from '../support/walk.ts';

/** The one that is given another content, the one that loses its fs-verity, and one that stays as it is. */
const REPLACED = 'usr/bin/same';
const UNPROTECTED = 'usr/lib/os-release';
const INTACT = 'usr/bin/tool';

/** What both machines begin with. */
const PRELUDE = `
sealtree() { node /opt/sealtree/dist/sealtree.js --sysroot "$@"; }
mkdir /disk
mount /dev/vda /disk
`;

/** $one, $two, $third: deployments; $replaced, $unprotected: objects below $objects. */
const WITH_FEATURE = `
inodes() { # everything that a change would show in, but for the lock's folder
  find "$1" ! -path "$1/ostree" ! -path "$1/ostree/lock" -exec stat -c '%n %i %s %h %a %y %z' {} + | sort
}
mount_image() { # IMAGE POINT
  mkdir -p "$2" "$2.lower" &&
  mount -t erofs -o ro "$1" "$2.lower" &&
  mount -t overlay -o "ro,metacopy=on,redirect_dir=on,verity=require,lowerdir=$2.lower::$objects" overlay "$2"
}
unmount_image() { umount "$1" && umount "$1.lower"; }
read_all() { cd "$1" && find . -type f -exec sha256sum --zero {} +; cd /; }

objects=/disk/ostree/repo/objects
deployments=/disk/ostree/deploy
# mke2fs does not copy this flag of theirs.
chattr +i $deployments/*/deploy/*.0

step outlook sealtree /disk --json status
step seal sealtree /disk --json seal --fsverity require
step flags lsattr -d $deployments/*/deploy/*.0
step status sealtree /disk --json status
step verify sealtree /disk --json verify --deep --require-verity
step inodes-before inodes /disk
step seal-again sealtree /disk --json seal --fsverity require
step inodes-after inodes /disk
step measure find $objects $deployments -type f -size +0 '(' -name '*.file' -o -name .ostree.cfs ')' -exec fsverity measure {} +
step write sh -c 'echo more >>"$0"' $objects/$replaced
for name in one two; do
  [ $name = one ] && deployment=$one || deployment=$two
  step mount-$name mount_image $deployments/$deployment/.ostree.cfs /$name
  step read-$name read_all /$name
  step unmount-$name unmount_image /$name
done

cp $objects/$replaced /run/good
sed 's/in all versions/IN ALL VERSIONS/g' /run/good >/run/bad
rm $objects/$replaced
cp /run/bad $objects/$replaced
step damage-object fsverity enable $objects/$replaced
cp $objects/$unprotected /run/same && rm $objects/$unprotected && cp /run/same $objects/$unprotected
step mount-damaged mount_image $deployments/$two/.ostree.cfs /damaged
step read-replaced cat /damaged/${REPLACED}
step read-unprotected cat /damaged/${UNPROTECTED}
step read-intact sha256sum /damaged/${INTACT}
step kernel-says sh -c 'dmesg | grep overlayfs:'
step unmount-damaged unmount_image /damaged

chattr -i $deployments/$third
rm $deployments/$third/.ostree.cfs
cp $deployments/$two/.ostree.cfs $deployments/$third/.ostree.cfs
step damage-image fsverity enable $deployments/$third/.ostree.cfs
chattr +i $deployments/$third
step verify-damaged sealtree /disk --json verify
step seal-damaged sealtree /disk --json seal --rebuild --fsverity require

# What ostree fsck --delete and ostree pull do; then what the findings say.
rm $objects/$replaced
cp /run/good $objects/$replaced
step mend sealtree /disk --json seal --fsverity require
step verify-mended sealtree /disk --json verify --deep --require-verity
umount /disk
`;

const WITHOUT_FEATURE = `
step outlook sealtree /disk --json status
step require sealtree /disk seal --fsverity require
step left find /disk -name '*.cfs'
step seal sealtree /disk seal
step verify sealtree /disk --json verify
umount /disk
step enable tune2fs -O verity /dev/vda
mount /dev/vda /disk
step seal-again sealtree /disk --json seal --fsverity require
umount /disk
`;

interface Outlook {
  readonly obstacles: readonly { readonly code: string; readonly message: string }[];
}
interface Image {
  readonly state: string;
  readonly valid: boolean | null;
  readonly verity: string;
}
interface Sealed {
  readonly id: string;
  readonly action: string;
  readonly imageDigest: string;
  readonly verity: string;
  readonly error?: { readonly error: string };
  readonly objects: { readonly state: string; readonly enabledNow: number } | null;
}
interface Finding {
  readonly severity: string;
  readonly code: string;
  readonly where: string;
  readonly message: string;
  readonly paths?: readonly string[];
  readonly deployments?: readonly string[];
  readonly remedy?: readonly string[];
}
interface Answer {
  readonly outlook: Outlook;
  readonly deployments: readonly (Sealed & { readonly image: Image })[];
  readonly findings: readonly Finding[];
  readonly objects: number;
  readonly objectsRead: number;
}

describeSystem('seal under fs-verity', ['trixie', 'guest'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let sysroot: OstreeSysroot;
  let guest: GuestRun;
  /** The one whose disk has not the feature. */
  let plain: GuestRun;
  /** As `OS/CHECKSUM.SERIAL`; the first and the third are of one commit. */
  let ids: { one: string; two: string; third: string };
  /** Paths below the objects' folder, by the path in the second commit's tree. */
  const objects = new Map<string, string>();

  const pathOf = (id: string): string => join(sysroot.path, 'ostree/deploy', id.replace('/', '/deploy/'));

  before(async () => {
    sysroot = new OstreeSysroot(oracle('trixie'), work, ['alpha', 'beta']);
    for (const version of ['1', '2']) sysroot.commit(`os/${version}`, { version, seed: Number(version) });
    const deploy = (stateroot: string, branch: string) =>
      sysroot
        .deploy(stateroot, branch)
        .slice(join(sysroot.path, 'ostree/deploy/').length)
        .replace('/deploy/', '/');
    ids = { one: deploy('alpha', 'os/1'), two: deploy('alpha', 'os/2'), third: deploy('beta', 'os/1') };
    for (const path of [REPLACED, UNPROTECTED, INTACT])
      objects.set(path, objectOf(sysroot, join(pathOf(ids.two), path)));

    const program = work.join('dist');
    await buildProgram(program);
    const packages = join(PROJECT, 'node_modules');
    const names = {
      ...Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, id.replace('/', '/deploy/')])),
      replaced: objects.get(REPLACED) ?? '',
      unprotected: objects.get(UNPROTECTED) ?? '',
    };
    const files = {
      'usr/bin/node': process.execPath,
      'opt/sealtree/dist': program,
      'opt/sealtree/node_modules/koffi': join(packages, 'koffi'),
      'opt/sealtree/node_modules/@koromix': join(packages, '@koromix'),
    };
    const variables = Object.entries(names).map(([name, value]) => `${name}=${value}\n`);
    const run = (folder: string, feature: string, script: string): Promise<GuestRun> =>
      runInGuest(work.mkdir(folder), {
        script: variables.join('') + PRELUDE + script,
        disks: [makeDisk(join(folder, 'disk.img'), feature)],
        modules: ['virtio_blk', 'erofs', 'overlay'],
        files,
      });
    [guest, plain] = await Promise.all([
      run('with', 'verity', WITH_FEATURE),
      run('without', '^verity', WITHOUT_FEATURE),
    ]);
  });

  /** A disk with the sysroot as it is now. */
  const makeDisk = (name: string, feature: string): string => {
    const path = work.write(name, '');
    const options = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-O', feature, '-d', sysroot.path];
    runHost(['mke2fs', ...options, path, '64M']);
    return path;
  };

  /** The answer of a step that ran with --json. */
  const answer = (name: string, status = 0, run = guest): Answer => {
    const step = run.step(name);
    assert.equal(step.status, status, `${name}: ${step.stdout}${step.stderr}`);
    return JSON.parse(step.stdout) as Answer;
  };

  const finding = (code: string, where: string): Finding => {
    const { findings } = answer('verify-damaged', ExitCode.findings);
    const found = findings.find((one) => one.code === code && one.where.includes(where));
    assert(found !== undefined, `no ${code} of ${where} in ${JSON.stringify(findings, undefined, 2)}`);
    return found;
  };

  const named = (path: string): string => (objects.get(path) ?? '').replace('/', '');

  it('tells before the seal that nothing is in its way', (t) => {
    t.diagnostic(`machines ran ${guest.seconds.toFixed(0)} s and ${plain.seconds.toFixed(0)} s`);
    const { outlook } = answer('outlook');
    assert.deepEqual(outlook.obstacles, []);
  });

  it('seals all deployments, image and objects under fs-verity', () => {
    const { deployments } = answer('seal');
    assert.deepEqual(
      deployments.map(({ id, action }) => [id, action]).sort(),
      [
        [ids.one, 'sealed'],
        [ids.two, 'sealed'],
        [ids.third, 'sealed'],
      ].sort(),
    );
    for (const { verity, objects } of deployments) {
      assert.equal(verity, 'enabled');
      assert.equal(objects?.state, 'enabled');
    }
  });

  it('leaves the deployments immutable', () => {
    const flags = guest.step('flags').stdout.trimEnd().split('\n');
    assert.equal(flags.length, 3);
    for (const line of flags) assert.match(line, /^\S*i\S* /);
  });

  it('shows every image as right and under fs-verity', () => {
    for (const { image } of answer('status').deployments) {
      assert.equal(image.state, 'sealed');
      assert.equal(image.valid, true);
      assert.equal(image.verity, 'enabled');
    }
  });

  it('finds nothing wrong and nothing unchecked, all objects read', () => {
    const { findings, objects, objectsRead } = answer('verify');
    assert.deepEqual(findings, []);
    assert(objects > 10);
    assert.equal(objectsRead, objects);
  });

  it('does nothing the second time', () => {
    for (const { action } of answer('seal-again').deployments) assert.equal(action, 'unchanged');
    assert.equal(guest.step('inodes-after').stdout, guest.step('inodes-before').stdout);
    assert(guest.step('inodes-before').stdout.split('\n').length > 100);
  });

  it('gives images and objects the digests that the kernel measures', () => {
    const { stdout } = guest.step('measure');
    const measured = new Map(
      [...stdout.matchAll(/^sha256:([0-9a-f]{64}) (.*)$/gm)].map(([, digest = '', path = '']) => [
        path,
        digest,
      ]),
    );
    for (const { id, imageDigest } of answer('seal').deployments)
      assert.equal(
        measured.get(`/disk/ostree/deploy/${id.replace('/', '/deploy/')}/.ostree.cfs`),
        imageDigest,
      );
    // Each object's digest in an image was compared with the kernel's by the verification above; here with ours.
    const files = objectFiles(sysroot).filter(({ stats }) => stats.size > 0);
    assert(files.length > 10);
    for (const { name, path } of files) {
      const ours = verityDigest(readFileSync(path)).toString('hex');
      assert.equal(measured.get(`/disk/ostree/repo/objects/${name}`), ours, name);
    }
  });

  it('keeps an object from being written to', () => {
    assert.notEqual(guest.step('write').status, 0);
    assert.match(guest.step('write').stderr, /Operation not permitted/);
  });

  it('mounts with verity=require, and every file is what ostree deployed', () => {
    for (const name of ['one', 'two'] as const) {
      for (const step of [`mount-${name}`, `read-${name}`, `unmount-${name}`])
        assert.equal(guest.step(step).status, 0, guest.step(step).stderr);
      const read = checksumsRead(guest.step(`read-${name}`));
      const deployed = checksumsBelow(pathOf(ids[name]));
      assert(deployed.size > 20);
      assert.deepEqual(read, deployed);
    }
  });

  it('makes reading a replaced object fail', () => {
    assert.equal(guest.step('damage-object').status, 0);
    assert.equal(guest.step('mount-damaged').status, 0, 'mounting alone finds nothing');
    const { status, stdout, stderr } = guest.step('read-replaced');
    assert.notEqual(status, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /Input\/output error/);
    assert.match(guest.step('kernel-says').stdout, /has the wrong fs-verity digest/);
  });

  it('makes reading an object without fs-verity fail, though its content is right', () => {
    const { status, stderr } = guest.step('read-unprotected');
    assert.notEqual(status, 0);
    assert.match(stderr, /Input\/output error/);
    assert.match(guest.step('kernel-says').stdout, /has no fs-verity digest/);
  });

  it('still reads the other files', () => {
    const checksum = createHash('sha256')
      .update(readFileSync(join(pathOf(ids.two), INTACT)))
      .digest('hex');
    assert.equal(guest.step('read-intact').stdout, `${checksum}  /damaged/${INTACT}\n`);
  });

  it('finds the replaced object: paths, deployments, what mends it', () => {
    const { severity, paths, deployments, remedy } = finding('object-verity', named(REPLACED));
    assert.equal(severity, 'error');
    assert.deepEqual(paths, [`/${REPLACED}`]);
    assert.deepEqual([...(deployments ?? [])].sort(), Object.values(ids).sort());
    assert.match(remedy?.join('\n') ?? '', /^ostree fsck .*--delete\n(ostree pull .*\n){2}sealtree seal /);
  });

  it('finds the object without fs-verity: paths, deployments, what mends it', () => {
    const { severity, paths, deployments, remedy } = finding('object-without-verity', named(UNPROTECTED));
    assert.equal(severity, 'warning');
    assert.deepEqual(paths, [`/${UNPROTECTED}`]);
    // The third deployment has the image of the second by then.
    assert.deepEqual([...(deployments ?? [])].sort(), [ids.two, ids.third].sort());
    assert.deepEqual(remedy, [`sealtree seal --sysroot /disk ${deployments?.join(' ')}`]);
  });

  it('finds the replaced image', () => {
    assert.equal(guest.step('damage-image').status, 0);
    const { severity, deployments, remedy } = finding('image-digest', ids.third.replace('/', '/deploy/'));
    assert.equal(severity, 'error');
    assert.deepEqual(deployments, [ids.third]);
    assert.deepEqual(remedy, [`sealtree seal --sysroot /disk ${ids.third}`]);
  });

  it('does not seal what has changed since', () => {
    const { deployments } = answer('seal-damaged', ExitCode.findings);
    for (const { action, error } of deployments) {
      assert.equal(action, 'failed');
      assert.match(error?.error ?? '', new RegExp(`object ${named(REPLACED)} was sealed with the digest`));
    }
  });

  it('is whole again once the object is fetched anew and the deployments are sealed', () => {
    answer('mend');
    assert.deepEqual(answer('verify-mended').findings, []);
  });

  it('without the feature: tells what is in the way', () => {
    const { obstacles } = answer('outlook', 0, plain).outlook;
    assert.deepEqual(
      obstacles.map(({ code }) => code),
      ['file-system-verity'],
    );
    assert.match(obstacles[0]?.message ?? '', /tune2fs -O verity/);
  });

  it('without the feature: refuses where fs-verity is required, says what to do and leaves nothing', () => {
    const { status, stderr } = plain.step('require');
    assert.equal(status, ExitCode.unsupported);
    assert.match(stderr, /tune2fs -O verity/);
    assert.equal(plain.step('left').stdout, '');
  });

  it('without the feature: seals, and says what is not protected', () => {
    const { status, stdout } = plain.step('seal');
    assert.equal(status, 0);
    assert.match(stdout, /No fs-verity/);
    assert.match(stdout, /nothing keeps image or objects from being changed/);
  });

  it('without the feature: never calls unprotected objects verified', () => {
    assert.deepEqual(
      [
        ...new Set(answer('verify', 0, plain).findings.map(({ severity, code }) => `${severity} ${code}`)),
      ].sort(),
      ['unchecked image-verity', 'unchecked objects-without-verity'],
    );
  });

  it('seals after the next step that it named', () => {
    assert.equal(plain.step('enable').status, 0);
    for (const { verity, objects } of answer('seal-again', 0, plain).deployments) {
      assert.equal(verity, 'enabled');
      assert.equal(objects?.state, 'enabled');
    }
  });
});

/** Content objects that are regular files, by path below the objects' folder. */
function objectFiles(sysroot: OstreeSysroot): Walked[] {
  return walk(join(sysroot.repositoryPath, 'objects')).filter(
    ({ name, stats }) => name.endsWith('.file') && stats.isFile(),
  );
}

/** The object that a file of a deployment is a hard link of. */
function objectOf(sysroot: OstreeSysroot, path: string): string {
  const { ino } = lstatSync(path);
  const found = objectFiles(sysroot).find(({ stats }) => stats.ino === ino);
  assert(found !== undefined, `${path} is no object's`);
  return found.name;
}

/** Checksums by path, as `sha256sum --zero` wrote them of the files below the current folder. */
function checksumsRead({ stdout }: Step): Map<string, string> {
  const entries = [...stdout.matchAll(/([0-9a-f]{64}) {2}\.\/([^\0]+)\0/g)];
  return new Map(entries.map(([, checksum = '', path = '']) => [path, checksum]));
}

/** Checksums of a deployment's regular files by path, but for /etc: that is a copy which may be changed. */
function checksumsBelow(root: string): Map<string, string> {
  const files = walk(root).filter(({ name, stats }) => stats.isFile() && !name.startsWith('etc/'));
  return new Map(
    files.map(({ name, path }) => [name, createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}
