/** Sysroots that a real ostree made and deployed into, to be sealed and used further. */
import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { makeDiskTree } from './disk-tree.ts';
import { type Oracle, type RunOptions, type RunResult, runHost } from './oracle.ts';
import { Random } from './random.ts';
import type { Sandbox } from './sandbox.ts';
import { PROJECT, sealtreeArgv } from './sealtree.ts';

export interface OsTreeOptions {
  /** Tells versions apart: in os-release, in the kernel and in a few files. */
  readonly version: string;
  /** Adds a random tree as /usr/share/data. */
  readonly seed?: number;
  /** Content of /usr/lib/ostree/prepare-root.conf. */
  readonly prepareRoot?: string;
  /** More files, or others in the place of those it has, by path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** Makes a folder that ostree accepts as a bootable tree. */
export function makeOsTree(path: string, options: OsTreeOptions): void {
  const { version, seed, prepareRoot } = options;
  const files: Record<string, string | Uint8Array> = {
    'usr/lib/modules/6.12.0/vmlinuz': `kernel ${version}`,
    'usr/lib/modules/6.12.0/initramfs.img': 'initramfs',
    'usr/lib/os-release': `NAME=Test\nID=test\nVERSION_ID=${version}\nPRETTY_NAME="Test OS ${version}"\n`,
    'usr/etc/issue': `Test OS ${version}\n`,
    'usr/bin/tool': Buffer.alloc(100_000, version),
    'usr/bin/same': Buffer.alloc(5000, 'in all versions'),
    'usr/share/empty': '',
    ...options.files,
  };
  if (prepareRoot !== undefined) files['usr/lib/ostree/prepare-root.conf'] = prepareRoot;
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, dirname(name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  for (const name of ['boot', 'dev', 'proc', 'run', 'sys', 'sysroot', 'tmp', 'var'])
    mkdirSync(join(path, name));
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) symlinkSync(`usr/${name}`, join(path, name));
  symlinkSync('sysroot/ostree', join(path, 'ostree'));
  if (seed !== undefined)
    makeDiskTree(new Random(seed), join(path, 'usr/share/data'), { largest: 65_536, whiteouts: false });
}

/** A sysroot in a work folder, and the ostree that works on it. */
export class OstreeSysroot {
  readonly ostree: Oracle;
  readonly path: string;
  readonly repositoryPath: string;
  readonly #work: Sandbox;
  #trees = 0;

  /** Makes a sysroot with these stateroots and no deployment. */
  constructor(ostree: Oracle, work: Sandbox, stateroots: readonly string[]) {
    this.ostree = ostree;
    this.#work = work;
    this.path = work.mkdir('sysroot');
    this.repositoryPath = join(this.path, 'ostree/repo');
    const script = `
      sysroot=$1; shift
      ostree admin init-fs --modern "$sysroot"
      ostree --repo="$sysroot/ostree/repo" config set sysroot.bootloader none
      for stateroot in "$@"; do ostree admin os-init --sysroot="$sysroot" "$stateroot"; done`;
    ostree.runScript(script, [this.path, ...stateroots]);
  }

  /** `ostree admin VERB --sysroot=… ARGS…` */
  admin(verb: string, args: readonly string[] = [], options?: RunOptions): RunResult {
    return this.ostree.run(['ostree', 'admin', verb, `--sysroot=${this.path}`, ...args], options);
  }

  /** `ostree --repo=… VERB ARGS…` */
  repo(verb: string, args: readonly string[] = [], options?: RunOptions): RunResult {
    return this.ostree.run(['ostree', `--repo=${this.repositoryPath}`, verb, ...args], options);
  }

  /** Runs an sh script that finds `$sysroot` and `$repo` set, and its arguments as `$1`…: one run for many steps. */
  script(text: string, args: readonly string[] = []): RunResult {
    const env = { sysroot: this.path, repo: this.repositoryPath };
    return this.ostree.runScript(text, args, { env });
  }

