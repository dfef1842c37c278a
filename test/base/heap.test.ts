import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** Keeps a few of very many strings, one after the other, and says how large the room for new ones was at most. */
const SURVIVORS = `
const kept = [];
let most = 0;
for (let i = 0; i < 2_000_000; i++) {
  kept[i % 100_000] = 'name ' + i.toString(36);
  if (i % 1000 === 0) most = Math.max(most, new_space());
}
function new_space() {
  return v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size;
}
console.log(most);`;

test('the room for new objects grows no more once it is to be small', () => {
  const heap = new URL('../../src/base/heap.ts', import.meta.url);
  const room = (first: string): number => {
    const program = `import v8 from 'node:v8'; import { keepYoungHeapSmall } from '${heap}'; ${first}; ${SURVIVORS}`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    return Number(stdout);
  };
  const [small, usual] = [room('keepYoungHeapSmall()'), room('')];
  assert.ok(small <= usual / 4, `${small} of ${usual} bytes`);
});
