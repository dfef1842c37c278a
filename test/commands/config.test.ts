/** `sealtree config show`. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { Keyfile } from '../../src/formats/keyfile.ts';
import { Sandbox } from '../support/sandbox.ts';
import { memorySurroundings } from '../support/surroundings.ts';

let work: Sandbox;
beforeEach(() => {
  work = new Sandbox();
});
afterEach(() => work.dispose());

async function show(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const surroundings = memorySurroundings();
  const line = ['config', 'show', '--root', work.path, ...args];
  const exitCode = await runProgram(line, surroundings, { version: '1', commands: COMMANDS });
  return { exitCode, stdout: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

const USR = '/usr/lib/sealtree/sealtree.conf';
const ETC = '/etc/sealtree/sealtree.conf.d/60-local.conf';

describe('config show', () => {
  beforeEach(() => {
    work.write(USR.slice(1), '[boot]\npolicy=enforce\n');
    work.write(ETC.slice(1), '[boot]\non-refusal=reboot\n');
    work.write('usr/lib/sealtree/sealtree.conf.d/60-local.conf', '[boot]\nunpinned=plain\n');
  });

  it('prints a file with the origin of each value', async () => {
    const { exitCode, stdout, stderr } = await show();
    assert.deepEqual([exitCode, stderr], [0, '']);
    assert.equal(
      stdout,
      `[boot]
# ${USR}
policy=enforce
# default
unpinned=refuse
# ${ETC}
on-refusal=reboot
# default
initramfs=auto

[ui]
# default
screen-reader=no

# not read: /usr/lib/sealtree/sealtree.conf.d/60-local.conf, overridden by ${ETC}
`,
    );
    assert.equal(Keyfile.parse(stdout, 'output').getString('boot', 'policy'), 'enforce');
  });

  it('prints JSON', async () => {
    const { stdout } = await show('--json');
    assert.deepEqual(JSON.parse(stdout), {
      schema: 'sealtree/config-show/v1',
      root: work.path,
      settings: [
        { group: 'boot', key: 'policy', value: 'enforce', origin: USR },
        { group: 'boot', key: 'unpinned', value: 'refuse', origin: null },
        { group: 'boot', key: 'on-refusal', value: 'reboot', origin: ETC },
        { group: 'boot', key: 'initramfs', value: 'auto', origin: null },
        { group: 'ui', key: 'screen-reader', value: 'no', origin: null },
      ],
      read: [USR, ETC],
      unread: [{ path: '/usr/lib/sealtree/sealtree.conf.d/60-local.conf', because: 'overridden', by: ETC }],
      problems: [],
    });
  });

  it('warns of what is not known, and exits with 78 for a value that means nothing', async () => {
    work.write(ETC.slice(1), '[boot]\npolicies=enforce\n');
    const warned = await show();
    assert.deepEqual(
      [warned.exitCode, warned.stderr],
      [0, `sealtree: warning: ${ETC}: unknown key policies in [boot]\n`],
    );
    work.write(ETC.slice(1), '[boot]\npolicy=always\n');
    const failed = await show();
    assert.equal(failed.exitCode, 78);
    assert.match(failed.stderr, /policy: got "always", want prefer, enforce/);
  });
});
