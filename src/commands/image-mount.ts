/** `sealtree image mount` and `umount`. */
import { ExitCode } from '../base/errors.ts';
import { shellWord } from '../base/shell.ts';
import {
  type MountedImage,
  type MountRequest,
  mountCommands,
  mountImage,
  unmountImage,
} from '../image/mount.ts';
import type { Context } from './context.ts';
import { parseDigestOption } from './image-compare.ts';
import { openImage } from './image-inspect.ts';

export interface MountOptions {
  readonly objects: readonly string[];
  readonly digest?: string;
  readonly verity?: boolean;
}

export async function mount(
  context: Context,
  file: string,
  directory: string,
  options: MountOptions,
): Promise<number> {
  const request: MountRequest = {
    image: context.path(file),
    directory: context.path(directory),
    objects: options.objects.map((path) => context.path(path)),
    verity: options.verity ?? false,
    ...parseDigestOption(options.digest),
  };
  if (context.options.dryRun) {
    const { hasAcl } = openImage(context, file);
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
    context.print(describe(mounted));
  }
  return ExitCode.ok;
}

/** Says what is protected, and what is not. */
function describe({ directory, verity, imageVerified }: MountedImage): string {
  if (imageVerified) return `${directory}: mounted; the kernel has checked the image and checks every object`;
  if (verity)
    return `${directory}: mounted; the kernel checks every object against the image, but nothing vouches for the image`;
  return `${directory}: mounted; neither the image nor the objects are checked`;
}

export async function umount(context: Context, directory: string): Promise<number> {
  const path = context.path(directory);
  if (context.options.dryRun) context.print(`umount ${shellWord(path)}`);
  else await unmountImage(path, context.system);
  return ExitCode.ok;
}
