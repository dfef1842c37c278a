/**
 * Random file trees on disk, of what an ostree commit can hold: regular files, symlinks and folders with odd
 * but valid UTF-8 names, owners, modes and xattrs, sizes around the borders that matter to images and fs-verity.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, lchownSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Random } from './random.ts';

export interface DiskTreeOptions {
  /** Entries in all, about; default 60. */
  readonly entries?: number;
  /** Owners other than the caller's, setuid bits, xattrs of the kernel's own: needs root; default true. */
  readonly privileged?: boolean;
  /** The largest file in bytes; default 1 MiB + 1, which few files get. */
  readonly largest?: number;
  /** Names `.ostree-wh.*`, which a deploy turns into device nodes (and fails on their xattrs); default true. */
  readonly whiteouts?: boolean;
}

const SIZES = [
  0, 1, 63, 64, 65, 4095, 4096, 4097, 8192, 12_289, 65_536, 524_288, 524_289, 1_048_576, 1_048_577,
];
const WORDS = [
  'a',
  'usr',
  'etc',
  'bin',
  'lib64',
  'passwd',
  'x'.repeat(254),
  '日本語',
  'naïve',
  'é',
  '🌲',
  '-rf',
  '--',
  'a b',
  'tab\tname',
  'new\nline',
  'back\\slash',
  '"quoted"',
  "it's",
  '#x',
  '.hidden',
  '..dots',
  '=eq',
  '%41',
  '\u0001ctl',
  '\u007f',
  '\u00a0',
  '.wh.gone',
  '.ostree-wh.gone',
  '~',
  '*',
  'trailing ',
];
const SHARED_VALUES = [
  'system_u:object_r:usr_t:s0\0',
  'system_u:object_r:bin_t:s0\0',
  'system_u:object_r:lib_t:s0\0',
];

/** With the inode and its xattrs it stays below one block: libcomposefs 1.0.8 aborts on longer ones of an ostree commit. */
const LONGEST_TARGET = 3500;

type PendingXattrs = {
  readonly path: string;
  readonly xattrs: readonly (readonly [name: string, value: ByteString])[];
};

/** Makes the tree at `path` (which must not exist) and returns the number of entries below it. */
export function makeDiskTree(random: Random, path: string, options: DiskTreeOptions = {}): number {
  const privileged = options.privileged ?? true;
  const largest = options.largest ?? 1_048_577;
  const sizes = SIZES.filter((size) => size <= largest);
  const pending: PendingXattrs[] = [];
  const files: string[] = [];
  let left = options.entries ?? 60;
  let made = 0;

  const drawName = (): string => {
    const name = randomName(random);
    return options.whiteouts === false && name.startsWith('.ostree-wh.') ? 'no whiteout' : name;
  };

  const dress = (at: string, mode: number | undefined): void => {
    if (privileged && random.chance(0.5))
      lchownSync(
        at,
        random.pick([0, 1, 1000, 65_534, 65_536, 0xffff_fffe]),
        random.pick([0, 5, 1000, 0xffff_fffe]),
      );
    if (mode !== undefined) chmodSync(at, mode);
    const xattrs = randomXattrs(random, mode === undefined, privileged);
    if (xattrs.length > 0) pending.push({ path: at, xattrs });
    lutimesSync(at, random.u32(), random.u32());
  };

  const fill = (folder: string, depth: number): void => {
    const taken = new Set<string>();
    const count = Math.min(left, random.chance(0.1) ? random.between(40, 90) : random.between(0, 12));
    left -= count;
    for (let i = 0; i < count; i++) {
      const name = drawName();
      if (taken.has(name)) continue;
      taken.add(name);
      made++;
      const at = `${folder}/${name}`;
      const what = random.below(10);
      if (what < 3 && depth < 12 && at.length < 3000) {
        mkdirSync(at);
        fill(at, depth + 1);
        dress(at, privileged ? random.pick([0o755, 0o700, 0o1777, 0o2755, 0o000, 0o555]) : 0o755);
      } else if (what < 5) {
        symlinkSync(randomTarget(random), at);
        dress(at, undefined);
      } else if (what === 5 && files.length > 0 && random.chance(0.5)) {
        linkSync(random.pick(files), at);
      } else {
        writeFileSync(
          at,
          randomContent(random, random.chance(0.03) ? random.pick(sizes) : random.pick(sizes.slice(0, 9))),
        );
        dress(
          at,
          privileged
            ? random.pick([0o644, 0o755, 0o600, 0o4755, 0o2755, 0o6711, 0o444, 0o000])
            : random.pick([0o644, 0o755, 0o600]),
        );
        files.push(at);
      }
    }
  };

  mkdirSync(path);
  while (left > 0) {
    const before = made;
    const folder = `${path}/${drawName()}`;
    mkdirSync(folder, { recursive: true });
    made++;
    fill(folder, 1);
    dress(folder, 0o755);
    if (made === before) left--;
  }
  if (random.chance(0.3)) mkdirSync(`${path}/usr/etc`, { recursive: true });
  dress(path, 0o755);
  setXattrs(pending);
  return made;
}

