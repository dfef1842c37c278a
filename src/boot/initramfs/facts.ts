/**
 * What an initramfs is, drawn from the archives it is made of: who made it, what of that which seal-root needs is in
 * it, and whether sealtree is. Archives of several files (overlay initrds) go into one description, in loading order.
 */
import { type ByteString, bytesToString } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import { isDirectory, isRegular, isSymlink } from '../../base/mode.ts';
import { type CpioEntry, type CpioReaderOptions, cpioPath } from '../../formats/cpio.ts';
import { isElf, readElf } from '../../formats/elf.ts';
import { type InitramfsSettings, parseSettings } from '../initramfs-settings.ts';
import { PREPARE_ROOT_CONF } from '../prepare-root.ts';
import { ADDITION_NAME } from './extended.ts';
import { isModuleFile, moduleName } from './modules.ts';
import type { InitramfsArchive } from './read.ts';

/** Who runs in it. `unknown`: neither systemd nor the scripts of initramfs-tools, so we cannot hook into it. */
export type InitramfsKind = 'systemd' | 'initramfs-tools' | 'unknown';

export interface InitramfsFacts {
  readonly kind: InitramfsKind;
  /** Names of the programs in its search path. */
  readonly programs: ReadonlySet<string>;
  /** Whether its `mount` is util-linux's: others mount an image only through a loop device. */
  readonly hasUtilLinuxMount: boolean;
  /** `composefs`: it is built with composefs and can mount images by itself. */
  readonly prepareRoot: 'none' | 'plain' | 'composefs';
  /** The settings that it reads; undefined where there are none. */
  readonly prepareRootConf: Buffer | undefined;
  /** Names of the modules in it, by kernel release. */
  readonly modules: ReadonlyMap<string, ReadonlySet<string>>;
  /** Paths of its symlinks: a folder of that name in what is unpacked later would take their place. */
  readonly links: ReadonlySet<string>;
  /** Undefined when sealtree is not in it. */
  readonly sealtree: SealtreeFacts | undefined;
}

export interface SealtreeFacts {
  /** `addition`: appended or an overlay initrd; `generator`: dracut or initramfs-tools took it along. */
  readonly by: 'addition' | 'generator';
  /** The file it is in, and where its archive begins there. */
  readonly where: string;
  readonly offset: number;
  /** Whether something in this initramfs calls the script. */
  readonly isHooked: boolean;
  /** Undefined when the file is missing or damaged: then the script goes on as with `prefer`. */
  readonly settings: InitramfsSettings | undefined;
  /** The release that the modules it brought are for; undefined when it brought none. */
  readonly kernelRelease: string | undefined;
  /** What it reads before it switches to the sealed root. */
  readonly firstFiles: readonly ByteString[];
  /** The bytes of seal-root. */
  readonly script: Buffer | undefined;
}

/** Where everything of ours lies in an initramfs. */
export const OWN = 'usr/lib/sealtree';

/** In search order; in most initramfs files they are links to each other. */
const PROGRAM_FOLDERS = ['usr/sbin', 'usr/bin', 'sbin', 'bin'];

const PREPARE_ROOT = ['usr/lib/ostree/ostree-prepare-root', 'lib/ostree/ostree-prepare-root'];

/** The one in /etc takes the other's place as a whole (otcore-prepare-root.c). */
const PREPARE_ROOT_CONFS = ['etc', 'usr/lib', 'lib'].map((folder) => `${folder}/${PREPARE_ROOT_CONF}`);

const INIT_BOTTOM_ORDER = 'scripts/init-bottom/ORDER';

const MAX_KEPT_BYTES = 8 << 20;

