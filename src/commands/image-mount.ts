/** `sealtree image mount` and `umount`: an image file, or the image of a sealed ref or commit. */
import { ExitCode, NotFoundError, OperationError, UsageError } from '../base/errors.ts';
import { shellWord } from '../base/shell.ts';
import {
  type MountedImage,
  type MountRequest,
  mountCommands,
  mountImage,
  unmountImage,
} from '../image/mount.ts';
import { recordedImage } from '../image/records.ts';
import { imagePath } from '../image/store.ts';
import type { Context } from './context.ts';
import { parseDigestOption } from './image-compare.ts';
import { openImage } from './image-inspect.ts';
import { resolveRev } from './revision.ts';

export interface MountOptions {
  readonly objects?: readonly string[];
  readonly digest?: string;
  readonly verity?: boolean;
  readonly upper?: string;
}

export async function mount(
  context: Context,
  file: string,
  directory: string,
  options: MountOptions,
): Promise<number> {
  const request = await mountRequest(context, file, directory, options);
  if (context.options.dryRun) {
    const { hasAcl } = openImage(context, request.image);
    for (const words of mountCommands(request, hasAcl)) context.print(words.map(shellWord).join(' '));
    return ExitCode.ok;
  }
  const mounted = await mountImage(request, context.system, context.progress());
  if (context.options.json) {
    const { directory, verity, imageVerified, survey } = mounted;
    context.printJson('image-mount', {
      directory,
      imageDigest: survey.digest,
      imageVerified,
      objectsVerified: verity,
    });
  } else if (!context.options.quiet) {
    context.print(describe(mounted, request.recorded !== undefined));
  }
  return ExitCode.ok;
}

async function mountRequest(
  context: Context,
  file: string,
  directory: string,
  { objects, digest, verity, upper }: MountOptions,
): Promise<MountRequest> {
  const common = {
    directory: context.path(directory),
    ...(upper === undefined ? {} : { upper: context.path(upper) }),
  };
  const isFile = context.system.lstatIfExists(context.path(file)) !== undefined;
  if (isFile || objects !== undefined) {
    if (objects === undefined)
      throw new UsageError('an image file needs --objects, the folder of its objects', {
        hint: 'of a ref that was sealed both are known: image mount REF FOLDER',
      });
    return {
      ...common,
      image: context.path(file),
      objects: objects.map((path) => context.path(path)),
      verity: verity ?? false,
      ...parseDigestOption(digest),
    };
  }
  const sealed = await sealedImage(context, file);
  const wanted = parseDigestOption(digest).digest;
  if (wanted !== undefined && wanted !== sealed.digest)
    throw new OperationError('image-digest', `${file}: the image that belongs to it has another digest`, {
      details: { got: sealed.digest, want: wanted },
    });
  // Where the kernel vouches for the image it is asked to; else the mount is what the file system can give.
  const requires = wanted !== undefined || verity === true || sealed.hasVerity;
  return {
    ...common,
    image: sealed.path,
    objects: [sealed.objects],
    recorded: sealed.digest,
    ...(requires ? { digest: sealed.digest } : {}),
  };
}

/** The published image of a commit. */
async function sealedImage(context: Context, rev: string) {
  const repository = await context.openRepository();
  const commit = await resolveRev(context, repository, rev);
  const digest = recordedImage(repository.path, commit, context.system);
  const path = digest === undefined ? undefined : imagePath(repository.path, digest);
  if (digest === undefined || path === undefined || context.system.lstatIfExists(path) === undefined)
    throw new NotFoundError(`${rev}: commit ${commit} has no image`, {
      hint: `sealtree seal --ref ${shellWord(rev)} makes it`,
      details: { commit },
    });
  const fd = context.system.openRead(path, { noFollow: true });
  try {
    const hasVerity = context.system.measureVerity(fd).state === 'enabled';
    return { digest, path, hasVerity, objects: `${repository.path}/objects` };
  } finally {
    context.system.close(fd);
  }
}

/** Says what is protected, and what is not. */
function describe({ directory, verity, imageVerified }: MountedImage, isRecorded: boolean): string {
  if (imageVerified) return `${directory}: mounted; the kernel has checked the image and checks every object`;
  if (verity)
    return `${directory}: mounted; the kernel checks every object against the image, but nothing vouches for the image`;
  if (isRecorded)
    return `${directory}: mounted; the image is the one that was sealed, but without fs-verity nothing is checked from now on`;
  return `${directory}: mounted; neither the image nor the objects are checked`;
}

export async function umount(context: Context, directory: string): Promise<number> {
  const path = context.path(directory);
  if (context.options.dryRun) context.print(`umount ${shellWord(path)}`);
  else await unmountImage(path, context.system);
  return ExitCode.ok;
}
