/** An entry of a tree as `ostree ls` prints it, and as JSON. */
import type { ByteString } from '../../base/bytes.ts';
import { isRegular, isSymlink, S_IFMT, typeLetter, typeName } from '../../base/mode.ts';
import type { Xattrs } from '../../base/xattrs.ts';
import type { FileHeader } from '../../formats/objects.ts';
import type { Repository } from '../../repository/repository.ts';
import type { TreeNode } from '../../repository/tree.ts';
import { jsonBytes } from '../output.ts';
import { xattrsText } from './variant.ts';

/** A node with what its dirmeta or content object says. */
export interface Entry extends FileHeader {
  readonly node: TreeNode;
  /** Bytes of a regular file; 0 for others, as ostree has it. */
  readonly size: number;
}

/** What a line without xattrs needs of an entry. */
export type PlainEntry = Omit<Entry, 'node' | 'xattrs'>;

export function readEntry(repository: Repository, node: TreeNode): Entry {
  if (node.kind === 'file') return { node, ...repository.content(node.checksum) };
  return { node, ...repository.dirmeta(node.meta), target: '' as ByteString, size: 0 };
}

/** {@link readEntry} for who shows no xattrs: reading those of every file takes as long as all the rest. */
export function readPlainEntry(repository: Repository, node: TreeNode): PlainEntry {
  if (node.kind === 'file') return repository.attributes(node.checksum);
  const { uid, gid, mode } = repository.dirmeta(node.meta);
  return { uid, gid, mode, target: '' as ByteString, size: 0 };
}

/**
 * `-00644 0 0     12 /path`, with checksums and xattrs before the path where asked for. Path and link target pass
 * through `shown`.
 */
export function entryLine(
  node: TreeNode,
  { mode, uid, gid, size, target }: PlainEntry,
  {
    checksum = false,
    xattrs,
  }: { readonly checksum?: boolean | undefined; readonly xattrs?: Xattrs | undefined },
  shown: (name: ByteString) => ByteString,
): ByteString {
  let line = `${modeText(mode)} ${uid} ${gid} ${size.toString().padStart(6)} `;
  if (checksum) line += node.kind === 'directory' ? `${node.tree} ${node.meta} ` : `${node.checksum} `;
  if (xattrs !== undefined) line += `{ ${xattrsText(xattrs)} } `;
  line += shown(node.path);
  return (isSymlink(mode) ? `${line} -> ${shown(target)}` : line) as ByteString;
}

const modeTexts = new Map<number, string>();

/** `-00644`; a tree has few different ones. */
function modeText(mode: number): string {
  let text = modeTexts.get(mode);
  if (text === undefined) {
    text = `${typeLetter(mode)}0${(mode & ~S_IFMT).toString(8).padStart(4, '0')}`;
    modeTexts.set(mode, text);
  }
  return text;
}

/** Keys in the order a person would ask; `size` only of regular files. */
export function entryJson(entry: Entry): Record<string, unknown> {
  const { node, mode, uid, gid, size, target, xattrs } = entry;
  return {
    path: jsonBytes(node.path),
    type: typeName(mode),
    mode: (mode & ~S_IFMT).toString(8).padStart(4, '0'),
    uid,
    gid,
    ...(isRegular(mode) ? { size } : {}),
    ...(isSymlink(mode) ? { target: jsonBytes(target) } : {}),
    ...(node.kind === 'directory'
      ? { treeChecksum: node.tree, metaChecksum: node.meta }
      : { checksum: node.checksum }),
    ...(xattrs.length === 0 ? {} : { xattrs: xattrsJson(xattrs) }),
  };
}

/** Xattrs as pairs of name and value: names are bytes too, so an object will not do. */
export function xattrsJson(xattrs: Xattrs): { name: unknown; value: unknown }[] {
  return xattrs.map(([name, value]) => ({ name: jsonBytes(name), value: jsonBytes(value) }));
}
