/** What the verbs of `import` have in common: limits, time stamp, and what becomes of the ref. */
import type { Command } from 'commander';
import { textToBytes } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { UsageError } from '../base/errors.ts';
import type { Variant } from '../formats/gvariant.ts';
import type { VariantMap } from '../formats/objects.ts';
import { DEFAULT_LIMITS, type TarLimits } from '../repository/import-tar.ts';
import type { Repository } from '../repository/repository.ts';
import { commitOfRef } from '../repository/revisions.ts';
import type { Context } from './context.ts';

export interface LimitOptions {
  readonly maxSize: string;
  readonly maxEntries: string;
  readonly skipSpecial?: boolean;
}

export interface CommitOptions {
  readonly ref?: string;
  readonly parent?: boolean;
  readonly lockTimeout: string;
  readonly subject?: string;
  readonly timestamp?: string;
}

export function declareLimits(command: Command): Command {
  return command
    .option(
      '--max-size <bytes>',
      'refuse archives with more content: a number, or one with K, M, G or T',
      '64G',
    )
    .option('--max-entries <count>', 'refuse archives with more entries', String(DEFAULT_LIMITS.entries))
    .option('--skip-special', 'leave device nodes and FIFOs out, which no commit can hold');
}

export function declareCommit(command: Command): Command {
  return command
    .option('--ref <ref>', 'the ref that names the commit')
    .option('--parent', 'the commit that REF names now becomes its parent')
    .option('--subject <text>', "the commit's subject")
    .option(
      '--timestamp <time>',
      'its time: seconds since 1970 or a date (default: $SOURCE_DATE_EPOCH or now)',
    );
}

export function limitsOf({ maxSize, maxEntries }: LimitOptions): TarLimits {
  const [, digits, unit = ''] = /^(\d{1,15})([KMGT]?)$/i.exec(maxSize) ?? [];
  const bytes = Number(digits) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' ');
  if (digits === undefined || !Number.isSafeInteger(bytes))
    throw new UsageError(
      `--max-size is a number of bytes such as 500M or 2G, not ${JSON.stringify(maxSize)}`,
    );
  if (!/^\d{1,9}$/.test(maxEntries))
    throw new UsageError(`--max-entries is a number, not ${JSON.stringify(maxEntries)}`);
  return { bytes, entries: Number(maxEntries) };
}

/** Seconds since 1970. */
export function timestampOf({ timestamp }: CommitOptions, context: Context): number {
  const text = timestamp ?? context.env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === '') return Math.floor(Date.now() / 1000);
  const seconds = /^@?\d{1,12}$/.test(text)
    ? Number(text.replace('@', ''))
    : Math.floor(Date.parse(text) / 1000);
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new UsageError(`not a time since 1970: ${JSON.stringify(text)}`, {
      hint: 'seconds such as 1700000000, or a date such as 2026-01-31T12:00:00Z',
    });
  return seconds;
}

/** Skipped entries that are named; the rest is counted. */
const SHOWN = 5;

/** Says what was left out of a tree. `paths` as they can be shown. */
export function warnSkipped(context: Context, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const more = paths.length > SHOWN ? `, and ${paths.length - SHOWN} more` : '';
  context.say(
    'warning',
    `left out, since no commit can hold them: ${paths.slice(0, SHOWN).join(', ')}${more}`,
  );
}

/** The commit that `--parent` means: what the ref names now; undefined without, and where there is no such ref. */
export function parentOf(
  { parent, ref }: Pick<CommitOptions, 'parent' | 'ref'>,
  repository: Repository,
): Checksum | undefined {
  if (!parent) return undefined;
  if (ref === undefined)
    throw new UsageError('--parent is the commit that REF names now: say which with --ref');
  return commitOfRef(repository, ref);
}

/** The refs a commit says it is meant for, as `ostree commit` records them. */
export function refBinding(ref: string | undefined): VariantMap {
  const refs = ref === undefined ? [] : [textToBytes(ref)];
  return new Map<string, Variant>([['ostree.ref-binding', { type: 'as', value: refs }]]);
}
