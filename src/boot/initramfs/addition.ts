/**
 * The addition: an archive that makes an initramfs, which was made without sealtree, mount the sealed root. It is
 * appended to the initramfs file or loaded behind it (an overlay initrd), and holds nothing that belongs to one
 * deployment; only where it has to bring kernel modules does it belong to one kernel.
 *
 * What the initramfs lacks comes from the deployment: programs with their own loader and libraries (the initramfs
 * may have older ones, or none), modules in loading order.
 */
import { type ByteString, bytesToString, displayBytes, textToBytes } from '../../base/bytes.ts';
import { SealtreeError } from '../../base/errors.ts';
import { S_IFLNK, S_IFREG } from '../../base/mode.ts';
import type { SystemReads } from '../../base/system.ts';
import { type CpioFile, writeCpio } from '../../formats/cpio.ts';
import type { Finding } from '../../image/findings.ts';
import { type InitramfsSettings, renderSettings } from '../initramfs-settings.ts';
import { payloadFile } from '../payload.ts';
import { mountingPrepareRootConf, PREPARE_ROOT_CONF } from '../prepare-root.ts';
import { sealTemplate } from '../template.ts';
import { packAddition } from './extended.ts';
import { COMPOSEFS_LIBRARY, type InitramfsFacts, OWN } from './facts.ts';
import { loadingOrder, readModules } from './modules.ts';
import { type ProgramFiles, programFiles } from './programs.ts';
import { TreeRoot } from './tree-root.ts';

export interface AdditionRequest {
  /** The folder of the deployment whose programs and modules are taken. */
  readonly deployment: string;
  /** The kernel that the initramfs is for. */
  readonly kernelRelease: string;
  /** Whether that kernel mounts an image only through a loop device. */
  readonly needsLoop?: boolean;
  /** The initramfs without any addition. */
  readonly facts: InitramfsFacts;
  readonly settings: InitramfsSettings;
  /** Of all deployments that share the initramfs; see {@link firstFiles}. */
  readonly firstFiles: readonly ByteString[];
  /** `sysroot.readonly` of the repository's configuration; undefined where that is not known. */
  readonly sysrootReadOnly?: boolean | undefined;
}

export interface Addition {
  /** Compressed by gzip; the same bytes for the same request and files. */
  readonly bytes: Buffer;
  /** What is in it, sorted, without folders. */
  readonly contents: readonly { readonly path: ByteString; readonly size: number }[];
  /** The kernel it is for, because of its modules; undefined when it goes with any. */
  readonly kernelRelease: string | undefined;
  /** What is needed and neither the initramfs nor the deployment has: with it nothing may be installed. */
  readonly lacks: readonly Finding[];
}

const PREPARE_ROOTS = ['usr/lib/ostree/ostree-prepare-root', 'usr/sbin/ostree-prepare-root'] as ByteString[];

/** What seal-root runs besides mount and umount, in whichever form the initramfs has it. */
const BASE_PROGRAMS = ['sh', 'cat', 'mkdir', 'ln'];

/**
 * Builds it for one initramfs. Calls no program.
 * @throws IoError, FormatError; what is only missing is in `lacks`
 */
