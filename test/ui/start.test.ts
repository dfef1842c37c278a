/** The interface on a terminal of its own, over a sysroot on disk. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it, type TestContext } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { Sandbox } from '../support/sandbox.ts';
import { Screen } from '../support/screen.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';

const { start } = await import('../../ui/start.tsx');

const sandbox = new Sandbox();
before(() => makeSmallSysroot(sandbox.join('sysroot')));
after(() => sandbox.dispose());

const env = { LANG: 'C.UTF-8', TERM: 'xterm' };

/** Opens the interface for one test; whatever becomes of the test, it ends with it. */
function open(
  t: TestContext,
  columns: number,
  rows: number,
  sysrootPath = sandbox.join('sysroot'),
  system = linuxSystem,
) {
  const screen = new Screen(columns, rows);
  const { stdin, stdout } = screen;
  const ended = start({ sysrootPath, system, env, hasColor: true, stdin, stdout });
  t.after(async () => {
    screen.type('\x03');
    await Promise.allSettled([ended]);
  });
  return { screen, ended };
}

describe('interface', () => {
  it('opens, shows the deployments, and leaves the terminal as it was', async (t) => {
    const { screen, ended } = open(t, 80, 24);
    await screen.until(/3 of 3 not sealed/);
    assert(screen.isAlternate && screen.isRaw);
    assert.match(screen.text, /▸ +0 alpha [0-9a-f]{8}\.0 +– not sealed/);
    screen.type('q');
    await ended;
    assert(!screen.isAlternate && !screen.isRaw);
    assert(screen.written.lastIndexOf('\x1b[?25h') > screen.written.lastIndexOf('\x1b[?25l'));
  });

  it('acts on every key of one read', async (t) => {
    const { screen, ended } = open(t, 80, 24);
    await screen.until(/not sealed/);
    screen.type('jjjjj\rk\x1b[Bjq');
    await screen.until(/▸ +– 3 of 3/);
    screen.type('ggj?');
    await screen.until(/── keys/);
    assert.match(screen.text, /▸ +1 alpha/);
    screen.type('qq');
    await ended;
  });

  it('follows the size of the terminal', async (t) => {
    const { screen, ended } = open(t, 120, 30);
    await screen.until(/│── alpha/);
    screen.resize(40, 15);
    await screen.until(/^(?![\s\S]*│)[\s\S]*▸ +0 alpha/);
    screen.type('\r');
    await screen.until(/Esc back/);
    screen.resize(20, 5);
    await screen.until(/too\s+small/);
    screen.resize(120, 30);
    await screen.until(/│── +alpha/);
    screen.type('\x03');
    await ended;
  });

  it('reads again', async (t) => {
    await makeSmallSysroot(sandbox.join('other'));
    const { screen, ended } = open(t, 80, 24, sandbox.join('other'));
    await screen.until(/3 of 3 not sealed/);
    rmSync(sandbox.join('other/ostree/deploy'), { recursive: true });
    screen.type('r');
    await screen.until(/is not an ostree sysroot/);
    screen.type('q');
    await ended;
  });

  it('ends with what went wrong, the terminal given back', async (t) => {
    const broken = Object.create(linuxSystem, {
      stat: {
        value: () => {
          throw new TypeError('a bug');
        },
      },
    }) as typeof linuxSystem;
    const { screen, ended } = open(t, 80, 24, sandbox.join('sysroot'), broken);
    await assert.rejects(ended, { name: 'TypeError', message: 'a bug' });
    assert(!screen.isAlternate && !screen.isRaw);
  });
});
