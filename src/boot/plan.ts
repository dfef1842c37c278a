/**
 * The plan: what install and remove would do, in order, computed from the state alone. A plan changes nothing and
 * can be shown; {@link ./transaction.ts} carries it out. Whatever would be found out at boot too late is a refusal
 * here.
 *
 * The order of install: the machine boots after each step. File system feature; fs-verity on all that the kernel
 * will be asked about; only then the repository's configuration (ostree fails to commit where fs-verity cannot be had
 * and that asks for it); seal pins, which nobody reads yet; the loader's menu; the mount script last, since under
 * `enforce` it refuses entries without a pin. Remove goes the other way.
 */

import { formatBlsEntry } from '../formats/bls.ts';
import type { Finding } from '../image/findings.ts';
import type { EntryState } from './entries.ts';
import type { Installed, Way } from './journal.ts';
import { entryWithSealPin } from './pin.ts';
import type { BootState } from './state.ts';

/** One change, idempotent by itself; the machine boots before it and after it. */
export type BootStep =
  /** Writes what later runs and the remover need, before anything is changed. */
  | { readonly kind: 'record'; readonly installed: Installed; readonly remover: Buffer }
  /** Makes the file system able to have files with fs-verity. */
  | { readonly kind: 'verity-feature'; readonly argv: readonly string[]; readonly device: string }
  /** Turns fs-verity on where it is off, on all objects and images. */
  | { readonly kind: 'protect'; readonly objects: number; readonly images: number }
  | EditStep
  /** Runs ostree's own generator of the loader's menu. */
  | { readonly kind: 'menu'; readonly argv: readonly string[]; readonly why: string }
  | { readonly kind: 'append'; readonly path: string; readonly original: string; readonly addition: Buffer }
  | { readonly kind: 'restore'; readonly path: string; readonly original: string }
  | { readonly kind: 'overlay'; readonly path: string; readonly addition: Buffer }
  | { readonly kind: 'unlink'; readonly path: string }
  /** Takes away what `record` wrote: the last step of remove. */
  | { readonly kind: 'forget'; readonly paths: readonly string[] };

/** A small file gets new content, in one rename. */
export interface EditStep {
  readonly kind: 'edit';
  readonly what: 'repository-config' | 'seal-pin' | 'overlay-initrd';
  readonly path: string;
  readonly before: Buffer;
  readonly after: Buffer;
  /** The boot entry it is, whose name may change meanwhile: boot counting is in it. */
  readonly entry?: EntryState;
}

export interface BootPlan {
  readonly verb: 'install' | 'remove';
  /** Chosen by what the loader reads; undefined for remove where nothing is installed. */
  readonly way: Way | undefined;
  readonly steps: readonly BootStep[];
  /** Why it cannot be done; any of them, and nothing is. */
  readonly refusals: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Files that one might expect to change and that do not, each with the reason. */
  readonly untouched: readonly { readonly path: string; readonly why: string }[];
}

/** What install would do. */
export function planInstall(state: BootState): BootPlan {
  const steps = state.targets.flatMap(({ entry }) => pinStep(entry));
  const untouched = state.entries
    .filter(({ owner }) => owner === 'foreign')
    .map(({ path }) => ({ path, why: "not ostree's" }));
  return { verb: 'install', way: undefined, steps, refusals: [], warnings: [], untouched };
}

function pinStep(entry: EntryState): EditStep[] {
  const { entry: content, expectedPin, path, bytes } = entry;
  if (content === undefined || expectedPin === undefined) return [];
  const after = formatBlsEntry(entryWithSealPin(content, expectedPin, path));
  return after.equals(bytes) ? [] : [{ kind: 'edit', what: 'seal-pin', path, before: bytes, after, entry }];
}