export function buildAddition(request: AdditionRequest, system: SystemReads): Addition {
  const root = new TreeRoot(request.deployment, system);
  const lacks: Finding[] = [];
  const lack = (code: string, where: string, message: string): void => {
    lacks.push({ severity: 'error', code, where, message });
  };
  const programs = collectPrograms(request, root, lack);
  const modules = collectModules(request, root, lack);
  const isOwnPrepareRoot = programs.some(({ name }) => name.endsWith('/ostree-prepare-root'));
  const confs = isOwnPrepareRoot ? prepareRootConfs(root) : [];
  const mountsImages = isOwnPrepareRoot
    ? programs.some(({ name }) => name.startsWith(`${OWN}/lib/${COMPOSEFS_LIBRARY}`))
    : request.facts.prepareRoot === 'composefs';
  const files: CpioFile[] = [
    ...script(request),
    ...hook(request.facts),
    ...programs,
    ...confs,
    ...(mountsImages ? prepareHook(request, confs.at(-1)?.content ?? request.facts.prepareRootConf) : []),
    ...modules,
  ];
  checkInitramfs(request, modules.length > 0, files, lack);
  checkKernel(request.kernelRelease, root, lack);
  return {
    bytes: packAddition(writeCpio(files)),
    contents: files
      .map(({ name, content }) => ({ path: name, size: content?.length ?? 0 }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    kernelRelease: modules.length > 0 ? request.kernelRelease : undefined,
    lacks,
  };
}

type Lack = (code: string, where: string, message: string) => void;

const regular = (name: string, content: Uint8Array, mode = 0o644): CpioFile => ({
  name: name as ByteString,
  mode: S_IFREG | mode,
  content,
});

const link = (name: string, target: string): CpioFile => ({
  name: name as ByteString,
  mode: S_IFLNK | 0o777,
  content: Buffer.from(target, 'latin1'),
});

function script({ settings, firstFiles }: AdditionRequest): CpioFile[] {
  const { head, tail } = sealTemplate();
  return [
    regular(`${OWN}/seal-root`, payloadFile('seal-root'), 0o755),
    regular(`${OWN}/template.head`, head),
    regular(`${OWN}/template.tail`, tail),
    regular(`${OWN}/settings`, renderSettings(settings)),
    regular(`${OWN}/first-files`, Buffer.from(firstFiles.map((path) => `${path}\n`).join(''), 'latin1')),
  ];
}

/** What makes the initramfs run it. */
function hook({ kind }: InitramfsFacts): CpioFile[] {
  const unit = 'usr/lib/systemd/system/sealtree-root.service';
  if (kind === 'systemd')
    return [
      regular(unit, payloadFile('sealtree-root.service')),
      link('etc/systemd/system/initrd-root-fs.target.requires/sealtree-root.service', `/${unit}`),
    ];
  if (kind === 'initramfs-tools')
    return [
      regular('conf/conf.d/zz-sealtree', payloadFile('initramfs-tools/overlay/conf')),
      regular('scripts/sealtree', payloadFile('initramfs-tools/overlay/script')),
    ];
  return [];
}

/** Programs that the initramfs lacks, with all they need. */
function collectPrograms({ facts }: AdditionRequest, root: TreeRoot, lack: Lack): CpioFile[] {
  const wanted: ByteString[][] = [];
  if (!facts.hasUtilLinuxMount)
    wanted.push(
      ['usr/bin/mount', 'bin/mount'] as ByteString[],
      ['usr/bin/umount', 'bin/umount'] as ByteString[],
    );
  if (facts.kind === 'initramfs-tools' && facts.prepareRoot === 'none') wanted.push(PREPARE_ROOTS);
  const found = wanted.flatMap((candidates) => {
    const files = findProgram(candidates, root, lack);
    return files === undefined ? [] : [files];
  });
  const isMixed =
    found.some(({ loader }) => loader === undefined) && found.some(({ loader }) => loader !== undefined);
  if (isMixed)
    // They are all run through the one loader, which cannot run static programs.
    lack('program-static', nameOf(found), 'some of these programs are static, and some are not');
  const files = new Map<string, CpioFile>();
  const add = (name: string, path: ByteString): void => {
    const content = root.readFile(path);
    if (content !== undefined) files.set(name, regular(`${OWN}/${name}`, content, 0o755));
  };
  for (const { path, loader, libraries } of found) {
    add(`bin/${path.slice(path.lastIndexOf('/') + 1)}`, path);
    if (loader !== undefined) add('lib/ld.so', loader);
    for (const library of libraries) if (library.path !== loader) add(`lib/${library.name}`, library.path);
  }
  return [...files.values()];
}

const nameOf = (programs: readonly ProgramFiles[]): string =>
  programs.map(({ path }) => displayBytes(path)).join(', ');

function findProgram(
  candidates: readonly ByteString[],
  root: TreeRoot,
  lack: Lack,
): ProgramFiles | undefined {
  for (const candidate of candidates) {
    try {
      const files = programFiles(candidate, root);
      if (files !== undefined) return files;
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      lack('program-unusable', candidate, error.message);
      return undefined;
    }
  }
  const [name = ''] = candidates;
  lack('program-missing', name, `neither the initramfs nor the deployment has /${name}`);
  return undefined;
}

/** What makes an ostree-prepare-root that mounts images by itself mount the one that is pinned. */
function prepareHook(
  { facts, sysrootReadOnly }: AdditionRequest,
  existing: Uint8Array | undefined,
): CpioFile[] {
  const conf = mountingPrepareRootConf(existing, PREPARE_ROOT_CONF, sysrootReadOnly);
  const unit = 'usr/lib/systemd/system/sealtree-prepare.service';
  return [
    regular(`${OWN}/prepare-root.conf`, conf),
    // In initramfs-tools the script that stands in for the boot script does it.
    ...(facts.kind === 'systemd'
      ? [
          regular(unit, payloadFile('sealtree-prepare.service')),
          link('etc/systemd/system/initrd-root-fs.target.wants/sealtree-prepare.service', `/${unit}`),
        ]
      : []),
  ];
}

/** The settings that ostree's own generator module takes along; the last one is what counts. */
function prepareRootConfs(root: TreeRoot): CpioFile[] {
  return [
    ['usr/lib', 'usr/lib'],
    ['usr/etc', 'etc'],
  ].flatMap(([from, to]) => {
    const content = root.readFile(`${from}/${PREPARE_ROOT_CONF}` as ByteString);
    return content === undefined ? [] : [regular(`${to}/${PREPARE_ROOT_CONF}`, content)];
  });
}

/** The modules that the initramfs lacks, each with all it needs, since what is there need not be loaded yet. */
function collectModules(
  { facts, kernelRelease, needsLoop }: AdditionRequest,
  root: TreeRoot,
  lack: Lack,
): CpioFile[] {
  const there = facts.modules.get(kernelRelease);
  const wanted = ['erofs', 'overlay', ...(needsLoop === true ? ['loop'] : [])];
  const missing = wanted.filter((name) => there?.has(name) !== true);
  if (missing.length === 0) return [];
  const where = `usr/lib/modules/${kernelRelease}`;
  try {
    const kernel = readModules(root, kernelRelease);
    const order = loadingOrder(missing, kernel);
    for (const name of order.missing)
      lack('module-missing', where, `this kernel has no module ${name}, and it is not built in`);
    const files = order.modules.map(({ file }) => {
      const content = root.readFile(`${kernel.folder}/${file}` as ByteString);
      if (content === undefined)
        lack('module-missing', where, `${displayBytes(file)} is listed, but not there`);
      return regular(baseName(file), content ?? Buffer.alloc(0));
    });
    if (files.length === 0) return [];
    return [
      ...files.map((file) => ({ ...file, name: `${OWN}/modules/${file.name}` as ByteString })),
      regular(`${OWN}/modules/LOAD`, Buffer.from(files.map(({ name }) => `${name}\n`).join(''), 'latin1')),
      regular(`${OWN}/kernel`, Buffer.from(`${kernelRelease}\n`)),
    ];
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    lack('modules-unreadable', where, error.message);
    return [];
  }
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

function checkInitramfs(
  { facts }: AdditionRequest,
  hasModules: boolean,
  files: readonly CpioFile[],
  lack: Lack,
): void {
  const where = 'initramfs';
  if (facts.kind === 'unknown')
    lack('initramfs-unknown', where, 'it runs neither systemd nor the scripts of initramfs-tools');
  if (facts.kind === 'systemd' && facts.prepareRoot === 'none')
    lack('initramfs-without-ostree', where, 'it has no ostree-prepare-root, so it boots no deployment');
  const programs = hasModules ? [...BASE_PROGRAMS, 'insmod'] : BASE_PROGRAMS;
  for (const program of programs)
    if (!facts.programs.has(program)) lack('initramfs-lacks-program', where, `it has no program ${program}`);
  for (const folder of foldersOf(files))
    if (facts.links.has(folder))
      lack('initramfs-layout', where, `its /${folder} is a symlink, which the addition would replace`);
}

function foldersOf(files: readonly CpioFile[]): Set<string> {
  const folders = new Set<string>();
  for (const { name } of files)
    for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) folders.add(name.slice(0, at));
  return folders;
}

/** Where the kernel's configuration can be read, it has to unpack gzip. */
function checkKernel(release: string, root: TreeRoot, lack: Lack): void {
  const path = textToBytes(`usr/lib/modules/${release}/config`);
  const config = root.readFile(path);
  if (config !== undefined && !/^CONFIG_RD_GZIP=y$/m.test(bytesToString(config)))
    lack('kernel-without-gzip', displayBytes(path), 'this kernel unpacks no initramfs compressed by gzip');
}
