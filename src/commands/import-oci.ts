/** `sealtree import oci`: a container image becomes a commit. */
import { ExitCode } from '../base/errors.ts';
import { importImage } from '../container/import.ts';
import { fits, Layout } from '../container/layout.ts';
import { formatPlatform } from '../formats/oci.ts';
import type { Context } from './context.ts';
import {
  type CommitOptions,
  type LimitOptions,
  limitsOf,
  parentOf,
  timestampOf,
  warnSkipped,
} from './import-options.ts';
import { lockTimeoutMs } from './lock-timeout.ts';
import { platformOf } from './platform.ts';

export interface OciOptions extends LimitOptions, CommitOptions {
  readonly platform?: string;
  readonly layers?: boolean;
}

export async function importOci(context: Context, spec: string, options: OciOptions): Promise<number> {
  const { dryRun, json } = context.options;
  const { path, tag } = splitSpec(context, spec);
  const platform = platformOf(options.platform);
  const limits = limitsOf(options);
  const repository = await context.openRepository();
  const progress = context.progress();
  const image = await importImage(await Layout.open(path, context.system, progress), repository, {
    tag,
    platform,
    requirePlatform: options.platform !== undefined,
    limits,
    ref: options.ref,
    parent: parentOf(options, repository),
    subject: options.subject,
    timestamp: timestampOf(options, context),
    layerCommits: options.layers ?? false,
    skipSpecial: options.skipSpecial ?? false,
    dryRun,
    lockTimeoutMs: lockTimeoutMs(options.lockTimeout),
    progress,
  });
  const { commit, manifestDigest, config, layers, skipped } = image;
  if (json) {
    context.printJson('import-oci', {
      dryRun,
      checksum: commit,
      ref: options.ref ?? null,
      manifestDigest: manifestDigest === undefined ? null : `sha256:${manifestDigest}`,
      platform: formatPlatform(config.platform),
      labels: Object.fromEntries(config.labels),
      layers: layers.map(({ diffId, digest, isKnown, commit }) => ({
        diffId: `sha256:${diffId}`,
        digest: digest === undefined ? null : `sha256:${digest}`,
        known: isKnown,
        checksum: commit ?? null,
      })),
      skipped,
    });
    return ExitCode.ok;
  }
  context.print(commit);
  warnSkipped(context, skipped);
  if (!fits(config.platform, platform))
    context.say(
      'warning',
      `the image is for ${formatPlatform(config.platform)}, this machine is ${formatPlatform(platform)}`,
    );
  const known = layers.filter(({ isKnown }) => isKnown).length;
  const count = `${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}, ${known} of them known`;
  context.say('info', dryRun ? `${count}; nothing was written` : `${count}`);
  for (const { diffId, isKnown, commit } of layers)
    context.say(
      'debug',
      `layer sha256:${diffId}${isKnown ? ', known' : ''}${commit === undefined ? '' : `: ${commit}`}`,
    );
  return ExitCode.ok;
}

/** `LAYOUT:TAG`, where the path itself may have colons in it: what exists as it is has no tag. */
function splitSpec(context: Context, spec: string): { path: string; tag: string | undefined } {
  const whole = context.path(spec);
  if (context.system.lstatIfExists(whole) !== undefined) return { path: whole, tag: undefined };
  // A tag may be a whole name with a colon of its own.
  for (let colon = spec.indexOf(':'); colon !== -1; colon = spec.indexOf(':', colon + 1)) {
    const path = context.path(spec.slice(0, colon));
    if (colon > 0 && colon < spec.length - 1 && context.system.lstatIfExists(path) !== undefined)
      return { path, tag: spec.slice(colon + 1) };
  }
  return { path: whole, tag: undefined };
}