function randomName(random: Random): string {
  if (random.chance(0.4)) return random.pick(WORDS);
  const length = random.chance(0.05) ? 255 : random.between(1, 20);
  return Array.from({ length }, () => random.pick([...'abcdefghijklmnopqrstuvwxyz0123456789_.-']))
    .join('')
    .replace(/^\.{1,2}$/, '_');
}

function randomTarget(random: Random): string {
  const kind = random.below(6);
  if (kind === 0) return 't'.repeat(random.pick([1, 59, 60, 255, 1000, LONGEST_TARGET]));
  if (kind === 1) return `../${random.pick(WORDS)}/\n`;
  return `/${random.pick(WORDS)}`;
}

function randomContent(random: Random, size: number): Buffer {
  // Large contents repeat a random part: drawing each byte would be the slowest thing here.
  const part = random.bytes(Math.min(size, 251));
  return size === 0 ? Buffer.alloc(0) : Buffer.alloc(size, part);
}

function randomXattrs(random: Random, symlink: boolean, privileged: boolean): PendingXattrs['xattrs'] {
  if (!random.chance(0.35)) return [];
  const out = new Map<string, ByteString>();
  if (privileged) out.set('security.selinux', random.pick(SHARED_VALUES) as ByteString);
  if (!symlink) {
    for (let i = random.below(4); i > 0; i--)
      out.set(
        `user.${random.pick(['a', 'b', 'mime', 'é', 'x=y', 'long'.repeat(20)])}`,
        random.byteString(random.pick([0, 1, 7, 32, 200])),
      );
  }
  if (privileged && random.chance(0.3)) {
    out.set(
      `trusted.${random.pick(['note', 'overlay.opaque', 'overlay.redirect', 'overlayx'])}`,
      random.byteString(random.between(0, 40)),
    );
  }
  return [...out];
}

/** One run of setfattr for all: a foreign tool, so that our own xattr calls are not their own witness. */
function setXattrs(pending: readonly PendingXattrs[]): void {
  if (pending.length === 0) return;
  const dump = pending
    .map(({ path, xattrs }) => {
      const lines = xattrs.map(
        ([name, value]) => `${escapeOctal(name)}=0x${Buffer.from(value, 'latin1').toString('hex')}`,
      );
      return `# file: ${escapeOctal(path)}\n${lines.join('\n')}\n\n`;
    })
    .join('');
  const child = spawnSync('setfattr', ['--no-dereference', '--restore=-'], { input: dump });
  if (child.error !== undefined) throw child.error;
  if (child.status !== 0) throw new Error(`setfattr: ${child.stderr.toString('utf8')}`);
}

function escapeOctal(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((c) =>
      c > 0x20 && c < 0x7f && c !== 0x5c && c !== 0x3d
        ? String.fromCharCode(c)
        : `\\${c.toString(8).padStart(3, '0')}`,
    )
    .join('');
}
