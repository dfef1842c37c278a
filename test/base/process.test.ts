import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { InterruptedError, NotFoundError, OperationError } from '../../src/base/errors.ts';
import { follow, pipe, run, runAnyway, runOnTerminal } from '../../src/base/process.ts';

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

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

test('piped output comes in pieces, whatever its size', async () => {
  const input = Buffer.alloc(3 << 20, 'some bytes');
  let pieces = 0;
  for await (const piece of pipe('cat', [], { input })) {
    assert(piece.length < input.length);
    pieces++;
  }
  assert(pieces > 1);
  assert((await collect(pipe('cat', [], { input }))).equals(input));
});

test('a piped program ends when nobody reads on', async () => {
  const began = performance.now();
  for await (const piece of pipe('sh', ['-c', 'echo one; exec sleep 30'])) {
    assert.equal(piece.toString(), 'one\n');
    break;
  }
  assert(performance.now() - began < 20_000);
});

test('what becomes of a piped program is told at the end of its output', async () => {
  await assert.rejects(collect(pipe('no-such-program', [])), NotFoundError);
  await assert.rejects(collect(pipe('sh', ['-c', 'echo out; echo why >&2; exit 3'])), /exit code 3: why$/);
  await assert.rejects(collect(pipe('sh', ['-c', 'kill -TERM $$'])), /killed by SIGTERM/);
  await assert.rejects(collect(pipe('sleep', ['30'], { timeoutMs: 50 })), /took longer than 50 ms/);
  await collect(pipe('true', [], { input: Buffer.alloc(1 << 20) }));
});

test('a program that has the terminal gets its input, may leave it unread, and Ctrl-C is its own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sealtree-'));
  try {
    const path = join(folder, 'got');
    const listeners = process.listenerCount('SIGINT');
    const shown = runOnTerminal('sh', ['-c', 'cat > "$1"; exit 3', 'sh', path], Buffer.from('shown'));
    assert.equal(process.listenerCount('SIGINT'), listeners + 1);
    await shown;
    assert.equal(readFileSync(path, 'utf8'), 'shown');
    assert.equal(process.listenerCount('SIGINT'), listeners);
    await runOnTerminal('true', [], Buffer.alloc(1 << 20));
    await assert.rejects(runOnTerminal('no-such-program', [], Buffer.alloc(0)), NotFoundError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a program is followed line by line, and stops as after Ctrl-C', async () => {
  const lines: string[] = [];
  const script = 'echo one >&2; printf "two\\nthr" >&2; echo out; printf ee >&2; exit 3';
  const { exitCode, stdout, stderr } = await follow('sh', ['-c', script], (line) => lines.push(line)).ended;
  assert.deepEqual([exitCode, stdout.toString(), stderr], [3, 'out\n', 'one\ntwo\nthree']);
  assert.deepEqual(lines, ['one', 'two', 'three']);
  const sleeping = follow('sleep', ['30'], () => undefined);
  sleeping.stop();
  assert.equal((await sleeping.ended).exitCode, 130);
  await assert.rejects(follow('no-such-program', [], () => undefined).ended, NotFoundError);
});
