/** Archives, container images and folders in a folder, to be imported as commits. Pure. */
import type { Failure } from '../../models/failure.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import type { State } from '../../state.ts';

/** Something in the folder; what else lies there is not listed. */
export type ImportRow =
  /** `name` is `..` for the one above. */
  | { readonly kind: 'folder'; readonly name: string; readonly path: string }
  /** A tar archive: a tree, or container images, which only who made it knows. */
  | { readonly kind: 'archive'; readonly name: string; readonly path: string; readonly sizeBytes: number }
  /** An image of an OCI layout that is a folder; without a tag it is the only one there. */
  | {
      readonly kind: 'image';
      readonly name: string;
      readonly path: string;
      readonly tag: string | undefined;
    }
  | { readonly kind: 'broken'; readonly name: string; readonly path: string; readonly message: string };

/** What is to be imported, once it has a name. */
export interface Asked {
  readonly what: 'dir' | 'tar' | 'oci';
  /** As the command takes it: a folder, a file, or `LAYOUT:TAG`. */
  readonly source: string;
  /** The ref, as far as it is typed. */
  readonly ref: string;
}

export interface Imports extends Scroll {
  /** Counts readings, so that what a former one still finds is told apart. */
  readonly reading: number;
  /** The folder; undefined before the first reading: the one that the interface was started in. */
  readonly path: string | undefined;
  /** Undefined while they are looked for. */
  readonly rows: readonly ImportRow[] | undefined;
  readonly failure: Failure | undefined;
  readonly asked: Asked | undefined;
}

export const NO_IMPORTS: Imports = {
  ...TOP,
  reading: 0,
  path: undefined,
  rows: undefined,
  failure: undefined,
  asked: undefined,
};

export type ImportsEvent =
  | {
      readonly type: 'imports-read';
      readonly reading: number;
      readonly path: string;
      readonly rows: readonly ImportRow[];
    }
  | { readonly type: 'imports-failed'; readonly reading: number; readonly failure: Failure };

export interface ImportsRequest {
  readonly reader: 'imports';
  readonly type: 'read-imports';
  readonly reading: number;
  readonly path: string | undefined;
}

export const selectedImport = ({ imports }: State): ImportRow | undefined =>
  imports.rows?.[imports.list.cursor];

export function importsRequests({ imports }: State): ImportsRequest[] {
  const { rows, failure, reading, path } = imports;
  if (rows !== undefined || failure !== undefined) return [];
  return [{ reader: 'imports', type: 'read-imports', reading, path }];
}

export function onImports(imports: Imports, event: ImportsEvent): Imports {
  if (event.reading !== imports.reading) return imports;
  if (event.type === 'imports-failed') return { ...imports, failure: event.failure };
  return { ...imports, path: event.path, rows: event.rows };
}

/** Looks into a folder: into the same one anew without a path. */
export function lookInto(imports: Imports, path = imports.path): Imports {
  const scroll = path === imports.path ? { list: imports.list, detailsOffset: 0 } : TOP;
  return { ...NO_IMPORTS, ...scroll, path, reading: imports.reading + 1 };
}

/** Imports of what a row is; undefined for what is nothing of that kind. */
export function sourceOf(row: ImportRow | undefined, what: Asked['what']): string | undefined {
  // What the one above holds is more than this folder shows.
  if (row?.kind === 'folder') return what === 'dir' && row.name !== '..' ? row.path : undefined;
  if (row?.kind === 'archive') return what === 'dir' ? undefined : row.path;
  if (row?.kind !== 'image' || what !== 'oci') return undefined;
  return row.tag === undefined ? row.path : `${row.path}:${row.tag}`;
}

/** Ends of names that tar archives have; sealtree reads what is in them whatever they are called. */
export const ARCHIVE = /\.(tar(\.(gz|zst|xz))?|tgz|tzst|txz)$/;

/** A ref that goes with the name of a folder, a file or a tag: such as `import/web`. */
export function suggestedRef(row: ImportRow): string {
  const name =
    row.kind === 'image'
      ? (row.tag ?? row.name)
      : row.kind === 'archive'
        ? row.name.replace(ARCHIVE, '')
        : row.name;
  const fragments = name
    .replace(/^.*\//, '')
    .replaceAll(/[^\p{L}\p{N}_.-]+/gu, '-')
    .replace(/^[-.]+/, '');
  return `import/${fragments === '' ? 'tree' : fragments}`;
}

/** Words of the command: what the ref names now, if anything, becomes the parent. */
export const importWords = ({ what, source, ref }: Asked): string[] => [
  'import',
  what,
  '--ref',
  ref,
  '--parent',
  source,
];
