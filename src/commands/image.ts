/** `sealtree image …`: images as files, wherever they come from. */
import { VERITY_MODES } from '../image/digests.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';

// Each verb loads what it needs: one that only reads an image must not wait for what makes or mounts them.
const comparing = () => import('./image-compare.ts');
const creating = () => import('./image-create.ts');
const inspecting = () => import('./image-inspect.ts');
const mounting = () => import('./image-mount.ts');

/** A verb that is loaded when it is run. */
const lazily =
  <A extends readonly unknown[]>(load: () => Promise<(context: Context, ...args: A) => Promise<number>>) =>
  async (context: Context, ...args: A): Promise<number> =>
    (await load())(context, ...args);

const append = (value: string, before: readonly string[] = []): string[] => [...before, value];

export const command: CommandModule = {
  name: 'image',
  summary: 'Make, look into, compare and mount images',
  details: [
    'Images are composefs images: EROFS files that hold names and attributes, and for each file the path and the fs-verity digest of the object with its content.',
    'The digest of an image is its fs-verity digest, whether the file system it lies on has fs-verity or not.',
  ],
  examples: [
    ['image create REV -o image.cfs', "a commit's image"],
    [
      'image create --from-dir /srv/tree --digest-store objects -o tree.cfs',
      'an image of a folder, and its objects',
    ],
    ['image diff old.cfs new.cfs', 'what changed, and where the digests part'],
    [
      'image mount app/web /mnt',
      'mount what a ref was sealed with, checked by the kernel where it has fs-verity',
    ],
    ['image verify image.cfs --objects /ostree/repo/objects', 'check an image and all it points to'],
  ],
  define(command, run) {
    command
      .command('create')
      .description('Make an image; prints its digest')
      .argument('[rev]', 'commit to make it of')
      .requiredOption('-o, --output <file>', 'where to write it; - is standard output')
      .option('--from-file <dump>', 'make it of a composefs-dump(5) file; - is standard input')
      .option('--from-dir <folder>', 'make it of a folder, as mkcomposefs does')
      .option('--digests <mode>', `object digests of a commit's image: ${VERITY_MODES.join(', ')}`, 'yes')
      .option('--digest-store <folder>', 'with --from-dir: copy the content of files to this folder')
      .option('--xattrs <which>', 'with --from-dir: all, user or none', 'all')
      .option('--no-devices', 'with --from-dir: leave device nodes out')
      .option('--epoch', 'with --from-dir: set all times to 0')
      .option('--strict', 'with --from-file: insist on every detail of the format')
      .option('--min-version <n>', 'with --from-…: least format version (default: 0)')
      .option('--max-version <n>', 'with --from-…: greatest format version (default: 1)')
      .action(run(lazily(async () => (await creating()).createImage)));
    command
      .command('info')
      .description('Show header, figures and digest')
      .argument('<image>')
      .action(run(lazily(async () => (await inspecting()).info)));
    command
      .command('ls')
      .description('List entries')
      .argument('<image>')
      .argument('[path]', 'only this entry and what is below it')
      .action(run(lazily(async () => (await inspecting()).ls)));
    command
      .command('dump')
      .description('Print composefs-dump(5) text')
      .argument('<image>')
      .option('--filter <name>', 'only this entry of the root; may be given more than once', append)
      .action(run(lazily(async () => (await inspecting()).dump)));
    command
      .command('objects')
      .description('List the objects it points to: digest, size, path')
      .argument('<image>')
      .action(run(lazily(async () => (await inspecting()).objects)));
    command
      .command('missing-objects')
      .description('List the objects that are not there')
      .argument('<image>')
      .requiredOption('--objects <folder>', 'the folder of objects')
      .action(run(lazily(async () => (await inspecting()).missingObjects)));
    command
      .command('verify')
      .description('Check its structure and digest, and its objects')
      .argument('<image>')
      .option('--digest <digest>', 'the digest it should have')
      .option('--objects <folder>', 'check presence, size and digest of the objects in this folder')
      .option('--require-verity', 'missing fs-verity is an error, also where it cannot be had')
      .action(run(lazily(async () => (await comparing()).verify)));
    command
      .command('diff')
      .description('Compare two images: entries, objects, bytes')
      .argument('<a>')
      .argument('<b>')
      .option('--exit-code', 'exit 1 when they differ')
      .action(run(lazily(async () => (await comparing()).diff)));
    command
      .command('mount')
      .description('Mount it, or the image of a sealed ref, read-only')
      .argument('<image>', 'an image file, or a ref or commit that was sealed')
      .argument('<folder>')
      .option('--objects <folder>', "the folder of a file's objects; may be given more than once", append)
      .option('--upper <folder>', 'a folder that takes what is written to the mount')
      .option('--digest <digest>', 'the kernel must measure this digest on the image; implies --verity')
      .option('--verity', 'the kernel must check every object against the image')
      .action(run(lazily(async () => (await mounting()).mount)));
    command
      .command('umount')
      .description('Take a mount down')
      .argument('<folder>')
      .action(run(lazily(async () => (await mounting()).umount)));
  },
};
