/** The fuzzers of test/properties again, with as many mutants as a pipeline has time for. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { describeTally, fuzzTotals } from '../support/fuzz.ts';
import { PROJECT } from '../support/sealtree.ts';

process.env.SEALTREE_FUZZ_COUNT ??= '3000';

const folder = join(PROJECT, 'test/properties');

describe('fuzzers', async () => {
  for (const name of readdirSync(folder)) {
    if (/^fuzz-.*\.test\.ts$/.test(name)) await import(join(folder, name));
  }

  it('read at least 20,000 mutants, a third of them past the header checks', (t) => {
    t.diagnostic(`in all: ${describeTally(fuzzTotals)}`);
    if (process.env.SEALTREE_FUZZ_ONLY !== undefined) return;
    assert(fuzzTotals.mutants >= 20_000, `only ${fuzzTotals.mutants} mutants`);
    assert(fuzzTotals.pastHeader >= fuzzTotals.mutants / 3, `only ${fuzzTotals.pastHeader} past the header`);
  });
});
