/** `sealtree demo`: a sysroot of our own to look around in, sealed. */
import { basename, join, relative } from 'node:path';
import prettyMilliseconds from 'pretty-ms';
import { ExitCode, SealtreeError, UsageError } from '../base/errors.ts';
import { shellWord } from '../base/shell.ts';
import { inspectDemoFolder, prepareDemoFolder } from '../deployment/demo-folder.ts';
import { type DemoSysroot, makeDemoSysroot } from '../deployment/demo-sysroot.ts';
import { failureOf, type SealResult, sealDeployments } from '../deployment/seal.ts';
import { readSysroot } from '../deployment/sysroot.ts';
import { mountImage, unmountImage } from '../image/mount.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { status } from './status.ts';
import { hasTerminal, type InterfaceOptions, openInterface } from './ui.ts';

export const command: CommandModule = {
  name: 'demo',
  summary: 'Make a small sysroot to try things on, and seal it',
  details: [
    'Writes a real sysroot into DIR (default: demo): a repository with the history of two operating systems, three deployments, boot entries; then seals the deployments, shows their status and says where to look next. On a terminal it then opens the interface on it. Needs no root, no ostree and no network. As root, on a kernel with EROFS, an image is mounted for a moment as well.',
    'A demonstration that is there already is made anew; any other folder that is not empty is refused.',
  ],
  examples: [
    ['demo', 'in the folder demo'],
    ['demo /tmp/try && sealtree --sysroot /tmp/try status', 'elsewhere'],
  ],
  define(command, run) {
    command
      .argument('[dir]', 'where to make it', 'demo')
      .option('--screen-reader', 'for screen readers: the interface as plain lines')
      .action(
        run(async (context, directory: string, options: InterfaceOptions) =>
          demo(context, context.path(directory), options),
        ),
      );
  },
};

async function demo(context: Context, path: string, interfaceOptions: InterfaceOptions): Promise<number> {
  const { system, options } = context;
  if (options.repo !== undefined)
    throw new UsageError('a demonstration has a repository of its own: leave out --repo');
  if (options.dryRun) {
    const found = inspectDemoFolder(path, system);
    context.print(
      `would ${found === 'ours' ? 'make anew' : 'make'} the demonstration in ${path}, and seal it`,
    );
    return ExitCode.ok;
  }
  const progress = context.progress();
  const started = performance.now();
  prepareDemoFolder(path, system);
  const made = await makeDemoSysroot(path, system, progress);
  const madeMs = performance.now() - started;
  const results = await sealDeployments(
    path,
    ({ deployments }) => deployments,
    { digests: 'yes', verity: 'auto', dryRun: false, rebuild: false, lockTimeoutMs: 10_000, progress },
    system,
  );
  const sealedMs = performance.now() - started - madeMs;
  progress.end();
  const failure = failureOf(results);
  if (failure !== undefined) throw failure;
  const mounted = await lookThroughMount(context, path, made, results);

  if (context.options.json) {
    context.printJson('demo', {
      directory: path,
      ...made,
      deployments: results.map(deploymentJson),
      mounted,
    });
    return ExitCode.ok;
  }
  if (context.options.quiet) return ExitCode.ok;
  const near = relative(context.cwd, path) || '.';
  const shown = near.startsWith('../') ? path : near;
  const ms = (milliseconds: number) => prettyMilliseconds(milliseconds);
  context.print(
    `Made a sysroot in ${shown}: ${made.commits} commits, ${made.refs.length} systems, ${made.deployments} deployments; ${MODES[made.mode]} (${ms(madeMs)}).`,
  );
  context.print(
    `Sealed ${results.length} deployments: each image built, read back and compared (${ms(sealedMs)}).`,
  );
  context.print(mountText(mounted));
  context.print('');
  // It cannot be other than sealed: what is shown is how that looks.
  const exitCode = await status({ ...context, openSysroot: async () => readSysroot(path, system) });
  context.print('');
  for (const line of nextSteps(context, shown, made, results)) context.print(line);
  // What was printed is there again when it is left.
  if (hasTerminal(context))
    return await openInterface(
      { ...context, options: { ...options, sysroot: path, repo: undefined } },
      interfaceOptions,
    );
  return exitCode;
}

