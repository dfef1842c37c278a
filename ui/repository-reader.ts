/**
 * Reads what screens ask for from the repository, in turns with the keys. Loaded with the first screen that needs it;
 * what it finds goes out as events.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ByteString, displayBytes, textToBytes } from '../src/base/bytes.ts';
import type { Checksum } from '../src/base/digest.ts';
import { SealtreeError } from '../src/base/errors.ts';
import type { System } from '../src/base/system.ts';
import { Repository } from '../src/repository/repository.ts';
import { children, lookup, rootOf, type TreeNode, walk } from '../src/repository/tree.ts';
import { repositoryOf } from './models/command-line.ts';
import { readCommitFacts } from './models/commit-facts.ts';
import { type HistoryRow, walkForest } from './models/commit-walk.ts';
import type { EntryFacts } from './models/entry.ts';
import { repositoryFailure } from './models/failure.ts';
import { hexdump } from './models/hexdump.ts';
import type { Event, Request, State } from './state.ts';

export interface ReaderOptions extends Pick<State, 'sysrootPath' | 'repositoryPath'> {
  readonly system: System;
  readonly dispatch: (event: Event) => void;
}

/** So long keys may wait for a piece of work. */
const TURN_MS = 12;

/** More paths than these nobody looks through; the search ends. */
const MAX_FOUND = 5000;

/** A pager gets no more of a file; the rest is what `sealtree cat` is for. */
const MAX_TEXT = 16 * 1024 * 1024;
const MAX_HEX = 1024 * 1024;

/** Reading that has a predecessor it ends. */
type Slot = 'read-commits' | 'read-commit' | 'read-entries' | 'search';

export class RepositoryReader {
  readonly #options: ReaderOptions;
  readonly #current: Partial<Record<Slot, Request>> = {};
  #repository: Repository | undefined;
  #history: History | undefined;
  #isStopped = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Ends what is under way. */
  stop(): void {
    this.#isStopped = true;
  }

  /** What is read from now on is read from disk. */
  reopen(): void {
    this.#repository = undefined;
    this.#history = undefined;
  }

  async answer(request: Request): Promise<void> {
    if (request.type !== 'read-folder') this.#current[request.type] = request;
    await nextTurn();
    switch (request.type) {
      case 'read-commits':
        return this.#readCommits(request);
      case 'read-commit':
        return this.#readCommit(request);
      case 'read-folder':
        return this.#readFolder(request);
      case 'read-entries':
        return this.#readEntries(request);
      case 'search':
        return this.#search(request);
    }
  }

  /** Whether nobody waits for this any more: something newer of its kind was asked for. */
  #isStale(request: Request): boolean {
    return this.#isStopped || (request.type !== 'read-folder' && this.#current[request.type] !== request);
  }

  #open(): Repository {
    this.#repository ??= Repository.open(repositoryOf(this.#options), this.#options.system);
    return this.#repository;
  }

  async #readCommits(request: Extract<Request, { type: 'read-commits' }>): Promise<void> {
    const { dispatch } = this.#options;
    const { reading, count } = request;
    try {
      if (this.#history?.reading !== reading) this.#history = openHistory(this.#open(), reading);
      const history = this.#history;
      while (!this.#isStale(request) && history.count < count) {
        const rows = history.take(count - history.count);
        const { refCount, isComplete } = history;
        dispatch({ type: 'commits-read', reading, rows, refCount, isComplete });
        if (isComplete) return;
        await nextTurn();
      }
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      this.#history = undefined;
      dispatch({ type: 'commits-failed', reading, failure: repositoryFailure(error, this.#options) });
    }
  }

  #readCommit(request: Extract<Request, { type: 'read-commit' }>): void {
    if (this.#isStale(request)) return;
    const { dispatch } = this.#options;
    try {
      dispatch({ type: 'commit-read', facts: readCommitFacts(this.#open(), request.checksum) });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'notice', text: error.message });
    }
  }

  #readFolder({ commit, path }: Extract<Request, { type: 'read-folder' }>): void {
    const { dispatch } = this.#options;
    try {
      const repository = this.#open();
      const folder = lookup(repository, rootOf(repository, commit), path);
      const nodes = folder.kind === 'directory' ? [...children(repository, folder)] : [];
      nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
      dispatch({ type: 'folder-read', commit, path, nodes });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'folder-failed', commit, path, message: error.message });
    }
  }

  #readEntries(request: Extract<Request, { type: 'read-entries' }>): void {
    if (this.#isStale(request)) return;
    const repository = this.#open();
    const entries = new Map(request.nodes.map((node) => [node.path, entryFacts(repository, node)]));
    this.#options.dispatch({ type: 'entries-read', commit: request.commit, entries });
  }

  async #search(request: Extract<Request, { type: 'search' }>): Promise<void> {
    const { commit, text } = request;
    const { dispatch } = this.#options;
    const words = text
      .split(' ')
      .filter((word) => word !== '')
      .map(textToBytes);
    const fits = matcher(words);
    let passed = 0;
    let found = 0;
    let nodes: TreeNode[] = [];
    let turnEnds = performance.now() + TURN_MS;
    const tell = (isDone: boolean): void => {
      dispatch({ type: 'found', commit, text, nodes, passed, isDone });
      nodes = [];
    };
    try {
      const repository = this.#open();
      for (const node of walk(repository, rootOf(repository, commit))) {
        if (passed++ > 0 && fits(node.path)) nodes.push(node);
        if (found + nodes.length >= MAX_FOUND) break;
        // Looking at the clock costs more than looking at a path.
        if (passed % 256 !== 0 || performance.now() < turnEnds) continue;
        found += nodes.length;
        tell(false);
        await nextTurn();
        if (this.#isStale(request)) return;
        turnEnds = performance.now() + TURN_MS;
      }
      if (!this.#isStale(request)) tell(true);
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
    const repository = this.#open();
    const node = lookup(repository, rootOf(repository, commit), path);
    const limit = form === 'hex' ? MAX_HEX : MAX_TEXT;
    const [content, isCut] =
      node.kind === 'file' ? await head(repository, node.checksum, limit) : [NONE, false];
    return { bytes: form === 'hex' ? hexdump(content) : content, isCut };
  }
}

const NONE = Buffer.alloc(0);

/** The walk over all commits, as far as it got. */
interface History {
  readonly reading: number;
  readonly refCount: number;
  readonly count: number;
  readonly isComplete: boolean;
  /** The next rows: at most so many, and no more than fit into a turn. */
  take(count: number): HistoryRow[];
}

function openHistory(repository: Repository, reading: number): History {
  const refs = repository.listRefs();
  const walking = walkForest(repository, refs);
  return {
    reading,
    refCount: refs.length,
    count: 0,
    isComplete: false,
    take(this: { count: number; isComplete: boolean }, count) {
      const rows: HistoryRow[] = [];
      const turnEnds = performance.now() + TURN_MS;
      while (rows.length < count && performance.now() < turnEnds) {
        const next = walking.next();
        if (next.done) {
          this.isComplete = true;
          break;
        }
        rows.push(next.value);
      }
      this.count += rows.length;
      return rows;
    },
  };
}

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
