import assert from 'node:assert/strict';
import { it } from 'node:test';
import { finish, finishWith, type Steps } from '../../src/base/steps.ts';

function* counting(to: number, log: string[]): Steps<number> {
  for (let i = 1; i < to; i++) {
    log.push(`step ${i}`);
    yield;
  }
  log.push('last');
  return to;
}

it('steps are done to their end, with something else between any two', () => {
  const log: string[] = [];
  assert.equal(
    finishWith(counting(3, log), () => log.push('between')),
    3,
  );
  assert.deepEqual(log, ['step 1', 'between', 'step 2', 'between', 'last']);
  assert.equal(finish(counting(3, [])), 3);
});
