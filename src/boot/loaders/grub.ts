/**
 * GRUB: it reads the boot entries itself where its menu calls `blscfg` (Fedora's, and GRUB 2.14 on); everywhere else it
 * has what `ostree admin instutil grub2-generate` wrote into the menu when grub-mkconfig ran, with the first initrd
 * only. What the menu really holds decides, not which packages are installed.
 */
import { join } from 'node:path';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import type { Finding } from '../../image/findings.ts';
import { EFI_FOLDER, efiGrubMenus, exists, GRUB_MENUS } from './back-end.ts';
import { attempt, type Candidate, loaderProblem } from './candidate.ts';
import { parseGrubMenu } from './grub-menu.ts';
import type { BackEnd, Regenerate } from './loader.ts';
import { type Menu, ostreeLink } from './menu.ts';

/** Programs of ostree's grub2 back end, and where they lie: which one it was built for cannot be asked. */
const BUILT_IN_GENERATOR = '/usr/lib/ostree/ostree-grub-generator';
const MKCONFIG_NAMES = ['grub2-mkconfig', 'grub-mkconfig'];
const PROGRAM_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

interface GrubFile extends Menu {
  readonly callsBlscfg: boolean;
  readonly tellsBlsPath: boolean;
}

/** Undefined when GRUB is not there, or has no way to a deployment. */
export function findGrub(
  sysroot: Sysroot,
  backEnd: BackEnd,
  root: string,
  system: SystemReads,
): Candidate | undefined {
  const problems: Finding[] = [];
  const files = grubFiles(sysroot, system, problems);
  const byBlscfg = files.filter((file) => file.callsBlscfg);
  const generated = files.filter((file) => hasDeployments(file));
  const isOurs = backEnd.name === 'grub2';
  const isUnknown = problems.length > 0;
  if (byBlscfg.length === 0 && generated.length === 0 && !isOurs && !isUnknown) return undefined;

  const evidence = [
    ...byBlscfg.map(({ path }) => `${path} calls blscfg`),
    ...generated.map(({ path, entries }) => `${path} has ${entries.length} menu entries, with deployments`),
    ...problems.map(({ where }) => `${where} cannot be read`),
    ...supportNotes(sysroot, system),
  ];
  const common = { name: 'grub', evidence, problems } as const;
  if (byBlscfg.length > 0 && generated.length === 0) {
    problems.push(...lostEntries(byBlscfg, sysroot, system));
    return {
      ...common,
      readsEntries: 'bls',
      initrds: 'all',
      menus: [],
      regenerate: undefined,
      command: undefined,
      ways: ['overlay', 'append', 'module'],
    };
  }
  if (generated.length === 0 && !isUnknown)
    problems.push(
      loaderProblem(
        'error',
        'menu-without-deployments',
        files[0]?.path ?? join(sysroot.path, GRUB_MENUS[0]),
        "GRUB's menu has no entry of a deployment",
      ),
    );
  const regenerate = isOurs ? regenerateGrub(sysroot, backEnd, root, system) : undefined;
  const isRead =
    regenerate !== undefined && generated.some((menu) => isSame(menu.path, regenerate.output, system));
  return {
    ...common,
    readsEntries: generated.length === 0 && !isOurs ? 'none' : 'generated',
    initrds: 'first',
    menus: generated.map(({ callsBlscfg: _, tellsBlsPath: __, ...menu }) => menu),
    regenerate: isRead ? regenerate : undefined,
    command: isRead ? undefined : mkconfigCommand(sysroot, generated[0], root, system),
    ways: generated.length === 0 ? [] : ['append', 'module'],
  };
}

/** GRUB's own `blscfg` looks for /loader/entries on its root: that is not where they are when /boot is a folder of it. */
function lostEntries(menus: readonly GrubFile[], { path }: Sysroot, system: SystemReads): Finding[] {
  const boot = join(path, 'boot');
  const isFolder = exists(boot, system) && system.stat(boot).dev === system.stat(path).dev;
  if (!isFolder || exists(join(path, 'loader/entries'), system)) return [];
  const message =
    'blscfg looks for /loader/entries on the root of GRUB, where /boot is a folder: GRUB finds no entry; call it with --path /boot/loader/entries';
  return menus
    .filter(({ tellsBlsPath }) => !tellsBlsPath)
    .map((menu) => loaderProblem('warning', 'blscfg-path', menu.path, message));
}

