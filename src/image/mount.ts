/**
 * Mounting an image on a running system: EROFS for the names, overlayfs over it with the objects as data-only layers,
 * by mount(8). What was asked for is proved, not assumed: overlayfs mounts with `verity=require` even where no file
 * can then be opened, so digests are compared beforehand and a file is read afterwards. The image is opened once:
 * what was measured is what is mounted, whatever becomes of its name meanwhile.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { displayBytes, stringToBytes } from '../base/bytes.ts';
import { type Fact, type KernelFacts, kernelFacts } from '../base/capabilities.ts';
import { type Digest, digestOf } from '../base/digest.ts';
import {
  errnoOf,
  NotFoundError,
  OperationError,
  PermissionError,
  UnsupportedError,
  UsageError,
} from '../base/errors.ts';
import { makeFolder } from '../base/folders.ts';
import { isRegular } from '../base/mode.ts';
import { type Mount, parseMountinfo } from '../base/mountinfo.ts';
import { run, runAnyway } from '../base/process.ts';
import type { Progress } from '../base/progress.ts';
import { randomHex } from '../base/random.ts';
import type { System, SystemReads } from '../base/system.ts';
import { ErofsImage } from '../formats/erofs/read.ts';
import { verityDigest } from '../formats/verity.ts';
import { type ImageObject, type ImageSurvey, surveyImage } from './inspect.ts';

export interface MountRequest {
  readonly image: string;
  /** An existing folder. */
  readonly directory: string;
  /** Folders of objects, looked into in this order. */
  readonly objects: readonly string[];
  /** The kernel must measure this digest on the image. Implies `verity`. */
  readonly digest?: Digest;
  /** The image's bytes must have this fs-verity digest, whether the kernel can measure it or not. */
  readonly recorded?: Digest;
  /** overlayfs refuses every object whose fs-verity digest is not the image's. */
  readonly verity?: boolean;
  /** A folder that takes what is written to the mount, in its folders `upper` and `work`; without it nothing can be. */
  readonly upper?: string;
}

export interface MountedImage {
  readonly directory: string;
  readonly survey: ImageSurvey;
  /** Whether overlayfs checks the objects. */
  readonly verity: boolean;
  /** Whether the kernel vouches for the image itself: fs-verity, with the digest that was asked for. */
  readonly imageVerified: boolean;
}

/** The source of our overlay mounts, as mount.composefs calls it. */
const SOURCE = 'composefs';

/** The command lines of a mount, for `--dry-run`; `LOWER` stands for the folder the image itself is mounted on. */
export function mountCommands(request: MountRequest, hasAcl: boolean, lower = 'LOWER'): string[][] {
  return [
    ['mount', '-t', 'erofs', '-o', erofsOptions(hasAcl), request.image, lower],
    ['mount', '-t', 'overlay', '-o', overlayOptions(request, lower), SOURCE, request.directory],
    ['umount', '--lazy', lower],
  ];
}

const wantsVerity = ({ verity, digest }: MountRequest): boolean => verity === true || digest !== undefined;

const erofsOptions = (hasAcl: boolean): string => (hasAcl ? 'ro' : 'ro,noacl');

function overlayOptions(request: MountRequest, lower: string): string {
  const strict = wantsVerity(request) ? ',verity=require' : '';
  const { upper } = request;
  const access = upper === undefined ? 'ro' : `rw,upperdir=${upper}/upper,workdir=${upper}/work`;
  return `${access},metacopy=on,redirect_dir=on${strict},lowerdir=${[lower, ...request.objects].join('::')}`;
}

/**
 * Mounts an image, read-only unless there is a folder that takes what is written.
 * @throws UnsupportedError where the kernel lacks something, PermissionError without root, OperationError where digests
 *   or fs-verity are not what was asked for or where a file cannot be read through the mount. Nothing stays mounted then.
 */
