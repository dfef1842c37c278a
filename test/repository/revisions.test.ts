import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { FormatError, NotFoundError, UsageError } from '../../src/base/errors.ts';
import { S_IFLNK } from '../../src/base/mode.ts';
import { parseRefspec } from '../../src/repository/refs.ts';
import { MemoryRepository } from '../support/memory-repository.ts';

const memory = new MemoryRepository();
const tree = memory.folder({});
const first = memory.commit(tree, { timestamp: 1 });
const second = memory.commit(tree, { timestamp: 2, parent: first });
const orphan = memory.commit(tree, { timestamp: 3, parent: '0'.repeat(64) as Checksum });
memory.ref('heads/main', second);
memory.ref('heads/exampleos/x86_64/stable', first);
memory.ref('heads/exampleos/x86_64/testing', first);
memory.ref('heads/björn', first);
memory.ref('heads/.rsync_info', 'no checksum');
memory.ref('remotes/origin/exampleos/next', orphan);
memory.ref('remotes/origin/only', orphan);
memory.ref('remotes/other/exampleos/next', second);
memory.ref('mirrors/org.example.Os/main', first);
symlink('/repo/refs/heads/exampleos/alias', '../exampleos/x86_64/testing');
const repository = memory.open();

function symlink(path: string, target: string): void {
  memory.files.write(path, target);
  memory.files.files.get(path)!.mode = S_IFLNK | 0o777;
}

describe('resolving a revision', () => {
  const good: readonly (readonly [revision: string, commit: Checksum])[] = [
    ['main', second],
    ['main^', first],
    ['exampleos/x86_64/stable', first],
    ['exampleos/alias', first],
    ['björn', first],
    ['origin:exampleos/next', orphan],
    ['other:exampleos/next', second],
    ['other:exampleos/next^', first],
    ['origin/exampleos/next', orphan],
    ['only', orphan],
    ['org.example.Os:main', first],
    [second, second],
    [`${second}^`, first],
    [second.slice(0, 10), second],
    [`${second.slice(0, 63)}^`, first],
    ['f'.repeat(64), 'f'.repeat(64) as Checksum],
  ];
  for (const [revision, commit] of good)
    it(`finds ${revision.slice(0, 24)}`, () => assert.equal(repository.resolve(revision), commit));

  const bad: readonly (readonly [
    revision: string,
    family: typeof UsageError | typeof NotFoundError,
    message: RegExp,
  ])[] = [
    ['', UsageError, /not a revision/],
    ['^', UsageError, /not a revision/],
    ['-x', UsageError, /not a revision/],
    ['a//b', UsageError, /not a revision/],
    ['../config', UsageError, /not a revision/],
    ['a/../b', UsageError, /not a revision/],
    ['.hidden', UsageError, /not a revision/],
    ['a:b:c', UsageError, /not a revision/],
    ['a b', UsageError, /not a revision/],
    ['main\n', UsageError, /not a revision/],
    ['none', NotFoundError, /no ref or commit/],
    ['origin:none', NotFoundError, /no ref or commit/],
    ['exampleos', NotFoundError, /no ref or commit/],
    ['exampleos/x86_64/stable^', NotFoundError, /has no parent/],
    ['only^^', NotFoundError, /no object 0+\.commit/],
    ['eeeeeee', NotFoundError, /no ref or commit/],
  ];
  for (const [revision, family, message] of bad)
    it(`refuses ${JSON.stringify(revision)}`, () => {
      assert.throws(
        () => repository.resolve(revision),
        (error) => error instanceof family && message.test(error.message),
      );
    });

  it('names refs that look like the one asked for', () => {
    for (const [asked, meant] of [
      ['exampleos/x86_64/stabel', 'exampleos/x86_64/stable'],
      ['testing', 'exampleos/x86_64/testing'],
      ['x86_64', 'exampleos/x86_64/stable'],
    ] as const)
      assert.throws(
        () => repository.resolve(asked),
        (error) => error instanceof NotFoundError && (error.hint ?? '').includes(meant),
        asked,
      );
  });

  it('lists the commits an ambiguous short checksum could mean', () => {
    const crowded = new MemoryRepository();
    const commits = Array.from({ length: 40 }, (_, i) => crowded.commit(tree, { timestamp: i }));
    const initial = commits.map((commit) => commit[0]).find((digit, i, all) => all.indexOf(digit) !== i)!;
    const candidates = commits.filter((commit) => commit.startsWith(initial)).sort();
    assert.throws(
      () => crowded.open().resolve(initial),
      (error) =>
        error instanceof UsageError && assert.deepEqual(error.details.candidates, candidates) === undefined,
    );
  });
});

