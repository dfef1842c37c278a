import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BoundedCache } from '../../src/repository/cache.ts';

it('never holds more than its limit, and keeps what is in use', () => {
  const cache = new BoundedCache<number, string>(100);
  for (let i = 0; i < 1000; i++) {
    cache.set(i, `value ${i}`);
    assert.equal(cache.get(i), `value ${i}`);
    assert.equal(cache.get(0), 'value 0', 'used at each turn');
    let held = 0;
    for (let j = 1; j <= i - 100; j++) if (cache.get(j) !== undefined) held++;
    assert.equal(held, 0, 'not used for a hundred turns');
  }
});

it('weighs values', () => {
  const cache = new BoundedCache<string, number>(10, (value) => value);
  cache.set('a', 3);
  cache.set('b', 3);
  cache.set('c', 3);
  assert.deepEqual(
    [cache.get('a'), cache.get('b'), cache.get('c')].filter((value) => value !== undefined).length <= 3,
    true,
  );
  cache.set('large', 50);
  assert.equal(cache.get('large'), 50, 'what was set last can always be had');
  assert.equal(cache.get('a'), undefined);
});
