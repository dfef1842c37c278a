/** Reads the files of a commit: folders, entries, paths that hold some words, and content for the pager. */
import { type ByteString, displayBytes, textToBytes } from '../../../src/base/bytes.ts';
import type { Checksum } from '../../../src/base/digest.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import type { Repository } from '../../../src/repository/repository.ts';
import { children, lookup, rootOf, type TreeNode, walk } from '../../../src/repository/tree.ts';
import type { EntryFacts } from '../../models/entry.ts';
import type { Reader, Source } from '../../readers.ts';
import { Turns } from '../../turns.ts';
import { hexdump } from './hexdump.ts';
import type { TreeRequest } from './state.ts';

/** More paths than these nobody looks through; the search ends. */
const MAX_FOUND = 5000;

/** A pager gets no more of a file; the rest is what `sealtree cat` is for. */
const MAX_TEXT = 16 * 1024 * 1024;
const MAX_HEX = 1024 * 1024;

export class TreeReader implements Reader<TreeRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  answer(request: TreeRequest, isStale: () => boolean): Promise<void> | void {
    switch (request.type) {
      case 'read-folder':
        // Several folders are unfolded at once: none stands for the other.
        return this.#readFolder(request);
      case 'read-entries':
        return isStale() ? undefined : this.#readEntries(request);
      case 'search':
        return this.#search(request, isStale);
    }
  }

  #readFolder({ commit, path }: Extract<TreeRequest, { type: 'read-folder' }>): void {
    const { dispatch } = this.#source;
    try {
      const repository = this.#source.repository();
      const folder = lookup(repository, rootOf(repository, commit), path);
      const nodes = folder.kind === 'directory' ? [...children(repository, folder)] : [];
      nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
      dispatch({ type: 'folder-read', commit, path, nodes });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'folder-failed', commit, path, message: error.message });
    }
  }

  #readEntries(request: Extract<TreeRequest, { type: 'read-entries' }>): void {
    const repository = this.#source.repository();
    const entries = new Map(request.nodes.map((node) => [node.path, entryFacts(repository, node)]));
    this.#source.dispatch({ type: 'entries-read', commit: request.commit, entries });
  }

  async #search(
    { commit, text }: Extract<TreeRequest, { type: 'search' }>,
    isStale: () => boolean,
  ): Promise<void> {
    const { dispatch } = this.#source;
    const words = text
      .split(' ')
      .filter((word) => word !== '')
      .map(textToBytes);
    const fits = matcher(words);
    let passed = 0;
    let found = 0;
    let nodes: TreeNode[] = [];
    const turns = new Turns();
    const tell = (isDone: boolean): void => {
      dispatch({ type: 'found', commit, text, nodes, passed, isDone });
      nodes = [];
    };
    try {
      const repository = this.#source.repository();
      for (const node of walk(repository, rootOf(repository, commit))) {
        if (passed++ > 0 && fits(node.path)) nodes.push(node);
        if (found + nodes.length >= MAX_FOUND) break;
        // Looking at the clock costs more than looking at a path.
        if (passed % 256 !== 0 || !turns.isOver) continue;
        found += nodes.length;
        tell(false);
        await turns.next();
        if (isStale()) return;
      }
      if (!isStale()) tell(true);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      tell(true);
      dispatch({ type: 'notice', text: `the search ended early: ${error.message}` });
    }
  }

  /** A file for the pager, as it is or as a hexdump; what is more than a pager should get is left out, and said. */
  async content(
    commit: Checksum,
    path: ByteString,
    form: 'text' | 'hex',
  ): Promise<{ readonly bytes: Buffer; readonly isCut: boolean }> {
    const repository = this.#source.repository();
    const node = lookup(repository, rootOf(repository, commit), path);
    const limit = form === 'hex' ? MAX_HEX : MAX_TEXT;
    const [content, isCut] =
      node.kind === 'file' ? await head(repository, node.checksum, limit) : [NONE, false];
    return { bytes: form === 'hex' ? hexdump(content) : content, isCut };
  }
}

const NONE = Buffer.alloc(0);

/** Every word is in the path; capitals count only where the words have some. */
function matcher(words: readonly ByteString[]): (path: ByteString) => boolean {
  if (words.some((word) => /[A-Z]/.test(word))) return (path) => words.every((word) => path.includes(word));
  return (path) => {
    const lower = path.toLowerCase();
    return words.every((word) => lower.includes(word));
  };
}

/** What dirmeta or content object say; one that cannot be read says why. */
function entryFacts(repository: Repository, node: TreeNode): EntryFacts {
  const isFolder = node.kind === 'directory';
  const objectPath = isFolder
    ? repository.objectPath(node.tree, 'dirtree')
    : repository.objectPath(node.checksum, 'file');
  try {
    if (isFolder) {
      const { mode, uid, gid, xattrs } = repository.dirmeta(node.meta);
      return { mode, uid, gid, xattrs, sizeBytes: 0, target: '' as ByteString, objectPath, ...KNOWN };
    }
    const { size, mode, uid, gid, xattrs, target } = repository.content(node.checksum);
    const links = repository.system.lstatIfExists(objectPath)?.nlink;
    return { mode, uid, gid, xattrs, sizeBytes: size, target, objectPath, ...KNOWN, links };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return { ...NOTHING, objectPath, problem: `${displayBytes(node.path)}: ${error.message}` };
  }
}

const KNOWN = { links: undefined, problem: undefined } as const;
const NOTHING = {
  mode: 0,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  target: '' as ByteString,
  xattrs: [],
  links: undefined,
} as const;

/** Ends the reading of a content that is larger than wanted. */
class Enough extends Error {}

/** The first `limit` bytes of a content, and whether there are more. */
async function head(repository: Repository, checksum: Checksum, limit: number): Promise<[Buffer, boolean]> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    await repository.readContent(checksum, (chunk) => {
      if (length + chunk.length > limit) {
        chunks.push(Buffer.from(chunk.subarray(0, limit - length)));
        throw new Enough();
      }
      chunks.push(Buffer.from(chunk));
      length += chunk.length;
    });
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
    return [Buffer.concat(chunks), true];
  }
  return [Buffer.concat(chunks), false];
}
