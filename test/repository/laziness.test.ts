/** What is not asked for is not read: object loads are counted, not time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { walkHistory } from '../../src/repository/commits.ts';
import { diffTrees } from '../../src/repository/diff.ts';
import {
  children,
  type DirectoryNode,
  dirtreesInPassing,
  lookup,
  rootOf,
  treeSize,
  walk,
} from '../../src/repository/tree.ts';
import { type Folder, MemoryRepository } from '../support/memory-repository.ts';

describe('history of 10,000 commits', () => {
  const memory = new MemoryRepository();
  const tree = memory.folder({});
  let head: Checksum | undefined;
  for (let i = 0; i < 10_000; i++) {
    const parent = head;
    head = memory.commit(tree, { parent, timestamp: i });
  }
  const newest = head!;
  memory.ref('heads/main', newest);

  it('opens two commits for the first entry', () => {
    const repository = memory.open();
    const history = walkHistory(repository, repository.resolve('main'));
    history.next();
    assert.equal(commits(memory), 2);
  });

  it('opens each commit once, and nothing of any tree', () => {
    const repository = memory.open();
    let count = 0;
    for (const _ of walkHistory(repository, newest)) count++;
    assert.equal(count, 10_000);
    assert.equal(commits(memory), 10_000);
    assert.equal(loads(memory).length, 10_000);
  });

  it('opens only the commits that carets pass', () => {
    const repository = memory.open();
    repository.resolve('main^^^');
    assert.equal(loads(memory).length, 3);
  });

  it('reads one folder of objects for a short checksum', () => {
    const repository = memory.open();
    assert.equal(repository.resolve(newest.slice(0, 20)), newest);
    assert.deepEqual(loads(memory), []);
  });
});

describe('a tree of more than a million entries', () => {
  const memory = new MemoryRepository();
  const many = (count: number, what: (i: number) => 'file' | Checksum, prefix: string): Folder =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, what(i)]));
  const leaf = memory.folder(many(100, () => 'file', 'file'));
  // A hundred different folders, each with a hundred folders of a hundred files.
  const middle = (i: number): Checksum =>
    memory.folder({ ...many(100, () => leaf, 'sub'), [`only-in-${i}`]: 'file' });
  const before = memory.commit(memory.folder(many(100, middle, 'dir')));
  const changed = memory.folder({ ...many(100, () => leaf, 'sub'), new: 'file' });
  const after = memory.commit(memory.folder(many(100, (i) => (i === 42 ? changed : middle(i)), 'dir')));

  it('is counted by loading each dirtree once', () => {
    const repository = memory.open();
    assert.deepEqual(treeSize(repository, repository.commit(before).rootTree), {
      files: 1_000_100,
      directories: 10_100,
    });
    assert.equal(loads(memory).length, 1 + 1 + 100 + 1);
  });

  it('opens only the folders on the way to the one that is listed', () => {
    const repository = memory.open();
    const folder = lookup(repository, rootOf(repository, before), textToBytes('/dir42/sub17'));
    assert.equal([...children(repository, folder as DirectoryNode)].length, 100);
    assert.equal(loads(memory).length, 4);
  });

  it('opens no more than a walk has reached', () => {
    const repository = memory.open();
    const nodes = walk(repository, rootOf(repository, before));
    for (let i = 0; i < 50; i++) nodes.next();
    assert.ok(loads(memory).length <= 4, String(loads(memory).length));
  });

  it('opens only what differs', () => {
    const repository = memory.open();
    const changes = [...diffTrees(repository, rootOf(repository, before), rootOf(repository, after))];
    assert.deepEqual(
      changes.map(({ kind, path }) => [kind, path]),
      [
        ['removed', '/dir42/only-in-42'],
        ['added', '/dir42/new'],
      ],
    );
    assert.equal(loads(memory).length, 2 + 2 + 2);
  });
});

it('walks over a whole commit keep what they come to first, and what they have just passed', () => {
  const memory = new MemoryRepository();
  const thousand = (prefix: string): Folder =>
    Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`${prefix}-${i}`, 'file']));
  const trees = Array.from({ length: 130 }, (_, i) => memory.folder(thousand(`${i}`)));
  const repository = memory.open();
  const first = dirtreesInPassing(repository);
  for (const tree of trees) first.dirtree(tree);
  first.dirtree(trees.at(-1) as Checksum);
  assert.equal(loads(memory).length, 130);
  const second = dirtreesInPassing(repository);
  for (const tree of trees) second.dirtree(tree);
  assert.equal(loads(memory).length, 130 + 30);
});

describe('trees made to be too much', () => {
  it('counts a tree that nobody could walk', () => {
    const memory = new MemoryRepository();
    let tree = memory.folder({ file: 'file' });
    for (let level = 0; level < 200; level++) tree = memory.folder({ a: tree, b: tree });
    const repository = memory.open();
    const { files } = treeSize(repository, tree);
    assert.equal(files, 2 ** 200);
    assert.equal(loads(memory).length, 201);
  });

  it('walks a chain of 5,000 folders without recursion', () => {
    const memory = new MemoryRepository();
    let tree = memory.folder({ end: 'file' });
    for (let level = 0; level < 5_000; level++) tree = memory.folder({ d: tree });
    const other = memory.commit(memory.folder({ d: tree }));
    const repository = memory.open();
    const root = rootOf(repository, memory.commit(tree));
    let last = root.path;
    let count = 0;
    for (const node of walk(repository, root)) {
      last = node.path;
      count++;
    }
    assert.equal(count, 5_002);
    assert.equal(last.length, 5_000 * 2 + '/end'.length);
    assert.equal(treeSize(repository, root.tree).directories, 5_000);
    assert.equal([...diffTrees(repository, root, rootOf(repository, other))].length, 2);
  });
});

const loads = (memory: MemoryRepository): readonly string[] =>
  memory.files.opened.filter((path) => path.includes('/objects/'));

const commits = (memory: MemoryRepository): number =>
  loads(memory).filter((path) => path.endsWith('.commit')).length;
