/** An entry of a tree as `ostree ls` prints it, and as JSON. */
import type { ByteString } from '../../base/bytes.ts';
import { isRegular, isSymlink, S_IFMT, typeLetter, typeName } from '../../base/mode.ts';
import { NO_XATTRS, type Xattrs } from '../../base/xattrs.ts';
import type { FileHeader } from '../../formats/objects.ts';
import type { Repository } from '../../repository/repository.ts';
import type { DirectoryNode, TreeNode } from '../../repository/tree.ts';
import { jsonBytes } from '../output.ts';
import { xattrsText } from './variant.ts';

/** What a dirmeta or content object says. */
export interface Entry extends FileHeader {
  /** Bytes of a regular file; 0 for others, as ostree has it. */
  readonly size: number;
}

/** What a line needs of an entry; xattrs only where they are shown. */
export type PlainEntry = Omit<Entry, 'xattrs'> & Partial<Pick<Entry, 'xattrs'>>;

export function readEntry(repository: Repository, node: TreeNode): Entry {
  return node.kind === 'file' ? repository.content(node.checksum) : folderEntry(repository, node);
}

/** {@link readEntry} for who shows no xattrs: reading those of every file takes as long as all the rest. */
export function readPlainEntry(repository: Repository, node: TreeNode): PlainEntry {
  return node.kind === 'file' ? repository.attributes(node.checksum) : folderEntry(repository, node);
}

const folderEntry = (repository: Repository, { meta }: DirectoryNode): Entry => ({
  ...repository.dirmeta(meta),
  target: '' as ByteString,
  size: 0,
});

/**
 * `-00644 0 0     12 /path`, with checksums and xattrs before the path where asked for. Path and link target pass
 * through `shown`.
 */
export function entryLine(
  node: TreeNode,
  entry: PlainEntry,
  { checksum, xattrs }: { readonly checksum: boolean; readonly xattrs: boolean },
  shown: (name: ByteString) => ByteString,
): ByteString {
  let line = `${startOfLine(entry)}${entry.size.toString().padStart(6)} `;
  if (checksum) line += node.kind === 'directory' ? `${node.tree} ${node.meta} ` : `${node.checksum} `;
  if (xattrs) line += `{ ${xattrsText(entry.xattrs ?? NO_XATTRS)} } `;
  line += shown(node.path);
  return (isSymlink(entry.mode) ? `${line} -> ${shown(entry.target)}` : line) as ByteString;
}

/** By mode, of which a tree has few: how the last line with it began. */
const starts = new Map<number, { readonly uid: number; readonly gid: number; readonly text: string }>();

/** `-00644 0 0 `: of files with one mode nearly all have one owner. */
function startOfLine({ mode, uid, gid }: PlainEntry): string {
  const last = starts.get(mode);
  if (last?.uid === uid && last.gid === gid) return last.text;
  const text = `${typeLetter(mode)}0${(mode & ~S_IFMT).toString(8).padStart(4, '0')} ${uid} ${gid} `;
  starts.set(mode, { uid, gid, text });
  return text;
}

/** Keys in the order a person would ask; `size` only of regular files. */
export function entryJson(node: TreeNode, entry: Entry): Record<string, unknown> {
  const { mode, uid, gid, size, target, xattrs } = entry;
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
