/**
 * A tree that came as an archive, mounted with fs-verity on, by a kernel that has it: what is tampered with is refused.
 * One machine does everything; a test is one fact of what it saw.
 */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { ExitCode } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { initRepository } from '../../src/repository/init.ts';
import { DEFINE_SEALTREE, guestProgram } from '../support/guest-program.ts';
import { type GuestRun, runInGuest } from '../support/guest-script.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import type { Step } from '../support/steps.ts';
import { tarOf } from '../support/tar.ts';

/** Too long to lie in the image itself. */
const content = (name: string): Buffer => Buffer.from(`${name}\n`.repeat(300));
const FILES = ['changed', 'unprotected', 'intact'] as const;

/** $sealed is the image of `app`, $other that of another tree. */
const SCRIPT = `
${DEFINE_SEALTREE}
image() { sealtree --repo /disk/repo --json image "$@"; }
object_of() { # CONTENT: the object that begins so
  for object in /disk/repo/objects/*/*.file; do
    [ "$(head -n 1 "$object")" = "$1" ] && echo "$object"
  done
}
replace() { cat "$2" >/run/new && rm "$1" && cp /run/new "$1"; } # FILE WITH: what an attacker with the disk does

mkdir /disk /mnt
mount /dev/vda /disk
step import sealtree import tar --repo /disk/repo --ref app /disk/app.tar
step import-other sealtree import tar --repo /disk/repo --ref other /disk/other.tar
images=/disk/repo/extensions/sealtree/images
step seal sealtree seal --repo /disk/repo --ref app --fsverity require
sealed=$(ls $images)
step seal-other sealtree seal --repo /disk/repo --ref other --fsverity require
other=$(ls $images | grep -v "$sealed")

step mount image mount app /mnt
step read sh -c 'cd /mnt && sha256sum ${FILES.join(' ')}'
step write sh -c 'echo more >>/mnt/intact'
step umount image umount /mnt
mkdir /disk/upper
step mount-upper image mount --upper /disk/upper app /mnt
step write-upper sh -c 'echo more >>/mnt/intact && tail -n 1 /mnt/intact'
step umount-upper image umount /mnt

# Below a running mount.
image mount app /mnt >/run/json
changed=$(object_of changed) unprotected=$(object_of unprotected)
sed s/changed/CHANGED/ "$changed" >/run/bad
replace "$changed" /run/bad && fsverity enable "$changed"
replace "$unprotected" "$unprotected"
echo 3 >/proc/sys/vm/drop_caches
for name in ${FILES.join(' ')}; do step "tampered-$name" cat /mnt/$name; done
step kernel-says sh -c 'dmesg | grep overlayfs:'
umount /mnt
step mount-tampered image mount app /mnt

replace $images/$sealed $images/$other
step mount-unprotected image mount app /mnt
fsverity enable $images/$sealed
step mount-exchanged image mount app /mnt
step nothing-mounted sh -c '! grep " /mnt " /proc/self/mountinfo'
umount /disk
`;

describeSystem('a mounted image under fs-verity', ['guest'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let guest: GuestRun;

  before(async () => {
    const folder = work.mkdir('disk');
    initRepository(work.join('disk/repo'), 'bare', linuxSystem);
    const archive = (names: readonly string[]): Buffer =>
      tarOf(names.map((name) => ({ name, data: content(name) })));
    work.write('disk/app.tar', archive(FILES));
    work.write('disk/other.tar', archive(['other']));
    const disk = work.write('disk.img', '');
    runHost(['mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', '-O', 'verity', '-d', folder, disk, '64M']);
    guest = await runInGuest(work.mkdir('guest'), {
      script: SCRIPT,
      disks: [disk],
      modules: ['virtio_blk', 'erofs', 'overlay'],
      files: await guestProgram(work),
    });
  });

  const done = (name: string): Step => {
    const step = guest.step(name);
    assert.equal(step.status, 0, `${name}: ${step.stdout}${step.stderr}`);
    return step;
  };

  it('is what was imported, with image and objects vouched for by the kernel', (t) => {
    t.diagnostic(`the machine ran ${guest.seconds.toFixed(0)} s`);
    for (const name of ['import', 'import-other', 'seal', 'seal-other', 'umount']) done(name);
    const { imageVerified, objectsVerified } = JSON.parse(done('mount').stdout) as Record<string, unknown>;
    assert.deepEqual({ imageVerified, objectsVerified }, { imageVerified: true, objectsVerified: true });
    const sums = FILES.map(
      (name) => `${runHost(['sha256sum'], { input: content(name) }).stdout.slice(0, 64)}  ${name}`,
    );
    assert.deepEqual(done('read').stdout.trimEnd().split('\n'), sums);
    assert.match(guest.step('write').stderr, /Read-only file system/);
  });

  it('takes writes where there is a folder for them', () => {
    done('mount-upper');
    assert.equal(done('write-upper').stdout, 'more\n');
    done('umount-upper');
  });

  it('gives an error, not other content, for objects that were tampered with', () => {
    for (const name of ['changed', 'unprotected']) {
      const { status, stdout, stderr } = guest.step(`tampered-${name}`);
      assert.notEqual(status, 0, name);
      assert.equal(stdout, '');
      assert.match(stderr, /Input\/output error/);
    }
    assert.equal(done('tampered-intact').stdout, content('intact').toString());
    assert.match(done('kernel-says').stdout, /digest/);
  });

  it('is not mounted with such objects', () => {
    const { status, stderr } = guest.step('mount-tampered');
    assert.equal(status, ExitCode.failed);
    assert.match(stderr, /2 of \d+ objects could not be opened/);
  });

  it('is not mounted when its image is exchanged, be that protected or not', () => {
    for (const name of ['mount-unprotected', 'mount-exchanged']) {
      const { status, stderr } = guest.step(name);
      assert.equal(status, ExitCode.failed, stderr);
      assert.match(stderr, /the image is not the one that was sealed/);
    }
    done('nothing-mounted');
  });
});
