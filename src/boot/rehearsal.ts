/**
 * The boot of a deployment up to its sealed root, rehearsed on the running machine: in a mount namespace of its own
 * the deployment is bound as ostree-prepare-root would bind it, and the script of the initramfs, the same text, does
 * the rest. Nothing outside that namespace changes; the running kernel stands in for the deployment's.
 */
import { dirname, join } from 'node:path';
import { type ByteString, displayMessage, stringToBytes } from '../base/bytes.ts';
import { type Fact, type KernelFacts, kernelFacts } from '../base/capabilities.ts';
import { type RunResult, runAnyway } from '../base/process.ts';
import { randomHex } from '../base/random.ts';
import type { System } from '../base/system.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { Finding } from '../image/findings.ts';
import { firstFiles } from './initramfs/first-files.ts';
import { type InitramfsSettings, renderSettings } from './initramfs-settings.ts';
import { payloadFile } from './payload.ts';
import { sealTemplate } from './template.ts';

export interface RehearsalRequest {
  /** Path of the sysroot. */
  readonly sysroot: string;
  readonly deployment: Deployment;
  /** What the loader would give the kernel: the value of the entry's `options` line. */
  readonly commandLine: ByteString;
  /** What the initramfs carries: a refusal is an error under `enforce`, a warning under `prefer`. */
  readonly settings: InitramfsSettings;
}

/** The stage: `$1` its folder, `$2` the deployment, `$3` the physical root. Exits 3 when it could not be set up. */
const STAGE = `
set -u
stage=$1 deployment=$2 physical=$3 root=$1/root
set_up() {
  mount -t tmpfs -o mode=0755 sealtree "$stage/run" &&
  mount --bind "$deployment" "$root" &&
  mount --bind "$root/usr" "$root/usr" &&
  mount -o remount,bind,ro "$root/usr" &&
  mount --bind "$physical" "$root/sysroot" || return
  # As ostree-prepare-root does where /boot is on the root file system.
  [ ! -L "$physical/boot/loader" ] || mount --bind "$physical/boot" "$root/boot"
}
set_up || exit 3
SEALTREE_RUN=$stage/run SEALTREE_PROC=$stage/proc sh "$stage/own/seal-root" "$root" || exit 1
[ -s "$stage/run/sealtree/sealed" ] || { echo "sealtree: the script left the root as it was" >&2; exit 1; }
cat "$root/usr/lib/os-release" >/dev/null || exit 1
`;

const COULD_NOT_SET_UP = 3;

/**
 * Rehearses the boot of one deployment; no finding = its root came up sealed and could be read. Needs root, and a
 * kernel that can seal: else the finding is `unchecked`.
 * @param kernel the running one
 */
export async function rehearse(
  request: RehearsalRequest,
  system: System,
  kernel: KernelFacts = kernelFacts(),
): Promise<Finding[]> {
  const { deployment, settings } = request;
  const about = { where: deployment.id, deployments: [deployment.id] };
  const obstacle = process.getuid?.() === 0 ? kernelObstacle(kernel) : 'only root can rehearse a boot';
  if (obstacle !== undefined)
    return [{ severity: 'unchecked', code: 'rehearsal', message: obstacle, ...about }];
  if (deployment.unlocked === 'hotfix')
    return [refusal(settings, 'the deployment is unlocked: its /usr can be changed, so it is not sealed')];
  const { exitCode, stderr } = await perform(request, system);
  if (exitCode === 0) return [];
  if (exitCode === COULD_NOT_SET_UP || !stderr.includes('sealtree: '))
    return [
      {
        severity: 'unchecked',
        code: 'rehearsal',
        message: `the boot could not be rehearsed here: ${displayMessage(stderr.trim())}`,
        ...about,
      },
    ];
  return [refusal(settings, `rehearsed here, the boot does not seal the root: ${account(stderr)}`)];

  function refusal({ policy }: InitramfsSettings, message: string): Finding {
    return {
      severity: policy === 'enforce' ? 'error' : 'warning',
      code: 'rehearsal-refused',
      message,
      ...about,
    };
  }
}

