/**
 * What this kernel and a file system can do for a sealed root, found out without rights and without trying anything:
 * from the kernel's release and configuration, /proc/filesystems, the features in /sys/fs, and one question to the
 * file system. Each fact is yes, no or unknown, with the reason; a guess is never a yes or a no.
 *
 * Since when (fs/ of the Linux kernel): overlayfs data-only layers 6.5, its `verity=` 6.6, EROFS from a file without
 * a loop device 6.12, fs-verity 5.4, and with a block smaller than the page 6.3. Enterprise kernels carry backports
 * under an old number, so that number is no evidence there.
 */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { errnoOf } from './errors.ts';
import type { SystemReads } from './system.ts';

export interface Fact {
  readonly state: 'yes' | 'no' | 'unknown';
  /** Half a sentence, such as `Linux 6.1 is older than 6.6`. */
  readonly reason: string;
}

export interface KernelFacts {
  /** As `uname -r` prints it. */
  readonly release: string;
  /** Reading images: EROFS with xattrs. */
  readonly erofs: Fact;
  /** Mounting an image without a loop device. */
  readonly erofsFromFile: Fact;
  readonly loop: Fact;
  readonly overlay: Fact;
  /** Overlay layers that only give content: what an image's objects are. */
  readonly overlayDataOnly: Fact;
  /** Overlay's `verity=require`. */
  readonly overlayVerity: Fact;
  readonly verity: Fact;
}

/** What {@link judgeKernel} goes by; undefined = not to be had. */
export interface KernelEvidence {
  readonly release: string;
  readonly filesystems: string | undefined;
  /** `CONFIG_…=y` lines. */
  readonly config: string | undefined;
  /** modules.builtin and modules.dep of this kernel. */
  readonly modules: string | undefined;
  /** Whether /sys/fs/TYPE/features has `verity`, for the types that are loaded and say so. */
  readonly verityFeature: boolean | undefined;
}

/** The running kernel. Quick: after the first time no more than a few small files of /proc and /sys. */
export function kernelFacts(): KernelFacts {
  const evidence = readEvidence();
  if (judged === undefined || !isDeepStrictEqual(judged.evidence, evidence))
    judged = { evidence, facts: judgeKernel(evidence) };
  return judged.facts;
}

let judged: { readonly evidence: KernelEvidence; readonly facts: KernelFacts } | undefined;

/** Draws the conclusions. */
export function judgeKernel(evidence: KernelEvidence): KernelFacts {
  const { release } = evidence;
  const erofs = and(
    provided(evidence, 'erofs', 'CONFIG_EROFS_FS'),
    option(evidence, 'CONFIG_EROFS_FS_XATTR'),
  );
  const overlay = provided(evidence, 'overlay', 'CONFIG_OVERLAY_FS');
  return {
    release,
    erofs,
    erofsFromFile: and(erofs, since(release, 6, 12), option(evidence, 'CONFIG_EROFS_FS_BACKED_BY_FILE')),
    loop: provided(evidence, 'loop', 'CONFIG_BLK_DEV_LOOP'),
    overlay,
    overlayDataOnly: and(overlay, since(release, 6, 5)),
    overlayVerity: and(overlay, since(release, 6, 6), verityOf(evidence)),
    verity: verityOf(evidence),
  };
}

const yes = (reason: string): Fact => ({ state: 'yes', reason });
const no = (reason: string): Fact => ({ state: 'no', reason });
const unknown = (reason: string): Fact => ({ state: 'unknown', reason });

/** All must hold: the first no decides, else the first unknown, else the last. */
function and(...facts: readonly [Fact, ...Fact[]]): Fact {
  return (
    facts.find(({ state }) => state === 'no') ??
    facts.find(({ state }) => state === 'unknown') ??
    (facts.at(-1) as Fact)
  );
}

/** Whether a kernel of that release has what came with MAJOR.MINOR. */
function since(release: string, major: number, minor: number): Fact {
  const match = /^([0-9]+)\.([0-9]+)/.exec(release);
  if (match === null) return unknown(`the kernel's release ${JSON.stringify(release)} is no version`);
  const isNewer = Number(match[1]) > major || (Number(match[1]) === major && Number(match[2]) >= minor);
  if (isNewer) return yes(`Linux ${match[0]}`);
  const older = `Linux ${match[0]} is older than ${major}.${minor}`;
  return /\.el[0-9]/.test(release) ? unknown(`${older}, but this one carries backports`) : no(older);
}

