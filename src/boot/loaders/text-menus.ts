/**
 * Loaders whose menu ostree writes by itself, without a program: syslinux (and whatever reads its format, such as
 * U-Boot through extlinux.conf) and U-Boot's uEnv.txt. The back ends copy the options of each entry and its first
 * initrd; in a menu of theirs a changed entry therefore is a changed line.
 */
import { join } from 'node:path';
import { type ByteString, bytesToString, stringToBytes } from '../../base/bytes.ts';
import type { SystemReads } from '../../base/system.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import type { Finding } from '../../image/findings.ts';
import { exists, SYSLINUX_MENU, UENV_MENU } from './back-end.ts';
import { attempt, type Candidate, loaderProblem } from './candidate.ts';
import type { BackEnd, BackEndName, LoaderName, Regenerate } from './loader.ts';
import { type Menu, type MenuEntry, ostreeLink } from './menu.ts';
import { parseSyslinuxMenu } from './syslinux-menu.ts';
import { parseUenvMenu } from './uenv-menu.ts';

interface TextLoader {
  readonly name: LoaderName;
  readonly menu: string;
  readonly format: 'syslinux' | 'uenv';
  /** The back end that writes it, and the file's name in `boot/loader.N`. */
  readonly backEnd: BackEndName;
  readonly file: string;
}

const TEXT_LOADERS: readonly TextLoader[] = [
  { name: 'syslinux', menu: SYSLINUX_MENU, format: 'syslinux', backEnd: 'syslinux', file: 'syslinux.cfg' },
  {
    name: 'extlinux',
    menu: 'boot/extlinux/extlinux.conf',
    format: 'syslinux',
    backEnd: 'syslinux',
    file: 'syslinux.cfg',
  },
  { name: 'u-boot', menu: UENV_MENU, format: 'uenv', backEnd: 'uboot', file: 'uEnv.txt' },
];

/** Those that are there and have a way to a deployment. */
export function findTextLoaders(sysroot: Sysroot, backEnd: BackEnd, system: SystemReads): Candidate[] {
  return TEXT_LOADERS.flatMap((loader) => findTextLoader(loader, sysroot, backEnd, system) ?? []);
}

function findTextLoader(
  loader: TextLoader,
  sysroot: Sysroot,
  backEnd: BackEnd,
  system: SystemReads,
): Candidate | undefined {
  const path = join(sysroot.path, loader.menu);
  if (!exists(path, system)) return undefined;
  const problems: Finding[] = [];
  const menu = readMenu(path, loader, system, problems);
  const hasDeployments = menu?.entries.some(({ options }) => ostreeLink(options) !== undefined) === true;
  const isActive = backEnd.name === loader.backEnd;
  if (!hasDeployments && !isActive && menu !== undefined) return undefined;
  if (!hasDeployments && menu !== undefined)
    problems.push(
      loaderProblem('error', 'menu-without-deployments', path, 'the menu has no entry of a deployment'),
    );
  const regenerate = isActive && menu !== undefined ? ownMenu(menu, loader, sysroot, system) : undefined;
  if (hasDeployments && regenerate === undefined)
    problems.push(
      loaderProblem(
        'warning',
        'menu-not-by-ostree',
        path,
        'nothing known to sealtree writes this menu: its kernel arguments follow the boot entries only when whoever made it makes it again',
      ),
    );
  return {
    name: loader.name,
    readsEntries: 'generated',
    initrds: 'first',
    menus: menu === undefined ? [] : [menu],
    regenerate,
    command: undefined,
    ways: hasDeployments ? ['append', 'module'] : [],
    evidence: [`${path} is there`],
    problems,
  };
}

function readMenu(
  path: string,
  { format }: TextLoader,
  system: SystemReads,
  problems: Finding[],
): Menu | undefined {
  return attempt(path, problems, () => {
    const bytes = system.readFile(path);
    const entries = format === 'uenv' ? parseUenvMenu(bytes, path) : parseSyslinuxMenu(bytes, path);
    return { path, format, bytes, entries };
  });
}

/** Only what leads to the file of the back end is ostree's to write, and ours to follow. */
function ownMenu(
  menu: Menu,
  { file, backEnd }: TextLoader,
  sysroot: Sysroot,
  system: SystemReads,
): Regenerate | undefined {
  const output = join(sysroot.path, `boot/loader.${sysroot.bootVersion}`, file);
  if (!exists(output, system) || system.realpath(menu.path) !== system.realpath(output)) return undefined;
  return {
    kind: 'edit',
    menu,
    output,
    why: `ostree's ${backEnd} back end copies the options of the boot entries into it`,
  };
}

/**
 * The menu's bytes with other kernel arguments; all else byte for byte.
 * @param optionsOf - the options an entry shall have; the same ones leave its line alone
 */
export function menuWithOptions(menu: Menu, optionsOf: (entry: MenuEntry) => ByteString): Buffer {
  const lines = bytesToString(menu.bytes).split('\n');
  for (const entry of menu.entries) {
    const line = lines[entry.optionsLine - 1];
    const options = optionsOf(entry);
    if (line === undefined || options === entry.options) continue;
    // The options are the end of their line, but for blanks.
    const at = line.lastIndexOf(entry.options);
    lines[entry.optionsLine - 1] = line.slice(0, at) + options + line.slice(at + entry.options.length);
  }
  return stringToBytes(lines.join('\n') as ByteString);
}
