import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareVersions } from '../../src/formats/version.ts';
import fc from '../support/fast-check.ts';

/** Each list from old to new. */
const ASCENDING: readonly (readonly string[])[] = [
  // Confirmed with systemd-analyze compare-versions of systemd 252, pair by pair.
  [
    '~',
    '',
    'ab',
    'abb',
    'abc',
    '0001',
    '002',
    '12',
    '122',
    '122.9',
    '123~rc1',
    '123',
    '123-a',
    '123-a.1',
    '123-a1',
    '123-a1.1',
    '123-3',
    '123-3.1',
    '123^patch1',
    '123^1',
    '123.a-1',
    '123.1-1',
    '123a-1',
    '124',
  ],
  ['1~rc1', '1', '1-1', '1^post', '1.1'],
  ['2', '10'],
  ['6.1.0-9-amd64', '6.1.0-10-amd64', '6.12.0-1-amd64'],
  ['A', 'B', 'Z', 'a'],
  ['ostree-1', 'ostree-2', 'ostree-10'],
];

const EQUAL: readonly (readonly [string, string])[] = [
  ['', ''],
  ['01', '1'],
  ['1_', '1'],
  ['1.2+3', '1.2 3'],
  ['000', '0'],
  ['é1', '1'],
];

describe('version order', () => {
  for (const list of ASCENDING) {
    it(`goes up along ${list.join(' < ')}`, () => {
      for (let i = 0; i < list.length; i++)
        for (let j = 0; j < list.length; j++)
          assert.equal(compareVersions(list[i]!, list[j]!), Math.sign(i - j), `${list[i]} ? ${list[j]}`);
    });
  }

  for (const [a, b] of EQUAL) {
    it(`takes ${JSON.stringify(a)} and ${JSON.stringify(b)} for equal`, () => {
      assert.equal(compareVersions(a, b), 0);
      assert.equal(compareVersions(b, a), 0);
    });
  }

  it('compares numbers of any length', () => {
    const nines = '9'.repeat(10_000);
    assert.equal(compareVersions(`1.${nines}`, `1.1${'0'.repeat(10_000)}`), -1);
    assert.equal(compareVersions(`1.0${nines}`, `1.${nines}`), 0);
  });

  it('is a total order', () => {
    const version = fc.string({ unit: fc.constantFrom(...'019aZ.-~^_'), maxLength: 8 });
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        assert.equal(compareVersions(a, a), 0);
        assert.equal(compareVersions(a, b), -compareVersions(b, a) || 0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          assert.ok(compareVersions(a, c) <= 0, `${a} <= ${b} <= ${c}`);
      }),
      { numRuns: 2000 },
    );
  });
});