/** Why this kernel cannot do what the deployment's is to do; undefined when nothing is known against it. */
function kernelObstacle(kernel: KernelFacts): string | undefined {
  const needs: readonly [string, Fact][] = [
    ['EROFS', kernel.erofs],
    ['overlayfs with data-only layers', kernel.overlayDataOnly],
    ["overlayfs' verity=require", kernel.overlayVerity],
    ['fs-verity', kernel.verity],
  ];
  const [what, fact] = needs.find(([, { state }]) => state === 'no') ?? [];
  return fact && `the running kernel has no ${what}, so it cannot rehearse a boot: ${fact.reason}`;
}

async function perform(
  { sysroot, deployment, commandLine }: RehearsalRequest,
  system: System,
): Promise<RunResult> {
  // Booted, SYSROOT/ostree is a link into the physical root.
  const physical = dirname(system.realpath(join(sysroot, 'ostree')));
  const stage = new Stage(system);
  try {
    stage.fill(commandLine, firstFiles([deployment.path], system));
    return await runAnyway(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', STAGE, 'sh', stage.path, deployment.path, physical],
      { timeoutMs: 300_000 },
    );
  } finally {
    stage.remove();
  }
}

/** The folder the rehearsal happens in: in /run and with a short name, since overlayfs options have 256 bytes. */
class Stage {
  readonly path = `/run/sealtree-rehearsal-${randomHex(4)}`;
  readonly #system: System;
  readonly #made: string[] = [];

  constructor(system: System) {
    this.#system = system;
  }

  fill(commandLine: ByteString, files: readonly ByteString[]): void {
    const { head, tail } = sealTemplate();
    for (const name of ['', '/own', '/proc', '/root', '/run']) {
      this.#system.mkdir(this.path + name, 0o700);
      this.#made.push(this.path + name);
    }
    this.#write('own/seal-root', payloadFile('seal-root'));
    this.#write('own/template.head', head);
    this.#write('own/template.tail', tail);
    // What the policy would make of a failure is not rehearsed, so that every failure shows.
    this.#write(
      'own/settings',
      renderSettings({ policy: 'enforce', unpinned: 'refuse', onRefusal: 'emergency' }),
    );
    this.#write('own/first-files', stringToBytes(files.map((path) => `${path}\n`).join('') as ByteString));
    this.#write('proc/cmdline', stringToBytes(`${commandLine}\n` as ByteString));
    for (const name of ['filesystems', 'self', 'sys']) {
      const path = join(this.path, 'proc', name);
      this.#system.symlink(`/proc/${name}` as ByteString, path);
      this.#made.push(path);
    }
  }

  #write(name: string, bytes: Uint8Array): void {
    const path = join(this.path, name);
    const fd = this.#system.create(path, 0o600);
    this.#made.push(path);
    try {
      this.#system.write(fd, bytes);
    } finally {
      this.#system.close(fd);
    }
  }

  /** What was mounted is gone with its namespace. */
  remove(): void {
    for (const path of this.#made.toReversed())
      if (this.#system.lstat(path).isDirectory()) this.#system.rmdir(path);
      else this.#system.unlink(path);
  }
}

/** What the script said, on one line: which check failed, what it expected and found. */
function account(stderr: string): string {
  const said = stderr
    .split('\n')
    .filter((line) => line.startsWith('sealtree: '))
    .map((line) => line.slice('sealtree: '.length).trim());
  const [first = '', ...rest] = said.map((line) => displayMessage(line.replace(/^REFUSED TO BOOT: /, '')));
  const facts = rest
    .filter((line) => /^(expected|found):/.test(line))
    .map((line) => line.replace(/: +/, ' '));
  return [first, ...facts].join(', ');
}
