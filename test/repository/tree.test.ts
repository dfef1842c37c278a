import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { NotFoundError } from '../../src/base/errors.ts';
import { diffTrees, expandChange } from '../../src/repository/diff.ts';
import { type DirectoryNode, lookup, rootOf, treeSize, walk } from '../../src/repository/tree.ts';
import fc from '../support/fast-check.ts';
import { MemoryRepository } from '../support/memory-repository.ts';

/** A tree as a literal: a number is a file with that content, an object a folder; `''` is the folder's own mode. */
interface Literal {
  readonly [name: string]: number | Literal;
}

class Trees {
  readonly memory = new MemoryRepository();

  commit(root: Literal): DirectoryNode {
    const { tree, meta } = this.#folder(root);
    return rootOf(this.memory.open(), this.memory.commit(tree, { rootMeta: meta }));
  }

  #folder(literal: Literal): { tree: Checksum; meta: Checksum } {
    const { '': mode = 0o755, ...rest } = literal;
    const entries = Object.entries(rest)
      .map(([name, what]) => ({ name: textToBytes(name), what }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      tree: this.memory.dirtree({
        files: entries.flatMap(({ name, what }) =>
          typeof what === 'number'
            ? [{ name, checksum: what.toString(16).padStart(64, '0') as Checksum }]
            : [],
        ),
        dirs: entries.flatMap(({ name, what }) =>
          typeof what === 'number' ? [] : [{ name, ...this.#folder(what) }],
        ),
      }),
      meta: this.memory.dirmeta({ uid: 0, gid: 0, mode: 0o40000 | (mode as number), xattrs: [] }),
    };
  }
}

describe('looking up a path', () => {
  const trees = new Trees();
  const root = trees.commit({ a: 1, d: { e: { f: 2 }, naïve: 3 }, z: 4 });
  const repository = trees.memory.open();
  const find = (path: string) => lookup(repository, root, textToBytes(path));

  for (const [path, found] of [
    ['/', '/'],
    ['', '/'],
    ['.', '/'],
    ['/a', '/a'],
    ['a', '/a'],
    ['/d/e/f', '/d/e/f'],
    ['//d/./e//', '/d/e'],
    ['/d/naïve', '/d/naïve'],
  ] as const)
    it(`finds ${JSON.stringify(path)}`, () => assert.equal(find(path).path, textToBytes(found)));

  for (const path of ['/b', '/d/e/g', '/a/b', '/d/..', '..', '/A', '/d/e/f/g'])
    it(`misses ${path}`, () => assert.throws(() => find(path), NotFoundError));

  it('gives files before folders', () => {
    const paths = [...walk(repository, root)].map(({ path }) => path);
    assert.deepEqual(paths, ['/', '/a', '/z', '/d', '/d/naïve', '/d/e', '/d/e/f'].map(textToBytes));
    assert.deepEqual(
      [...walk(repository, find('/a'))].map(({ path }) => path),
      ['/a'],
    );
    assert.deepEqual(treeSize(repository, root.tree), { files: 4, directories: 2 });
  });
});

/** All changes of two literals in full, as `+/path`, `-/path`, `~/path`. */
function changes(before: Literal, after: Literal): string[] {
  const trees = new Trees();
  const a = trees.commit(before);
  const b = trees.commit(after);
  const repository = trees.memory.open();
  const signs = { added: '+', removed: '-', modified: '~' } as const;
  return [...diffTrees(repository, a, b)]
    .flatMap((change) => [...expandChange(repository, change)])
    .map(({ kind, path }) => signs[kind] + path);
}

describe('the difference of two trees', () => {
  const table: readonly (readonly [
    what: string,
    before: Literal,
    after: Literal,
    changes: readonly string[],
  ])[] = [
    ['nothing', { a: 1, d: { b: 2 } }, { a: 1, d: { b: 2 } }, []],
    ['content', { a: 1, b: 1 }, { a: 1, b: 2 }, ['~/b']],
    ['content below', { d: { e: { a: 1 } } }, { d: { e: { a: 2 } } }, ['~/d/e/a']],
    ['a new file', { a: 1 }, { a: 1, b: 2 }, ['+/b']],
    ['a new folder', {}, { d: { a: 1, e: {} } }, ['+/d', '+/d/a', '+/d/e']],
    ['a removed folder', { d: { a: 1, e: {} } }, {}, ['-/d', '-/d/a', '-/d/e']],
    ['metadata of a folder', { d: { '': 0o755, a: 1 } }, { d: { '': 0o700, a: 1 } }, ['~/d']],
    ['metadata and content', { d: { '': 0o755, a: 1 } }, { d: { '': 0o700, a: 2 } }, ['~/d', '~/d/a']],
    ['metadata of the root', { '': 0o755 }, { '': 0o700 }, ['~/']],
    ['a file that became a folder', { a: 1 }, { a: { b: 1 } }, ['~/a']],
    ['a folder that became a file', { a: { b: 1 } }, { a: 1 }, ['~/a']],
    ['a moved file', { a: 1, d: {} }, { d: { a: 1 } }, ['-/a', '+/d/a']],
    [
      'many things, in libostree’s order',
      { c: 1, gone: 1, d: { x: 1, old: { y: 1 } } },
      { c: 2, a: 1, d: { x: 2, new: 1 }, b: { z: 1 } },
      ['~/c', '-/gone', '~/d/x', '-/d/old', '-/d/old/y', '+/d/new', '+/a', '+/b', '+/b/z'],
    ],
  ];
  for (const [what, before, after, want] of table)
    it(`shows ${what}`, () => assert.deepEqual(changes(before, after), want));

  it('applied to the first tree gives the second one', () => {
    const { tree } = fc.letrec<{ tree: Literal; entry: number | Literal }>((tie) => ({
      tree: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), tie('entry'), {
        maxKeys: 4,
        noNullPrototype: true,
      }),
      entry: fc.oneof({ maxDepth: 3 }, fc.integer({ min: 1, max: 3 }), tie('tree')),
    }));
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        const trees = new Trees();
        const [a, b] = [trees.commit(before), trees.commit(after)];
        const repository = trees.memory.open();
        const shape = (root: DirectoryNode): Map<string, string> =>
          new Map(
            [...walk(repository, root)].map((node) => [
              node.path,
              node.kind === 'file' ? node.checksum : node.meta,
            ]),
          );
        const result = shape(a);
        for (const top of diffTrees(repository, a, b)) {
          for (const change of expandChange(repository, top)) {
            if (change.kind !== 'added') {
              // A change of kind takes away what was below.
              const below = change.before.kind === 'directory' && change.after?.kind !== 'directory';
              for (const path of result.keys())
                if (path === change.path || (below && path.startsWith(`${change.path}/`)))
                  result.delete(path);
            }
            const { after: now } = change;
            if (now === undefined) continue;
            const whole =
              change.kind === 'modified' && change.before.kind !== now.kind && now.kind === 'directory';
            for (const node of whole ? walk(repository, now) : [now])
              result.set(node.path, node.kind === 'file' ? node.checksum : node.meta);
          }
        }
        assert.deepEqual(new Map([...result].sort()), new Map([...shape(b)].sort()));
      }),
      { numRuns: 300 },
    );
  });
});

it('a huge folder is read in steps, and known afterwards', () => {
  const memory = new MemoryRepository();
  const names = Array.from({ length: 12_000 }, (_, i) => [`name-${i}`, 'file'] as const);
  const huge = memory.folder(Object.fromEntries(names));
  const small = memory.folder({ one: 'file', huge });
  const repository = memory.open();
  let steps = 0;
  const reading = repository.dirtreeSteps(huge);
  let step = reading.next();
  for (; !step.done; step = reading.next()) steps++;
  assert(steps > 2);
  assert.equal(step.value.files.length, 12_000);
  assert.equal(repository.dirtree(huge), step.value);
  assert.equal(repository.dirtreeSteps(small).next().done, true);
});