describe('listing refs', () => {
  const refspecs = (filter?: Parameters<typeof repository.listRefs>[0]): string[] =>
    repository.listRefs(filter).map(({ refspec }) => refspec);

  it('gives all of them, sorted', () => {
    assert.deepEqual(refspecs(), [
      'björn',
      'exampleos/alias',
      'exampleos/x86_64/stable',
      'exampleos/x86_64/testing',
      'main',
      'org.example.Os:main',
      'origin:exampleos/next',
      'origin:only',
      'other:exampleos/next',
    ]);
  });

  it('tells kinds, scopes and aliases', () => {
    const facts = new Map(
      repository
        .listRefs()
        .map(({ refspec, kind, scope, name, aliasOf }) => [refspec, [kind, scope, name, aliasOf]]),
    );
    assert.deepEqual(facts.get('main'), ['head', undefined, 'main', undefined]);
    assert.deepEqual(facts.get('origin:only'), ['remote', 'origin', 'only', undefined]);
    assert.deepEqual(facts.get('org.example.Os:main'), ['mirror', 'org.example.Os', 'main', undefined]);
    assert.deepEqual(facts.get('exampleos/alias'), [
      'head',
      undefined,
      'exampleos/alias',
      'exampleos/x86_64/testing',
    ]);
  });

  it('filters', () => {
    assert.deepEqual(refspecs({ kinds: ['mirror'] }), ['org.example.Os:main']);
    assert.deepEqual(refspecs({ prefix: 'exampleos/x86_64' }), [
      'exampleos/x86_64/stable',
      'exampleos/x86_64/testing',
    ]);
    assert.deepEqual(refspecs({ prefix: 'exampleos/x86' }), []);
    assert.deepEqual(refspecs({ prefix: 'origin:' }), ['origin:exampleos/next', 'origin:only']);
    assert.deepEqual(refspecs({ prefix: 'main' }), ['main']);
  });

  for (const [why, content] of [
    ['is empty', ''],
    ['holds no checksum', 'hello\n'],
    ['holds an upper-case checksum', 'A'.repeat(64)],
    ['holds two checksums', `${first}\n${second}\n`],
  ] as const)
    it(`refuses a ref that ${why}`, () => {
      const broken = new MemoryRepository();
      broken.files.write('/repo/refs/heads/broken', content);
      assert.throws(() => broken.open().listRefs(), FormatError);
      assert.throws(() => broken.open().resolve('broken'), FormatError);
    });

  it('refuses an alias of nothing', () => {
    symlink('/repo/refs/heads/dangling', 'nothing');
    assert.throws(() => repository.listRefs(), FormatError);
    memory.files.files.delete('/repo/refs/heads/dangling');
  });
});

describe('refspecs', () => {
  it('are split', () => {
    assert.deepEqual(parseRefspec('a/b-c.d_e'), { scope: undefined, name: 'a/b-c.d_e' });
    assert.deepEqual(parseRefspec('org.example.Os:a/b'), { scope: 'org.example.Os', name: 'a/b' });
    for (const bad of ['', ':', 'a:', ':a', '/a', 'a/', 'a/b:c', 'a/-b', 'a/.b', 'a\0'])
      assert.equal(parseRefspec(bad), undefined, bad);
  });

  it('have words of ASCII and of other letters alike', () => {
    const isName = (name: string): boolean => parseRefspec(name) !== undefined;
    // A letter beyond ASCII changes what the name is matched with, and nothing that is said of its other characters.
    for (let code = 0; code < 0x80; code++) {
      const c = String.fromCharCode(code);
      assert.equal(isName(c), /^\w$/.test(c), `${code} alone`);
      assert.equal(isName(`${c}a`), isName(`${c}é`), `${code} in front`);
      assert.equal(isName(`a${c}a`), isName(`é${c}é`), `${code} between`);
    }
    assert.deepEqual(parseRefspec('é:a/ü1'), { scope: 'é', name: 'a/ü1' });
    assert.equal(parseRefspec('a/€'), undefined);
  });
});
