import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InterruptedError, NotFoundError, OperationError } from '../../src/base/errors.ts';
import { run, runAnyway } from '../../src/base/process.ts';

test('arguments reach the program as they are, in English', async () => {
  const { stdout } = await run('sh', ['-c', 'printf "%s|" "$LC_ALL" "$X" "$@"', 'sh', 'a b', '$HOME', ''], {
    env: { X: 'x', LC_ALL: 'de_DE.UTF-8' },
  });
  assert.equal(stdout.toString(), 'C|x|a b|$HOME||');
});

test('input is given, output comes back as bytes', async () => {
  const input = Buffer.from([0, 255, 10]);
  assert.deepEqual((await run('cat', [], { input })).stdout, input);
  assert.deepEqual((await run('cat', [])).stdout, Buffer.alloc(0));
});

test('a program may leave its input unread', async () => {
  await run('true', [], { input: Buffer.alloc(1 << 20) });
});

test('an exit code is an error that shows the end of stderr, unless it was asked for', async () => {
  const args = ['-c', 'echo out; echo first >&2; echo last >&2; exit 3'];
  await assert.rejects(run('sh', args), (error: unknown) => {
    assert.ok(error instanceof OperationError);
    assert.match(error.message, /^sh failed: exit code 3: first\nlast$/);
    assert.deepEqual(error.details, { program: 'sh', args, stderr: 'first\nlast' });
    return true;
  });
  assert.equal((await runAnyway('sh', args)).exitCode, 3);
});

test('a missing program, a slow one, a loud one, a killed one and an aborted one are told apart', async () => {
  await assert.rejects(run('no-such-program', []), NotFoundError);
  await assert.rejects(run('sleep', ['30'], { timeoutMs: 50 }), /took longer than 50 ms/);
  await assert.rejects(run('sh', ['-c', 'echo 12345'], { maxOutputBytes: 3 }), /wrote too much output/);
  await assert.rejects(run('sh', ['-c', 'kill -TERM $$']), /killed by SIGTERM/);
  await assert.rejects(run('sleep', ['30'], { signal: AbortSignal.timeout(20) }), InterruptedError);
});
