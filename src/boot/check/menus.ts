/**
 * Does the loader read what the boot entries say? Where it reads a menu that was generated from them, an edit of an
 * entry has no effect before the menu is generated again: what would boot is what the menu says.
 */
import { basename, dirname, join } from 'node:path';
import { type ByteString, bytesToText, displayBytes } from '../../base/bytes.ts';
import { shellWord } from '../../base/shell.ts';
import type { SystemReads } from '../../base/system.ts';
import type { BootPolicy } from '../../config/settings.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import type { Finding, Severity } from '../../image/findings.ts';
import type { EntryState } from '../entries.ts';
import { attempt, loaderProblem } from '../loaders/candidate.ts';
import type { LoaderState } from '../loaders/loader.ts';
import { type Menu, type MenuEntry, ostreeLink } from '../loaders/menu.ts';
import { sealPinValues, withSealPin } from '../pin.ts';
import type { StorageState } from '../storage.ts';
import { bootFilePath } from './boot-files.ts';
import { unsealed } from './context.ts';

/** Compares every menu with the entries of ostree. */
export function checkMenus(
  loader: LoaderState,
  entries: readonly EntryState[],
  policy: BootPolicy,
  remedy: readonly string[],
  sysrootPath: string,
  system: SystemReads,
): Finding[] {
  const ours = entries.filter(({ owner, deployment }) => owner === 'ostree' && deployment !== undefined);
  return loader.menus.flatMap((menu) => [
    ...ours.flatMap((entry, i) => checkEntry(entry, i === 0, menu, loader, policy, remedy)),
    ...staleEntries(menu, ours, remedy),
    ...(menu.format === 'bls' ? ours.flatMap((entry) => checkCopies(entry, menu, sysrootPath, system)) : []),
  ]);
}

/** What a copied entry names lies on the loader's partition, and is to be what /boot has. */
function checkCopies(entry: EntryState, menu: Menu, sysrootPath: string, system: SystemReads): Finding[] {
  // Of PARTITION/loader/entries.
  const partition = dirname(dirname(menu.path));
  const copy = menu.entries.find(({ options }) => ostreeLink(options) === ostreeLink(entry.options));
  const originals = [entry.linux, ...entry.initrds];
  return [copy?.kernel, ...(copy?.initrds ?? [])].flatMap((path): Finding[] => {
    if (path === undefined) return [];
    const original = originals.find((one) => sameFile(one, path));
    const files = [
      join(partition, bytesToText(path)),
      original && bootFilePath(sysrootPath, original),
    ] as const;
    return compareFiles(...files, system).map((finding) => ({
      ...finding,
      message: `${entry.name}: ${finding.message}`,
      deployments: [entry.deployment?.id ?? ''],
    }));
  });
}

/** @param original without one, or where it is missing, something else speaks */
function compareFiles(path: string, original: string | undefined, system: SystemReads): Finding[] {
  const findings: Finding[] = [];
  const read = (file: string) => attempt(file, findings, () => ({ bytes: readIfExists(file, system) }));
  const copy = read(path);
  const own = original === undefined ? undefined : read(original);
  if (copy === undefined) return findings;
  if (copy.bytes === undefined)
    findings.push(loaderProblem('error', 'menu-file', path, 'the menu loads this, and it is not there'));
  else if (own?.bytes?.equals(copy.bytes) === false)
    findings.push(
      loaderProblem('error', 'menu-file', path, `the menu loads this, and it is not ${original}`),
    );
  return findings;
}