const hasDeployments = ({ entries }: Menu): boolean =>
  entries.some(({ options }) => ostreeLink(options) !== undefined);

/** The menus that can be read, each file once. */
function grubFiles(sysroot: Sysroot, system: SystemReads, problems: Finding[]): GrubFile[] {
  const inSysroot = (name: string): string => join(sysroot.path, name);
  const efi = attempt(inSysroot(EFI_FOLDER), problems, () => efiGrubMenus(sysroot, system)) ?? [];
  const seen = new Set<string>();
  const read = (path: string): GrubFile[] => {
    const file = attempt(path, problems, () => readGrubFile(path, seen, system));
    return file === undefined ? [] : [file];
  };
  const files = [...GRUB_MENUS.map(inSysroot), ...efi].flatMap(read);
  // A menu made by hand may hand over to the one of ostree's back end, where no link leads to it.
  const handsOver = files.some(({ bytes }) => bytes.includes('loader/grub.cfg'));
  return handsOver ? [...files, ...read(inSysroot('boot/loader/grub.cfg'))] : files;
}

function readGrubFile(path: string, seen: Set<string>, system: SystemReads): GrubFile | undefined {
  if (!exists(path, system)) return undefined;
  const real = system.realpath(path);
  if (seen.has(real)) return undefined;
  seen.add(real);
  const bytes = system.readFile(path);
  return { path, format: 'grub', bytes, ...parseGrubMenu(bytes, path) };
}

/** What the distribution says of blscfg; no proof by itself. */
function supportNotes(sysroot: Sysroot, system: SystemReads): string[] {
  const marker = join(sysroot.path, 'boot/grub2/.grub2-blscfg-supported');
  const defaults = join(sysroot.path, 'etc/default/grub');
  const text = sysroot.isBooted ? readIfExists(defaults, system)?.toString('latin1') : undefined;
  return [
    ...(exists(marker, system) ? [`${marker} is there`] : []),
    ...(text !== undefined && /^\s*GRUB_ENABLE_BLSCFG=["']?true/m.test(text)
      ? [`${defaults} has GRUB_ENABLE_BLSCFG=true`]
      : []),
  ];
}

/**
 * What ostree's back end runs (ostree-bootloader-grub2.c, `write_config`). For a sysroot that is not the running
 * system it enters a deployment to find the program, which sealtree does not.
 */
function regenerateGrub(
  sysroot: Sysroot,
  backEnd: BackEnd,
  root: string,
  system: SystemReads,
): Regenerate | undefined {
  const program = sysroot.isBooted ? generator(root, system) : undefined;
  if (program === undefined) return undefined;
  const [efiMenu] = backEnd.isEfi ? efiGrubMenus(sysroot, system) : [];
  return {
    kind: 'program',
    argv: [program, '-o'],
    env: {
      _OSTREE_GRUB2_BOOTVERSION: String(sysroot.bootVersion),
      ...(backEnd.isEfi ? { _OSTREE_GRUB2_IS_EFI: '1' } : {}),
    },
    output: efiMenu ?? join(sysroot.path, `boot/loader.${sysroot.bootVersion}/grub.cfg`),
    why: "GRUB reads a menu that ostree's grub2 back end generates from the boot entries",
  };
}

/** The program's path as seen from `root`. */
function generator(root: string, system: SystemReads): string | undefined {
  if (exists(join(root, BUILT_IN_GENERATOR), system)) return BUILT_IN_GENERATOR;
  return mkconfig(root, system);
}

const mkconfig = (root: string, system: SystemReads): string | undefined =>
  PROGRAM_FOLDERS.flatMap((folder) => MKCONFIG_NAMES.map((name) => `${folder}/${name}`)).find((path) =>
    exists(join(root, path), system),
  );

/**
 * What a person runs where the menu is not in ostree's hands. Undefined for a sysroot that is not the running system:
 * run here the program would put this system's entries into the other's menu.
 */
function mkconfigCommand(
  sysroot: Sysroot,
  menu: Menu | undefined,
  root: string,
  system: SystemReads,
): string | undefined {
  if (!sysroot.isBooted) return undefined;
  const program = mkconfig(root, system)?.replace(/^.*\//, '') ?? 'grub-mkconfig';
  return `${program} -o ${menu?.path ?? join(sysroot.path, GRUB_MENUS[0])}`;
}

function isSame(a: string, b: string, system: SystemReads): boolean {
  return exists(a, system) && exists(b, system) && system.realpath(a) === system.realpath(b);
}
