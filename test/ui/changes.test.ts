/** What differs between commits and images, as found in their objects and inodes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { displayBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { ErofsImage } from '../../src/formats/erofs/read.ts';
import { buildImage } from '../../src/image/plan.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import {
  type SourceDirectory,
  sourceDirectory,
  sourceFile,
  sourceSymlink,
} from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { type Change, compareFiles } from '../../ui/screens/diff/changes.ts';
import { CommitTree } from '../../ui/trees/commit-tree.ts';
import type { FileTree } from '../../ui/trees/file-tree.ts';
import { ImageTree } from '../../ui/trees/image-tree.ts';
import { Sandbox } from '../support/sandbox.ts';

const file = (text: string, permissions = 0o644) => sourceFile(text, { permissions });
const large = 'more than an image holds itself '.repeat(10);

/** Each tree differs from the first one as its name says. */
const TREES: Readonly<Record<string, SourceDirectory>> = {
  first: treeOf({}),
  same: treeOf({}),
  added: treeOf({ new: sourceDirectory({ a: file('1'), b: file('22') }) }),
  grown: treeOf({ data: file(`${large}!`) }),
  small: treeOf({ note: file('nite') }),
  opened: treeOf({ data: file(large, 0o755) }),
  turned: treeOf({ link: sourceSymlink('data') }),
  filed: treeOf({ folder: file('a file now') }),
  emptied: treeOf({ folder: sourceDirectory({}) }),
};

function treeOf(entries: Parameters<typeof sourceDirectory>[0]): SourceDirectory {
  // Every image has these four; here the commits have them too.
  const mountPoints = ['boot', 'etc', 'sysroot', 'var'].map((name) => [name, sourceDirectory({})] as const);
  return sourceDirectory({
    ...Object.fromEntries(mountPoints),
    usr: sourceDirectory({
      data: file(large),
      folder: sourceDirectory({ x: file('x') }),
      link: sourceSymlink('note'),
      note: file('note'),
      ...entries,
    }),
  });
}

/** What is found between the first tree and another: changes depth-first, then the sums. */
const CASES: readonly (readonly [name: string, changes: readonly string[], bytes: number])[] = [
  ['same', [], 0],
  ['added', ['added /usr/new', 'added /usr/new/a', 'added /usr/new/b'], 3],
  ['grown', ['modified /usr/data'], 1],
  ['small', ['modified /usr/note'], 0],
  ['opened', ['modified /usr/data'], 0],
  ['turned', ['modified /usr/link'], 0],
  ['filed', ['removed /usr/folder', 'removed /usr/folder/x', 'added /usr/folder'], 9],
  ['emptied', ['removed /usr/folder/x'], -1],
];

const sandbox = new Sandbox();
const commits = new Map<string, FileTree>();
const images = new Map<string, FileTree>();

before(async () => {
  const path = sandbox.join('repo');
  initRepository(path, 'bare-user-only', linuxSystem);
  const repository = Repository.open(path, linuxSystem);
  const writer = await RepositoryWriter.open(repository, { fsync: false });
  const made: [string, Checksum][] = [];
  for (const [name, tree] of Object.entries(TREES))
    made.push([name, await writeCommitOf(writer, tree, { timestamp: 1 })]);
  writer.commit();
  for (const [name, commit] of made) {
    commits.set(name, new CommitTree(repository, commit));
    const { bytes } = await buildImage(repository, commit, { progress: silent() });
    images.set(name, new ImageTree(new ErofsImage(bytes, name), () => repository));
  }
});
after(() => sandbox.dispose());

async function compare(before: FileTree | undefined, after: FileTree | undefined) {
  assert(before !== undefined && after !== undefined);
  const comparison = await compareFiles(before, after, {
    isStale: () => false,
    onProgress: () => undefined,
  });
  assert(comparison !== undefined && !comparison.isCut);
  const found: string[] = [];
  const visit = (change: Change): void => {
    if (change.status !== 'same') found.push(`${change.status} ${displayBytes(change.path)}`);
    change.children.forEach(visit);
  };
  visit(comparison.root);
  return { found, totals: comparison.root.totals };
}

describe('differences', () => {
  for (const [name, changes, bytes] of CASES)
    for (const [what, from, to] of [
      ['commits', commits, commits],
      ['images', images, images],
      ['a commit and an image', commits, images],
      ['an image and a commit', images, commits],
    ] as const)
      it(`between ${what}: ${name}`, async () => {
        const { found, totals } = await compare(from.get('first'), to.get(name));
        assert.deepEqual(found, changes);
        const counted = (status: string): number => changes.filter((one) => one.startsWith(status)).length;
        assert.deepEqual(totals, {
          added: counted('added'),
          removed: counted('removed'),
          modified: counted('modified'),
          bytes,
        });
      });

  it('are not looked for where folders are equal', async () => {
    const first = commits.get('first') as FileTree;
    const opened: string[] = [];
    const watched: FileTree = {
      root: first.root,
      children(folder) {
        opened.push(displayBytes(folder.path));
        return first.children(folder);
      },
      lookup: (path) => first.lookup(path),
      facts: (node) => first.facts(node),
      content: (node, limit) => first.content(node, limit),
    };
    await compare(watched, commits.get('grown'));
    assert.deepEqual(opened, ['/', '/usr']);
  });

  it('end when nobody waits for them', async () => {
    const wide = Array.from({ length: 5000 }, (_, i) => [`f${i}`, file('x')] as const);
    const path = sandbox.join('wide');
    initRepository(path, 'bare-user-only', linuxSystem);
    const repository = Repository.open(path, linuxSystem);
    const writer = await RepositoryWriter.open(repository, { fsync: false });
    const none = await writeCommitOf(writer, sourceDirectory({}), { timestamp: 1 });
    const many = await writeCommitOf(writer, sourceDirectory(Object.fromEntries(wide)), { timestamp: 1 });
    writer.commit();
    const ended = compareFiles(new CommitTree(repository, none), new CommitTree(repository, many), {
      isStale: () => true,
      onProgress: () => undefined,
    });
    assert.equal(await ended, undefined);
  });
});