function checkEntry(
  entry: EntryState,
  isFirst: boolean,
  menu: Menu,
  loader: LoaderState,
  policy: BootPolicy,
  remedy: readonly string[],
): Finding[] {
  const found: Finding[] = [];
  const add = (severity: Severity, code: string, message: string): void =>
    void found.push({
      severity,
      code,
      where: menu.path,
      message: `${entry.name}: ${message}`,
      deployments: [entry.deployment?.id ?? ''],
      remedy,
    });
  const link = ostreeLink(entry.options);
  const shown = menu.entries.find(({ options }) => ostreeLink(options) === link);
  if (shown === undefined) {
    // One that boots only when it is chosen is no longer to be chosen; the machine boots.
    add(
      isFirst ? 'error' : 'warning',
      'menu-entry-missing',
      `${loader.name} does not know this entry: its menu is older`,
    );
    return found;
  }
  if (!sameFile(shown.kernel, entry.linux))
    add('error', 'menu-kernel', `the menu loads the kernel ${show(shown.kernel)}, not ${show(entry.linux)}`);
  const wanted = loader.initrds === 'first' ? entry.initrds.slice(0, 1) : entry.initrds;
  if (!sameFiles(shown.initrds, wanted))
    add(
      'error',
      'menu-initrd',
      `the menu loads ${shown.initrds.map(show).join(', ') || 'no initrd'}, not ${wanted.map(show).join(', ') || 'none'}`,
    );
  const [got, want] = [sealPinValues(shown.options), sealPinValues(entry.options)];
  if (got.join(' ') !== want.join(' '))
    add(
      unsealed(policy),
      'menu-pin',
      `the menu has ${got.length === 0 ? 'no seal pin' : `the seal pin ${got.map(displayBytes).join(' ')}`}, the entry ${want.length === 0 ? 'none' : want.map(displayBytes).join(' ')}`,
    );
  if (words(shown) !== words(entry))
    add('warning', 'menu-options', 'the menu has other kernel arguments than the entry');
  return found;
}

/** Choices that lead to a deployment which is gone. */
function staleEntries(menu: Menu, ours: readonly EntryState[], remedy: readonly string[]): Finding[] {
  const links = new Set(ours.map(({ options }) => ostreeLink(options)));
  return menu.entries.flatMap(({ title, options }, i): Finding[] => {
    const link = ostreeLink(options);
    if (link === undefined || links.has(link)) return [];
    const message = `${displayBytes(title) || 'an entry'}: leads to ${displayBytes(link)}, which no boot entry leads to any more`;
    const severity = i === 0 ? 'error' : 'warning';
    return [{ severity, code: 'menu-entry-stale', where: menu.path, message, remedy }];
  });
}

/** Everything but the seal pin, which is compared by itself. */
const words = ({ options }: Pick<MenuEntry, 'options'>): string =>
  withSealPin(options, undefined)
    .split(/[ \t]+/)
    .filter(Boolean)
    .join(' ');

const show = (path: ByteString | undefined): string => (path === undefined ? 'none' : displayBytes(path));

/** Paths in a menu begin where its loader looks from, so only the folder of the kernel and the name are compared. */
const tail = (path: ByteString): string => `${basename(dirname(path))}/${basename(path)}`;

const sameFile = (a: ByteString | undefined, b: ByteString | undefined): boolean =>
  a === undefined || b === undefined ? a === b : tail(a) === tail(b);

const sameFiles = (a: readonly ByteString[], b: readonly ByteString[]): boolean =>
  a.length === b.length && a.every((path, i) => sameFile(path, b[i]));

/**
 * Paths of an entry count from the root of the file system that /boot is on. Where that is the root file system they
 * have to begin with /boot, which ostree puts there only with `sysroot.bootprefix`. Of systemd-boot and of btrfs, where
 * a loader may count from a subvolume, nothing is said.
 */
export function checkPrefix(
  loader: LoaderState,
  entries: readonly EntryState[],
  sysroot: Sysroot,
  { boot, bootIsSeparate }: StorageState,
  system: SystemReads,
): Finding[] {
  if (bootIsSeparate || boot.type === 'btrfs') return [];
  if (loader.readsEntries === 'none' || loader.name === 'systemd-boot') return [];
  return entries.flatMap((entry): Finding[] => {
    if (entry.owner !== 'ostree' || entry.linux === undefined) return [];
    const isThere = (folder: string): boolean =>
      system.lstatIfExists(join(sysroot.path, folder, bytesToText(entry.linux as ByteString))) !== undefined;
    if (isThere('.') || !isThere('boot')) return [];
    return [
      {
        severity: 'warning',
        code: 'boot-prefix',
        where: entry.path,
        message: `/boot is on the root file system, and ${show(entry.linux)} does not begin with it: ${loader.name} may not find the kernel`,
        deployments: entry.deployment === undefined ? [] : [entry.deployment.id],
        remedy: [`ostree config --repo=${shellWord(sysroot.repositoryPath)} set sysroot.bootprefix true`],
      },
    ];
  });
}
