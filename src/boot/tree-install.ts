/**
 * What `boot install --root TREE` puts into a tree that is to be committed: the script with all it needs in
 * `usr/lib/sealtree/initramfs`, and what makes dracut and initramfs-tools take it into the initramfs they make. Only
 * files below TREE/usr, so that they are part of the commit; no program is called, and no initramfs made.
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

/** Files of ours as they are, and where the generators look for them. */
const GENERATOR_FILES: readonly (readonly [path: string, mode: number, name: PayloadName])[] = [
  ['usr/lib/dracut/modules.d/50sealtree/module-setup.sh', 0o755, 'dracut/module-setup.sh'],
  ['usr/lib/dracut/dracut.conf.d/50-sealtree.conf', 0o644, 'dracut/50-sealtree.conf'],
  [
    'usr/share/initramfs-tools/scripts/init-bottom/sealtree',
    0o755,
    'initramfs-tools/scripts/init-bottom/sealtree',
  ],
  ['usr/share/initramfs-tools/hooks/sealtree', 0o755, 'initramfs-tools/hooks/sealtree'],
];

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
    ...GENERATOR_FILES.map(([path, mode, name]) => ({ path, mode, after: payloadFile(name) })),
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

function warnings(tree: string, hasInit: boolean, system: SystemReads): Finding[] {
  const found: Finding[] = [];
  const warn = (code: string, where: string, message: string): void => {
    found.push({ severity: 'warning', code, where: join(tree, where), message });
  };
  const isThere = (path: string): boolean => system.lstatIfExists(join(tree, path)) !== undefined;
  if (!isThere('usr/lib/dracut/dracut-init.sh') && !isThere('usr/share/initramfs-tools/hook-functions'))
    warn(
      'tree-generator',
      '',
      'it has neither dracut nor initramfs-tools, which would take the script along',
    );
  if (!isThere('usr/lib/ostree/ostree-prepare-root'))
    warn(
      'tree-prepare-root',
      '',
      'it has no ostree-prepare-root (package ostree-boot), which the initramfs needs',
    );
  if (!hasInit)
    warn('tree-init', '', 'it has no init yet: install into it again when all its packages are there');
  return found;
}
