/**
 * Programs with all that they need to run, found in a deployment as ld.so(8) would find it there: the folders of
 * DT_RPATH or DT_RUNPATH, those of ld.so.conf, those that the loader knows by itself.
 */
import type { ByteString } from '../../base/bytes.ts';
import { bytesToString, displayBytes } from '../../base/bytes.ts';
import { OperationError } from '../../base/errors.ts';
import { type ElfFile, isElf, readElf } from '../../formats/elf.ts';
import type { TreeRoot } from './tree-root.ts';

/** A file of the tree, by the name it is asked for and by its real path. */
export interface Library {
  /** DT_NEEDED's name. */
  readonly name: ByteString;
  /** Relative to the root, without symlinks. */
  readonly path: ByteString;
}

export interface ProgramFiles {
  /** The program's real path, relative to the root. */
  readonly path: ByteString;
  /** The dynamic loader's real path; undefined for a static program or a script. */
  readonly loader: ByteString | undefined;
  /** All libraries, those that other libraries need too. */
  readonly libraries: readonly Library[];
}

/** No program needs more; a circle cannot happen, as each name is looked for once. */
const MAX_LIBRARIES = 1000;

/**
 * What a program of the tree needs; undefined when the tree has no such program.
 * @throws OperationError when the tree lacks a library, FormatError for a damaged file
 */
export function programFiles(program: ByteString, root: TreeRoot): ProgramFiles | undefined {
  const path = root.resolveFile(program);
  if (path === undefined) return undefined;
  const elf = readIfElf(path, root);
  if (elf === undefined) return { path, loader: undefined, libraries: [] };
  const loader = elf.interpreter === undefined ? undefined : root.resolveFile(elf.interpreter);
  if (elf.interpreter !== undefined && loader === undefined) throw lacks(path, elf.interpreter);
  return { path, loader, libraries: closure(path, elf, loader, root) };
}

interface Needing {
  readonly path: ByteString;
  readonly elf: ElfFile;
  /** Folders of the DT_RPATH of whoever needs it: they are looked into for it too. */
  readonly inherited: readonly ByteString[];
}

function closure(
  path: ByteString,
  elf: ElfFile,
  loader: ByteString | undefined,
  root: TreeRoot,
): readonly Library[] {
  const folders = [...configuredFolders(root), ...defaultFolders(loader, elf)];
  const found = new Map<ByteString, Library>();
  const queue: Needing[] = [{ path, elf, inherited: [] }];
  for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
    const { runpath, rpath } = one.elf;
    const ownRpath = runpath.length > 0 ? [] : rpath.map((folder) => expand(folder, one));
    const inherited = runpath.length > 0 ? [] : [...ownRpath, ...one.inherited];
    const search = [...inherited, ...runpath.map((folder) => expand(folder, one)), ...folders];
    for (const name of one.elf.needed) {
      if (found.has(name)) continue;
      const library = findLibrary(name, one.elf, search, root);
      if (library === undefined || found.size === MAX_LIBRARIES) throw lacks(one.path, name);
      found.set(name, { name, path: library.path });
      queue.push({ ...library, inherited: [...ownRpath, ...one.inherited] });
    }
  }
  return [...found.values()];
}

/** As the loader does, passes over what is for another machine. */
function findLibrary(
  name: ByteString,
  needing: ElfFile,
  folders: readonly ByteString[],
  root: TreeRoot,
): { path: ByteString; elf: ElfFile } | undefined {
  const candidates = name.includes('/') ? [name] : folders.map((folder) => `${folder}/${name}` as ByteString);
  for (const candidate of candidates) {
    const path = root.resolveFile(candidate);
    const elf = path === undefined ? undefined : readIfElf(path, root);
    if (
      path !== undefined &&
      elf !== undefined &&
      elf.bits === needing.bits &&
      elf.machine === needing.machine
    )
      return { path, elf };
  }
  return undefined;
}

function expand(folder: ByteString, { path, elf }: Needing): ByteString {
  const origin = `/${path.slice(0, Math.max(0, path.lastIndexOf('/')))}`;
  return folder
    .replace(/\$(ORIGIN|\{ORIGIN\})/g, () => origin)
    .replace(/\$(LIB|\{LIB\})/g, () => (elf.bits === 64 ? 'lib64' : 'lib')) as ByteString;
}

/** What is built into the loader: on Debian the folder it lies in itself, elsewhere /lib64 or /lib. */
function defaultFolders(loader: ByteString | undefined, { bits }: ElfFile): ByteString[] {
  const own = loader === undefined ? [] : [loader.slice(0, loader.lastIndexOf('/'))];
  const wide = bits === 64 ? ['usr/lib64', 'lib64'] : [];
  return [...own, ...wide, 'usr/lib', 'lib'] as ByteString[];
}

const MAX_INCLUDES = 100;

/** The folders of ld.so.conf, in a deployment (etc) or in a tree that is to be one (usr/etc). */
function configuredFolders(root: TreeRoot): ByteString[] {
  const etc = ['etc', 'usr/etc'].find((path) => root.resolveFile(`${path}/ld.so.conf` as ByteString));
  if (etc === undefined) return [];
  const folders: ByteString[] = [];
  const files = [`${etc}/ld.so.conf` as ByteString];
  for (let i = 0; i < files.length && i < MAX_INCLUDES; i++) {
    for (const line of bytesToString(root.readFile(files[i] as ByteString) ?? Buffer.alloc(0)).split('\n')) {
      const words = line
        .replace(/#.*/, '')
        .split(/[\s,:]+/)
        .filter(Boolean);
      if (words[0] === 'include') files.push(...words.slice(1).flatMap((glob) => included(glob, etc, root)));
      else folders.push(...(words as ByteString[]));
    }
  }
  return folders;
}

/** The files of an `include` line, whose last part may have a `*`. */
function included(glob: string, etc: string, root: TreeRoot): ByteString[] {
  const inEtc = glob.startsWith('/etc/') ? `${etc}${glob.slice('/etc'.length)}` : glob;
  const path = inEtc.startsWith('/') || inEtc.startsWith(etc) ? inEtc : `${etc}/${inEtc}`;
  const at = path.lastIndexOf('/');
  const folder = path.slice(0, at) as ByteString;
  const [before = '', ...after] = path.slice(at + 1).split('*');
  if (after.length === 0) return [path as ByteString];
  return root
    .readdir(folder)
    .filter((name) => name.startsWith(before) && name.endsWith(after.at(-1) ?? '') && !name.startsWith('.'))
    .map((name) => `${folder}/${name}` as ByteString);
}

function readIfElf(path: ByteString, root: TreeRoot): ElfFile | undefined {
  const bytes = root.readFile(path);
  return bytes !== undefined && isElf(bytes) ? readElf(bytes, displayBytes(path)) : undefined;
}

function lacks(path: ByteString, name: ByteString): OperationError {
  return new OperationError(
    'library-missing',
    `${displayBytes(path)}: it needs ${displayBytes(name)}, which the deployment lacks`,
    { details: { path: displayBytes(path), needs: displayBytes(name) } },
  );
}
