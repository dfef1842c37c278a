/** Machines that do not do what a test expects end, and say what they did last. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runInGuest } from '../support/guest-script.ts';
import { describeSystem } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';

describeSystem('virtual machine', ['guest'], () => {
  const run = async (script: string, timeoutMs?: number) => {
    using work = new Sandbox();
    const timeout = timeoutMs === undefined ? {} : { timeoutMs };
    return await runInGuest(work.path, { script, disks: [], modules: [], files: {}, ...timeout });
  };

  it('gives back output and exit status of each step as they were', async () => {
    const { steps } = await run(`
      step bytes printf 'a\\000\\r\\n\\377'
      step failure sh -c 'echo wrong >&2; exit 3'
      step nothing true`);
    const seen = [...steps].map(([name, { status, bytes, stderr }]) => [
      name,
      status,
      bytes.toString('latin1'),
      stderr,
    ]);
    assert.deepEqual(seen, [
      ['bytes', 0, 'a\0\r\n\xff', ''],
      ['failure', 3, '', 'wrong\n'],
      ['nothing', 0, '', ''],
    ]);
  });

  it('fails with the console when the script ends early', async () => {
    await assert.rejects(
      run('exit 7'),
      /its console ends with:\n.*Attempted to kill init! exitcode=0x00000700/s,
    );
  });

  it('fails with the console when time runs out', async () => {
    await assert.rejects(run('sleep 1000', 4000), /did not end within 4 s; its console ends with:/);
  });
});
