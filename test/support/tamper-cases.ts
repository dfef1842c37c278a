/** What is done to a sealed machine before it boots, and what has to come of it under each policy. */
import type { InitramfsSettings } from '../../src/boot/initramfs-settings.ts';
import { formatSealPin } from '../../src/boot/pin.ts';
import { INIT, type PlainFile } from './small-machine.ts';
import { type Disk, REPLACEMENTS, type TamperMachine } from './tamper-machine.ts';

export type Policy = InitramfsSettings['policy'];
export const POLICIES = ['enforce', 'prefer'] as const;

/** A check of seal-root that fails: what it says on the console. */
export interface Failure {
  readonly check: string;
  readonly expected: string;
  readonly found: string | RegExp;
}

/** What a boot must come to. */
export type Expected =
  | { readonly end: 'sealed' }
  /** The machine boots the plain deployment, or does not boot. */
  | { readonly end: 'plain' | 'emergency' | 'reboot'; readonly failure: Failure }
  /** The initramfs lets it boot, but init cannot be started. */
  | { readonly end: 'panic'; readonly failure: Failure };

export interface TamperCase {
  readonly name: string;
  /** The table's part. */
  readonly part:
    | 'Image'
    | 'Seal pin'
    | 'Objects'
    | 'Files that user space needs first'
    | 'Initramfs'
    | 'Deployment';
  /** In the table: what was done. One boot may show several things, each by reading a file. */
  readonly done:
    | string
    | readonly { readonly what: string; readonly file: PlainFile; readonly gives: string }[];
  readonly tamper?: (disk: Disk, machine: TamperMachine) => void;
  /** What the entry has for a seal pin; the right one by default. */
  readonly pins?: (machine: TamperMachine) => readonly string[];
  readonly settings?: Omit<Partial<InitramfsSettings>, 'policy'>;
  /** What can be written to below a plain root; /etc by default. */
  readonly writable?: readonly string[];
  /** Files of the initramfs that are not as they were, by path. */
  readonly initramfs?: (policy: Policy) => Readonly<Record<string, string | Uint8Array>>;
  readonly expected: (machine: TamperMachine) => Readonly<Record<Policy, Expected>>;
}

const SEALED: Expected = { end: 'sealed' };
const isSealed = (): Record<Policy, Expected> => ({ enforce: SEALED, prefer: SEALED });

/** What most failures come to. */
const byPolicy = (failure: Failure): Record<Policy, Expected> => ({
  enforce: { end: 'emergency', failure },
  prefer: { end: 'plain', failure },
});

/** What comes up whatever the policy. */
const comesUpPlain = (failure: Failure): Record<Policy, Expected> => ({
  enforce: { end: 'plain', failure },
  prefer: { end: 'plain', failure },
});

const wrongPin = ({ deployment, other }: TamperMachine): string =>
  formatSealPin(deployment.commit, other.imageDigest);
const stalePin = ({ other }: TamperMachine): string => formatSealPin(other.commit, other.imageDigest);

const NO_VERITY = 'a file without fs-verity';
const OTHER_DIGEST = 'a file with another fs-verity digest';

const notThePinned = (digest: string, found: string | RegExp): Failure => ({
  check: "the deployment's image is not the pinned one",
  expected: `an image with the fs-verity digest ${digest}`,
  found,
});
const imageIs =
  (found: string | RegExp): TamperCase['expected'] =>
  ({ deployment }) =>
    byPolicy(notThePinned(deployment.imageDigest, found));
const imageIsMissing: TamperCase['expected'] = ({ deployment }) =>
  byPolicy({
    check: "the deployment's image is missing",
    expected: `the image ${deployment.imageDigest}`,
    found: 'no file .ostree.cfs',
  });
const wrongPinFails: TamperCase['expected'] = ({ other }) =>
  byPolicy(notThePinned(other.imageDigest, OTHER_DIGEST));

const noPin: Failure = {
  check: 'the boot entry has no seal pin',
  expected: 'sealtree.pin=COMMIT:DIGEST',
  found: 'none',
};
const staleFailure = ({ deployment, other }: TamperMachine): Failure => ({
  check: "the boot entry's seal pin is of another deployment",
  expected: `commit ${deployment.commit}`,
  found: `commit ${other.commit.slice(0, 12)}..`,
});
const unreadable = (pin: string): Failure => ({
  check: "the boot entry's seal pin cannot be read",
  expected: '12 and 64 hex digits',
  found: pin,
});
const firstFile = (path: string, found: string | RegExp): Failure => ({
  check: 'a file that user space needs first cannot be read',
  expected: `${path} as sealed`,
  found,
});

