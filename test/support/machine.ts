/**
 * Whole machines: systemd on a deployment that ostree made, on a disk of their own. They boot what their disk says,
 * as by a loader that reads boot entries: kernel, initramfs files and command line of the first entry, as they are in
 * its /boot.
 */
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { buildProgram } from '../../contrib/build.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { installApp } from '../../src/boot/keep/app.ts';
import { readProgram } from '../../src/boot/keep/program.ts';
import { bootGuest, GUEST_KARGS } from './guest.ts';
import { type MachineTree, makeMachineTree, writeFiles } from './machine-tree.ts';
import { oracle, runHost } from './oracle.ts';
import { OstreeSysroot } from './ostree-sysroot.ts';
import { Sandbox } from './sandbox.ts';
import { PROJECT } from './sealtree.ts';
import { readSteps, type Step } from './steps.ts';

/** The stateroot of every machine, and the branch that it is deployed from. */
export const STATEROOT = 'debian';
export const BRANCH = 'debian/machine';

/** `ro` as on Debian; for its own tools to find the disk, and to end what cannot boot; the rest for speed. */
const KARGS = [
  'root=LABEL=root',
  'ro',
  'rd.shell=0',
  'rd.emergency=poweroff',
  ...GUEST_KARGS,
  'quiet',
  'systemd.show_status=0',
];

/** GRUB's menu where it reads the boot entries itself. */
const grubMenu = (entries: string): string =>
  `set timeout=0\nsearch --label --set=root root\nblscfg --path ${entries}\n`;

/** What ostree and the administrator decide of a machine. */
export interface MachineSettings {
  /** ostree's `sysroot.readonly`; default no, as is ostree's. */
  readonly isReadOnly?: boolean;
  /** Whether /boot is a file system of its own, on a second disk; default no. */
  readonly hasOwnBoot?: boolean;
}

export interface MachineSysroot extends MachineTree, MachineSettings {}

/** Deploys a tree made for the purpose into a new sysroot in the sandbox. The program is in its /var. */
export async function deployMachine(work: Sandbox, options: MachineSysroot): Promise<OstreeSysroot> {
  const tree = work.join('tree');
  makeMachineTree(tree, options);
  const sysroot = await deployTree(work, tree, options);
  runHost(['rm', '-rf', tree]);
  return sysroot;
}

/** The same with a tree that is there, by the ostree of its release. */
export async function deployTree(
  work: Sandbox,
  tree: string,
  {
    release = 'trixie',
    isReadOnly = false,
    hasOwnBoot = false,
  }: MachineSettings & Pick<MachineTree, 'release'>,
): Promise<OstreeSysroot> {
  const sysroot = new OstreeSysroot(oracle(release), work, [STATEROOT]);
  const script = `
    ostree --repo="$repo" config set sysroot.bootprefix "$1"
    ostree --repo="$repo" config set sysroot.readonly "$2"
    ostree --repo="$repo" commit --branch=${BRANCH} --tree=dir="$3"
    shift 3
    ostree admin deploy --sysroot="$sysroot" --os=${STATEROOT} "$@" ${BRANCH}`;
  const kargs = KARGS.map((karg) => `--karg=${karg}`);
  sysroot.script(script, [String(!hasOwnBoot), String(isReadOnly), tree, ...kargs]);
  const [deployment = ''] = sysroot.deployments();
  if (hasOwnBoot) appendFileSync(join(deployment, 'etc/fstab'), 'LABEL=boot /boot ext4 defaults 0 2\n');
  const entries = hasOwnBoot ? '/loader/entries' : '/boot/loader/entries';
  writeFiles(sysroot.path, { 'boot/grub/grub.cfg': grubMenu(entries) });
  await installProgram(join(sysroot.path, 'ostree/deploy', STATEROOT, 'var/lib/sealtree/app'));
  return sysroot;
}

