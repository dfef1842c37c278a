/** How work stops that waits for others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { InterruptedError } from '../../src/base/errors.ts';
import { Progress } from '../../src/base/progress.ts';

describe('waiting for what others do', () => {
  it('ends with their answer, or with their failure', async () => {
    for (const progress of [new Progress(), new Progress({ signal: new AbortController().signal })]) {
      assert.equal(await progress.waitFor(Promise.resolve(7)), 7);
      await assert.rejects(progress.waitFor(Promise.reject(new Error('theirs'))), /theirs/);
    }
  });

  it('ends when the work is told to stop, and what they fail with afterwards disturbs nobody', async () => {
    const controller = new AbortController();
    const others = Promise.withResolvers<void>();
    const waiting = new Progress({ signal: controller.signal }).waitFor(others.promise);
    controller.abort();
    await assert.rejects(waiting, InterruptedError);
    others.reject(new Error('too late'));
    await setImmediate();
  });

  it('does not begin when it was told so before', async () => {
    const progress = new Progress({ signal: AbortSignal.abort() });
    await assert.rejects(progress.waitFor(Promise.resolve()), InterruptedError);
    await assert.rejects(progress.waitFor(Promise.reject(new Error('theirs'))), InterruptedError);
    await setImmediate();
  });
});
