/** The unfolded part of a tree of changes as rows. */
import type { ByteString } from '../../../src/base/bytes.ts';
import type { FileNode } from '../../trees/file-tree.ts';
import type { Change, Comparison, Status } from './changes.ts';

export interface ChangeRow {
  readonly change: Change;
  /** How deep it is drawn. */
  readonly depth: number;
}

/** What decides about the rows. */
export interface Unfolded {
  readonly comparison: Comparison | undefined;
  readonly shown: Readonly<Record<Status, boolean>>;
  readonly open: ReadonlySet<ByteString>;
  readonly folders: ReadonlyMap<ByteString, readonly FileNode[]>;
}

/** The rows below the root. A folder is shown while something in it is. */
export function rowsOf(unfolded: Unfolded): ChangeRow[] {
  const { comparison, open } = unfolded;
  if (comparison === undefined) return [];
  const rows: ChangeRow[] = [];
  // A stack, since a tree can be deeper than calls can.
  const stack = [{ changes: entriesOf(comparison.root, unfolded), at: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const change = top.changes[top.at++];
    if (change === undefined) {
      stack.pop();
      continue;
    }
    rows.push({ change, depth: stack.length - 1 });
    if (change.kind === 'directory' && open.has(change.path))
      stack.push({ changes: entriesOf(change, unfolded), at: 0 });
  }
  return rows;
}

/** What of a folder is shown: its changes, and where that is wanted what is the same in both. */
function entriesOf({ path, children }: Change, { shown, folders }: Unfolded): Change[] {
  const changes = children.filter((change) => isShown(change, shown));
  const nodes = shown.same ? folders.get(path) : undefined;
  if (nodes === undefined) return changes;
  const changed = new Set(children.map(({ name }) => name));
  const same = nodes.filter(({ name }) => !changed.has(name)).map(sameEntry);
  return [...changes, ...same].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isShown({ status, totals }: Change, shown: Unfolded['shown']): boolean {
  if (shown.same && status === 'same') return true;
  return (
    (shown.added && totals.added > 0) ||
    (shown.removed && totals.removed > 0) ||
    (shown.modified && totals.modified > 0)
  );
}

const sameEntry = ({ kind, path, name }: FileNode): Change => ({
  kind,
  path,
  name,
  status: 'same',
  children: [],
  totals: { added: 0, removed: 0, modified: 0, bytes: 0 },
});

/** The paths of all folders among the changes. */
export function foldersOf(root: Change): ByteString[] {
  const found: ByteString[] = [];
  const stack = [root];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.kind === 'file') continue;
    found.push(next.path);
    stack.push(...next.children);
  }
  return found;
}
