/**
 * The small machine, sealed under fs-verity by a guest once; each boot then gets a copy of its disk, with something on
 * it that is not as it was.
 */
import assert from 'node:assert/strict';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildProgram } from '../../contrib/build.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import { S_IFREG } from '../../src/base/mode.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { buildAddition } from '../../src/boot/initramfs/addition.ts';
import { decompress } from '../../src/boot/initramfs/decompress.ts';
import { describeInitramfs, keepForFacts } from '../../src/boot/initramfs/facts.ts';
import { firstFiles } from '../../src/boot/initramfs/first-files.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import type { InitramfsSettings } from '../../src/boot/initramfs-settings.ts';
import { formatSealPin } from '../../src/boot/pin.ts';
import { blsOptions, parseBlsEntry } from '../../src/formats/bls.ts';
import { writeCpio } from '../../src/formats/cpio.ts';
import { bootGuest, guestKernelRelease } from './guest.ts';
import { runInGuest } from './guest-script.ts';
import { oracle, runHost, type Suite } from './oracle.ts';
import { OstreeSysroot } from './ostree-sysroot.ts';
import type { Sandbox } from './sandbox.ts';
import { PROJECT } from './sealtree.ts';
import {
  makeSmallTree,
  PLAIN_FILE_SIZE,
  PLAIN_FILES_FOLDER,
  type PlainFile,
  readSmallBoot,
  type SmallBoot,
  type SmallTree,
} from './small-machine.ts';
import { walk } from './walk.ts';

/** Of the disk's file system; also what fs-verity hashes at a time. */
const BLOCK_SIZE = 4096;

export interface BootOptions {
  /** Names the folder of this boot's logs. */
  readonly name: string;
  /** Seal pins as the entry's `options` line has them. */
  readonly pins: readonly string[];
  /** Further kernel arguments. */
  readonly kargs?: readonly string[];
  /** What follows Debian's own archive in the initramfs. */
  readonly addition: Uint8Array;
  /** Done to this boot's disk before it. */
  readonly tamper?: ((disk: Disk, machine: TamperMachine) => void) | undefined;
}

/** A deployment as it was sealed. */
export interface SealedDeployment {
  readonly commit: Checksum;
  readonly imageDigest: Digest;
  /** Its folder on the disk, absolute. */
  readonly path: string;
  /** The kernel arguments of its entry; it has no seal pin. */
  readonly options: ByteString;
}

/** Replacements that the guest made on the disk, some of them under fs-verity. */
export const REPLACEMENTS = {
  /** The right content, not under fs-verity. */
  imageUnprotected: '/test/image-unprotected',
  /** Of the other deployment, not under fs-verity; the one under fs-verity is where that deployment has it. */
  imageOtherUnprotected: '/test/image-other-unprotected',
  /** One bit changed. */
  imageChanged: '/test/image-changed',
  /** Without its last block. */
  imageTruncated: '/test/image-truncated',
  imageTruncatedUnprotected: '/test/image-truncated-unprotected',
  /** Another content of the same length. */
  object: '/test/object',
  objectUnprotected: '/test/object-unprotected',
  /** The right content of the file `third`. */
  thirdUnprotected: '/test/third-unprotected',
} as const;

