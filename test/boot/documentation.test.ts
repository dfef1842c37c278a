/** contrib/doc/boot.md is read when a machine does not boot: what the console says has to be found in it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { payloadFile } from '../../src/boot/payload.ts';
import { SETTING_KEYS } from '../../src/config/settings.ts';
import { PROJECT } from '../support/sealtree.ts';

const text = readFileSync(join(PROJECT, 'contrib/doc/boot.md'), 'utf8');

describe('documentation of the boot', () => {
  it('explains every check that can fail in the initramfs', () => {
    const script = payloadFile('seal-root').toString('utf8');
    const checks = [...script.matchAll(/\bfail(?:_unpinned)? "([^"$]*(?:\$\w+[^"$]*)*)"/g)]
      .map(([, check = '']) => check)
      .filter((check) => check !== '$@');
    assert(checks.length > 15, checks.join('\n'));
    for (const check of checks) assert(text.includes(check.replace('$name', 'NAME')), check);
  });

  it('names every setting with every word it takes', () => {
    for (const { key, words } of [SETTING_KEYS.policy, SETTING_KEYS.unpinned, SETTING_KEYS.onRefusal])
      for (const word of words) assert(text.includes(`\`${key} = ${word}\``), `${key} = ${word}`);
  });
});
