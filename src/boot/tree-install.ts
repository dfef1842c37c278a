/**
 * What `boot install --root TREE` puts into a tree that is to be committed: the script with all it needs in
 * `usr/lib/sealtree/initramfs`, what makes the generators of initramfs files take it along, and what keeps it up to date
 * while packages come and go. All of it below TREE/usr, so that it is part of the commit, but for the one line of apt's
 * configuration; no program is called, and no initramfs made.
 */
import { dirname, join } from 'node:path';
import { type ByteString, bytesEqual, stringToBytes } from '../base/bytes.ts';
import { OperationError } from '../base/errors.ts';
import { makeFolders } from '../base/folders.ts';
import type { System, SystemReads } from '../base/system.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import type { Finding } from '../image/findings.ts';
import { temporaryName } from '../image/store.ts';
import { prepareRootKind } from './initramfs/facts.ts';
import { firstFiles } from './initramfs/first-files.ts';
import { type InitramfsSettings, renderSettings } from './initramfs-settings.ts';
import { type PayloadName, payloadFile } from './payload.ts';
import { mountingPrepareRootConf, PREPARE_ROOT_CONF } from './prepare-root.ts';
import { findLeftovers, removeLeftovers, removeQuietly, renameDurably } from './replace.ts';
import { sealTemplate } from './template.ts';

export interface TreeFile {
  /** Below the tree, without a leading slash. */
  readonly path: string;
  readonly mode: number;
  /** undefined = there is no such file yet. */
  readonly before: Buffer | undefined;
  readonly after: Buffer;
}

export interface TreePlan {
  readonly tree: string;
  /** Files to be written, in order: what makes a generator look for the others comes last. */
  readonly changes: readonly TreeFile[];
  /** Files that are already as they should be. */
  readonly unchanged: readonly string[];
  readonly warnings: readonly Finding[];
}

/** Where the generators' files take the others from. */
const FILES = 'usr/lib/sealtree/initramfs';

/** A program of the tree that is to do something for us, and the files by which it does. */
interface Integration {
  readonly name: string;
  /** Below the tree: where it is missing, so is the program, and nothing is put there. */
  readonly needs?: string;
  /** Ours as they are; what makes the program look for the others comes last. */
  readonly files: readonly (readonly [path: string, mode: number, name: PayloadName])[];
}

const INTEGRATIONS: readonly Integration[] = [
  {
    name: 'dracut',
    files: [
      ['usr/lib/dracut/modules.d/50sealtree/module-setup.sh', 0o755, 'dracut/module-setup.sh'],
      ['usr/lib/dracut/dracut.conf.d/50-sealtree.conf', 0o644, 'dracut/50-sealtree.conf'],
    ],
  },
  {
    name: 'initramfs-tools',
    files: [
      [
        'usr/share/initramfs-tools/scripts/init-bottom/sealtree',
        0o755,
        'initramfs-tools/scripts/init-bottom/sealtree',
      ],
      ['usr/share/initramfs-tools/hooks/sealtree', 0o755, 'initramfs-tools/hooks/sealtree'],
    ],
  },
  {
    name: 'mkinitcpio',
    needs: 'usr/lib/initcpio',
    files: [['usr/lib/initcpio/install/sealtree', 0o644, 'mkinitcpio/sealtree']],
  },
  {
    name: 'kernel-install',
    needs: 'usr/lib/kernel/install.d',
    files: [['usr/lib/kernel/install.d/45-sealtree.install', 0o755, 'kernel-install/45-sealtree.install']],
  },
  {
    name: 'apt',
    // It reads its configuration nowhere else.
    needs: 'etc/apt/apt.conf.d',
    files: [
      ['usr/libexec/sealtree/apt-hook', 0o755, 'apt/apt-hook'],
      ['etc/apt/apt.conf.d/90sealtree', 0o644, 'apt/90sealtree'],
    ],
  },
];