export async function mountImage(
  request: MountRequest,
  system: System,
  progress: Progress,
): Promise<MountedImage> {
  const fd = system.openRead(request.image);
  let survey: ImageSurvey;
  try {
    survey = await mountOpened(fd, request, system, progress);
  } finally {
    system.close(fd);
  }
  try {
    proveReadable(survey, request.directory, system);
  } catch (error) {
    await run('umount', [request.directory]);
    throw error;
  }
  return {
    directory: request.directory,
    survey,
    verity: wantsVerity(request),
    imageVerified: request.digest !== undefined,
  };
}

async function mountOpened(
  fd: number,
  request: MountRequest,
  system: System,
  progress: Progress,
): Promise<ImageSurvey> {
  if (!isRegular(system.fstat(fd).mode)) throw new UsageError(`${request.image} is no regular file`);
  // As /proc numbers this process: it may be of another namespace. `self` would be mount(8).
  const opened = `/proc/${system.readlink('/proc/self')}/fd/${fd}`;
  const bytes = system.readFile(opened);
  if (request.recorded !== undefined) checkBytes(bytes, request.recorded, request.image);
  const image = new ErofsImage(bytes, request.image);
  progress.begin('reading the image');
  const survey = surveyImage(image);
  checkPaths(request, system);
  if (process.getuid?.() !== 0) throw new PermissionError('mounting an image needs root');
  requireKernel(kernelFacts(), wantsVerity(request));
  if (request.digest !== undefined) checkImageDigest(request, measure(fd, system));
  if (wantsVerity(request)) await checkObjects(survey.objects, request.objects, system, progress);
  progress.end();
  if (request.upper !== undefined)
    for (const name of ['upper', 'work']) makeFolder(`${request.upper}/${name}`, system, 0o755);

  const lower = join(tmpdir(), `sealtree-mount-${randomHex(8)}`);
  system.mkdir(lower, 0o700);
  try {
    await mountErofs(opened, erofsOptions(image.hasAcl), lower);
    try {
      await run('mount', ['-t', 'overlay', '-o', overlayOptions(request, lower), SOURCE, request.directory]);
    } finally {
      // The overlay holds it; its name is no longer needed, whether that worked or not.
      await run('umount', ['--lazy', lower]);
    }
  } finally {
    system.rmdir(lower);
  }
  return survey;
}

/** Takes the mount on `directory` down; NotFoundError where no image is mounted there. */
export async function unmountImage(directory: string, system: SystemReads): Promise<void> {
  const path = system.realpath(directory);
  const mounts = parseMountinfo(system.readFile('/proc/self/mountinfo').toString('utf8'));
  const top: Mount | undefined = mounts.findLast(({ mountPoint }) => mountPoint === path);
  if (top === undefined) throw new NotFoundError(`${path}: nothing is mounted there`);
  if (top.type !== 'overlay' || top.source !== SOURCE)
    throw new UsageError(`${path}: what is mounted there is no image, but ${top.type} from ${top.source}`);
  await run('umount', [path]);
}

