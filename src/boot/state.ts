/**
 * What a machine will boot, read from what is there: the deployments with their boot entries, images, kernels and
 * initramfs files, the loader, the file system below, and what an earlier install left. Everything that
 * {@link ./plan.ts} decides follows from this, and nothing else is looked at.
 */
import { join } from 'node:path';
import { SealtreeError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import type { Settings } from '../config/settings.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { type ImageState, readImageState } from '../deployment/image-state.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import type { Finding } from '../image/findings.ts';
import { type EntryState, readBootEntries } from './entries.ts';
import { type Installed, type Journal, readInstalled, readJournal } from './journal.ts';

/** A deployment that has a boot entry. */
export interface BootTarget {
  readonly deployment: Deployment;
  readonly entry: EntryState;
  readonly image: ImageState;
}

export interface BootState {
  readonly sysroot: Sysroot;
  readonly settings: Settings;
  /** All entries, ostree's and others, in the order of a boot menu. */
  readonly entries: readonly EntryState[];
  /** In the order of `ostree admin status`. */
  readonly targets: readonly BootTarget[];
  /** What install changed; undefined where nothing is installed. */
  readonly installed: Installed | undefined;
  /** A transaction that was cut off, or that is under way just now. */
  readonly journal: Journal | undefined;
  /** The file system /boot is on. */
  readonly boot: { readonly path: string; readonly availableBytes: number };
  /** What could not be read. */
  readonly problems: readonly Finding[];
}

/** Reads all of it. @throws IoError where /boot or the repository cannot be looked at */
export async function readBootState(
  sysroot: Sysroot,
  settings: Settings,
  system: System,
): Promise<BootState> {
  const problems: Finding[] = [];
  const attempt = <T>(code: string, read: () => T | undefined): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      const where = typeof error.details.where === 'string' ? error.details.where : sysroot.path;
      problems.push({ severity: 'error', code, where, message: error.message });
      return undefined;
    }
  };
  const entries = readBootEntries(sysroot, system);
  const bootPath = join(sysroot.path, 'boot');
  return {
    sysroot,
    settings,
    entries,
    targets: entries.flatMap((entry) => targetOf(entry, sysroot, system)).sort(byIndex),
    installed: attempt('installed-unreadable', () => readInstalled(sysroot.repositoryPath, system)),
    journal: attempt('journal-unreadable', () => readJournal(sysroot.repositoryPath, system)),
    boot: { path: bootPath, availableBytes: system.statfs(bootPath).availableBytes },
    problems,
  };
}

function targetOf(entry: EntryState, { repositoryPath }: Sysroot, system: System): BootTarget[] {
  const { deployment } = entry;
  if (deployment === undefined) return [];
  return [{ deployment, entry, image: readImageState(deployment, repositoryPath, system) }];
}

const byIndex = (a: BootTarget, b: BootTarget): number => a.deployment.index - b.deployment.index;
