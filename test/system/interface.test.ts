/**
 * The interface in a real terminal (tmux), started from a shell: whatever ends or stops it, the shell gets its terminal
 * back as it was.
 */
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { buildProgram } from '../../contrib/build.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT } from '../support/sealtree.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';

const DEADLINE_MS = 20_000;

describeSystem('the interface in a terminal', [], () => {
  const sandbox = new Sandbox();
  const tmux = (...args: string[]): string =>
    runHost(['tmux', '-S', sandbox.join('tmux'), '-f', '/dev/null', ...args]).stdout;
  const type = (...keys: string[]): string => tmux('send-keys', '-t', 'test', ...keys);
  const screen = (): string => tmux('capture-pane', '-p', '-t', 'test');
  const isAlternate = (): boolean => tmux('display', '-p', '-t', 'test', '#{alternate_on}') === '1\n';

  async function until(condition: RegExp | (() => boolean)): Promise<void> {
    const holds = typeof condition === 'function' ? condition : () => condition.test(screen());
    const deadline = performance.now() + DEADLINE_MS;
    while (!holds()) {
      if (performance.now() > deadline) assert.fail(`waited for ${condition}, the screen is\n${screen()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Opens it from the shell; `$!` cannot be had for a job in the foreground, so it says its process itself. */
  async function open(): Promise<void> {
    type('clear; sh -c \'echo $$ > pid; exec "$@"\' run $SEALTREE', 'Enter');
    await until(/3 of 3 not sealed/);
    assert(isAlternate());
  }

  async function expectShell(status: number): Promise<void> {
    // What is typed before the interface has gone is still its own.
    await until(() => !isAlternate());
    await until(/^\$$/m);
    type('echo "status $?"; stty -g | cmp - tty && echo "tty as it was"', 'Enter');
    await until(new RegExp(`^status ${status}\\s+tty as it was`, 'm'));
  }

  before(async () => {
    await buildProgram(sandbox.join('dist'));
    symlinkSync(join(PROJECT, 'node_modules'), sandbox.join('node_modules'));
    await makeSmallSysroot(sandbox.join('sysroot'));
    const words = [process.execPath, sandbox.join('dist/sealtree.js'), '--sysroot', sandbox.join('sysroot')];
    const setup = `cd ${sandbox.path}; export PS1='$ ' SEALTREE='${words.join(' ')}'; exec bash --norc --noprofile`;
    tmux('new-session', '-d', '-s', 'test', '-x', '80', '-y', '24', setup);
    type('stty -g > tty', 'Enter');
  });
  after(() => {
    tmux('kill-server');
    sandbox.dispose();
  });

  it('q', async () => {
    await open();
    type('jj', 'Enter');
    await until(/Esc back/);
    type('qq');
    await expectShell(0);
  });

  it('Ctrl-C', async () => {
    await open();
    type('C-c');
    await expectShell(0);
  });

  it('Ctrl-Z, and on with fg', async () => {
    await open();
    type('j', 'C-z');
    await until(/Stopped/);
    await expectShell(148);
    type('fg', 'Enter');
    await until(/▸ +1 alpha/);
    assert(isAlternate());
    type('j');
    await until(/▸ +2 beta/);
    type('q');
    await expectShell(0);
  });

  for (const [signal, status] of [
    ['TERM', 143],
    ['HUP', 129],
    ['INT', 130],
  ] as const)
    it(`SIG${signal}`, async () => {
      await open();
      runHost(['sh', '-c', `kill -${signal} "$(cat ${sandbox.join('pid')})"`]);
      await expectShell(status);
    });

  it('follows the size of the window', async () => {
    await open();
    tmux('resize-window', '-t', 'test', '-x', '120', '-y', '30');
    await until(/│── alpha/);
    tmux('resize-window', '-t', 'test', '-x', '40', '-y', '15');
    await until(/^(?![\s\S]*│)[\s\S]*▸ +0 alpha[\s\S]*q quit/);
    assert(!screen().includes('│'));
    type('q');
    await expectShell(0);
  });
});