function checkPaths({ directory, objects, upper }: MountRequest, system: SystemReads): void {
  if (objects.length === 0) throw new UsageError('no folder of objects was given');
  const used = upper === undefined ? objects : [...objects, upper];
  for (const path of [directory, ...used])
    if (!system.stat(path).isDirectory()) throw new UsageError(`${path} is no folder`);
  for (const path of used) {
    // overlayfs and mount(8) each read these in their own way.
    if (/[,:\\"]/.test(path))
      throw new UsageError(`${path}: a comma, colon, quote or backslash cannot be told to overlayfs`, {
        hint: 'bind the folder to another name with mount --bind',
      });
  }
}

function requireKernel(kernel: KernelFacts, verity: boolean): void {
  const needs: [string, Fact][] = [
    ['EROFS with xattrs', kernel.erofs],
    ['overlayfs with data-only layers', kernel.overlayDataOnly],
  ];
  if (verity) needs.push(['fs-verity', kernel.verity], ["overlayfs' verity=require", kernel.overlayVerity]);
  for (const [what, { state, reason }] of needs)
    if (state === 'no') throw new UnsupportedError(`${what} is not to be had: ${reason}`);
}

/** The kernel's digest of the image, or why there is none. */
function measure(fd: number, system: System): Digest | string {
  const verity = system.measureVerity(fd);
  if (verity.state === 'enabled') return digestOf(verity.digest);
  return verity.state === 'disabled'
    ? 'the image has no fs-verity'
    : `the kernel or the file system has no fs-verity (${verity.errno})`;
}

function checkBytes(bytes: Uint8Array, want: Digest, image: string): void {
  const got = digestOf(verityDigest(bytes));
  if (got === want) return;
  throw new OperationError('image-digest', `${image}: the image is not the one that was sealed`, {
    hint: 'sealtree seal makes it anew from its commit; sealtree verify says what else is wrong',
    details: { got, want },
  });
}

function checkImageDigest({ image, digest }: MountRequest, measured: Digest | string): void {
  if (measured === digest) return;
  if (/^[0-9a-f]{64}$/.test(measured))
    throw new OperationError('image-digest', `${image}: the image has another fs-verity digest`, {
      details: { got: measured, want: digest },
    });
  throw new UnsupportedError(`${image}: the digest cannot be required: ${measured}`, {
    hint: `fsverity enable ${image}, on a file system that can`,
  });
}

/** Every object must have fs-verity and the right digest, or opening its files would fail later, one by one. */
async function checkObjects(
  objects: readonly ImageObject[],
  folders: readonly string[],
  system: System,
  progress: Progress,
): Promise<void> {
  progress.begin('measuring objects', objects.length);
  const bad: string[] = [];
  for (const object of objects) {
    const problem = objectProblem(object, folders, system);
    if (problem !== undefined) bad.push(`${displayBytes(object.payload)}: ${problem}`);
    progress.advance(1);
    await progress.breathe();
  }
  if (bad.length === 0) return;
  const message = `${bad.length} of ${objects.length} objects could not be opened with verity=require`;
  throw new OperationError('objects-verity', `${message}; the first: ${bad[0]}`, {
    details: { objects: bad.slice(0, 10), count: bad.length },
  });
}

function objectProblem(
  { payload, digest }: ImageObject,
  folders: readonly string[],
  system: System,
): string | undefined {
  if (digest === undefined) return 'the image lists no digest for it';
  for (const folder of folders) {
    let fd: number;
    try {
      fd = system.openRead(Buffer.concat([Buffer.from(`${folder}/`), stringToBytes(payload)]));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR') continue;
      return `not readable (${errno})`;
    }
    try {
      const verity = system.measureVerity(fd);
      if (verity.state !== 'enabled') return 'it has no fs-verity';
      return digestOf(verity.digest) === digest ? undefined : 'it has another fs-verity digest';
    } finally {
      system.close(fd);
    }
  }
  return 'it is missing';
}

/**
 * From the file where the kernel can; else through a loop device, which newer mount(8) does not add by itself.
 * mount(8) must not turn the opened file into its name again: it would be looked up anew.
 */
async function mountErofs(opened: string, options: string, on: string): Promise<void> {
  const mount = (erofs: string) => ['--no-canonicalize', '-t', 'erofs', '-o', erofs, opened, on];
  const fromFile = await runAnyway('mount', mount(options));
  if (fromFile.exitCode === 0) return;
  await run('mount', mount(`${options},loop`));
}

/** Reads the first file that has an object, all the way through overlayfs. */
function proveReadable({ objects }: ImageSurvey, directory: string, system: System): void {
  const path = objects[0]?.paths[0];
  if (path === undefined) return;
  const file = Buffer.concat([Buffer.from(directory), stringToBytes(path)]);
  try {
    if (!isRegular(system.stat(file).mode))
      throw new OperationError('mount', `${displayBytes(path)} is no file in the mount`);
    const fd = system.openRead(file);
    try {
      system.read(fd, Buffer.alloc(1), null);
    } finally {
      system.close(fd);
    }
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    const why =
      errno === 'ENOENT'
        ? 'its object is missing'
        : errno === 'EIO'
          ? 'the kernel refuses its object'
          : errno;
    throw new OperationError('mount', `${displayBytes(path)} cannot be read through the mount: ${why}`, {
      hint: 'image verify --objects says which objects are wrong; the kernel log names the first',
      cause: error,
    });
  }
}
