/**
 * What stands between a sysroot's file system and fs-verity, and the one step that may make it possible.
 *
 * Facts (Documentation/filesystems/fsverity.rst of the Linux kernel): ext4 has fs-verity since Linux 5.4 behind its
 * `verity` feature, which e2fsprogs knows since 1.45.2; btrfs since 5.15, with nothing to turn on; f2fs behind a
 * feature that only mkfs sets. Before Linux 6.3 an ext4 with the feature was mounted only if its blocks were as large
 * as pages. A Merkle tree block, 4096 bytes here, must fit into a block of the file system. `tune2fs` checks none of it.
 */
import { dirname, join } from 'node:path';
import { kernelFacts, readPageSize } from '../base/capabilities.ts';
import { errnoOf, InterruptedError, isMissing, OperationError } from '../base/errors.ts';
import type { Mount } from '../base/mountinfo.ts';
import { run } from '../base/process.ts';
import { shellWord } from '../base/shell.ts';
import type { System, SystemReads } from '../base/system.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import type { Finding } from '../image/findings.ts';

/** A block device below a file system. */
export interface BlockDevice {
  /** `/dev/…`: by the name the mount has it, else by the kernel's or, of the device mapper, its own name. */
  readonly path: string;
  /** `MAJOR:MINOR` */
  readonly number: string;
  /** `dm` = LVM, LUKS, multipath and others of the device mapper; `loop` = a file. */
  readonly kind: 'disk' | 'dm' | 'loop';
  /** The device itself refuses writes. */
  readonly isReadOnly: boolean;
}

/** One file system, as far as a seal cares. */
export interface Volume {
  /** The folder that was asked for. */
  readonly path: string;
  /** The kernel's name, such as `ext4`. */
  readonly type: string;
  readonly mountPoint: string;
  /** st_dev: equal for folders of one file system (of btrfs: of one subvolume). */
  readonly deviceNumber: number;
  /** Undefined for what has no block device of its own (overlay, tmpfs, NFS), or none that can be found. */
  readonly device: BlockDevice | undefined;
  readonly blockSizeBytes: number;
  readonly availableBytes: number;
  readonly isReadOnly: boolean;
}

/**
 * - `ready`: the file system puts fs-verity on files;
 * - `needs-feature`: an ext4 whose `verity` feature is off, and can be turned on;
 * - `impossible`: never here; `code` and `reason` say why;
 * - `unknown`: could not be found out.
 */
export type VerityReadiness =
  | { readonly state: 'ready' }
  | { readonly state: 'needs-feature'; readonly step: FeatureStep }
  | { readonly state: 'impossible'; readonly code: string; readonly reason: string }
  | { readonly state: 'unknown'; readonly reason: string };

/** `tune2fs -O verity DEVICE`: a step of its own, since it cannot be taken back. */
export interface FeatureStep {
  readonly argv: readonly [string, ...string[]];
  readonly device: BlockDevice;
  readonly mountPoint: string;
  /** What it means for this machine, a sentence each. */
  readonly consequences: readonly string[];
}

export interface StorageState {
  /** Where the repository's objects lie, and with them images and deployments. */
  readonly sysroot: Volume;
  /** Where SYSROOT/boot lies: often the same file system. */
  readonly boot: Volume;
  readonly bootIsSeparate: boolean;
  /** Bytes; undefined when it cannot be found out. */
  readonly pageSizeBytes: number | undefined;
  readonly verity: VerityReadiness;
}

/** What {@link judgeVerity} goes by. */
export interface VerityEvidence {
  readonly volume: Volume;
  /** Options of mount and file system. */
  readonly mountOptions: readonly string[];
  /** What measuring a folder on it answered: `known`, or the errno. */
  readonly answer: string;
  /** As `uname -r` prints it. */
  readonly kernelRelease: string;
  /** Whether this kernel has fs-verity at all. */
  readonly kernelHasVerity: 'yes' | 'no' | 'unknown';
  readonly pageSizeBytes: number | undefined;
}

/** Bytes of a Merkle tree block, fixed by the image format. */
const MERKLE_BLOCK = 4096;

