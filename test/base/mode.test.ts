import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isKnownType, S_IFMT, typeLetter } from '../../src/base/mode.ts';

it('the types of files that are known are those with a letter', () => {
  const known: string[] = [];
  for (let type = 0; type <= S_IFMT; type += 0o010000) {
    const mode = type | 0o7777;
    assert.equal(isKnownType(mode), typeLetter(mode) !== '?', mode.toString(8));
    if (isKnownType(mode)) known.push(typeLetter(mode));
  }
  assert.equal(known.join(''), 'pcdb-ls');
});