const replaceImage =
  (by: string): NonNullable<TamperCase['tamper']> =>
  (disk, { image }) =>
    disk.replace(image, by);
const LIBRARY = 'usr/lib/x86_64-linux-gnu/libc.so.6';
const SETTINGS = 'usr/lib/sealtree/settings';

export const TAMPER_CASES: readonly TamperCase[] = [
  { name: 'good', part: 'Image', done: 'nothing', expected: isSealed },
  {
    name: 'image-missing',
    part: 'Image',
    done: 'taken away',
    tamper: (disk, { image }) => disk.unlink(image),
    expected: imageIsMissing,
  },
  {
    name: 'image-other',
    part: 'Image',
    done: "replaced by another deployment's, not under fs-verity",
    tamper: replaceImage(REPLACEMENTS.imageOtherUnprotected),
    expected: imageIs(NO_VERITY),
  },
  {
    name: 'image-other-verity',
    part: 'Image',
    done: "replaced by another deployment's, under fs-verity",
    tamper: (disk, { image, other }) => disk.replace(image, `${other.path}/.ostree.cfs`),
    expected: imageIs(OTHER_DIGEST),
  },
  {
    name: 'image-unprotected',
    part: 'Image',
    done: 'replaced by a copy of itself, not under fs-verity',
    tamper: replaceImage(REPLACEMENTS.imageUnprotected),
    expected: imageIs(NO_VERITY),
  },
  {
    name: 'image-changed',
    part: 'Image',
    done: 'replaced by a copy with one bit changed, under fs-verity',
    tamper: replaceImage(REPLACEMENTS.imageChanged),
    expected: imageIs(OTHER_DIGEST),
  },
  {
    name: 'image-truncated',
    part: 'Image',
    done: 'replaced by a copy without its last block, not under fs-verity',
    tamper: replaceImage(REPLACEMENTS.imageTruncatedUnprotected),
    expected: imageIs(NO_VERITY),
  },
  {
    name: 'image-truncated-verity',
    part: 'Image',
    done: 'replaced by a copy without its last block, under fs-verity',
    tamper: replaceImage(REPLACEMENTS.imageTruncated),
    expected: imageIs(OTHER_DIGEST),
  },
  {
    name: 'image-size',
    part: 'Image',
    done: 'its length changed in the inode on the disk',
    tamper: (disk, { image }) => disk.resize(image, disk.sizeOf(image) - 4096),
    expected: imageIs(
      "Input/output error (overlayfs: lower file '.ostree.cfs' failed to load fs-verity info)",
    ),
  },
  {
    name: 'image-block',
    part: 'Image',
    done: 'one bit of it changed on the disk',
    tamper: (disk, { image }) => disk.flipBit(image, disk.sizeOf(image) / 4096 - 1),
    expected: imageIs(/^damage on the disk \(fs-verity \(vda, inode \d+\): FILE CORRUPTED! .*\)$/),
  },
  {
    name: 'image-link',
    part: 'Image',
    done: 'replaced by a symlink to the right one',
    tamper: (disk, { image, deployment }) => {
      disk.unlink(image);
      // As it looks from the root, where the disk is bound to /sysroot.
      const images = 'sysroot/ostree/repo/extensions/sealtree/images';
      disk.symlink(image, `${images}/${deployment.imageDigest}.cfs`);
    },
    expected: imageIsMissing,
  },
  {
    name: 'image-folder',
    part: 'Image',
    done: 'replaced by a folder',
    tamper: (disk, { image }) => {
      disk.unlink(image);
      disk.mkdir(image);
    },
    expected: imageIsMissing,
  },
  {
    name: 'pin-wrong',
    part: 'Seal pin',
    done: 'another image digest',
    pins: (machine) => [wrongPin(machine)],
    expected: wrongPinFails,
  },
  {
    name: 'pin-stale',
    part: 'Seal pin',
    done: "another deployment's, as `ostree admin deploy` leaves it",
    pins: (machine) => [stalePin(machine)],
    expected: (machine) => byPolicy(staleFailure(machine)),
  },
  {
    name: 'pin-stale-plain',
    part: 'Seal pin',
    done: "another deployment's, with `unpinned = plain`",
    pins: (machine) => [stalePin(machine)],
    settings: { unpinned: 'plain' },
    expected: (machine) => comesUpPlain(staleFailure(machine)),
  },
  { name: 'pin-none', part: 'Seal pin', done: 'none', pins: () => [], expected: () => byPolicy(noPin) },
  {
    name: 'pin-none-plain',
    part: 'Seal pin',
    done: 'none, with `unpinned = plain`',
    pins: () => [],
    settings: { unpinned: 'plain' },
    expected: () => comesUpPlain(noPin),
  },
  {
    name: 'pin-wrong-plain',
    part: 'Seal pin',
    done: 'another image digest, with `unpinned = plain`',
    pins: (machine) => [wrongPin(machine)],
    settings: { unpinned: 'plain' },
    expected: wrongPinFails,
  },
  {
    name: 'way-out',
    part: 'Seal pin',
    done: 'another image digest, with `sealtree.policy=prefer` on the command line',
    pins: (machine) => [wrongPin(machine), 'sealtree.policy=prefer'],
    expected: ({ other }) => comesUpPlain(notThePinned(other.imageDigest, OTHER_DIGEST)),
  },
  {
    name: 'pin-twice-wrong-first',
    part: 'Seal pin',
    done: 'given twice, the last one right',
    pins: (machine) => [wrongPin(machine), machine.rightPin],
    expected: isSealed,
  },
  {
    name: 'pin-twice-wrong-last',
    part: 'Seal pin',
    done: 'given twice, the last one wrong',
    pins: (machine) => [machine.rightPin, wrongPin(machine)],
    expected: wrongPinFails,
  },
  {
    name: 'pin-capitals',
    part: 'Seal pin',
    done: 'in capital letters',
    pins: (machine) => [machine.rightPin.replace(/=.*/, (value) => value.toUpperCase())],
    expected: (machine) =>
      byPolicy(unreadable(machine.rightPin.replace(/=.*/, (value) => value.toUpperCase()))),
  },
  {
    name: 'pin-cut',
    part: 'Seal pin',
    done: 'without its last digit',
    pins: (machine) => [machine.rightPin.slice(0, -1)],
    expected: (machine) => byPolicy(unreadable(machine.rightPin.slice(0, -1))),
  },
  {
    name: 'pin-words',
    part: 'Seal pin',
    done: '`sealtree.pin=off$(reboot)*`',
    pins: () => ['sealtree.pin=off$(reboot)*'],
    expected: () => byPolicy(unreadable('sealtree.pin=off$(reboot)*')),
  },
  {
    name: 'pin-empty',
    part: 'Seal pin',
    done: '`sealtree.pin=`',
    pins: () => ['sealtree.pin='],
    expected: () => byPolicy(noPin),
  },
  {
    name: 'objects',
    part: 'Objects',
    done: [
      { what: 'replaced, under fs-verity', file: 'first', gives: 'Input/output error' },
      { what: 'replaced, not under fs-verity', file: 'second', gives: 'Input/output error' },
      {
        what: 'replaced by a copy of itself, not under fs-verity',
        file: 'third',
        gives: 'Input/output error',
      },
      { what: 'taken away', file: 'fourth', gives: 'No such file or directory' },
      { what: 'one bit of it changed on the disk', file: 'fifth', gives: 'Input/output error' },
      { what: 'one bit of its hash tree changed on the disk', file: 'sixth', gives: 'Input/output error' },
      { what: 'nothing', file: 'whole', gives: 'right' },
    ],
    tamper: (disk, machine) => {
      disk.replace(machine.objectOfFile('first'), REPLACEMENTS.object);
      disk.replace(machine.objectOfFile('second'), REPLACEMENTS.objectUnprotected);
      disk.replace(machine.objectOfFile('third'), REPLACEMENTS.thirdUnprotected);
      disk.unlink(machine.objectOfFile('fourth'));
      disk.flipBit(machine.objectOfFile('fifth'), 1);
      disk.flipBit(machine.objectOfFile('sixth'), HASH_TREE_BLOCK);
    },
    expected: isSealed,
  },
  {
    name: 'init-verity',
    part: 'Files that user space needs first',
    done: 'object of /sbin/init replaced, under fs-verity',
    tamper: (disk, machine) => disk.replace(machine.objectOf(INIT), REPLACEMENTS.object),
    expected: () => byPolicy(firstFile(`/${INIT}`, OTHER_DIGEST)),
  },
  {
    name: 'init',
    part: 'Files that user space needs first',
    done: 'object of /sbin/init replaced, not under fs-verity',
    tamper: (disk, machine) => disk.replace(machine.objectOf(INIT), REPLACEMENTS.objectUnprotected),
    expected: () => byPolicy(firstFile(`/${INIT}`, NO_VERITY)),
  },
  {
    name: 'init-missing',
    part: 'Files that user space needs first',
    done: 'object of /sbin/init taken away',
    tamper: (disk, machine) => disk.unlink(machine.objectOf(INIT)),
    expected: () => byPolicy(firstFile(`/${INIT}`, /No such file or directory/)),
  },
  {
    name: 'init-block',
    part: 'Files that user space needs first',
    done: 'one bit of the object of /sbin/init changed on the disk',
    tamper: (disk, machine) => disk.flipBit(machine.objectOf(INIT), 0),
    expected: () => {
      // Busybox's cat does not name the file that it fails to read.
      const failure = firstFile('the first files', /^damage on the disk \(/);
      return { enforce: { end: 'emergency', failure }, prefer: { end: 'panic', failure } };
    },
  },
  {
    name: 'library',
    part: 'Files that user space needs first',
    done: "object of init's C library replaced, not under fs-verity",
    tamper: (disk, machine) => disk.replace(machine.objectOf(LIBRARY), REPLACEMENTS.objectUnprotected),
    expected: () => byPolicy(firstFile(`/${LIBRARY}`, NO_VERITY)),
  },
  {
    name: 'settings-damaged',
    part: 'Initramfs',
    done: 'settings damaged',
    initramfs: (policy) => ({ [SETTINGS]: `version=1\npolicy=${policy}\nunpin` }),
    expected: isSealed,
  },
  {
    name: 'settings-damaged-image-other',
    part: 'Initramfs',
    done: "settings damaged, and the image replaced by another deployment's",
    initramfs: (policy) => ({ [SETTINGS]: `version=1\npolicy=${policy}\nunpin` }),
    tamper: replaceImage(REPLACEMENTS.imageOtherUnprotected),
    expected: ({ deployment }) => comesUpPlain(notThePinned(deployment.imageDigest, NO_VERITY)),
  },
  {
    name: 'settings-newer',
    part: 'Initramfs',
    done: 'settings of a later version, and a seal pin with another image digest',
    initramfs: (policy) => ({
      [SETTINGS]: `version=2\npolicy=${policy}\nunpinned=refuse\non-refusal=emergency\n`,
    }),
    pins: (machine) => [wrongPin(machine)],
    expected: ({ other }) => comesUpPlain(notThePinned(other.imageDigest, OTHER_DIGEST)),
  },
  {
    name: 'template-damaged',
    part: 'Initramfs',
    done: 'the image of the check cut short',
    initramfs: () => ({ 'usr/lib/sealtree/template.tail': '' }),
    expected: imageIs(/^Input\/output error \(erofs: /),
  },
  {
    name: 'reboot',
    part: 'Initramfs',
    done: '`on-refusal = reboot`, and a seal pin with another image digest',
    pins: (machine) => [wrongPin(machine)],
    settings: { onRefusal: 'reboot' },
    expected: ({ other }) => {
      const failure = notThePinned(other.imageDigest, OTHER_DIGEST);
      return { enforce: { end: 'reboot', failure }, prefer: { end: 'plain', failure } };
    },
  },
  {
    name: 'hotfix',
    part: 'Deployment',
    done: 'unlocked by `ostree admin unlock --hotfix`',
    writable: ['/etc', '/usr'],
    // What ostree leaves for ostree-prepare-root, which then needs overlayfs.
    tamper: (disk, { deployment }) => {
      for (const name of ['work', 'upper']) disk.mkdir(`${deployment.path}/.usr-ovl-${name}`);
    },
    initramfs: () => ({
      'scripts/init-top/ORDER':
        'insmod /usr/lib/virtio_blk.ko; insmod /usr/lib/sealtree/modules/overlay.ko.xz\n',
    }),
    expected: () =>
      byPolicy({
        check: 'the deployment is unlocked: its /usr can be changed',
        expected: '/usr as deployed',
        found: 'an overlay on /usr',
      }),
  },
];

/** Of a file of three blocks: ext4 keeps the tree from the next multiple of 64 KB after the content on. */
const HASH_TREE_BLOCK = 16;
