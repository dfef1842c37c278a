/** Versions sort as systemd sorts them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { compareVersions } from '../../src/formats/version.ts';
import { runHost } from '../support/oracle.ts';
import { Random } from '../support/random.ts';

const ALPHABET = [...'0019aZb.-~^_+'];
const SIGNS = ['<', '==', '>'] as const;

const isMissing = spawnSync('systemd-analyze', ['--version']).error !== undefined;

it('random versions compare as systemd-analyze compares them', {
  skip: isMissing && 'no systemd-analyze',
}, () => {
  const random = new Random(11);
  const draw = (length: number): string => Array.from({ length }, () => random.pick(ALPHABET)).join('');
  const pairs = Array.from({ length: 400 }, (): [string, string] => {
    const a = draw(random.between(1, 6));
    // Mostly with a common start, so that the comparison gets somewhere.
    return [
      a,
      random.chance(0.7) ? a.slice(0, random.between(0, a.length)) + draw(2) : draw(random.between(0, 6)),
    ];
  });
  // One run for all: each start costs more than a comparison.
  const script = 'while [ $# -gt 0 ]; do systemd-analyze compare-versions -- "$1" "$2"; shift 2; done';
  const { stdout } = runHost(['sh', '-c', script, 'compare', ...pairs.flat()]);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, pairs.length);
  assert.deepEqual(
    pairs.map(([a, b]) => `${a} ${SIGNS[compareVersions(a, b) + 1]} ${b}`),
    lines.map((line) => line.replace(/^'' /, ' ').replace(/ ''$/, ' ')),
  );
});