/** Offline changes to a disk's file system, as anyone can make them who has the disk. */
export class Disk {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** debugfs tells by its words, never by its exit status, that something went wrong. */
  #debugfs(command: string): string {
    const { stdout, stderr } = runHost(['debugfs', '-w', '-R', command, this.path]);
    const words = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('debugfs '));
    assert.deepEqual(words, [], `debugfs: ${command}`);
    return stdout;
  }

  /** Takes a name away; the file keeps its others. */
  unlink(path: string): void {
    this.#debugfs(`unlink ${path}`);
  }

  /** Puts a file of the disk in another's place. */
  replace(path: string, by: string): void {
    this.unlink(path);
    this.#debugfs(`ln ${by} ${path}`);
  }

  symlink(path: string, target: string): void {
    this.#debugfs(`symlink ${path} ${target}`);
  }

  mkdir(path: string): void {
    this.#debugfs(`mkdir ${path}`);
  }

  /** Changes the length in a file's inode, and nothing else. */
  resize(path: string, size: number): void {
    this.#debugfs(`set_inode_field ${path} size ${size}`);
  }

  /** Flips one bit in a file's block, on the disk itself. */
  flipBit(path: string, block: number): void {
    const physical = Number(this.#debugfs(`bmap ${path} ${block}`));
    assert(physical > 0, `${path} has no block ${block}`);
    const file = openSync(this.path, 'r+');
    try {
      const byte = Buffer.alloc(1);
      assert.equal(readSync(file, byte, 0, 1, physical * BLOCK_SIZE), 1);
      byte[0] = (byte[0] ?? 0) ^ 1;
      writeSync(file, byte, 0, 1, physical * BLOCK_SIZE);
    } finally {
      closeSync(file);
    }
  }

  sizeOf(path: string): number {
    return Number(/\bSize: (\d+)/.exec(this.#debugfs(`stat ${path}`))?.[1]);
  }
}

/** The machine, sealed and switched off. */
export class TamperMachine {
  readonly #work: Sandbox;
  readonly #disk: string;
  readonly #initramfs: string;
  readonly #objects: ReadonlyMap<string, string>;
  /** What boots, and one of another commit. */
  readonly deployment: SealedDeployment;
  readonly other: SealedDeployment;
  /** The first one's folder on the host. */
  readonly folder: string;

  private constructor(
    work: Sandbox,
    disk: string,
    sysroot: OstreeSysroot,
    deployments: readonly [SealedDeployment, SealedDeployment],
  ) {
    this.#work = work;
    this.#disk = disk;
    [this.deployment, this.other] = deployments;
    this.folder = join(sysroot.path, this.deployment.path);
    this.#initramfs = join(this.folder, `usr/lib/modules/${guestKernelRelease()}/initramfs.img`);
    this.#objects = new Map(
      walk(join(sysroot.repositoryPath, 'objects'))
        .filter(({ name }) => name.endsWith('.file'))
        .map(({ name, stats }) => [String(stats.ino), `/ostree/repo/objects/${name}`]),
    );
  }

  /**
   * Commits, deploys and seals: most of the time goes into the guest that does the last of it.
   * @param suite whose ostree deploys it
   */
  static async make(work: Sandbox, suite: Suite = 'trixie', options: SmallTree = {}): Promise<TamperMachine> {
    const sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
    const paths = ['1', '2'].map((version) => {
      const tree = work.join(`tree-${version}`);
      makeSmallTree(tree, version, options);
      const time = '--timestamp=2026-01-01 00:00:00 UTC';
      sysroot.repo('commit', [`--branch=os/${version}`, `--tree=dir=${tree}`, time]);
      return `/${relative(sysroot.path, sysroot.deploy('os', `os/${version}`, ['--karg=root=/dev/vda', '--karg=rw']))}`;
    });
    const disk = work.write('disk.img', '');
    const format = ['-q', '-F', '-t', 'ext4', '-b', String(BLOCK_SIZE), '-O', 'verity', '-d', sysroot.path];
    runHost(['mke2fs', ...format, disk, '192M']);
    const digests = await seal(work, disk, paths);
    const entries = readdirSync(join(sysroot.path, 'boot/loader/entries')).map((name) =>
      blsOptions(parseBlsEntry(readFileSync(join(sysroot.path, 'boot/loader/entries', name)), name)),
    );
    const [other, deployment] = paths.map((path, index): SealedDeployment => {
      const options = entries.find((line) => {
        const link = / ostree=(\S+)/.exec(` ${line}`)?.[1] ?? '';
        return realpathSync(join(sysroot.path, link)) === join(sysroot.path, path);
      });
      assert(options !== undefined, `no entry boots ${path}`);
      const commit = basename(path).split('.')[0] as Checksum;
      return { commit, imageDigest: digests[index] as Digest, path, options };
    });
    assert(deployment !== undefined && other !== undefined);
    return new TamperMachine(work, disk, sysroot, [deployment, other]);
  }

  /** Where the disk has the object of a file of the deployment. */
  objectOf(path: string): string {
    const object = this.#objects.get(String(lstatSync(join(this.folder, path)).ino));
    assert(object !== undefined, `${path} is no object's`);
    return object;
  }

  /** The object of one of {@link PLAIN_FILES}. */
  objectOfFile(name: PlainFile): string {
    return this.objectOf(join(PLAIN_FILES_FOLDER, name));
  }

  /** The deployment's image, on the disk. */
  get image(): string {
    return join(this.deployment.path, '.ostree.cfs');
  }

  get rightPin(): ByteString {
    return formatSealPin(this.deployment.commit, this.deployment.imageDigest);
  }

  /** What `boot install` adds to the initramfs, with some of its files replaced. */
  async addition(
    settings: InitramfsSettings,
    replaced: Readonly<Record<string, string | Uint8Array>> = {},
  ): Promise<Buffer> {
    const archives = await readInitramfs(
      readFileSync(this.#initramfs),
      this.#initramfs,
      decompress,
      keepForFacts,
    );
    const { bytes, lacks } = buildAddition(
      {
        deployment: this.folder,
        kernelRelease: guestKernelRelease(),
        facts: describeInitramfs(archives),
        settings,
        firstFiles: firstFiles([this.folder], linuxSystem),
        sysrootReadOnly: false,
      },
      linuxSystem,
    );
    assert.deepEqual(lacks, []);
    const files = Object.entries(replaced).map(([name, content]) => ({
      name: name as ByteString,
      mode: S_IFREG | 0o644,
      content: Buffer.from(content),
    }));
    // What comes last counts.
    return files.length === 0 ? bytes : Buffer.concat([bytes, gzipSync(writeCpio(files))]);
  }

  async boot({ name, pins, kargs = [], addition, tamper }: BootOptions): Promise<SmallBoot> {
    const folder = this.#work.mkdir('boots', name);
    const disk = join(folder, 'disk.img');
    runHost(['cp', '--sparse=always', this.#disk, disk]);
    tamper?.(new Disk(disk), this);
    const initramfs = join(folder, 'initramfs');
    writeFileSync(initramfs, Buffer.concat([readFileSync(this.#initramfs), addition]));
    // Warnings of the kernel are part of what there is to see; its list of devices is not.
    const end = await bootGuest(folder, {
      initramfs,
      disks: [disk],
      append: ['loglevel=5', this.deployment.options, ...pins, ...kargs].join(' '),
      timeoutMs: 120_000,
    });
    rmSync(disk);
    rmSync(initramfs);
    assert.equal(end.failure, undefined, `${name}:\n${end.console.slice(-4000)}`);
    return readSmallBoot(end.console, end.report.toString('latin1'));
  }
}

/** Seals the disk's deployments; returns the digests of their images. Then makes what {@link REPLACEMENTS} names. */
async function seal(work: Sandbox, disk: string, paths: readonly string[]): Promise<Digest[]> {
  const program = work.join('dist');
  await buildProgram(program);
  const packages = join(PROJECT, 'node_modules');
  const { imageUnprotected, imageChanged, imageTruncated, object } = REPLACEMENTS;
  const [other, booted] = paths.map((path) => `/disk${path}/.ostree.cfs`);
  const script = `
    replacement() { # NAME, of what comes in: once as it is, once under fs-verity
      cat >/disk$1-unprotected && cp /disk$1-unprotected /disk$1 && fsverity enable /disk$1
    }
    without_last_block() { head -c -${BLOCK_SIZE} "$1"; }
    one_bit_changed() { head -c 2000 "$1" && printf '\\001' && tail -c +2002 "$1"; }
    mkdir /disk
    mount /dev/vda /disk
    # mke2fs does not copy this flag of theirs.
    chattr +i /disk/ostree/deploy/os/deploy/*.0
    step seal node /opt/sealtree/dist/sealtree.js --sysroot /disk --json seal --fsverity require
    mkdir /disk/test
    cp ${booted} /disk${imageUnprotected}
    cp ${other} /disk${REPLACEMENTS.imageOtherUnprotected}
    cp /disk${paths[1]}/${PLAIN_FILES_FOLDER}/third /disk${REPLACEMENTS.thirdUnprotected}
    without_last_block ${booted} >/run/truncated
    one_bit_changed ${booted} >/run/changed
    head -c ${PLAIN_FILE_SIZE} /dev/zero >/run/object
    step truncated replacement ${imageTruncated} </run/truncated
    step changed replacement ${imageChanged} </run/changed
    step object replacement ${object} </run/object
    umount /disk`;
  const guest = await runInGuest(work.mkdir('sealing'), {
    script,
    disks: [disk],
    modules: ['virtio_blk'],
    files: {
      'usr/bin/node': process.execPath,
      'opt/sealtree/dist': program,
      'opt/sealtree/node_modules/koffi': join(packages, 'koffi'),
      'opt/sealtree/node_modules/@koromix': join(packages, '@koromix'),
    },
  });
  for (const [name, { status, stdout, stderr }] of guest.steps)
    assert.equal(status, 0, `${name}: ${stdout}${stderr}`);
  const { deployments } = JSON.parse(guest.step('seal').stdout) as {
    deployments: { id: string; imageDigest: Digest; verity: string; objects: { state: string } | null }[];
  };
  return paths.map((path) => {
    const sealed = deployments.find(({ id }) => path.endsWith(`/${id.replace('/', '/deploy/')}`));
    assert.deepEqual([sealed?.verity, sealed?.objects?.state], ['enabled', 'enabled']);
    return sealed?.imageDigest as Digest;
  });
}