/** Reads only; needs no rights. @throws IoError when the sysroot cannot be looked at */
export function readStorage(sysrootPath: string, system: SystemReads): StorageState {
  const objects = nearestFolder(join(sysrootPath, 'ostree/repo/objects'), system);
  const sysroot = readVolume(objects, system);
  const boot = readVolume(nearestFolder(join(sysrootPath, 'boot'), system), system);
  const kernel = kernelFacts();
  const pageSizeBytes = readPageSize();
  const mount = system.statfs(objects).mount;
  const verity =
    splitStorage(sysrootPath, sysroot, system) ??
    judgeVerity({
      volume: sysroot,
      mountOptions: [...(mount?.options ?? []), ...(mount?.superOptions ?? [])],
      answer: askForVerity(objects, system),
      kernelRelease: kernel.release,
      kernelHasVerity: kernel.verity.state,
      pageSizeBytes,
    });
  return { sysroot, boot, bootIsSeparate: boot.deviceNumber !== sysroot.deviceNumber, pageSizeBytes, verity };
}

/** Images and deployments are hard links of each other and of objects: one file system has to hold all of them. */
function splitStorage(
  sysrootPath: string,
  objects: Volume,
  system: SystemReads,
): VerityReadiness | undefined {
  for (const name of ['ostree/deploy', 'ostree/repo/extensions/sealtree/images']) {
    const path = join(sysrootPath, name);
    if (system.lstatIfExists(path) === undefined) continue;
    if (system.stat(path).dev === objects.deviceNumber) continue;
    return {
      state: 'impossible',
      code: 'storage-split',
      reason: `${path} and ${objects.path} are on different file systems, and images are linked from one into the other`,
    };
  }
  return undefined;
}

/** @throws IoError */
export function readVolume(path: string, system: SystemReads): Volume {
  const facts = system.statfs(path);
  return {
    path,
    type: facts.type,
    mountPoint: facts.mountPoint,
    deviceNumber: system.stat(path).dev,
    device: facts.mount === undefined ? undefined : findDevice(facts.mount, system),
    blockSizeBytes: facts.blockSize,
    availableBytes: facts.availableBytes,
    isReadOnly: facts.readOnly,
  };
}

function askForVerity(path: string, system: SystemReads): string {
  const fd = system.openRead(path);
  try {
    const measured = system.measureVerity(fd);
    return measured.state === 'unsupported' ? measured.errno : 'known';
  } finally {
    system.close(fd);
  }
}

/** Draws the conclusions. */
export function judgeVerity(evidence: VerityEvidence): VerityReadiness {
  const { volume, answer, kernelRelease, kernelHasVerity, pageSizeBytes } = evidence;
  const named = TYPES_WITHOUT.get(volume.type);
  if (named !== undefined)
    return { state: 'impossible', code: `storage-${named.code}`, reason: named.reason };
  if (volume.isReadOnly && volume.device?.isReadOnly)
    return {
      state: 'impossible',
      code: 'storage-read-only-device',
      reason: `${volume.device.path} is a read-only device`,
    };
  if (kernelHasVerity === 'no')
    return {
      state: 'unknown',
      reason: `the running kernel (${kernelRelease}) has no fs-verity: ask again under the kernel of a deployment`,
    };
  const blocks = refuseBlocks(evidence);
  if (blocks !== undefined) return blocks;
  if (answer === 'ENOSYS') return { state: 'unknown', reason: `${volume.type} cannot be asked here` };
  if (answer === 'known') return { state: 'ready' };
  if (volume.type === 'ext4') return featureStep(volume, pageSizeBytes);
  const reason =
    volume.type === 'btrfs'
      ? `btrfs has fs-verity since Linux 5.15; this is ${kernelRelease}`
      : volume.type === 'f2fs'
        ? 'this f2fs was made without its verity feature (mkfs.f2fs -O verity), which cannot be turned on later'
        : `${volume.type} has no fs-verity`;
  return { state: 'impossible', code: `storage-${volume.type}`, reason };
}

