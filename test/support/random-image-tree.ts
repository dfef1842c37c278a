/**
 * Random trees for images: all file types, odd names and xattrs, sizes around every threshold of the format.
 * From one seed come the entries, their composefs-dump text for mkcomposefs, and the tree for our writer; some
 * texts also get a line that must be refused.
 */
import type { ByteString } from '../../src/base/bytes.ts';
import {
  isDirectory,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../../src/base/mode.ts';
import { sortedXattrs, type Xattr, type Xattrs } from '../../src/base/xattrs.ts';
import { ImageTree, type NodeFields } from '../../src/formats/erofs/tree.ts';
import type { Random } from './random.ts';

export interface RandomEntry {
  /** `/` or `/a/b`. */
  readonly path: ByteString;
  readonly fields: NodeFields;
  /** The path of what this is a hard link to; may come later, may be a link itself. */
  readonly linkTo?: ByteString;
}

export interface RandomTree {
  /** Parents before their children. */
  readonly entries: readonly RandomEntry[];
  /** A further line of the dump, which makes it invalid. */
  readonly badLine?: string;
}

export interface RandomTreeOptions {
  /** About this many entries. */
  readonly entries?: number;
  /** The probability of a line that must be refused. Default 0. */
  readonly badLines?: number;
  /** Only what comes back from an image as it was: see the property test of reading. */
  readonly reversible?: boolean;
}

const bytes = (text: string): ByteString => text as ByteString;

const SIZES = [
  ...[1, 2, 3, 64, 4095, 4096, 4097, 8192, 1_000_000],
  ...[
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 40 + 5,
    2 ** 43,
    2 ** 43 + 1,
    2 ** 44 + 1,
    2 ** 50,
    2 ** 52 - 1,
    2 ** 53,
  ],
];
const CONTENT_SIZES = [0, 1, 5, 63, 64, 65, 2047, 2048, 2049, 3000, 4032, 4064, 4095, 4096, 4097, 4999, 5000];
const TARGET_SIZES = [
  1, 2, 10, 60, 255, 2048, 2049, 3900, 4000, 4030, 4031, 4032, 4063, 4064, 4065, 4090, 4095,
];
const IDS = [0, 0, 0, 1, 1000, 65534, 65535, 65536, 2 ** 31, 2 ** 32 - 1];
const RDEVS = [1, 259, 2049, 0x0102_0304, 2 ** 32 - 1];
/** Directories are nested no deeper. */
const MAX_DEPTH = 6;
const OVERLAY_NAMES = [
  'opaque',
  'whiteouts',
  'redirect',
  'metacopy',
  'origin',
  'x',
  'overlay.opaque',
  'overlay.y',
];

class Maker {
  readonly #random: Random;
  readonly #reversible: boolean;
  readonly entries: RandomEntry[] = [];
  readonly #directories: { path: ByteString; names: Set<string>; depth: number }[] = [];
  /** Mostly one of these times, so that compact inodes occur. */
  readonly #times: readonly (readonly [bigint, number])[];
  readonly #xattrNames: readonly ByteString[];
  readonly #xattrValues: readonly ByteString[];
  readonly #xattrSets: readonly Xattrs[];
  readonly #digests: readonly Buffer[];
  /** How likely each node is to have xattrs, whiteouts and so on: differs from tree to tree. */
  readonly #xattrChance: number;
  readonly #whiteoutChance: number;
  readonly #oddNameChance: number;

  constructor(random: Random, reversible: boolean) {
    this.#random = random;
    this.#reversible = reversible;
    this.#times = Array.from({ length: random.pick([1, 1, 2, 5]) }, () => this.#time());
    this.#xattrNames = Array.from({ length: random.pick([3, 10, 40]) }, () => this.#xattrName());
    this.#xattrValues = Array.from({ length: random.pick([2, 10, 40]) }, () =>
      random.byteString(random.pick([0, 1, 3, 4, 5, 27, 28, 40, 300])),
    );
    this.#digests = Array.from({ length: 4 }, () => random.bytes(32));
    this.#xattrSets = Array.from({ length: random.pick([1, 4, 10]) }, () => this.#newXattrs());
    this.#xattrChance = random.pick([0, 0.1, 0.5, 0.9]);
    this.#whiteoutChance = random.pick([0, 0, 0.05, 0.3]);
    this.#oddNameChance = random.pick([0, 0.1, 0.8]);
  }

  make(count: number): void {
    const random = this.#random;
    const root: NodeFields = { ...this.#common(S_IFDIR | 0o755), nlink: 1 };
    this.#add(bytes('/'), root, 0);
    // One directory of many entries in large trees: several blocks, and all of them siblings.
    const crowd = count > 300 ? random.between(100, 600) : 0;
    while (this.entries.length < count) {
      const parent = this.entries.length < crowd ? this.#directories.at(-1) : random.pick(this.#directories);
      if (parent === undefined) throw new Error('there is a root');
      const name = this.#name(parent.path === '/');
      if (parent.names.has(name)) continue;
      parent.names.add(name);
      const path = bytes(`${parent.path === '/' ? '' : parent.path}/${name}`);
      if (random.chance(0.05) && this.entries.length > 3) this.#addLink(path);
      else {
        const depth = parent.depth + 1;
        this.#add(path, this.#newFields(depth < MAX_DEPTH && this.entries.length >= crowd), depth);
      }
    }
    if (random.chance(0.15)) this.#addManyShared();
  }

  #newFields(mayBeDirectory: boolean): NodeFields {
    const random = this.#random;
    const permissions = random.pick([0o644, 0o755, 0o600, 0o4755, 0o1777, 0]);
    if (random.chance(this.#whiteoutChance)) return { ...this.#common(S_IFCHR | permissions), rdev: 0 };
    const kind = random.below(20);
    if (kind < 5 && mayBeDirectory) return this.#common(S_IFDIR | permissions);
    if (kind < 7) return this.#symlink();
    if (kind < 11) return this.#backed(permissions);
    if (kind < 17) {
      const content = random.bytes(random.pick(random.chance(0.5) ? [0, 1, 20] : CONTENT_SIZES));
      return { ...this.#common(S_IFREG | permissions), content, size: content.length };
    }
    const type = random.pick([S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK]);
    const size = this.#reversible ? 0 : random.pick([0, 0, 5, 2 ** 32]);
    const isDevice = type === S_IFBLK || type === S_IFCHR;
    return { ...this.#common(type | permissions), size, rdev: isDevice ? random.pick(RDEVS) : 0 };
  }

  #addLink(path: ByteString): void {
    const target = this.#random.pick(this.entries);
    const { mode, rdev } = target.fields;
    const isWhiteout = (mode & S_IFMT) === S_IFCHR && rdev === 0;
    if (isDirectory(mode) || (isWhiteout && this.#reversible)) {
      this.#add(path, { ...this.#common(S_IFREG | 0o644), size: 0 }, 0);
      return;
    }
    // The type of a hard link's line must be valid, and means nothing.
    this.entries.push({ path, fields: target.fields, linkTo: target.path });
  }

  /** Two files with more xattrs in common than an inode may share. */
  #addManyShared(): void {
    const list = Array.from({ length: 140 }, (_, i): Xattr => [bytes(`user.many${i}`), bytes(`v${i % 7}`)]);
    const xattrs = sortedXattrs(list);
    for (const name of ['many-1', 'many-2'])
      this.#add(bytes(`/${name}`), { ...this.#common(S_IFREG | 0o644), size: 0, xattrs }, 1);
  }

  #add(path: ByteString, fields: NodeFields, depth: number): void {
    this.entries.push({ path, fields });
    if (isDirectory(fields.mode)) this.#directories.push({ path, names: new Set(), depth });
  }

  #common(mode: number): NodeFields {
    const random = this.#random;
    const [mtimeSec, mtimeNsec] = random.chance(0.9)
      ? (this.#times[0] ?? [0n, 0])
      : random.chance(0.8)
        ? random.pick(this.#times)
        : this.#time();
    return {
      mode,
      nlink: random.chance(0.9) ? 1 : random.pick([0, 2, 3, 65535, 65536, 2 ** 32 - 1]),
      uid: random.chance(0.8) ? 0 : random.pick(IDS),
      gid: random.chance(0.8) ? 0 : random.pick(IDS),
      mtimeSec,
      mtimeNsec,
      xattrs: random.chance(this.#xattrChance)
        ? random.chance(0.6)
          ? random.pick(this.#xattrSets)
          : this.#newXattrs()
        : [],
    };
  }

  #symlink(): NodeFields {
    const length = this.#random.pick(this.#random.chance(0.7) ? [1, 7, 30] : TARGET_SIZES);
    const payload = this.#withoutNul(length);
    return { ...this.#common(S_IFLNK | 0o777), payload, size: length };
  }

  #backed(permissions: number): NodeFields {
    const random = this.#random;
    const fields: NodeFields = { ...this.#common(S_IFREG | permissions), size: random.pick(SIZES) };
    const digest = random.chance(0.5) ? random.pick(this.#digests) : random.bytes(32);
    if (random.chance(0.8)) fields.digest = digest;
    const path = bytes(`${digest.toString('hex', 0, 1)}/${digest.toString('hex', 1)}`);
    if (random.chance(0.9))
      fields.payload = random.pick([
        path,
        path,
        path,
        bytes(`/${path}`),
        bytes('-'),
        bytes('a b/c'),
        this.#withoutNul(4095),
      ]);
    return fields;
  }

  #time(): readonly [bigint, number] {
    const random = this.#random;
    const seconds = random.pick([
      0n,
      0n,
      1n,
      10n,
      1_700_000_000n,
      -1n,
      -5_000_000_000n,
      2n ** 33n,
      2n ** 62n,
      -(2n ** 62n),
    ]);
    return [seconds, random.pick([0, 0, 1, 500_000_000, 999_999_999])];
  }

  #name(inRoot: boolean): ByteString {
    const random = this.#random;
    if (inRoot && random.chance(0.15)) return bytes(random.below(256).toString(16).padStart(2, '0'));
    const length = random.chance(0.9) ? random.between(1, 12) : random.pick([1, 100, 254, 255]);
    if (!random.chance(this.#oddNameChance)) {
      let name = '';
      for (let i = 0; i < length; i++) name += 'abcdefghijklmnopqrstuvwxyz0123456789'[random.below(36)];
      return bytes(name);
    }
    if (random.chance(0.4))
      return bytes(
        random.pick([
          '-',
          '!',
          '+x',
          '.a',
          '..b',
          '...',
          '.-',
          ' ',
          '\\',
          'a=b',
          '~',
          '\n',
          '\t\r',
          '@',
          '.,',
          '-.',
        ]),
      );
    const name = this.#withoutNul(length).replaceAll('/', '_');
    return bytes(name === '.' || name === '..' ? 'dot' : name);
  }

  #withoutNul(length: number): ByteString {
    return bytes(this.#random.byteString(length).replaceAll('\0', 'n'));
  }

  #newXattrs(): Xattrs {
    const random = this.#random;
    const list: Xattr[] = [];
    for (let i = random.pick([1, 1, 2, 4, 12]); i > 0; i--)
      list.push([
        random.pick(this.#xattrNames),
        random.chance(0.8) ? random.pick(this.#xattrValues) : random.byteString(random.below(60)),
      ]);
    return sortedXattrs(list);
  }

  #xattrName(): ByteString {
    const random = this.#random;
    const word = (): string => this.#withoutNul(random.pick([1, 2, 3, 8, 20])).replaceAll('=', '_');
    const choices = [
      () => `user.${word()}`,
      () => `user.name${random.below(20)}`,
      () => `trusted.${word()}`,
      () => 'security.selinux',
      () => `security.${word()}`,
      () => 'system.posix_acl_access',
      () => 'system.posix_acl_default',
      () => 'system.posix_acl_accessX',
      () => `system.${word()}`,
      () => `lustre.${word()}`,
      () => word(),
      () => 'user.',
      () => `user.${'n'.repeat(random.between(200, 250))}`,
      () => `trusted.overlay.${random.pick(OVERLAY_NAMES)}`,
      () => `trusted.overlay.overlay.${random.pick(OVERLAY_NAMES)}`,
      () => `user.overlay.${this.#reversible ? 'x' : random.pick(OVERLAY_NAMES)}`,
    ];
    const name = random.pick(choices)();
    // These mean whiteouts when they come back from an image.
    if (this.#reversible && /^trusted\.overlay\.whiteouts?$/.test(name)) return bytes('user.plain');
    return bytes(name);
  }
}

/** The tree of a random generator; the same seed gives the same tree. */
export function randomTree(random: Random, options: RandomTreeOptions = {}): RandomTree {
  const maker = new Maker(random, options.reversible === true);
  maker.make(options.entries ?? random.pick([1, 5, 20, 60]));
  const { entries } = maker;
  if (!random.chance(options.badLines ?? 0)) return { entries };
  return { entries, badLine: badLine(random, entries) };
}

/** A line that mkcomposefs refuses, at the end of a valid dump of these entries. */
function badLine(random: Random, entries: readonly RandomEntry[]): string {
  const rest = '1 0 0 0 0.0';
  const directory = entries.find(
    ({ fields, linkTo }, i) => i > 0 && linkTo === undefined && isDirectory(fields.mode),
  );
  const file = entries.find(({ fields }) => !isDirectory(fields.mode));
  const candidates = [
    `/missing/child 0 100644 ${rest} - - -`,
    `/new/. 0 100644 ${rest} - - -`,
    `/.. 0 100644 ${rest} - - -`,
    `/new-root 0 0 ${rest} - - -`,
    `/new-type 0 160000 ${rest} - - -`,
    `/${'n'.repeat(256)} 0 100644 ${rest} - - -`,
    `/dangling 0 @100644 ${rest} /nowhere - -`,
    `/itself 0 @100644 ${rest} /itself - -`,
    `/no-target 0 120777 ${rest} - - -`,
    `/long-target 4096 120777 ${rest} ${'t'.repeat(4096)} - -`,
    `/long-path 5 100644 ${rest} ${'t'.repeat(4096)} - -`,
    `/other-size 4 100644 ${rest} - abc -`,
    `/long-content 5001 100644 ${rest} - ${'c'.repeat(5001)} -`,
    `/too-large 9007199254740993 100644 ${rest} aa/bb - -`,
    `/no-key 0 100644 ${rest} - - - =value`,
    `/long-key 0 100644 ${rest} - - - user.${'k'.repeat(251)}=value`,
    `/many-xattrs 0 100644 ${rest} - - - user.a=${'v'.repeat(32750)}`,
    `/bad-escape\\q 0 100644 ${rest} - - -`,
    `/bad-hex\\x0 0 100644 ${rest} - - -`,
    `/bad-number x 100644 ${rest} - - -`,
    `/cut-off 0 100644`,
    'relative-path',
    ...(directory === undefined ? [] : [`${escaped(directory.path)} 0 40755 ${rest} - - -`]),
    ...(file === undefined
      ? []
      : [
          `${escaped(file.path)} 0 100644 ${rest} - - -`,
          `${escaped(file.path)}/below 0 100644 ${rest} - - -`,
        ]),
  ];
  return random.pick(candidates);
}

/** The entries as composefs-dump text. */
export function dumpOf({ entries, badLine }: RandomTree): string {
  const lines = entries.map(({ path, fields, linkTo }) => {
    const { mode, size = 0, nlink = 1, uid = 0, gid = 0, rdev = 0, mtimeSec = 0n, mtimeNsec = 0 } = fields;
    const octal = mode.toString(8);
    const head = `${escaped(path)} ${size} ${linkTo === undefined ? octal : `@${octal}`} ${nlink} ${uid} ${gid} ${rdev} ${mtimeSec}.${mtimeNsec}`;
    if (linkTo !== undefined) return `${head} ${escaped(linkTo)} - -`;
    const content = fields.content?.length ? Buffer.from(fields.content).toString('latin1') : undefined;
    const digest = fields.digest === undefined ? '-' : Buffer.from(fields.digest).toString('hex');
    const xattrs = (fields.xattrs ?? []).map(
      ([name, value]) => ` ${escaped(name, '=')}=${escaped(value, '=')}`,
    );
    return `${head} ${optional(fields.payload)} ${optional(content)} ${digest}${xattrs.join('')}`;
  });
  if (badLine !== undefined) lines.push(badLine);
  return `${lines.join('\n')}\n`;
}

/** The entries as a tree. */
export function treeOf({ entries }: RandomTree): ImageTree {
  const tree = new ImageTree();
  const nodes = new Map<string, number>();
  const place = (path: ByteString): readonly [number, ByteString] => {
    const slash = path.lastIndexOf('/');
    const parent = nodes.get(slash === 0 ? '/' : path.slice(0, slash));
    if (parent === undefined) throw new Error(`no parent of ${path}`);
    return [parent, bytes(path.slice(slash + 1))];
  };
  for (const { path, fields, linkTo } of entries) {
    if (path === '/') nodes.set(path, tree.addRoot(fields));
    else if (linkTo === undefined) nodes.set(path, tree.add(...place(path), fields));
    else nodes.set(path, tree.addLink(...place(path), nodes.get(linkTo) ?? -1));
  }
  return tree;
}

const optional = (text: string | undefined): string =>
  text === undefined ? '-' : text === '-' ? '\\x2d' : escaped(text);

/** Bytes as a field of a dump: what is not printable ASCII, the backslash and `also` become escapes. */
function escaped(text: string, also = '\\'): string {
  let out = '';
  for (const c of text) {
    const plain = c > ' ' && c < '\x7f' && c !== '\\' && c !== also;
    out += plain ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  }
  return out;
}