/** Puts the program where `boot install` would put it, with a node that runs it; `link` is what leads there. */
export async function installProgram(link: string): Promise<void> {
  using work = new Sandbox();
  await buildProgram(work.join('dist'));
  for (const name of ['contrib', 'node_modules', 'package.json'])
    symlinkSync(join(PROJECT, name), work.join(name));
  const places = { root: work.path, node: process.execPath, libraries: [] };
  await installApp(dirname(link), readProgram(places, linuxSystem), linuxSystem);
}

/** A boot entry's file name and its lines. */
export interface MenuEntry {
  readonly name: string;
  readonly version: number;
  readonly linux: string;
  readonly initrds: readonly string[];
  readonly options: string;
}

export interface MachineBoot {
  /** What was booted. */
  readonly entry: MenuEntry;
  readonly console: string;
  /** From QEMU's start to its end. */
  readonly seconds: number;
  readonly steps: ReadonlyMap<string, Step>;
  /** Fails the test when the job made no such step. */
  step(name: string): Step;
}

export class Machine {
  /** A raw disk image: one ext4 file system labelled `root`, without partitions. */
  readonly disk: string;
  /** The same, labelled `boot`, of a machine whose /boot is not a folder of its root file system. */
  readonly #bootDisk: string | undefined;
  readonly #folder: string;
  #boots = 0;

