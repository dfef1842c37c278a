/** Compares trees of files, and single files in full. */
import { displayBytes } from '../../../src/base/bytes.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import { isRegular } from '../../../src/base/mode.ts';
import { diffLines, unifiedDiffInTurns } from '../../../src/boot/diffs.ts';
import type { EntryFacts } from '../../models/entry.ts';
import type { Reader, Source } from '../../reader.ts';
import type { FileNode, FileTree } from '../../trees/file-tree.ts';
import { Turns } from '../../turns.ts';
import { compareFiles } from './changes.ts';
import { type ChangeFacts, type ContentDiff, changeKey, type DiffRequest, diffKey } from './state.ts';

type Of<T extends DiffRequest['type']> = Extract<DiffRequest, { type: T }>;

/** Files larger than this are not compared line by line. */
const MAX_TEXT = 512 * 1024;
/** Files that have so little in common are not worth more. */
const MAX_MS = 2000;

export class DiffReader implements Reader<DiffRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  answer(request: DiffRequest, isStale: () => boolean): Promise<void> | void {
    switch (request.type) {
      case 'compare':
        return this.#compare(request, isStale);
      case 'list-folder':
        return this.#listFolder(request);
      case 'read-change':
        return isStale() ? undefined : this.#readChange(request, isStale);
    }
  }

  async #compare(request: Of<'compare'>, isStale: () => boolean): Promise<void> {
    const { dispatch, files } = this.#source;
    const of = diffKey(request);
    try {
      const comparison = await compareFiles(files(request.before), files(request.after), {
        isStale,
        onProgress: (compared) => dispatch({ type: 'diff-progress', of, compared }),
      });
      if (comparison !== undefined) dispatch({ type: 'diff-read', of, comparison });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'diff-failed', of, message: error.message });
    }
  }

  async #listFolder({ before, after, path }: Of<'list-folder'>): Promise<void> {
    const { dispatch, files } = this.#source;
    const of = diffKey({ before, after });
    try {
      const tree = files(after);
      const folder = tree.lookup(path);
      const nodes = folder?.kind === 'directory' ? await new Turns().finish(tree.children(folder)) : [];
      dispatch({ type: 'diff-folder-read', of, path, nodes });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'diff-folder-read', of, path, nodes: [] });
      dispatch({ type: 'notice', text: error.message });
    }
  }

  async #readChange(request: Of<'read-change'>, isStale: () => boolean): Promise<void> {
    const facts = await this.#factsOf(request);
    if (!isStale()) this.#source.dispatch({ type: 'change-read', of: diffKey(request), facts });
  }

  async #factsOf({ before, after, path, status }: Of<'read-change'>): Promise<ChangeFacts> {
    const { files } = this.#source;
    const key = changeKey({ path, status });
    try {
      const [old, now] = [files(before), files(after)];
      const oldNode = status === 'added' ? undefined : old.lookup(path);
      const newNode = status === 'removed' ? undefined : now.lookup(path);
      const oldFacts = oldNode && old.facts(oldNode);
      const newFacts = newNode && now.facts(newNode);
      const name = displayBytes(path).slice(1);
      const content = await contentDiff(name, [old, oldNode, oldFacts], [now, newNode, newFacts]);
      return { key, before: oldFacts, after: newFacts, content };
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      return {
        key,
        before: undefined,
        after: undefined,
        content: { kind: 'failed', message: error.message },
      };
    }
  }
}

type Side = readonly [tree: FileTree, node: FileNode | undefined, facts: EntryFacts | undefined];

const isFile = (facts: EntryFacts | undefined): facts is EntryFacts =>
  facts !== undefined && facts.problem === undefined && isRegular(facts.mode);

async function contentDiff(name: string, before: Side, after: Side): Promise<ContentDiff> {
  const [oldFacts, newFacts] = [before[2], after[2]];
  if (!isFile(oldFacts) && !isFile(newFacts)) return { kind: 'none' };
  for (const facts of [oldFacts, newFacts])
    if (isFile(facts) && facts.sizeBytes > MAX_TEXT) return { kind: 'large' };
  const [old, now] = await Promise.all([contentOf(before), contentOf(after)]);
  if (old.equals(now)) return { kind: 'same' };
  if (old.includes(0) || now.includes(0)) return { kind: 'binary' };
  const diff = await unifiedDiffInTurns(name, old, now, MAX_MS);
  if (diff === undefined) return { kind: 'slow' };
  // The first two lines name the file, as the title does.
  return { kind: 'text', lines: diffLines(diff).slice(2) };
}

async function contentOf([tree, node, facts]: Side): Promise<Buffer> {
  return node !== undefined && isFile(facts) ? (await tree.content(node, MAX_TEXT)).bytes : Buffer.alloc(0);
}
