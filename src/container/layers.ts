/** Layers laid over one another, with whiteouts as the OCI has them (image-spec, layer.md). */
import { type ByteString, displayBytes } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';
import { type NewFolder, type NewNode, newFolder } from '../repository/new-tree.ts';

const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** What aufs keeps for itself. */
const AUFS = '.wh..wh.';

/**
 * Lays a layer over a tree, which is changed; the layer may be used again.
 * @throws FormatError where a layer has files below what is no folder without saying that it is one
 */
export function applyLayer(lower: NewFolder, layer: NewFolder, where: string): void {
  applyFolder(lower, layer, where, '' as ByteString);
}

function applyFolder(lower: NewFolder, layer: NewFolder, where: string, path: ByteString): void {
  lower.meta = layer.meta ?? lower.meta;
  // Whiteouts are about the layers below only, wherever in the archive they stood.
  for (const [name, { kind }] of layer.entries) {
    if (kind !== 'whiteout') continue;
    if (name === OPAQUE) lower.entries.clear();
    else if (!name.startsWith(AUFS)) lower.entries.delete(hidden(name, where, path));
  }
  for (const [name, node] of layer.entries) {
    if (node.kind === 'whiteout') continue;
    if (node.kind !== 'folder') {
      lower.entries.set(name, node);
      continue;
    }
    const below = folderBelow(lower.entries.get(name), node, where, `${path}/${name}` as ByteString);
    lower.entries.set(name, below);
    applyFolder(below, node, where, `${path}/${name}` as ByteString);
  }
}

function hidden(name: ByteString, where: string, path: ByteString): ByteString {
  const rest = name.slice(PREFIX.length);
  if (rest === '' || rest === '.' || rest === '..')
    throw new FormatError(
      `${where}: ${displayBytes(`${path}/${name}` as ByteString)}`,
      'a whiteout of no name',
    );
  return rest as ByteString;
}

function folderBelow(
  found: NewNode | undefined,
  node: NewFolder,
  where: string,
  path: ByteString,
): NewFolder {
  if (found?.kind === 'folder') return found;
  // Some programs would follow a symlink here, others replace it.
  if (found !== undefined && node.meta === undefined)
    throw new FormatError(
      `${where}: ${displayBytes(path)}`,
      `files below it, and in the layers below it is a ${found.kind}`,
    );
  return newFolder();
}
