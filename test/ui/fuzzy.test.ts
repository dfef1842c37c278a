/** Search in paths by some of their letters. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import { Best, matcherFor } from '../../ui/screens/tree/fuzzy.ts';

const PATHS = [
  '/etc/ssh/sshd_config',
  '/usr/bin/bash',
  '/usr/bin/systemd-analyze',
  '/usr/lib/modules/6.12/vmlinuz',
  '/usr/lib/os-release',
  '/usr/lib/systemd/system/ssh.service',
  '/usr/share/doc/Makefile',
  '/usr/share/doc/makefile.txt',
];

/** What is found, the best one first. */
function search(text: string): string[] {
  const scoreOf = matcherFor(text.split(' ').map(textToBytes));
  const best = new Best<string>(3);
  for (const path of PATHS) {
    const score = scoreOf(textToBytes(path));
    if (score !== undefined) best.add(path, score);
  }
  return best.items;
}

const CASES: readonly (readonly [text: string, found: readonly string[]])[] = [
  ['vmlinuz', ['/usr/lib/modules/6.12/vmlinuz']],
  ['osrel', ['/usr/lib/os-release']],
  ['sshcfg', ['/etc/ssh/sshd_config']],
  ['ulsss', ['/usr/lib/systemd/system/ssh.service']],
  ['ssh serv', ['/usr/lib/systemd/system/ssh.service']],
  ['service ssh', ['/usr/lib/systemd/system/ssh.service']],
  ['Make', ['/usr/share/doc/Makefile']],
  ['make', ['/usr/share/doc/Makefile', '/usr/share/doc/makefile.txt']],
  ['hsab', []],
];

describe('fuzzy search', () => {
  for (const [text, found] of CASES) it(text, () => assert.deepEqual(search(text), found));

  it('prefers names to folders, and one piece to many', () =>
    assert.deepEqual(search('ssh'), [
      '/etc/ssh/sshd_config',
      '/usr/lib/systemd/system/ssh.service',
      '/usr/share/doc/Makefile',
    ]));

  it('keeps the best of many, among equals the first', () => {
    const best = new Best<number>(3);
    for (let i = 0; i < 1000; i++) best.add(i, i % 10);
    assert.deepEqual(best.items, [9, 19, 29]);
  });
});
