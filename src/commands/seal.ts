/** `sealtree seal`: the main job. */
import prettyBytes from 'pretty-bytes';
import { ExitCode, UsageError } from '../base/errors.ts';
import { failureOf, type SealResult, sealDeployments, selectDeployments } from '../deployment/seal.ts';
import { ensureWritable } from '../deployment/writable.ts';
import type { CommandModule } from './command.ts';
import { type Context, oneOf } from './context.ts';
import { lockTimeoutMs } from './lock-timeout.ts';

const append = (value: string, before: readonly string[] = []): string[] => [...before, value];

interface Options {
  readonly all?: boolean;
  readonly ref?: readonly string[];
  readonly unseal?: boolean;
  readonly digests: string;
  readonly fsverity: string;
  readonly rebuild?: boolean;
  readonly lockTimeout: string;
}

export const command: CommandModule = {
  name: 'seal',
  summary: 'Make, validate and place the image of deployments',
  details: [
    "Builds the image of each deployment's commit, compares it entry by entry with the commit, publishes it in REPO/extensions/sealtree/images and links it as .ostree.cfs into the deployment. What is sealed already is left alone, unless fs-verity is off on it or on its objects, or --rebuild or other --digests are asked for; a failed validation publishes nothing and exits with 2.",
    'What was read of objects is kept in REPO/extensions/sealtree, in the files object-info and dirtrees, so that for the next image only new ones are read. It is a cache: --rebuild reads all of them, and so does a run after it was removed.',
  ],
  examples: [
    ['seal', 'all deployments'],
    ['seal --dry-run pending', 'what sealing the pending deployment would do, with the digest'],
    [
      'seal --ref app/web',
      'an image for a ref, to be mounted with image mount; gc keeps it as long as there is the ref',
    ],
    ['seal --fsverity require booted', 'fail where the kernel or file system has no fs-verity'],
  ],
  define(command, run) {
    command
      .argument(
        '[deployment...]',
        '0, booted, pending, rollback, staged, OS/CHECKSUM.SERIAL or the start of a checksum',
      )
      .option('--all', 'all deployments (also what no argument means)')
      .option('--ref <ref>', 'no deployment, but an image for this ref; may be given more than once', append)
      .option('--unseal', 'with --ref: keep its image no longer; gc removes what nothing else has')
      .option(
        '--digests <mode>',
        'object digests in the image: yes, maybe (only what the kernel measures) or no',
        'yes',
      )
      .option(
        '--fsverity <policy>',
        'whether to enable fs-verity: auto (where it can be had), require (or fail) or off',
        'auto',
      )
      .option(
        '--rebuild',
        'build the image also where the deployment or ref is sealed, and read all objects anew',
      )
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(
        run(async (context, specs: readonly string[], options: Options) => {
          if (options.all && specs.length > 0)
            throw new UsageError('--all is for all deployments: name none');
          if (options.ref !== undefined) {
            if (options.all || specs.length > 0)
              throw new UsageError('--ref is for refs alone: no deployments, no --all');
            if (options.unseal && options.rebuild)
              throw new UsageError('--unseal makes no image: no --rebuild');
            const { sealRefs, unsealRefs } = await import('./seal-ref.ts');
            if (options.unseal)
              return await unsealRefs(context, options.ref, lockTimeoutMs(options.lockTimeout));
            return await sealRefs(context, options.ref, sealOptions(context, options));
          }
          if (options.unseal)
            throw new UsageError('--unseal is for refs: say which with --ref', {
              hint: 'a deployment keeps its image as long as it is there; sealtree boot remove makes it boot without',
            });
          return await seal(context, specs, options);
        }),
      );
  },
};