/** Names of the programs in a root that sealtree's files are there for. */
export const integrationsIn = (root: string, system: SystemReads): string[] =>
  INTEGRATIONS.filter(({ files }) =>
    files.every(([path]) =>
      [path, path.replace(/^etc\//, 'usr/etc/')].some((one) => isThere(root, one, system)),
    ),
  ).map(({ name }) => name);

const isThere = (root: string, path: string, system: SystemReads): boolean =>
  system.lstatIfExists(join(root, path)) !== undefined;

/**
 * Plans it; changes nothing.
 * @throws OperationError when `tree` is no tree of an operating system, or a link in it leads away from where its files
 *   belong; FormatError or OperationError when its init is damaged; IoError
 */
export function planTreeInstall(tree: string, settings: InitramfsSettings, system: SystemReads): TreePlan {
  if (!system.lstatIfExists(join(tree, 'usr'))?.isDirectory())
    throw new OperationError(
      'tree',
      `${tree}: there is no folder usr in it, so it is no operating system's tree`,
    );
  const { head, tail } = sealTemplate();
  const first = firstFiles([tree], system);
  const wanted: Omit<TreeFile, 'before'>[] = [
    { path: `${FILES}/template.head`, mode: 0o644, after: head },
    { path: `${FILES}/template.tail`, mode: 0o644, after: tail },
    { path: `${FILES}/settings`, mode: 0o644, after: renderSettings(settings) },
    { path: `${FILES}/first-files`, mode: 0o644, after: linesOf(first) },
    { path: `${FILES}/seal-root`, mode: 0o755, after: payloadFile('seal-root') },
    { path: `${FILES}/sealtree-root.service`, mode: 0o644, after: payloadFile('sealtree-root.service') },
    ...prepareRootFiles(tree, system),
    ...INTEGRATIONS.filter(({ needs }) => needs === undefined || isThere(tree, needs, system)).flatMap(
      ({ files }) => files.map(([path, mode, name]) => ({ path, mode, after: payloadFile(name) })),
    ),
  ];
  const changes: TreeFile[] = [];
  const unchanged: string[] = [];
  for (const file of wanted) {
    refuseLinks(tree, file.path, system);
    const path = join(tree, file.path);
    const before = readIfExists(path, system);
    const isSame =
      before !== undefined &&
      bytesEqual(before, file.after) &&
      (system.lstat(path).mode & 0o7777) === file.mode;
    if (isSame) unchanged.push(file.path);
    else changes.push({ ...file, before });
  }
  return { tree, changes, unchanged, warnings: warnings(tree, first.length > 0, system) };
}

/** What makes an ostree-prepare-root that mounts images by itself mount the one that is pinned. */
function prepareRootFiles(tree: string, system: SystemReads): Omit<TreeFile, 'before'>[] {
  const program = 'usr/lib/ostree/ostree-prepare-root' as ByteString;
  const content = readIfExists(join(tree, program), system);
  if (content === undefined || prepareRootKind({ name: program, content }) === 'plain') return [];
  const confs = ['etc', 'usr/etc', 'usr/lib'].map((folder) => join(tree, folder, PREPARE_ROOT_CONF));
  const where = confs.find((path) => system.lstatIfExists(path) !== undefined);
  const existing = where === undefined ? undefined : readIfExists(where, system);
  // What the repository's configuration will say is not known here.
  const conf = mountingPrepareRootConf(existing, where ?? PREPARE_ROOT_CONF, undefined);
  return [
    { path: `${FILES}/prepare-root.conf`, mode: 0o644, after: conf },
    {
      path: `${FILES}/sealtree-prepare.service`,
      mode: 0o644,
      after: payloadFile('sealtree-prepare.service'),
    },
  ];
}

/**
 * Paths below the tree of all that {@link installIntoTree} has put there; files that others changed among them, since
 * their names are ours.
 * @throws OperationError where a link leads away from the tree
 */
export function planTreeRemove(tree: string, system: SystemReads): string[] {
  // What makes programs look for the others goes first.
  const files = INTEGRATIONS.flatMap((one) => one.files.map(([path]) => path)).toReversed();
  const own = OWN_FILES.map((name) => `${FILES}/${name}`);
  const found = [...files, ...own].filter((path) => isThere(tree, path, system));
  for (const path of found) refuseLinks(tree, path, system);
  return found;
}

const OWN_FILES = [
  'prepare-root.conf',
  'sealtree-prepare.service',
  'sealtree-root.service',
  'seal-root',
  'first-files',
  'settings',
  'template.tail',
  'template.head',
];

/** Folders that only our files are in; the inner ones first. */
const OWN_FOLDERS = [
  'usr/lib/dracut/modules.d/50sealtree',
  'usr/libexec/sealtree',
  FILES,
  'usr/lib/sealtree',
];

/** Removes what {@link planTreeRemove} found, and the folders that are empty then. @throws IoError */
export function removeFromTree(tree: string, paths: readonly string[], system: System): void {
  for (const path of paths) system.unlink(join(tree, path));
  for (const folder of OWN_FOLDERS.map((path) => join(tree, path)))
    if (system.lstatIfExists(folder)?.isDirectory() && system.readdir(folder).length === 0)
      system.rmdir(folder);
}

/** Carries a plan out. Stopped at any point, it is carried on by planning and doing it again. @throws IoError */
export function installIntoTree({ tree, changes, unchanged }: TreePlan, system: System): void {
  const folders = [...changes.map(({ path }) => path), ...unchanged].map((path) => dirname(join(tree, path)));
  // What a run that was stopped left behind would be committed with the tree.
  removeLeftovers(findLeftovers([...new Set(folders)], system), system);
  for (const { path, mode, after } of changes) {
    const target = join(tree, path);
    makeFolders(dirname(target), system);
    const temporary = join(dirname(target), temporaryName());
    try {
      fill(temporary, after, mode, system);
      renameDurably(temporary, target, system);
    } catch (error) {
      removeQuietly(temporary, system);
      throw error;
    }
  }
}

function fill(path: string, bytes: Uint8Array, mode: number, system: System): void {
  const fd = system.create(path, 0o600);
  try {
    system.write(fd, bytes);
    // Whatever the umask of whoever builds the image.
    system.fchmod(fd, mode);
    system.fsync(fd);
  } finally {
    system.close(fd);
  }
}

const linesOf = (paths: readonly ByteString[]): Buffer =>
  stringToBytes(paths.map((path) => `${path}\n`).join('') as ByteString);

/** A link in a tree means something else there than here, so none is followed. */
function refuseLinks(tree: string, path: string, system: SystemReads): void {
  const parts = path.split('/');
  for (let count = 1; count <= parts.length; count++) {
    const at = join(tree, ...parts.slice(0, count));
    const stats = system.lstatIfExists(at);
    if (stats === undefined) return;
    const isRight = count < parts.length ? stats.isDirectory() : stats.isFile();
    if (!isRight)
      throw new OperationError(
        'tree',
        `${at}: not a ${count < parts.length ? 'folder' : 'file'} of the tree itself`,
      );
  }
}

/** What each of them always has. */
const GENERATORS = [
  'usr/lib/dracut/dracut-init.sh',
  'usr/share/initramfs-tools/hook-functions',
  'usr/lib/initcpio/functions',
];

function warnings(tree: string, hasInit: boolean, system: SystemReads): Finding[] {
  const found: Finding[] = [];
  const warn = (code: string, where: string, message: string): void => {
    found.push({ severity: 'warning', code, where: join(tree, where), message });
  };
  const has = (path: string): boolean => isThere(tree, path, system);
  if (!GENERATORS.some(has))
    warn(
      'tree-generator',
      '',
      'it has neither dracut nor initramfs-tools nor mkinitcpio, which would take the script along',
    );
  if (has('usr/lib/initcpio'))
    warn('tree-mkinitcpio', 'usr/lib/initcpio', 'mkinitcpio takes it along only where HOOKS names sealtree');
  if (!has('usr/lib/ostree/ostree-prepare-root'))
    warn(
      'tree-prepare-root',
      '',
      'it has no ostree-prepare-root (package ostree-boot), which the initramfs needs',
    );
  if (!hasInit)
    warn('tree-init', '', 'it has no init yet: install into it again when all its packages are there');
  return found;
}
