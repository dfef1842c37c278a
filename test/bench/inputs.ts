/**
 * What is measured on: a Debian system of about 45,000 objects and 1.3 GB as a sysroot with two deployments, the second
 * with one file in a hundred changed, and trees of invented entries. Kept beside the oracles, since it takes minutes to
 * make; made again when the recipe in here is another.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { ORACLES, runHost } from '../support/oracle.ts';
import { runPeer } from './peers.ts';
import { writeSyntheticDump, writeSyntheticRepository } from './synthetic.ts';

const FOLDER = join(ORACLES, 'bench-inputs');
const DEBIAN = join(ORACLES, 'bench');
const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Raised whenever what is made changes. */
const RECIPE = '1';
const STAMP = '.complete';
const LONG_MS = 30 * 60_000;

/** On the same file system as the inputs: images are links there, and peers write where we write. */
export const WORK = join(FOLDER, 'work');

export interface Inputs {
  /** The sysroot: stateroot `debian`, deployments of `second` and `first`, not sealed. */
  readonly sysroot: string;
  /** Its repository, `bare`, with the refs `first` and `second`. */
  readonly repository: string;
  /** Checkouts of the refs, hard links to the repository's objects. */
  readonly checkouts: Readonly<Record<'first' | 'second', string>>;
  /** An archive repository with `first`. */
  readonly archive: string;
  /** `first` as a tar archive. */
  readonly tar: string;
}

/** The Debian system; made if need be. */
export function debianInputs(): Inputs {
  const folder = provide('debian', makeDebian);
  const sysroot = join(folder, 'sysroot');
  return {
    sysroot,
    repository: join(sysroot, 'ostree/repo'),
    checkouts: { first: join(folder, 'first'), second: join(folder, 'second') },
    archive: join(folder, 'archive'),
    tar: join(folder, 'first.tar'),
  };
}

/** A composefs-dump(5) file of so many entries. */
export function syntheticDump(entries: number): string {
  const folder = provide(`dump-${entries}`, (path) => writeSyntheticDump(join(path, 'dump'), entries));
  return join(folder, 'dump');
}

/** A `bare` repository whose ref `tree` has so many entries. */
export function syntheticRepository(entries: number): string {
  const folder = provide(`tree-${entries}`, (path) => writeSyntheticRepository(join(path, 'repo'), entries));
  return join(folder, 'repo');
}

/** The system of `first` as an EROFS image and as a squashfs one, with all content. */
export function wholeImages(): { readonly erofs: string; readonly squashfs: string } {
  const { checkouts } = debianInputs();
  const folder = provide('whole-images', (path) => {
    provideTools();
    runHost(['mkfs.erofs', join(path, 'erofs'), checkouts.first], { timeoutMs: LONG_MS });
    const squash = ['mksquashfs', checkouts.first, join(path, 'squashfs'), '-comp', 'lz4'];
    runHost([...squash, '-quiet', '-no-progress'], { timeoutMs: LONG_MS });
  });
  return { erofs: join(folder, 'erofs'), squashfs: join(folder, 'squashfs') };
}

/** Runs `body` with {@link WORK} empty and for itself alone: another bench would change times and files. */
export async function exclusively<T>(body: () => Promise<T>): Promise<T> {
  mkdirSync(FOLDER, { recursive: true });
  const lock = await linuxSystem.lock(join(FOLDER, '.lock'), { exclusive: true }, 0);
  discard(WORK);
  mkdirSync(WORK);
  try {
    return await body();
  } finally {
    discard(WORK);
    lock.release();
  }
}

/** A folder with what `make` puts into it: aside first, so that one half made never bears its name. */
function provide(name: string, make: (path: string) => void): string {
  const path = join(FOLDER, name);
  if (existsSync(join(path, STAMP)) && readFileSync(join(path, STAMP), 'utf8') === RECIPE) return path;
  console.error(`making ${name} in ${FOLDER}`);
  const aside = `${path}.new`;
  for (const old of [aside, path]) discard(old);
  mkdirSync(aside, { recursive: true });
  make(aside);
  spawnSync('sync');
  writeFileSync(join(aside, STAMP), RECIPE);
  renameSync(aside, path);
  return path;
}

function discard(path: string): void {
  if (!existsSync(path)) return;
  // Deployments are immutable folders.
  spawnSync('chattr', ['-R', '-f', '-i', path]);
  rmSync(path, { recursive: true, force: true });
}

/** The Debian root, and what makes file systems of it. */
function provideTools(): void {
  runHost([join(PROJECT, '.ci/oracles'), 'bench'], { timeoutMs: LONG_MS });
}

function makeDebian(folder: string): void {
  provideTools();
  const tree = join(folder, 'tree');
  const overlay = join(folder, 'overlay');
  const sysroot = join(folder, 'sysroot');
  const repository = `--repo=${join(sysroot, 'ostree/repo')}`;
  runHost(['sh', '-euc', ADJUST, 'adjust', DEBIAN, tree], { timeoutMs: LONG_MS });
  mkdirSync(sysroot);
  runPeer('ostree', 'admin', 'init-fs', '--modern', sysroot);
  for (const setting of ['sysroot.bootloader none', 'core.fsync false'])
    runPeer('ostree', repository, 'config', 'set', ...setting.split(' '));
  runPeer('ostree', 'admin', 'os-init', `--sysroot=${sysroot}`, 'debian');
  const commit = [repository, 'commit', '--timestamp=2026-01-01', '--no-bindings'];
  runPeer('ostree', ...commit, '--branch=first', `--tree=dir=${tree}`);
  runHost(['sh', '-euc', CHANGE, 'change', tree, overlay], { timeoutMs: LONG_MS });
  runPeer('ostree', ...commit, '--branch=second', '--tree=ref=first', `--tree=dir=${overlay}`);
  for (const ref of ['first', 'second']) {
    runPeer('ostree', repository, 'checkout', '--require-hardlinks', ref, join(folder, ref));
    runPeer('ostree', 'admin', 'deploy', `--sysroot=${sysroot}`, '--os=debian', '--retain', ref);
  }
  const archive = `--repo=${join(folder, 'archive')}`;
  runPeer('ostree', archive, 'init', '--mode=archive');
  runPeer('ostree', archive, 'config', 'set', 'core.fsync', 'false');
  runPeer('ostree', archive, 'pull-local', join(sysroot, 'ostree/repo'), 'first');
  runPeer('ostree', repository, 'export', `--output=${join(folder, 'first.tar')}`, 'first');
  for (const path of [tree, overlay]) rmSync(path, { recursive: true });
}

/** The root as a tree that ostree deploys: a kernel in its place, /usr/etc, nothing in /var. `cp` links, it does not copy. */
const ADJUST = `cp -al "$1" "$2"
cd "$2"
rm -rf var .sealtree-oracle dev
mkdir -p var dev sysroot ostree.d
rmdir ostree.d
ln -s sysroot/ostree ostree
mv etc usr/etc
for modules in usr/lib/modules/*; do
  cp boot/vmlinuz-* "$modules/vmlinuz"
  echo initramfs >"$modules/initramfs.img"
done
rm -rf boot/*`;

/** Every hundredth file with a line more. */
const CHANGE = `cd "$1"
mkdir "$2"
find usr -type f | sort | awk 'NR % 100 == 0' | while read -r file; do
  cp --archive --parents "$file" "$2"
  echo changed >>"$2/$file"
done`;