const MODES: Readonly<Record<DemoSysroot['mode'], string>> = {
  bare: 'a bare repository, as root has it',
  'bare-user': 'a bare-user repository, since files cannot be given to other users here',
  'bare-user-only': 'a bare-user-only repository, since this file system has no user xattrs',
  archive: 'an archive repository',
  'bare-split-xattrs': 'a bare-split-xattrs repository',
};

interface Look {
  /** The image that was mounted. */
  readonly image: string;
  /** A file read through the mount. */
  readonly file: string;
  readonly firstLine: string;
}

/** Mounts the first image for a moment and reads a file through it; or says why that cannot be done here. */
async function lookThroughMount(
  context: Context,
  path: string,
  { repositoryPath }: DemoSysroot,
  results: readonly SealResult[],
): Promise<Look | { readonly reason: string }> {
  const { system } = context;
  const image = results[0]?.imagePath;
  if (image === undefined) return { reason: 'there is no image' };
  const directory = join(path, 'mnt');
  const file = 'usr/lib/os-release';
  system.mkdir(directory);
  try {
    await mountImage(
      { image, directory, objects: [join(repositoryPath, 'objects')] },
      system,
      context.progress(),
    );
    try {
      const text = system.readFile(join(directory, file)).toString('utf8');
      return { image, file, firstLine: text.split('\n')[1] ?? '' };
    } finally {
      await unmountImage(directory, system);
    }
  } catch (error) {
    if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
    return { reason: error.message };
  } finally {
    system.rmdir(directory);
  }
}

function mountText(mounted: Look | { readonly reason: string }): string {
  if ('reason' in mounted) return `Not mounted: ${mounted.reason}.`;
  return `Mounted the first image for a moment: ${mounted.file} in it says ${mounted.firstLine}.`;
}

function deploymentJson({ deployment, digest, imagePath, sizeBytes }: SealResult): Record<string, unknown> {
  return {
    id: deployment.id,
    imageDigest: digest ?? null,
    imagePath: imagePath ?? null,
    imageBytes: sizeBytes ?? null,
  };
}

/** Command lines that can be copied, with what they show. */
function nextSteps(
  context: Context,
  directory: string,
  { refs }: DemoSysroot,
  results: readonly SealResult[],
): string[] {
  const [ref = ''] = refs;
  const images = results.slice(0, 2).map(({ deployment: { stateroot, checksum } }) => {
    // The start of a checksum is enough for a shell to find it.
    const image = `ostree/deploy/${stateroot}/deploy/${checksum.slice(0, 8)}*/.ostree.cfs`;
    return `${shellWord(directory)}/${image}`;
  });
  const here = `sealtree --sysroot ${shellWord(directory)}`;
  const steps: readonly (readonly [does: string, line: string])[] = [
    ['the history of a system, and what its last release changed', `${here} log ${ref}`],
    ['', `${here} diff ${ref}^ ${ref}`],
    [
      'what differs between the images of the first two deployments',
      `sealtree image diff ${images.toReversed().join(' ')}`,
    ],
    ['files of a deployment', `${here} ls -R 0 /usr/bin`],
    [
      'read everything again; then change a file in its ostree/repo/objects, and once more',
      `${here} verify --deep`,
    ],
    ['start afresh', `sealtree demo ${shellWord(directory)}`],
  ];
  const alias = aliasOf(context);
  return [
    'Where to look next:',
    ...(alias === undefined ? [] : [`  ${alias}`]),
    ...steps.flatMap(([does, line]) => [...(does === '' ? [] : [`  # ${does}`]), `  ${line}`]),
  ];
}

/** How to get the name `sealtree`, where the program was not started by it. */
function aliasOf({ cwd }: Context): string | undefined {
  const script = process.argv[1] ?? '';
  if (basename(script) === 'sealtree') return undefined;
  const short = (path: string): string => {
    const near = relative(cwd, path);
    return shellWord(near.startsWith('..') ? path : near);
  };
  return `alias sealtree=${shellWord(`${short(process.execPath)} ${short(script)}`)}`;
}
