/**
 * The tools that decide what is right: ostree, mkcomposefs, composefs-info, fsck.erofs and the like, from
 * Debian root file systems that `.ci/oracles` makes. Each run happens in a mount namespace of its own, with
 * the base of the work folders at the same path inside and outside, so that paths need no translation.
 *
 * | suite    | ostree                   |                                                |
 * |----------|--------------------------|------------------------------------------------|
 * | sid      | 2026.4, with composefs   | also mkcomposefs, composefs-info, fsck.erofs   |
 * | trixie   | 2025.2, without          |                                                |
 * | bookworm | 2022.7, without          |                                                |
 *
 * `containers` has umoci, skopeo, podman and bsdtar instead.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { WORK_BASE } from './sandbox.ts';

export const SUITES = ['sid', 'trixie', 'bookworm'] as const;
export type Suite = (typeof SUITES)[number];

/** Roots whose programs can be run: those with an ostree, and that with the tools for container images. */
export type Root = Suite | 'containers';

/** The folder that `.ci/oracles` fills. */
export const ORACLES = process.env.SEALTREE_ORACLES ?? '/var/cache/sealtree-oracles';

/** The last thing `.ci/oracles` writes into a root. */
const COMPLETE = '.sealtree-oracle';

export interface RunOptions {
  readonly input?: string | Uint8Array;
  /** Added to a small fixed environment (PATH, LC_ALL=C.UTF-8, TZ=UTC, …). */
  readonly env?: Readonly<Record<string, string>>;
  /** More folders to be seen at the same path inside; {@link WORK_BASE} always is. */
  readonly binds?: readonly string[];
  /** Default `/`. */
  readonly cwd?: string;
  /** Return whatever the exit status is, instead of failing the test. */
  readonly allowFailure?: boolean;
  /** Default 120 s. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  readonly status: number;
  /** Standard output as bytes, and as UTF-8. */
  readonly bytes: Buffer;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the host; the same contract as {@link Oracle.run}. */
export function runHost(argv: readonly string[], options: RunOptions = {}): RunResult {
  return spawn(argv, options, argv.join(' '));
}

/** `title` is what a failure calls the command. */
function spawn(argv: readonly string[], options: RunOptions, title: string): RunResult {
  const [file, ...rest] = argv;
  assert(file !== undefined, 'an empty command');
  const child = spawnSync(file, rest, {
    input: options.input ?? '',
    cwd: options.cwd ?? '/',
    env: { ...environment, ...options.env },
    timeout: options.timeoutMs ?? 120_000,
    maxBuffer: 1 << 30,
  });
  if (child.error !== undefined) throw child.error;
  const result = {
    status: child.status ?? 128,
    bytes: child.stdout,
    stdout: child.stdout.toString('utf8'),
    stderr: child.stderr.toString('utf8'),
  };
  if (result.status !== 0 && options.allowFailure !== true) {
    const signal = child.signal === null ? '' : ` (${child.signal})`;
    assert.fail(
      `${title.slice(0, 2000)}\nexit ${result.status}${signal}\n${result.stdout.slice(-4000)}${result.stderr.slice(-4000)}`,
    );
  }
  return result;
}

const environment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  HOME: '/root',
  // Nothing here has to survive a power cut, and the machine may be busy writing other things.
  OSTREE_SYSROOT_OPTS: 'skip-sync',
};

/** ROOT, CWD, then binds up to `--`, then the command. */
const ENTER = `set -eu
root=$1 cwd=$2; shift 2
# A mount point, as the root of a running system is.
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --rbind "$1" "$root$1"
  shift
done
shift
exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$cwd" "$@"`;

export class Oracle {
  readonly suite: Root;
  /** The root file system's path on the host. */
  readonly root: string;

  constructor(suite: Root) {
    this.suite = suite;
    this.root = join(ORACLES, suite);
  }

  /** The host's command that runs a tool of this root: for what is to run beside the test. */
  command(argv: readonly string[], options: Pick<RunOptions, 'cwd' | 'binds'> = {}): string[] {
    return [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      ENTER,
      'enter',
      this.root,
      options.cwd ?? '/',
      WORK_BASE,
      ...(options.binds ?? []),
      '--',
      ...argv,
    ];
  }

  /** Runs a tool of this root. Fails the test when it exits with another status than 0. */
  run(argv: readonly string[], options: RunOptions = {}): RunResult {
    return spawn(this.command(argv, options), { ...options, cwd: '/' }, `${this.suite}: ${argv.join(' ')}`);
  }

  /** Runs one sh script (under `set -eu`) in this root: much quicker than many runs. `$1`… are `args`. */
  runScript(script: string, args: readonly string[] = [], options: RunOptions = {}): RunResult {
    return this.run(['/bin/sh', '-euc', script, 'script', ...args], options);
  }
}

export function oracle(suite: Root): Oracle {
  return new Oracle(suite);
}

/** What a test may need of `.ci/oracles`: a suite's root, or what virtual machines boot (an amd64 kernel). */
export type Needed = Root | 'guest' | 'machine' | 'machine-sid' | 'loaders' | 'blscfg';

/** Why system tests that need these roots cannot run here; undefined when they can. */
export function missing(needed: readonly Needed[]): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root (mount namespaces, owners, trusted xattrs)';
  const absent = needed.filter((name) => !existsSync(join(ORACLES, name, COMPLETE)));
  if (absent.length > 0) return `no oracle root for ${absent.join(', ')} in ${ORACLES}: run .ci/oracles`;
  return undefined;
}

/**
 * A suite of system tests. Where it cannot run it is reported as skipped, with the reason; under CI=true that
 * is a failure, so that a pipeline never passes for want of its oracles.
 */
export function describeSystem(name: string, needed: readonly Needed[], body: () => void): void {
  const reason = missing(needed);
  if (reason === undefined) describe(name, body);
  else if (process.env.CI === 'true') it(name, () => assert.fail(reason));
  else describe(name, { skip: reason }, body);
}