/** File systems that have no fs-verity and what to say of them. */
const TYPES_WITHOUT: ReadonlyMap<string, { readonly code: string; readonly reason: string }> = new Map([
  ['xfs', { code: 'xfs', reason: 'XFS has no fs-verity' }],
  [
    'vfat',
    { code: 'vfat', reason: 'FAT has no fs-verity, and neither owners nor links, which ostree needs' },
  ],
  ['ext3', { code: 'ext3', reason: 'ext3 has no fs-verity: only ext4 with extents has' }],
  ['ext2', { code: 'ext2', reason: 'ext2 has no fs-verity: only ext4 with extents has' }],
  ['zfs', { code: 'zfs', reason: 'ZFS has no fs-verity' }],
  ['bcachefs', { code: 'bcachefs', reason: 'bcachefs has no fs-verity' }],
  ['tmpfs', { code: 'tmpfs', reason: 'tmpfs has no fs-verity' }],
  [
    'overlay',
    {
      code: 'overlay',
      reason: 'an overlay has no fs-verity of its own: name the sysroot below it, such as --sysroot=/sysroot',
    },
  ],
]);

function refuseBlocks(evidence: VerityEvidence): VerityReadiness | undefined {
  const { volume, kernelRelease, mountOptions, pageSizeBytes } = evidence;
  if (volume.type !== 'ext4') return undefined;
  if (volume.blockSizeBytes < MERKLE_BLOCK)
    return {
      state: 'impossible',
      code: 'storage-block-size',
      reason: `this ext4 has blocks of ${volume.blockSizeBytes} bytes; fs-verity's blocks of ${MERKLE_BLOCK} do not fit into them, and Linux before 6.3 would no longer mount it at all`,
    };
  if (pageSizeBytes !== undefined && pageSizeBytes !== volume.blockSizeBytes && isOlder(kernelRelease, 6, 3))
    return {
      state: 'impossible',
      code: 'storage-block-size',
      reason: `this ext4 has blocks of ${volume.blockSizeBytes} bytes and the machine pages of ${pageSizeBytes}: Linux before 6.3 (this is ${kernelRelease}) does not mount such a file system once the verity feature is on`,
    };
  if (mountOptions.some((option) => option === 'dax' || option === 'dax=always'))
    return {
      state: 'impossible',
      code: 'storage-dax',
      reason: 'this ext4 is mounted with DAX, and such files cannot have fs-verity',
    };
  return undefined;
}

function isOlder(release: string, major: number, minor: number): boolean {
  const match = /^([0-9]+)\.([0-9]+)/.exec(release);
  if (match === null) return false;
  return Number(match[1]) < major || (Number(match[1]) === major && Number(match[2]) < minor);
}

function featureStep(volume: Volume, pageSizeBytes: number | undefined): VerityReadiness {
  const { device } = volume;
  if (device === undefined)
    return {
      state: 'impossible',
      code: 'storage-device',
      reason: `the verity feature of this ext4 is off, and the device it lies on cannot be found (mounted at ${volume.mountPoint || 'a place that cannot be seen'})`,
    };
  const consequences = [
    'It cannot be taken back: tune2fs refuses to clear the feature.',
    'Linux older than 5.4 then mounts this file system read-only, and one built without fs-verity opens no file that has it.',
    'e2fsck and other e2fsprogs older than 1.45.2 then refuse it.',
    'Boot loaders read it as before: the feature only concerns who writes.',
  ];
  if (pageSizeBytes !== undefined && pageSizeBytes !== volume.blockSizeBytes)
    consequences.push(
      `Linux older than 6.3 then does not mount it on this machine: its blocks have ${volume.blockSizeBytes} bytes, the machine's pages ${pageSizeBytes}.`,
    );
  return {
    state: 'needs-feature',
    step: {
      argv: ['tune2fs', '-O', 'verity', device.path],
      device,
      mountPoint: volume.mountPoint,
      consequences,
    },
  };
}

