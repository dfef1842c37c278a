/**
 * Lays out a sysroot of our own, as `ostree admin init-fs`, `os-init` and `deploy` would: for the demonstration and
 * for whoever wants to try things without ostree. Once only, into a new folder: changing the deployments of a sysroot
 * that exists is ostree's business.
 */
import { join } from 'node:path';
import { type ByteString, bytesToText, textToBytes } from '../base/bytes.ts';
import { type Checksum, nativeEngine } from '../base/digest.ts';
import { NotFoundError } from '../base/errors.ts';
import { makeFolders } from '../base/folders.ts';
import type { System } from '../base/system.ts';
import { createBlsEntry, formatBlsEntry } from '../formats/bls.ts';
import { formatKarg, joinKargs } from '../formats/kargs.ts';
import { Keyfile } from '../formats/keyfile.ts';
import { initRepository } from '../repository/init.ts';
import { Repository, type RepositoryMode } from '../repository/repository.ts';
import { RepositoryWriter } from '../repository/write.ts';
import { checkOut, copyTree } from './checkout.ts';

export interface NewDeployment {
  readonly stateroot: string;
  readonly checksum: Checksum;
  /** The ref it was deployed from. */
  readonly refspec: string;
  /** Kernel arguments as written, without `ostree=`. */
  readonly kargs: readonly ByteString[];
  readonly pinned?: boolean;
}

/** Makes the folders and the repository, without any commit. `path` must exist and be empty. */
export function initSysroot(
  path: string,
  mode: RepositoryMode,
  stateroots: readonly string[],
  system: System,
): Repository {
  for (const folder of ['boot', 'ostree', 'ostree/deploy']) system.mkdir(join(path, folder));
  // Paths in boot entries begin with /boot; where that is a file system of its own, they are looked up in it.
  system.symlink('.' as ByteString, join(path, 'boot/boot'));
  const repository = join(path, 'ostree/repo');
  // No boot loader is to be configured, whatever the host has.
  initRepository(repository, mode, system, {
    config: { sysroot: { bootloader: 'none', bootprefix: 'true' } },
  });
  for (const stateroot of stateroots)
    for (const folder of ['', 'deploy', 'var']) system.mkdir(join(path, 'ostree/deploy', stateroot, folder));
  return Repository.open(repository, system);
}

/** Deploys commits, in the order of the boot menu, the default first. The boot loader's link is written last. */
export async function writeDeployments(
  path: string,
  repository: Repository,
  deployments: readonly NewDeployment[],
): Promise<void> {
  const { system } = repository;
  const kernels = new Map<Checksum, Kernel>();
  for (const { checksum } of deployments)
    if (!kernels.has(checksum)) kernels.set(checksum, await findKernel(repository, checksum));
  const placed = place(deployments, kernels);
  for (const one of placed) deployTree(path, repository, one);
  for (const one of placed) writeKernel(path, repository, one);
  writeBootLinks(path, placed, system);
  await writeRefs(repository, placed);
  writeEntries(path, placed, system);
}

const BOOT_VERSION = 1;
const SUBBOOT_VERSION = 1;

interface Kernel {
  readonly version: string;
  readonly vmlinuz: Checksum;
  readonly initramfs: Checksum;
  /** SHA-256 over both files: what tells boot folders apart. */
  readonly bootcsum: string;
  readonly osName: string;
}

interface Placed extends NewDeployment {
  readonly index: number;
  readonly serial: number;
  readonly bootSerial: number;
  readonly kernel: Kernel;
  readonly count: number;
  readonly severalStateroots: boolean;
}

/** Numbers deployments as ostree does: serial by commit and stateroot, boot serial by bootcsum. */
function place(deployments: readonly NewDeployment[], kernels: ReadonlyMap<Checksum, Kernel>): Placed[] {
  const seen = new Map<string, number>();
  const next = (key: string): number => {
    const number = seen.get(key) ?? 0;
    seen.set(key, number + 1);
    return number;
  };
  const severalStateroots = new Set(deployments.map(({ stateroot }) => stateroot)).size > 1;
  return deployments.map((deployment, index) => {
    const kernel = kernels.get(deployment.checksum) as Kernel;
    return {
      ...deployment,
      index,
      kernel,
      serial: next(`${deployment.stateroot}/${deployment.checksum}`),
      bootSerial: next(kernel.bootcsum),
      count: deployments.length,
      severalStateroots,
    };
  });
}

/** Kernel and initramfs of a commit, where `ostree admin deploy` looks for them: usr/lib/modules/VERSION. */
async function findKernel(repository: Repository, commit: Checksum): Promise<Kernel> {
  const modules = lookUp(repository, commit, ['usr', 'lib', 'modules']);
  for (const { name, tree } of modules.dirs) {
    const { files } = repository.dirtree(tree);
    const vmlinuz = files.find((file) => file.name === 'vmlinuz')?.checksum;
    const initramfs = files.find((file) => file.name === 'initramfs.img')?.checksum;
    if (vmlinuz === undefined || initramfs === undefined) continue;
    const hasher = nativeEngine.create();
    for (const checksum of [vmlinuz, initramfs])
      await repository.readContent(checksum, (chunk) => hasher.update(chunk));
    return {
      version: bytesToText(name),
      vmlinuz,
      initramfs,
      bootcsum: hasher.digest().toString('hex'),
      osName: await readOsName(repository, commit),
    };
  }
  throw new NotFoundError(`commit ${commit} has no kernel in usr/lib/modules`);
}