async function seal(context: Context, specs: readonly string[], options: Options): Promise<number> {
  const { dryRun } = context.options;
  const sysroot = context.sysrootPath();
  if (!dryRun) await ensureWritable([sysroot], context.system);
  const results = await sealDeployments(
    sysroot,
    (found) => selectDeployments(found, specs),
    {
      ...sealOptions(context, options),
      progress: context.progress(),
    },
    context.system,
  );
  if (context.options.json) context.printJson('seal', { dryRun, deployments: results.map(toJson) });
  else print(context, results);
  for (const { error, deployment } of results) {
    if (error === undefined || context.options.json) continue;
    context.say('error', `${deployment.id}: ${error.message}`);
    if (error.hint !== undefined) context.say('info', error.hint);
  }
  // Naming one deployment asks for that one: passing over it is a failure then.
  const passedOver = specs.length > 0 && results.some(({ action }) => action === 'skipped');
  return failureOf(results)?.exitCode ?? (passedOver ? ExitCode.failed : ExitCode.ok);
}

const sealOptions = (context: Context, options: Options) => ({
  digests: oneOf('--digests', options.digests, ['yes', 'maybe', 'no'], 'yes'),
  verity: oneOf('--fsverity', options.fsverity, ['auto', 'require', 'off'], 'auto'),
  dryRun: context.options.dryRun,
  rebuild: options.rebuild ?? false,
  lockTimeoutMs: lockTimeoutMs(options.lockTimeout),
});

const VERBS = {
  sealed: ['sealed', 'would seal'],
  adopted: ['sealed with the image it had', 'would seal with the image it has'],
  linked: ['sealed with the stored image', 'would seal with the stored image'],
  protected: ['sealed, fs-verity turned on where it was off', 'would turn on fs-verity where it is off'],
  unchanged: ['already sealed', 'already sealed'],
  skipped: ['not sealed', 'would not seal'],
  failed: ['FAILED', 'would fail'],
} as const;

function print(context: Context, results: readonly SealResult[]): void {
  const { dryRun, quiet } = context.options;
  const { style } = context;
  if (results.length === 0 && !quiet) context.print('There are no deployments.');
  const shown = new Set<readonly string[]>();
  for (const result of results) {
    const { deployment, action, digest, sizeBytes, steps = [], reason } = result;
    if (quiet && action === 'unchanged') continue;
    const paint = action === 'failed' ? style.red : action === 'skipped' ? style.yellow : style.green;
    const size = sizeBytes === undefined ? '' : ` (${prettyBytes(sizeBytes)})`;
    context.print(
      `${deployment.id}: ${paint(VERBS[action][dryRun ? 1 : 0])}${reason === undefined ? '' : `: ${reason}`}`,
    );
    if (digest !== undefined) context.print(`    image ${digest}${size}`);
    // Deployments of one commit share the steps.
    if (dryRun && !shown.has(steps)) for (const step of steps) context.print(`    would ${step}`);
    shown.add(steps);
  }
  if (!dryRun && !quiet) for (const line of protection(results)) context.print(line);
}

/** What the seal protects, and what it cannot: said once for all deployments, and of what was looked at only. */
function protection(results: readonly SealResult[]): string[] {
  const sealed = results.filter(({ imageVerity }) => imageVerity !== undefined);
  if (sealed.length === 0) return [];
  const states = sealed.flatMap(({ imageVerity, objects }) => [imageVerity, objects]);
  const lacking = states.find((state) => state?.state === 'unsupported');
  if (lacking?.state === 'unsupported')
    return [
      `No fs-verity: ${lacking.reason}.`,
      'The images are right and complete, but nothing keeps image or objects from being changed afterwards;',
      'sealtree verify --deep finds such changes. sealtree status says what stands in the way.',
    ];
  if (states.some((state) => state?.state === 'off'))
    return ['fs-verity was not asked for: sealtree verify says what is protected by it and what is not.'];
  return ['Image and objects are under fs-verity: the kernel refuses a changed one when it is read.'];
}

function toJson({
  deployment,
  action,
  digest,
  imagePath,
  sizeBytes,
  steps,
  imageVerity,
  objects,
  reason,
  error,
}: SealResult): Record<string, unknown> {
  return {
    id: deployment.id,
    checksum: deployment.checksum,
    action,
    imageDigest: digest ?? null,
    imagePath: imagePath ?? null,
    imageBytes: sizeBytes ?? null,
    steps: steps ?? [],
    verity: imageVerity?.state ?? null,
    objects: objects ?? null,
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { error: error.toJSON() }),
  };
}
