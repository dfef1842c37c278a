/** Reads the files of a commit or an image: folders, entries, what a search finds, and content for the pager. */
import type { ByteString } from '../../../src/base/bytes.ts';
import { textToBytes } from '../../../src/base/bytes.ts';
import { NotFoundError, SealtreeError } from '../../../src/base/errors.ts';
import { type Subject, subjectKey } from '../../models/subject.ts';
import type { Reader, Source } from '../../reader.ts';
import { type Content, type FileNode, walkFiles } from '../../trees/file-tree.ts';
import { rest, Turns } from '../../turns.ts';
import { Best, matcherFor } from './fuzzy.ts';
import { hexdump } from './hexdump.ts';
import { readObjectFacts } from './object.ts';
import type { TreeRequest } from './state.ts';

type Of<T extends TreeRequest['type']> = Extract<TreeRequest, { type: T }>;

/** More paths than these nobody looks through: the best of all. */
const MAX_FOUND = 1000;

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
      case 'read-object':
        return this.#readObject(request, isStale);
      case 'search':
        // Letters that come in a burst are a request each: only the last one is for anybody.
        return isStale() ? undefined : this.#search(request, isStale);
    }
  }

  async #readFolder({ subject, path }: Of<'read-folder'>): Promise<void> {
    const { dispatch, files } = this.#source;
    const of = subjectKey(subject);
    try {
      const tree = files(subject);
      const folder = tree.lookup(path);
      const nodes = folder?.kind === 'directory' ? await new Turns().finish(tree.children(folder)) : [];
      dispatch({ type: 'folder-read', of, path, nodes });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'folder-failed', of, path, message: error.message });
    }
  }

  #readEntries({ subject, nodes }: Of<'read-entries'>): void {
    const { dispatch, files } = this.#source;
    try {
      const tree = files(subject);
      const entries = new Map(nodes.map((node) => [node.path, tree.facts(node)]));
      dispatch({ type: 'entries-read', of: subjectKey(subject), entries });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'notice', text: error.message });
    }
  }

  async #readObject(
    { subject, path, checksum, others }: Of<'read-object'>,
    isStale: () => boolean,
  ): Promise<void> {
    const { dispatch, repository } = this.#source;
    await rest();
    if (isStale()) return;
    try {
      const object = await readObjectFacts(repository(), subject, path, checksum, others, isStale);
      if (object !== undefined) dispatch({ type: 'object-read', of: subjectKey(subject), object });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'notice', text: error.message });
    }
  }

  async #search({ subject, text }: Of<'search'>, isStale: () => boolean): Promise<void> {
    const { dispatch, files } = this.#source;
    const of = subjectKey(subject);
    const words = text
      .split(' ')
      .filter((word) => word !== '')
      .map(textToBytes);
    const scoreOf = matcherFor(words);
    const best = new Best<FileNode>(MAX_FOUND);
    const turns = new Turns();
    let passed = 0;
    const tell = (isDone: boolean): void =>
      dispatch({ type: 'found', of, text, nodes: best.items, passed, isDone });
    try {
      for (const node of walkFiles(files(subject))) {
        if (node !== undefined) {
          passed++;
          const score = scoreOf(node.path);
          if (score !== undefined) best.add(node, score);
          if (passed % 256 !== 0) continue;
        }
        if (!turns.isOver) continue;
        if (isStale()) return;
        tell(false);
        await turns.next();
      }
      if (!isStale()) tell(true);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      tell(true);
      dispatch({ type: 'notice', text: `the search ended early: ${error.message}` });
    }
  }

  /** A file for the pager, as it is or as a hexdump; what is more than a pager should get is left out, and said. */
  async content(subject: Subject, path: ByteString, form: 'text' | 'hex'): Promise<Content> {
    const tree = this.#source.files(subject);
    const node = tree.lookup(path);
    if (node === undefined) throw new NotFoundError(`${path}: no such file`);
    const { bytes, isCut } = await tree.content(node, form === 'hex' ? MAX_HEX : MAX_TEXT);
    return { bytes: form === 'hex' ? hexdump(bytes) : bytes, isCut };
  }
}