function lookUp(repository: Repository, commit: Checksum, path: readonly string[]) {
  let tree = repository.dirtree(repository.commit(commit).rootTree);
  for (const name of path) {
    const found = tree.dirs.find((dir) => dir.name === name);
    if (found === undefined) throw new NotFoundError(`commit ${commit} has no folder ${path.join('/')}`);
    tree = repository.dirtree(found.tree);
  }
  return tree;
}

/** PRETTY_NAME of usr/lib/os-release: the title in the boot menu. */
async function readOsName(repository: Repository, commit: Checksum): Promise<string> {
  const file = lookUp(repository, commit, ['usr', 'lib']).files.find(({ name }) => name === 'os-release');
  if (file === undefined) throw new NotFoundError(`commit ${commit} has no usr/lib/os-release`);
  const chunks: Buffer[] = [];
  await repository.readContent(file.checksum, (chunk) => void chunks.push(Buffer.from(chunk)));
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(Buffer.concat(chunks).toString('utf8'))?.[1] ?? 'OSTree';
}

function deploymentFolder(path: string, { stateroot, checksum, serial }: Placed): string {
  return join(path, 'ostree/deploy', stateroot, 'deploy', `${checksum}.${serial}`);
}

function deployTree(path: string, repository: Repository, deployment: Placed): void {
  const { system } = repository;
  const folder = deploymentFolder(path, deployment);
  checkOut(repository, deployment.checksum, folder);
  copyTree(system, Buffer.from(join(folder, 'usr/etc')), Buffer.from(join(folder, 'etc')));
  const origin = new Keyfile(`${folder}.origin`);
  origin.setString('origin', 'refspec', deployment.refspec);
  if (deployment.pinned) origin.setBoolean('libostree-transient', 'pinned', true);
  writeFile(system, origin.where, origin.toString());
}

/** Boot folder of a deployment, relative to the boot file system. */
const bootFolder = ({ stateroot, kernel }: Placed): string => `ostree/${stateroot}-${kernel.bootcsum}`;

function writeKernel(path: string, repository: Repository, deployment: Placed): void {
  const { system } = repository;
  const { version, vmlinuz, initramfs } = deployment.kernel;
  const folder = join(path, 'boot', bootFolder(deployment));
  if (system.lstatIfExists(folder) !== undefined) return;
  makeFolders(folder, system);
  system.link(repository.objectPath(vmlinuz, 'file'), join(folder, `vmlinuz-${version}`));
  system.link(repository.objectPath(initramfs, 'file'), join(folder, `initramfs-${version}.img`));
}

function bootLink({ stateroot, kernel, bootSerial }: Placed): string {
  return `/ostree/boot.${BOOT_VERSION}/${stateroot}/${kernel.bootcsum}/${bootSerial}`;
}

function writeBootLinks(path: string, deployments: readonly Placed[], system: System): void {
  const current = `boot.${BOOT_VERSION}.${SUBBOOT_VERSION}`;
  for (const { stateroot, kernel, bootSerial, checksum, serial } of deployments) {
    const folder = join(path, 'ostree', current, stateroot, kernel.bootcsum);
    makeFolders(folder, system);
    const target = `../../../deploy/${stateroot}/deploy/${checksum}.${serial}`;
    system.symlink(textToBytes(target), join(folder, String(bootSerial)));
  }
  system.symlink(current as ByteString, join(path, `ostree/boot.${BOOT_VERSION}`));
}

/** Refs that keep deployed commits from being pruned. */
async function writeRefs(repository: Repository, deployments: readonly Placed[]): Promise<void> {
  using writer = await RepositoryWriter.open(repository);
  for (const { index, checksum } of deployments)
    writer.setRef(`ostree/${BOOT_VERSION}/${SUBBOOT_VERSION}/${index}`, checksum);
  writer.commit();
}

function writeEntries(path: string, deployments: readonly Placed[], system: System): void {
  const folder = join(path, `boot/loader.${BOOT_VERSION}/entries`);
  makeFolders(folder, system);
  for (const deployment of deployments) {
    const { index, count, kernel, stateroot, severalStateroots, kargs } = deployment;
    const label = severalStateroots ? `ostree:${stateroot}:${index}` : `ostree:${index}`;
    const files = `/boot/${bootFolder(deployment)}`;
    const ostree = formatKarg('ostree' as ByteString, textToBytes(bootLink(deployment)));
    const entry = createBlsEntry([
      ['title' as ByteString, textToBytes(`${kernel.osName} (${label})`)],
      ['version' as ByteString, String(count - index) as ByteString],
      ['options' as ByteString, joinKargs([...kargs, ostree])],
      ['linux' as ByteString, textToBytes(`${files}/vmlinuz-${kernel.version}`)],
      ['initrd' as ByteString, textToBytes(`${files}/initramfs-${kernel.version}.img`)],
    ]);
    writeFile(system, join(folder, `ostree-${count - index}.conf`), formatBlsEntry(entry));
  }
  system.symlink(`loader.${BOOT_VERSION}` as ByteString, join(path, 'boot/loader'));
}

function writeFile(system: System, path: string, content: string | Buffer): void {
  const fd = system.create(path, 0o644);
  try {
    system.write(fd, typeof content === 'string' ? Buffer.from(content, 'utf8') : content);
  } finally {
    system.close(fd);
  }
}