/** The block device of a mount: never guessed from a name alone, since `/dev/root` and old names are about. */
function findDevice(mount: Mount, system: SystemReads): BlockDevice | undefined {
  const folder = `/sys/dev/block/${mount.device}`;
  const uevent = readText(`${folder}/uevent`, system);
  const kernelName = uevent === undefined ? undefined : /^DEVNAME=(.+)$/m.exec(uevent)?.[1];
  const mapped = readText(`${folder}/dm/name`, system)?.trim();
  const names = [
    mount.source.startsWith('/dev/') ? mount.source : undefined,
    mapped === undefined ? undefined : `/dev/mapper/${mapped}`,
    kernelName === undefined ? undefined : `/dev/${kernelName}`,
  ];
  const path = names.find((name) => name !== undefined && isDevice(name, mount.device, system));
  if (path === undefined) return undefined;
  return {
    path,
    number: mount.device,
    kind: mapped !== undefined ? 'dm' : kernelName?.startsWith('loop') ? 'loop' : 'disk',
    isReadOnly: readText(`${folder}/ro`, system)?.trim() === '1',
  };
}

const S_IFMT = 0o170000;
const S_IFBLK = 0o060000;

function isDevice(path: string, number: string, system: SystemReads): boolean {
  try {
    const { mode, rdev } = system.stat(path);
    return (mode & S_IFMT) === S_IFBLK && `${major(rdev)}:${minor(rdev)}` === number;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

/** Of a dev_t as glibc encodes it (sys/sysmacros.h); Node's number holds it exactly below 2⁵³. */
const major = (device: number): number => {
  const bits = BigInt(device);
  return Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n));
};
const minor = (device: number): number => {
  const bits = BigInt(device);
  return Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n));
};

const readText = (path: string, system: SystemReads): string | undefined =>
  readIfExists(path, system)?.toString('utf8');

/** What of it is in the way of an enforced seal. */
export function storageFindings({ sysroot, verity }: StorageState): Finding[] {
  const where = sysroot.mountPoint || sysroot.path;
  switch (verity.state) {
    case 'ready':
      return [];
    case 'needs-feature':
      return [
        {
          severity: 'error',
          code: 'storage-feature',
          where,
          message: `the verity feature of this ext4 (${verity.step.device.path}) is off`,
          remedy: [verity.step.argv.map(shellWord).join(' ')],
        },
      ];
    case 'impossible':
      return [{ severity: 'error', code: verity.code, where, message: verity.reason }];
    case 'unknown':
      return [{ severity: 'unchecked', code: 'storage-verity', where, message: verity.reason }];
  }
}

/**
 * Turns the feature on, mounted or not, and makes sure that it is on. Once begun it is not stopped: what it writes is
 * the superblock.
 * @throws InterruptedError before it has begun; NotFoundError without tune2fs; OperationError when it fails, or when the file system does not show it
 */
export async function enableFeature(
  step: FeatureStep,
  sysrootPath: string,
  system: System,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted) throw new InterruptedError();
  await runTune2fs(step);
  const objects = join(sysrootPath, 'ostree/repo/objects');
  // The kernel and tune2fs share the page of the superblock; what is in the journal must not bring the old one back.
  system.checkpoint(objects);
  const answer = askForVerity(objects, system);
  if (answer !== 'known')
    throw new OperationError(
      'storage',
      `${step.device.path}: the verity feature was turned on, and ${step.mountPoint} does not show it (${answer})`,
      { hint: 'restart the machine, then run this again' },
    );
}

/** The folder, or the one it would be made in where it is missing. */
function nearestFolder(path: string, system: SystemReads): string {
  if (path === dirname(path)) return path;
  try {
    return system.stat(path).isDirectory() ? path : nearestFolder(dirname(path), system);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return nearestFolder(dirname(path), system);
  }
}

/** It takes a few milliseconds, and as long as the disk is busy. */
const TUNE2FS_MS = 10 * 60_000;

async function runTune2fs({ argv }: FeatureStep): Promise<void> {
  const [program, ...args] = argv;
  // Not every root shell has the folders of system programs in its path.
  const env = { PATH: [process.env.PATH, '/usr/sbin', '/sbin'].filter(Boolean).join(':') };
  try {
    await run(program, args, { env, timeoutMs: TUNE2FS_MS });
  } catch (cause) {
    if (!(cause instanceof OperationError)) throw cause;
    throw new OperationError('storage', cause.message, {
      hint: `a kernel that lets nobody write to mounted devices needs it done from a rescue system: ${argv.map(shellWord).join(' ')}`,
      cause,
    });
  }
}
