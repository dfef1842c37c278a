import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { shellWord } from '../../src/base/shell.ts';

test('plain words stay as they are', () => {
  for (const word of ['/ostree/repo', '--repo=/a', 'os/testing', 'a:b,c@d'])
    assert.equal(shellWord(word), word);
});

test('a shell reads every word as what it was', () => {
  const words = [
    '',
    'a b',
    "it's",
    '$HOME`id`"\\',
    '*?[a]',
    '~',
    '#',
    '!x',
    'a\nb',
    "\x1b[2J'\\n",
    'ü\u202e',
    'a;b&c',
  ];
  const line = `printf '%s\\0' ${words.map(shellWord).join(' ')}`;
  assert.deepEqual(execFileSync('bash', ['-c', line], { encoding: 'utf8' }).split('\0').slice(0, -1), words);
  assert.doesNotMatch(line, /[\x00-\x1f\u202e]/);
});
