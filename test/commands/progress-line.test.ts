import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeStage, type ProgressChoice, progressLine } from '../../src/commands/progress-line.ts';
import { MemoryStream } from '../support/surroundings.ts';

/** Hashes 1000 objects of 1 MB in `seconds`, reporting after each. */
function work(
  choice: ProgressChoice,
  seconds: number,
  options: { isTerminal: boolean; columns?: number },
): string {
  let nowMs = 0;
  const stream = new MemoryStream(options);
  const progress = progressLine({ choice, stream, now: () => nowMs });
  progress.begin('hashing objects', 1000);
  for (let i = 0; i < 1000; i++) {
    nowMs += seconds;
    progress.advance(1, 1_000_000);
  }
  progress.begin('writing');
  nowMs += 10;
  progress.end();
  return stream.text;
}

describe('progress', () => {
  it('rewrites a line on a terminal and clears it', () => {
    const text = work('auto', 10, { isTerminal: true });
    assert.match(text, /\rhashing objects: 500\/1,000, 500 MB, 100 MB\/s, 5s left\x1b\[K/);
    assert(!text.includes('\n'));
    assert(text.endsWith('\r\x1b[K'));
  });

  it('never wraps the line', () => {
    for (const line of work('auto', 10, { isTerminal: true, columns: 20 }).split('\r'))
      assert(line.replace('\x1b[K', '').length < 20, line);
  });

  it('is not shown for what is done at once', () =>
    assert.equal(work('auto', 0.1, { isTerminal: true }), ''));

  it('is a line now and then elsewhere', () => {
    const lines = work('auto', 12, { isTerminal: false }).trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? '', /^hashing objects: 417\/1,000, 417 MB, 83\.\d MB\/s, 7s left$/);
    assert.match(lines[2] ?? '', /^hashing objects: .* done in 12s$/);
    assert.equal(work('auto', 1, { isTerminal: false }), '');
  });

  it('is JSON lines for programs', () => {
    const lines = work('json', 1, { isTerminal: false }).trimEnd().split('\n');
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(parsed[0], { stage: 'hashing objects', done: 0, total: 1000, bytes: 0, elapsedMs: 0 });
    assert.deepEqual(parsed[1], {
      stage: 'hashing objects',
      done: 500,
      total: 1000,
      bytes: 500_000_000,
      elapsedMs: 500,
      remainingMs: 500,
    });
    assert.deepEqual(parsed.at(-1), { stage: null });
  });

  it('can be turned off', () => assert.equal(work('none', 10, { isTerminal: true }), ''));

  it('says what it knows', () => {
    const stage = { name: 'reading', total: undefined, done: 3, bytes: 0, startedMs: 0 };
    assert.equal(describeStage(stage, 5000), 'reading: 3');
    assert.equal(describeStage({ ...stage, done: 0 }, 5000), 'reading');
  });
});