/** The files whose contents {@link describeInitramfs} looks at: to be kept by {@link readInitramfs}. */
export const keepForFacts: NonNullable<CpioReaderOptions['keep']> = ({ name, mode, size }) => {
  if (!isRegular(mode) || size > MAX_KEPT_BYTES) return false;
  const path = cpioPath(name);
  // Of what the addition brings from the deployment only the list: the rest is large, and tells nothing.
  if (path.startsWith(`${OWN}/`))
    return path === `${OWN}/modules/LOAD` || !/^(bin|lib|modules)\//.test(path.slice(OWN.length + 1));
  return (
    PROGRAM_FOLDERS.some((folder) => path === `${folder}/mount`) ||
    PREPARE_ROOT.includes(path) ||
    PREPARE_ROOT_CONFS.includes(path) ||
    path === INIT_BOTTOM_ORDER
  );
};

export function describeInitramfs(archives: readonly InitramfsArchive[]): InitramfsFacts {
  const tree = new InitramfsTree(archives);
  const kind = kindOf(tree);
  const prepareRoot = PREPARE_ROOT.map((path) => tree.find(path)).find((found) => found !== undefined);
  return {
    kind,
    programs: programsOf(tree),
    hasUtilLinuxMount: hasUtilLinuxMount(tree),
    prepareRootConf: PREPARE_ROOT_CONFS.map((path) => tree.find(path)?.entry.content).find(Boolean),
    prepareRoot: prepareRoot === undefined ? 'none' : prepareRootKind(prepareRoot.entry),
    modules: modulesOf(tree),
    links: linksOf(tree),
    sealtree: sealtreeOf(tree, kind),
  };
}

interface Found {
  readonly entry: CpioEntry;
  readonly archive: InitramfsArchive;
}

/** The file system that the archives make: what comes later replaces what is there. */
class InitramfsTree {
  readonly #byPath = new Map<string, Found>();

  constructor(archives: readonly InitramfsArchive[]) {
    for (const archive of archives)
      for (const entry of archive.entries) this.#byPath.set(cpioPath(entry.name), { entry, archive });
  }

  /** By real path. */
  entries(): Iterable<[path: string, found: Found]> {
    return this.#byPath;
  }

  /** What `path` leads to, links followed; undefined when there is nothing. */
  find(path: string): Found | undefined {
    const real = this.resolve(path);
    return real === undefined ? undefined : this.#byPath.get(real);
  }