/** A file system or driver: there, or there to be loaded. */
function provided(evidence: KernelEvidence, name: string, symbol: string): Fact {
  const { filesystems, modules } = evidence;
  if (filesystems !== undefined && new RegExp(`\\t${name}$`, 'm').test(filesystems))
    return yes('it is in use here');
  const configured = option(evidence, symbol);
  if (configured.state === 'no') return configured;
  const isBuiltIn = configured.reason === `${symbol}=y`;
  if (isBuiltIn) return configured;
  if (modules !== undefined) {
    const isThere = new RegExp(`/${name}\\.ko(\\.[a-z0-9]+)?(:|$)`, 'm').test(modules);
    return isThere ? yes('as a module') : no(`no module ${name} is installed for this kernel`);
  }
  return configured.state === 'yes'
    ? unknown(`${configured.reason}, and no modules can be seen`)
    : configured;
}

function option({ config }: KernelEvidence, symbol: string): Fact {
  if (config === undefined) return unknown("the kernel's configuration cannot be read");
  const value = new RegExp(`^${symbol}=([ym])$`, 'm').exec(config)?.[1];
  return value === undefined ? no(`the kernel is built without ${symbol}`) : yes(`${symbol}=${value}`);
}

function verityOf(evidence: KernelEvidence): Fact {
  if (evidence.verityFeature === true) return yes('the file systems list it');
  const configured = option(evidence, 'CONFIG_FS_VERITY');
  if (configured.state !== 'unknown') return configured;
  if (evidence.verityFeature === false) return no('the kernel is built without CONFIG_FS_VERITY');
  return and(since(evidence.release, 5, 4), configured);
}

/**
 * Whether a file system can put fs-verity on files, asked of the file system through any readable file or folder on
 * it; where it cannot be asked, judged by its type.
 */
export function verityOfFileSystem(
  path: string,
  kernel: KernelFacts,
  pageSize: number | undefined,
  system: SystemReads,
): Fact {
  if (kernel.verity.state === 'no') return kernel.verity;
  const { type } = system.statfs(path);
  const fd = system.openRead(path);
  let measured: string;
  try {
    const verity = system.measureVerity(fd);
    measured = verity.state === 'unsupported' ? verity.errno : 'known';
  } finally {
    system.close(fd);
  }
  if (measured === 'known') return and(smallBlocks(kernel.release, pageSize), yes(`${type} has it`));
  if (measured === 'ENOSYS') return unknown(`${type} cannot be asked here`);
  if (type === 'ext4')
    return no('this ext4 has not the verity feature (tune2fs -O verity DEVICE turns it on)');
  return no(`${type} has no fs-verity`);
}

/** fs-verity's blocks are 4096 bytes here. */
function smallBlocks(release: string, pageSize: number | undefined): Fact {
  if (pageSize === undefined) return unknown('the page size is not known');
  if (pageSize === 4096) return yes('pages have 4096 bytes');
  return since(release, 6, 3);
}

function readEvidence(): KernelEvidence {
  const release = readText('/proc/sys/kernel/osrelease')?.trim() ?? '';
  if (built?.release !== release) {
    const builtin = readText(`/lib/modules/${release}/modules.builtin`);
    const loadable = readText(`/lib/modules/${release}/modules.dep`);
    built = {
      release,
      config: readConfig(release),
      modules: loadable === undefined ? undefined : `${builtin ?? ''}\n${loadable}`,
    };
  }
  return { ...built, filesystems: readText('/proc/filesystems'), verityFeature: readVerityFeature() };
}

/** What stays as it is, and takes longer to read than all else that is looked at. */
let built: Pick<KernelEvidence, 'release' | 'config' | 'modules'> | undefined;

function readConfig(release: string): string | undefined {
  const packed = readBytes('/proc/config.gz');
  if (packed !== undefined) return gunzipSync(packed).toString('latin1');
  return readText(`/boot/config-${release}`) ?? readText(`/usr/lib/modules/${release}/config`);
}

/** ext4 and btrfs name `verity` among their features exactly when the kernel has CONFIG_FS_VERITY. */
function readVerityFeature(): boolean | undefined {
  let answer: boolean | undefined;
  for (const [type, always] of [
    ['ext4', 'lazy_itable_init'],
    ['btrfs', 'free_space_tree'],
  ] as const) {
    const features = `/sys/fs/${type}/features`;
    if (readBytes(`${features}/verity`) !== undefined) return true;
    if (readBytes(`${features}/${always}`) !== undefined) answer = false;
  }
  return answer;
}

/** AT_PAGESZ of the auxiliary vector, in bytes; Node does not tell. */
export function readPageSize(): number | undefined {
  const vector = readBytes('/proc/self/auxv');
  const AT_PAGESZ = 6n;
  for (let at = 0; vector !== undefined && at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
  }
  return undefined;
}

const readText = (path: string): string | undefined => readBytes(path)?.toString('latin1');

/** What cannot be read here is evidence of nothing. */
function readBytes(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
