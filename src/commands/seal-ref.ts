/** `sealtree seal --ref`: images for refs, which are mounted rather than booted. */
import prettyBytes from 'pretty-bytes';
import { ExitCode } from '../base/errors.ts';
import type { SealOptions } from '../deployment/seal.ts';
import { type SealedRefResult, sealRef } from '../deployment/seal-ref.ts';
import { type UnsealedRef, unsealRef } from '../deployment/unseal-ref.ts';
import { ensureWritable } from '../deployment/writable.ts';
import type { Context } from './context.ts';

export async function sealRefs(
  context: Context,
  refs: readonly string[],
  options: Omit<SealOptions, 'progress'>,
): Promise<number> {
  const { dryRun, json, quiet } = context.options;
  const repository = await context.openRepository();
  if (!dryRun) await ensureWritable([repository.path], context.system);
  const results: SealedRefResult[] = [];
  for (const ref of refs)
    results.push(await sealRef(repository, ref, { ...options, progress: context.progress() }));
  if (json) {
    context.printJson('seal', { dryRun, refs: results.map(toJson) });
    return ExitCode.ok;
  }
  for (const { ref, action, digest, sizeBytes, steps, imageVerity } of results) {
    if (quiet && action === 'unchanged') continue;
    const verb = action === 'unchanged' ? 'already sealed' : dryRun ? 'would seal' : 'sealed';
    context.print(`${ref}: ${context.style.green(verb)}`);
    context.print(`    image ${digest} (${prettyBytes(sizeBytes)})`);
    if (dryRun) for (const step of steps) context.print(`    would ${step}`);
    if (imageVerity?.state === 'unsupported' && !quiet)
      context.print(`    no fs-verity: ${imageVerity.reason}`);
  }
  return ExitCode.ok;
}

/** `seal --ref REF --unseal`. */
export async function unsealRefs(
  context: Context,
  refs: readonly string[],
  lockTimeoutMs: number,
): Promise<number> {
  const { dryRun, json } = context.options;
  const repository = await context.openRepository();
  if (!dryRun) await ensureWritable([repository.path], context.system);
  const results: UnsealedRef[] = [];
  for (const ref of refs)
    results.push(await unsealRef(repository, ref, { dryRun, lockTimeoutMs, progress: context.progress() }));
  if (json) {
    const unsealed = results.map(({ ref, commit, digest }) => ({
      ref,
      checksum: commit,
      action: 'unsealed',
      imageDigest: digest,
    }));
    context.printJson('seal', { dryRun, refs: unsealed });
    return ExitCode.ok;
  }
  if (context.options.quiet) return ExitCode.ok;
  for (const { ref, digest } of results)
    context.print(
      `${ref}: ${dryRun ? 'would be unsealed' : 'unsealed'}; image ${digest} goes with the next gc, if nothing else has it`,
    );
  return ExitCode.ok;
}

function toJson({
  ref,
  commit,
  action,
  digest,
  imagePath,
  sizeBytes,
  steps,
  imageVerity,
  objects,
}: SealedRefResult) {
  return {
    ref,
    checksum: commit,
    action,
    imageDigest: digest,
    imagePath,
    imageBytes: sizeBytes,
    steps,
    verity: imageVerity?.state ?? null,
    objects: objects ?? null,
  };
}
