/**
 * Refs: files below `refs/` that hold a checksum.
 *
 * `refs/heads/NAME` local, `refs/remotes/REMOTE/NAME` fetched, `refs/mirrors/COLLECTION/NAME` mirrored from other
 * collections. A symlink is an alias of another ref. Names follow libostree's ostree-core.c
 * (OSTREE_REF_FRAGMENT_REGEXP); other files in these folders are ignored, as ostree does.
 */
import { posix } from 'node:path';
import { bytesToText } from '../base/bytes.ts';
import { type Checksum, parseChecksum } from '../base/digest.ts';
import { errnoOf, FormatError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import { readable, readdirIfExists } from './objects.ts';

export type RefKind = 'head' | 'remote' | 'mirror';

export interface Ref {
  readonly kind: RefKind;
  /** Name of the remote, or the collection id of a mirror; undefined for heads. */
  readonly scope: string | undefined;
  /** Without the scope, such as `exampleos/x86_64/stable`. */
  readonly name: string;
  /** What a person types: `NAME` or `SCOPE:NAME`. */
  readonly refspec: string;
  readonly checksum: Checksum;
  /** For an alias the name it points to, in the same scope. */
  readonly aliasOf: string | undefined;
}

export interface RefFilter {
  /** Only refs of these kinds; all by default. */
  readonly kinds?: readonly RefKind[];
  /** Only this ref and those in the folder of that name, as a refspec: `NAME`, `SCOPE:NAME` or `SCOPE:`. */
  readonly prefix?: string;
}

/** What refs need of a repository. */
export interface RefSource {
  readonly path: string;
  readonly system: System;
}

interface Patterns {
  readonly fragment: RegExp;
  readonly refspec: RegExp;
}

/** @param word a class for the characters of words, `\w` and `\d` of ostree's own patterns */
function patternsOf(word: string): Patterns {
  const fragment = `[${word}][-.${word}]*`;
  return {
    fragment: new RegExp(`^${fragment}$`, 'u'),
    refspec: new RegExp(`^(?:(${fragment}):)?((?:${fragment}/)*${fragment})$`, 'u'),
  };
}

let ascii: Patterns | undefined;
let unicode: Patterns | undefined;

/**
 * GLib matches in UTF-8 with Unicode classes, so `\w` is any letter or digit there. The tables of these classes take V8 a
 * tenth of Node's start, and nearly all names are ASCII: for such a name the classes are what they are among ASCII.
 */
function patternsFor(name: string): Patterns {
  if (/[^\0-\x7f]/.test(name)) {
    unicode ??= patternsOf('\\p{L}\\p{N}\\p{M}\\p{Pc}');
    return unicode;
  }
  ascii ??= patternsOf('A-Za-z0-9_');
  return ascii;
}

const isFragment = (name: string): boolean => patternsFor(name).fragment.test(name);

/** More levels of folders than this are not refs of anybody. */
const MAX_DEPTH = 64;

export interface Refspec {
  /** Remote or collection id. */
  readonly scope: string | undefined;
  readonly name: string;
}

/** Splits `[SCOPE:]NAME`; undefined when it is not a refspec. */
export function parseRefspec(text: string): Refspec | undefined {
  const match = patternsFor(text).refspec.exec(text);
  return match === null ? undefined : { scope: match[1], name: match[2]! };
}

/** All refs that pass the filter, sorted by refspec. @throws FormatError when a ref does not hold a checksum */
export function listRefs(source: RefSource, filter: RefFilter = {}): Ref[] {
  const refs: Ref[] = [];
  const kinds = filter.kinds ?? ['head', 'remote', 'mirror'];
  if (kinds.includes('head')) collect(source, 'head', undefined, refs);
  for (const [kind, folder] of [
    ['remote', 'remotes'],
    ['mirror', 'mirrors'],
  ] as const) {
    if (!kinds.includes(kind)) continue;
    for (const scope of readdirIfExists(source.system, `${source.path}/refs/${folder}`)) {
      if (isFragment(scope) && isFolder(source.system, `${source.path}/refs/${folder}/${scope}`))
        collect(source, kind, scope, refs);
    }
  }
  const { prefix } = filter;
  const chosen = prefix === undefined ? refs : refs.filter(({ refspec }) => isBelow(refspec, prefix));
  return chosen.sort((a, b) => (a.refspec < b.refspec ? -1 : 1));
}

function isBelow(refspec: string, prefix: string): boolean {
  return (
    refspec === prefix ||
    refspec.startsWith(prefix.endsWith(':') || prefix.endsWith('/') ? prefix : `${prefix}/`)
  );
}

const folderOf = (kind: RefKind, scope: string | undefined): string =>
  scope === undefined ? 'refs/heads' : `refs/${kind === 'remote' ? 'remotes' : 'mirrors'}/${scope}`;

/** The checksum in one ref, or undefined when there is no such ref. @throws FormatError */
export function readRef(source: RefSource, kind: RefKind, { scope, name }: Refspec): Checksum | undefined {
  return readRefFile(source, `${source.path}/${folderOf(kind, scope)}/${name}`);
}

/** The checksum in a file named relative to the repository's `refs/remotes`, as `REMOTE/NAME`. */
export function readRemotePath(source: RefSource, name: string): Checksum | undefined {
  return readRefFile(source, `${source.path}/refs/remotes/${name}`);
}

/** Names of the remotes that refs were fetched from, sorted. */
export function remotesWithRefs(source: RefSource): string[] {
  return readdirIfExists(source.system, `${source.path}/refs/remotes`)
    .filter((name) => isFragment(name) && isFolder(source.system, `${source.path}/refs/remotes/${name}`))
    .sort();
}

function collect(source: RefSource, kind: RefKind, scope: string | undefined, into: Ref[]): void {
  const { system } = source;
  const base = `${source.path}/${folderOf(kind, scope)}`;
  const pending: { prefix: string; depth: number }[] = [{ prefix: '', depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of readdirIfExists(system, `${base}/${next.prefix}`)) {
      if (!isFragment(entry)) continue;
      const name = next.prefix + entry;
      const path = `${base}/${name}`;
      const stat = system.lstatIfExists(path);
      if (stat === undefined) continue;
      if (stat.isDirectory()) {
        if (next.depth === MAX_DEPTH) throw new FormatError(path, 'refs are nested too deeply');
        pending.push({ prefix: `${name}/`, depth: next.depth + 1 });
      } else if (stat.isFile() || stat.isSymbolicLink()) {
        const checksum = readRefFile(source, path);
        const aliasOf = stat.isSymbolicLink() ? aliasTarget(system, path, name) : undefined;
        if (checksum === undefined) {
          if (aliasOf === undefined) continue;
          throw new FormatError(path, 'alias of a ref that does not exist', { got: aliasOf });
        }
        into.push({
          kind,
          scope,
          name,
          refspec: scope === undefined ? name : `${scope}:${name}`,
          checksum,
          aliasOf,
        });
      }
    }
  }
}

/** The name an alias means: its link is relative to the folder it is in; what leaves the refs is shown as it is. */
function aliasTarget(system: System, path: string, name: string): string {
  const target = bytesToText(system.readlink(path));
  const resolved = posix.join(posix.dirname(name), target);
  return posix.isAbsolute(target) || resolved.startsWith('../') ? target : resolved;
}

function readRefFile(source: RefSource, path: string): Checksum | undefined {
  let text: string;
  try {
    text = source.system.readFile(path).toString('latin1');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EISDIR') return undefined;
    throw readable(error, path);
  }
  return parseChecksum(text.trimEnd(), path);
}

function isFolder(system: System, path: string): boolean {
  return system.lstatIfExists(path)?.isDirectory() ?? false;
}
