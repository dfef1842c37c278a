/** `sealtree export oci`: commits as a container image. */
import { ExitCode, UsageError } from '../base/errors.ts';
import { exportImage } from '../container/export.ts';
import { type Context, oneOf } from './context.ts';
import { platformOf } from './platform.ts';
import { resolveRev } from './revision.ts';

export interface OciExportOptions {
  readonly output: string;
  readonly tag?: string;
  readonly command?: string;
  readonly platform?: string;
  readonly compression: string;
}

export async function exportOci(
  context: Context,
  revs: readonly string[],
  options: OciExportOptions,
): Promise<number> {
  const repository = await context.openRepository();
  const commits = [];
  for (const rev of revs) commits.push(await resolveRev(context, repository, rev));
  const tag = options.tag ?? 'latest';
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}$/.test(tag))
    throw new UsageError(
      `--tag is a name such as 1.0 or registry.example/app:1.0, not ${JSON.stringify(tag)}`,
    );
  const path = context.path(options.output);
  const compression = oneOf('--compression', options.compression, ['gzip', 'zstd', 'none'], 'gzip');
  const platform = platformOf(options.platform);
  if (context.options.dryRun) {
    context.print(`would write an image of ${commits.length} layers to ${path}:${tag}`);
    return ExitCode.ok;
  }
  const { manifestDigest, layers } = await exportImage(repository, {
    path,
    tag,
    commits,
    platform,
    command: options.command?.split(/\s+/).filter((word) => word !== ''),
    compression,
    progress: context.progress(),
  });
  if (context.options.json) context.printJson('export-oci', { path, tag, manifestDigest, layers });
  else context.print(manifestDigest);
  return ExitCode.ok;
}