  constructor(folder: string, { hasOwnBoot = false } = {}) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.disk = join(folder, 'disk');
    this.#bootDisk = hasOwnBoot ? join(folder, 'boot') : undefined;
  }

  /** Makes a machine of a sysroot, which is not used any more; its file systems cannot have fs-verity yet. */
  static of(
    sysroot: OstreeSysroot,
    folder: string,
    options: Pick<MachineSettings, 'hasOwnBoot'> = {},
  ): Machine {
    const machine = new Machine(folder, options);
    if (machine.#bootDisk !== undefined) {
      const boot = join(sysroot.path, 'boot');
      makeFileSystem(machine.#bootDisk, '512M', 'boot', boot);
      runHost(['rm', '-r', boot]);
      mkdirSync(boot);
    }
    makeFileSystem(machine.disk, '3G', 'root', sysroot.path);
    return machine;
  }

  /** A second machine with the same content. */
  copy(folder: string): Machine {
    const machine = new Machine(folder, { hasOwnBoot: this.#bootDisk !== undefined });
    runHost(['cp', '--sparse=always', this.disk, machine.disk]);
    if (this.#bootDisk !== undefined && machine.#bootDisk !== undefined)
      runHost(['cp', '--sparse=always', this.#bootDisk, machine.#bootDisk]);
    return machine;
  }

  /**
   * The fs-verity digest that a file of the disk has or would have, by the tool made for that. After a power cut it is
   * the file that the next mount finds.
   */
  fsVerityDigest(path: string): string {
    const out = join(this.#folder, 'file');
    // debugfs tells no failure by its exit code: what it left before must not be taken for the answer.
    rmSync(out, { force: true });
    runHost(['debugfs', '-R', `dump ${path} ${out}`, this.wasShutDown() ? this.disk : this.#replayed()]);
    return runHost(['fsverity', 'digest', '--compact', out]).stdout.trim();
  }

  /** A copy of the disk with its journal replayed. */
  #replayed(): string {
    const copy = join(this.#folder, 'replayed');
    runHost(['cp', '--sparse=always', this.disk, copy]);
    const { status, stdout } = runHost(['e2fsck', '-p', '-E', 'journal_only', copy], { allowFailure: true });
    // 1: it has changed something.
    if (status !== 0 && status !== 1) throw new Error(`e2fsck exits with ${status}: ${stdout}`);
    return copy;
  }

  /**
   * Boots, runs the job once multi-user.target is reached, and waits for the power to go off. The job is sh, under
   * `set -u`, with `step NAME COMMAND…` and `sealtree`.
   * @throws Error with the end of the console's log, when the machine did not reach the end of the job in time
   */
  async boot(job: string, timeoutMs = 720_000): Promise<MachineBoot> {
    const boot =
      this.#bootDisk === undefined
        ? copyBoot(this.disk, join(this.#folder, 'out'))
        : copyFolder(this.#bootDisk, '/', join(this.#folder, 'out'));
    const [entry] = readMenu(boot);
    if (entry === undefined) throw new Error(`${this.disk} has no boot entry`);
    const folder = join(this.#folder, String(this.#boots++));
    mkdirSync(folder);
    const jobPath = join(folder, 'job');
    writeFileSync(jobPath, sectors(job));
    const initramfs = join(folder, 'initramfs');
    writeFileSync(initramfs, joinInitrds(entry.initrds.map((path) => readFileSync(join(boot, path)))));
    const { console, report, failure, seconds } = await bootGuest(folder, {
      kernel: join(boot, entry.linux),
      initramfs,
      commandLine: entry.options,
      disks: this.#bootDisk === undefined ? [this.disk] : [this.disk, this.#bootDisk],
      inputs: { job: jobPath },
      timeoutMs,
    });
    const fail = (what: string): never => {
      const tail = console.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
      throw new Error(`the machine ${what}; its console ends with:\n${tail}`);
    };
    if (failure !== undefined) fail(failure);
    const steps = readSteps(report);
    if (!steps.has('end')) fail('powered off before its job was done');
    return {
      entry,
      console,
      seconds,
      steps,
      step: (name) => steps.get(name) ?? fail(`made no step ${name}`),
    };
  }

  /** Whether the file system was taken down, so that the next mount has nothing to recover. */
  wasShutDown(): boolean {
    const header = runHost(['dumpe2fs', '-h', this.disk]).stdout;
    return (
      /^Filesystem state: +clean$/m.test(header) && !/^Filesystem features:.* needs_recovery/m.test(header)
    );
  }
}

/**
 * Copies /boot out of a disk into a folder of its own; returns where it is. Nothing is mounted, so nothing of the
 * journal is replayed: it is what a loader sees. Nor does it look at bitmaps (-c).
 */
export function copyBoot(disk: string, out: string): string {
  return join(copyFolder(disk, '/boot', out), 'boot');
}

/** The same with any folder; returns `out`, where it is by its own name. */
function copyFolder(disk: string, folder: string, out: string): string {
  runHost(['rm', '-rf', out]);
  mkdirSync(out);
  runHost(['debugfs', '-c', '-R', `rdump ${folder} ${out}`, disk]);
  return out;
}

function makeFileSystem(disk: string, size: string, label: string, content: string): void {
  runHost(['truncate', `--size=${size}`, disk]);
  const quick = ['-q', '-F', '-E', 'lazy_itable_init=1,lazy_journal_init=1'];
  const shape = ['-t', 'ext4', '-b', '4096', '-L', label, '-O', '^verity', '-d', content];
  runHost(['mke2fs', ...quick, ...shape, disk]);
}

/** As many lines of the console as a panic's trace has, and what led to it. */
const TAIL_LINES = 100;

/** A text as a disk: padded with NUL bytes to whole sectors. */
export function sectors(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 511)]);
}

/** One after the other, each at a multiple of four bytes, as loaders place them. */
export function joinInitrds(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [file, Buffer.alloc(-file.length & 3)]));
}

/** What the entries in a /boot say, what boots by default first. */
export function readMenu(boot: string): MenuEntry[] {
  const entries = join(boot, 'loader/entries');
  return readdirSync(entries)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => {
      const lines = readFileSync(join(entries, name), 'utf8').split('\n');
      const values = (key: string) =>
        lines.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length).trim());
      return {
        name,
        version: Number(values('version')[0]),
        linux: values('linux')[0] ?? '',
        initrds: values('initrd'),
        options: values('options').join(' '),
      };
    })
    .sort((a, b) => b.version - a.version);
}
