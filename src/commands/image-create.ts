/** `sealtree image create`: one image, of a commit, a dump or a directory, anywhere. */
import { type Digest, digestOf } from '../base/digest.ts';
import { ExitCode, UsageError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import { parseDump } from '../formats/erofs/dump.ts';
import { type FormatVersion, writeImage } from '../formats/erofs/write.ts';
import { verityDigest } from '../formats/verity.ts';
import { DigestStore } from '../image/digest-store.ts';
import { treeFromDirectory } from '../image/from-directory.ts';
import { buildCommitImage } from './commit-image.ts';
import { type Context, oneOf } from './context.ts';
import { writeOutput } from './output-file.ts';
import { resolveRev } from './revision.ts';
import { readInput } from './stand-in.ts';

export interface CreateOptions {
  readonly output: string;
  readonly fromFile?: string;
  readonly fromDir?: string;
  readonly digests: string;
  readonly digestStore?: string;
  readonly xattrs: string;
  readonly devices: boolean;
  readonly epoch?: boolean;
  readonly strict?: boolean;
  readonly minVersion?: string;
  readonly maxVersion?: string;
}

interface CreatedImage {
  readonly bytes: Buffer;
  readonly version: FormatVersion;
  readonly digest: Digest;
}

export async function createImage(
  context: Context,
  rev: string | undefined,
  options: CreateOptions,
): Promise<number> {
  const sources = [rev, options.fromFile, options.fromDir].filter((source) => source !== undefined);
  if (sources.length !== 1)
    throw new UsageError('an image is made of one thing: a REV, --from-file or --from-dir');
  const toStdout = options.output === '-';
  if (toStdout && context.options.json)
    throw new UsageError('--json and -o - would both write to standard output');

  const progress = context.progress();
  const image = await build(context, rev, options, progress);
  progress.end();
  if (!context.options.dryRun) {
    const path = toStdout ? '-' : context.path(options.output);
    await writeOutput(path, [image.bytes], context.stdout, context.system);
  }
  report(context, image, options.output, toStdout);
  return ExitCode.ok;
}

async function build(
  context: Context,
  rev: string | undefined,
  options: CreateOptions,
  progress: Progress,
): Promise<CreatedImage> {
  const { system } = context;
  if (rev !== undefined) {
    const repository = await context.openRepository();
    const commit = await resolveRev(context, repository, rev);
    return await buildCommitImage(context, repository, commit, options.digests, progress);
  }
  const { fromFile, fromDir } = options;
  const tree =
    fromFile !== undefined
      ? parseDump(readInput(fromFile === '-' ? '-' : context.path(fromFile), system), fromFile, {
          strict: options.strict ?? false,
        })
      : await treeFromDirectory(context.path(fromDir as string), system, {
          xattrs: oneOf('--xattrs', options.xattrs, ['all', 'user', 'none'], 'all'),
          skipDevices: !options.devices,
          useEpoch: options.epoch ?? false,
          progress,
          ...storeOf(context, options),
        });
  progress.begin('writing the image');
  const { bytes, version } = writeImage(tree, {
    minVersion: formatVersion('--min-version', options.minVersion, 0),
    maxVersion: formatVersion('--max-version', options.maxVersion, 1),
  });
  return { bytes, version, digest: digestOf(verityDigest(bytes)) };
}

function storeOf(context: Context, { digestStore }: CreateOptions): { store?: DigestStore } {
  if (digestStore === undefined || context.options.dryRun) return {};
  return { store: new DigestStore(context.path(digestStore), context.system) };
}

function formatVersion(option: string, value: string | undefined, fallback: FormatVersion): FormatVersion {
  return Number(oneOf(option, value, ['0', '1'], String(fallback) as '0' | '1')) as FormatVersion;
}

function report(context: Context, image: CreatedImage, output: string, toStdout: boolean): void {
  if (context.options.json) {
    context.printJson('image-create', {
      imageDigest: image.digest,
      imageBytes: image.bytes.length,
      composefsVersion: image.version,
      path: context.options.dryRun ? null : context.path(output),
    });
  } else if (toStdout && !context.options.dryRun) {
    context.say('info', image.digest);
  } else {
    context.print(image.digest);
  }
}