  resolve(path: string): string | undefined {
    const left = partsOf(path);
    const done: string[] = [];
    // As many links as the kernel follows, each with a few parts.
    for (let steps = 0; left.length > 0; steps++) {
      if (steps > 4096) return undefined;
      const part = left.shift() as string;
      if (part === '..') {
        done.pop();
        continue;
      }
      const at = [...done, part].join('/');
      const entry = this.#byPath.get(at)?.entry;
      if (entry === undefined) return undefined;
      if (!isSymlink(entry.mode)) {
        done.push(part);
        continue;
      }
      const target = bytesToString(entry.content ?? Buffer.alloc(0));
      if (target.startsWith('/')) done.length = 0;
      left.unshift(...partsOf(target));
    }
    return done.join('/');
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

function kindOf(tree: InitramfsTree): InitramfsKind {
  const init = tree.resolve('init');
  // systemd takes a root with this file for an initramfs.
  if (init === 'usr/lib/systemd/systemd' || init === 'lib/systemd/systemd')
    return tree.find('etc/initrd-release') === undefined ? 'unknown' : 'systemd';
  const isScripts = ['conf/initramfs.conf', 'scripts/functions', 'scripts/local'].every(
    (path) => tree.find(path) !== undefined,
  );
  return init !== undefined && isScripts ? 'initramfs-tools' : 'unknown';
}

function programsOf(tree: InitramfsTree): Set<string> {
  const programs = new Set<string>();
  for (const [path] of tree.entries()) {
    const at = path.lastIndexOf('/');
    if (!PROGRAM_FOLDERS.includes(path.slice(0, at))) continue;
    const found = tree.find(path);
    if (found !== undefined && isRegular(found.entry.mode) && (found.entry.mode & 0o111) !== 0)
      programs.add(path.slice(at + 1));
  }
  return programs;
}

/** busybox's is a link to busybox, klibc's has no library; util-linux's is the one that needs libmount. */
function hasUtilLinuxMount(tree: InitramfsTree): boolean {
  const mount = PROGRAM_FOLDERS.map((folder) => tree.find(`${folder}/mount`)).find(Boolean);
  return mount !== undefined && neededOf(mount.entry).some((name) => name.startsWith('libmount.so'));
}

/** What an ostree-prepare-root that mounts images by itself is linked with. */
export const COMPOSEFS_LIBRARY = 'libcomposefs.so';

/** Which of the two an ostree-prepare-root is, by its bytes. */
export function prepareRootKind(program: Pick<CpioEntry, 'name' | 'content'>): 'plain' | 'composefs' {
  return neededOf(program).some((name) => name.startsWith(COMPOSEFS_LIBRARY)) ? 'composefs' : 'plain';
}

/** Nothing for what is no ELF file, or a damaged one: that is not ours to judge. */
function neededOf({ name, content }: Pick<CpioEntry, 'name' | 'content'>): readonly ByteString[] {
  if (content === undefined || !isElf(content)) return [];
  try {
    return readElf(content, name).needed;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return [];
  }
}

function modulesOf(tree: InitramfsTree): Map<string, Set<string>> {
  const modules = new Map<string, Set<string>>();
  for (const [path] of tree.entries()) {
    const release = /^(?:usr\/)?lib\/modules\/([^/]+)\//.exec(path)?.[1];
    if (release === undefined || !isModuleFile(path)) continue;
    const names = modules.get(release) ?? new Set();
    modules.set(release, names.add(moduleName(path)));
  }
  return modules;
}

function linksOf(tree: InitramfsTree): Set<string> {
  const links = new Set<string>();
  for (const [path, { entry }] of tree.entries()) if (isSymlink(entry.mode)) links.add(path);
  return links;
}

function sealtreeOf(tree: InitramfsTree, kind: InitramfsKind): SealtreeFacts | undefined {
  const script = tree.find(`${OWN}/seal-root`);
  if (script === undefined) return undefined;
  const textOf = (name: string): string | undefined => {
    const content = tree.find(`${OWN}/${name}`)?.entry.content;
    return content === undefined ? undefined : bytesToString(content);
  };
  return {
    by: script.archive.gzipName === ADDITION_NAME ? 'addition' : 'generator',
    where: script.archive.where,
    offset: script.archive.offset,
    isHooked: isHooked(tree, kind),
    settings: settingsOf(textOf('settings')),
    kernelRelease: textOf('kernel')?.trimEnd(),
    firstFiles: (textOf('first-files') ?? '').split('\n').filter(Boolean) as ByteString[],
    script: script.entry.content,
  };
}

function isHooked(tree: InitramfsTree, kind: InitramfsKind): boolean {
  const isThere = (path: string): boolean => {
    const found = tree.find(path);
    return found !== undefined && !isDirectory(found.entry.mode);
  };
  if (kind === 'systemd') {
    const unit = 'sealtree-root.service';
    return (
      isThere(`usr/lib/systemd/system/${unit}`) &&
      ['etc/systemd/system', 'usr/lib/systemd/system'].some((folder) =>
        ['requires', 'wants'].some((how) => isThere(`${folder}/initrd-root-fs.target.${how}/${unit}`)),
      )
    );
  }
  if (kind === 'unknown') return false;
  if (isThere('conf/conf.d/zz-sealtree') && isThere('scripts/sealtree')) return true;
  // A script that ORDER does not name is never run.
  const order = tree.find(INIT_BOTTOM_ORDER)?.entry.content;
  return (
    isThere('scripts/init-bottom/sealtree') &&
    order !== undefined &&
    /^\s*\/scripts\/init-bottom\/sealtree(\s|$)/m.test(bytesToString(order))
  );
}

function settingsOf(text: string | undefined): InitramfsSettings | undefined {
  if (text === undefined) return undefined;
  try {
    return parseSettings(Buffer.from(text, 'latin1'), `${OWN}/settings`);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return undefined;
  }
}
