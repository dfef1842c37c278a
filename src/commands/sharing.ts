/** `sealtree sharing`: which bytes on the disk deployments, refs and images share, and what a removal would free. */
import { ExitCode, NotFoundError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import { type Holder, type HolderKind, listHolders } from '../deployment/sharing/holders.ts';
import { readSharing } from '../deployment/sharing/read.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import { listImages } from '../image/store.ts';
import type { Repository } from '../repository/repository.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { namedDeployment, ownSysroot, resolveRev } from './revision.ts';
import { renderSharing, sharingJson } from './text/sharing.ts';

interface Options {
  readonly content?: boolean;
}

export const command: CommandModule = {
  name: 'sharing',
  summary: 'Show what deployments, refs and images share',
  details: [
    'Without arguments all deployments, refs and published images are shown, each compared with the others of its kind; with arguments only those, compared with one another, whatever they are.',
    'Counts blocks on the disk, each inode once, as du does: of a deployment its folder and the objects of its commit, of a ref the objects of the commit it names and the image it was sealed with, of an image its file and the objects it points to. Parents of a commit are not counted. Objects are content objects: files and symlinks. Unique is what no other one has that it is compared with; unique and shared together are the total.',
    'What removal frees is less where others keep objects. It is what these give back together: of a deployment ostree admin undeploy and sealtree gc; of a ref ostree refs --delete REF, ostree prune --refs-only --depth=0 and sealtree gc; of an image sealtree gc. Links in other folders, such as those of ostree checkout --require-hardlinks, are not known of: what they keep is not freed.',
    "An object's checksum is over owner, mode and xattrs as well: the same bytes with other metadata are another object, and on the disk twice. Their object digest, which is fs-verity's and over the bytes alone, is one. With --content each content counts once, and what is there more than once is named. For that, objects of the same size are read, or measured by the kernel where they are under fs-verity.",
    'Folders are listed with all below them down to the third level; an object in several counts in the first. Changes nothing.',
  ],
  examples: [
    ['sharing', 'this system'],
    ['sharing 0 1', 'two deployments'],
    ['sharing --repo images app/web app/db --content', 'two imported container images, by content too'],
    ['sharing --json --sysroot /mnt', 'another system, for programs'],
  ],
  define(command, run) {
    command
      .argument('[rev...]', 'a deployment, a ref or another commit, or an image: its file, or its digest')
      .option('--content', 'find objects with the same bytes too: reads those of one size')
      .action(run(sharing));
  },
};

async function sharing(context: Context, specs: readonly string[], options: Options): Promise<number> {
  const repository = await context.openRepository();
  const sysroot = await ownSysroot(context, repository);
  const chosen: Holder[] = [];
  for (const spec of specs) chosen.push(await choose(spec, repository, sysroot, context));
  const report = await readSharing(repository, sysroot, {
    chosen: chosen.length === 0 ? undefined : chosen,
    byContent: options.content ?? false,
    progress: context.progress(),
  });
  context.clearProgress();
  if (context.options.json)
    context.printJson('sharing', {
      sysroot: sysroot?.path ?? null,
      repository: repository.path,
      ...sharingJson(report),
    });
  else for (const line of renderSharing(report, specs.length > 0, context.style)) context.print(line);
  return ExitCode.ok;
}

/** Digits of a digest that are enough to name an image: fewer are a number or a word. */
const SHORTEST_DIGEST = 8;

/** @throws NotFoundError for what is none of these */
async function choose(
  spec: string,
  repository: Repository,
  sysroot: Sysroot | undefined,
  context: Context,
): Promise<Holder> {
  const listed = listHolders(repository, sysroot);
  const find = (kind: HolderKind, name: string | undefined): Holder | undefined =>
    listed.find((holder) => holder.kind === kind && holder.name === name);
  const deployment = find('deployment', namedDeployment(sysroot, spec)?.id);
  // As everywhere: a small number is a deployment, whatever else is called so.
  const [first, second] = /^\d+$/.test(spec)
    ? [deployment, find('ref', spec)]
    : [find('ref', spec), deployment];
  return (
    chosenImage(spec, repository, context) ??
    first ??
    second ?? { kind: 'commit', name: spec, checksum: await resolveRev(context, repository, spec) }
  );
}

/** A file that looks like one, or a published image by its digest or the start of that. */
function chosenImage(spec: string, repository: Repository, { system, path }: Context): Holder | undefined {
  if (/^[0-9a-f]+$/.test(spec) && spec.length >= SHORTEST_DIGEST) {
    const [found, ...more] = listImages(repository.path, system).filter(({ digest }) =>
      digest.startsWith(spec),
    );
    if (found !== undefined && more.length === 0) return { kind: 'image', name: found.digest, ...found };
  }
  if (!/^\.{0,2}\/|\.cfs$/.test(spec)) return undefined;
  const file = path(spec);
  const stats = system.lstatIfExists(file);
  if (stats === undefined) throw new NotFoundError(`${file}: no such image`);
  if (!isRegular(stats.mode)) throw new NotFoundError(`${file}: no image, but something else`);
  const published = listImages(repository.path, system).find((image) => {
    const other = system.lstat(image.path);
    return other.ino === stats.ino && other.dev === stats.dev;
  });
  return {
    kind: 'image',
    name: published?.digest ?? file,
    path: published?.path ?? file,
    digest: published?.digest,
  };
}