  /** Makes a tree and commits it. Returns the commit's checksum. */
  commit(
    branch: string,
    tree: OsTreeOptions,
    by: Oracle = this.ostree,
    args: readonly string[] = [],
  ): string {
    const folder = this.#work.join(`tree${this.#trees++}`);
    makeOsTree(folder, tree);
    const argv = [
      'ostree',
      `--repo=${this.repositoryPath}`,
      'commit',
      `--branch=${branch}`,
      `--tree=dir=${folder}`,
    ];
    return by.run([...argv, ...args]).stdout.trim();
  }

  /** Deploys a branch and returns the deployment's folder. */
  deploy(stateroot: string, branch: string, args: readonly string[] = []): string {
    const before = new Set(this.deployments());
    this.admin('deploy', [`--os=${stateroot}`, '--retain', ...args, branch]);
    const made = this.deployments().filter((path) => !before.has(path));
    if (made.length !== 1) throw new Error(`ostree admin deploy made ${made.length} deployments`);
    return made[0] as string;
  }

  /** Folders of all deployments, sorted. */
  deployments(): string[] {
    const deploy = join(this.path, 'ostree/deploy');
    return readdirSync(deploy)
      .flatMap((stateroot) => {
        const folder = join(deploy, stateroot, 'deploy');
        if (!existsSync(folder)) return [];
        return readdirSync(folder)
          .filter((name) => /^[0-9a-f]{64}\.\d+$/.test(name))
          .map((name) => join(folder, name));
      })
      .sort();
  }

  /**
   * Runs an sh script in a system that was booted from `deployment`: that folder is the root (with the oracle's
   * /usr), the sysroot is at /sysroot, and /run/ostree-booted names the folder. `systemctl` does nothing,
   * `sealtree` is the program.
   */
  runBooted(deployment: string, script: string, options: RunOptions = {}): RunResult {
    const booted = this.#work.write('booted', bootedState(deployment));
    this.#work.write('bin/systemctl', '#!/bin/sh\n');
    const [node = '', entry = ''] = sealtreeArgv([]);
    const program = `/run/node/${basename(node)} /run/project/${relative(PROJECT, entry)}`;
    this.#work.write('bin/sealtree', `#!/bin/sh\nexec ${program} "$@"\n`);
    runHost(['chmod', '--recursive', '755', this.#work.join('bin')]);
    const enter = `
      mount --bind "$2" "$2"
      cd "$2"
      mount --bind /usr usr
      mount --rbind /dev dev
      mount --bind "$1" sysroot
      mount --bind "$1/boot" boot
      mount -t tmpfs -o mode=0755 tmpfs run
      mkdir run/project run/node run/bin
      mount --bind "$4" run/project
      mount --bind "$5" run/node
      mount --bind "$6" run/bin
      cp "$3" run/ostree-booted
      export PATH="/run/bin:$PATH"
      exec unshare --mount --pid --fork sh -euc 'mount -t proc proc proc; exec chroot . sh -euc "$0"' "$7"`;
    const folders = [this.path, deployment, booted, PROJECT, dirname(node), this.#work.join('bin')];
    return this.ostree.runScript(enter, [...folders, script], {
      ...options,
      binds: [PROJECT, dirname(node)],
    });
  }
}

/** /run/ostree-booted: `a{sv}` with device and inode of the deployment's folder, `(tt)` in host order. */
function bootedState(deployment: string): Buffer {
  const { dev, ino } = lstatSync(deployment, { bigint: true });
  const key = Buffer.from('backing-root-device-inode\0');
  const value = Buffer.alloc(16);
  value.writeBigUInt64LE(dev, 0);
  value.writeBigUInt64LE(ino, 8);
  const padding = Buffer.alloc(8 - (key.length % 8));
  const entry = Buffer.concat([key, padding, value, Buffer.from('\0(tt)'), Buffer.from([key.length])]);
  return Buffer.concat([entry, Buffer.from([entry.length])]);
}
