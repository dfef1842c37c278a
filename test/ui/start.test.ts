/** The interface on a terminal of its own, over a sysroot on disk. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it, type TestContext } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { StartOptions } from '../../ui/start.tsx';
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
  more: Partial<StartOptions> = {},
) {
  const screen = new Screen(columns, rows);
  const { stdin, stdout } = screen;
  const ended = start({ sysrootPath, system, env, hasColor: true, stdin, stdout, ...more });
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
    await screen.until(/key +does/);
    screen.type('q');
    await screen.until(/▸ +1 alpha/);
    screen.type('q');
    await ended;
  });

  it('follows the size of the terminal', async (t) => {
    const { screen, ended } = open(t, 120, 30);
    await screen.until(/\|── alpha/);
    screen.resize(40, 15);
    await screen.until(/^(?![\s\S]*\|)[\s\S]*▸ +0 alpha/);
    screen.type('\r');
    await screen.until(/Esc back/);
    screen.resize(20, 5);
    await screen.until(/too\s+small/);
    screen.resize(120, 30);
    await screen.until(/\|── +alpha/);
    screen.type('\x03');
    await ended;
  });

  it('reads again', async (t) => {
    await makeSmallSysroot(sandbox.join('other'));
    const { screen, ended } = open(t, 80, 24, sandbox.join('other'));
    await screen.until(/3 of 3 not sealed/);
    rmSync(sandbox.join('other/ostree/deploy'), { recursive: true });
    screen.type('R');
    await screen.until(/is not an ostree sysroot/);
    screen.type('q');
    await ended;
  });

  it('goes from commits to the files of one, and shows one in the pager', async (t) => {
    const shown: string[] = [];
    const page = async (bytes: Buffer): Promise<void> => {
      // The terminal is the pager's now.
      assert(!screen.isRaw);
      shown.push(bytes.toString());
    };
    const { screen, ended } = open(t, 80, 24, undefined, undefined, { page });
    screen.type('2');
    await screen.until(/▸\* +[0-9a-f]{8} .*\[os\/testing\]/);
    await screen.until(/2 commits · 2 refs/);
    await screen.until(/signatures none/);
    screen.type('t');
    await screen.until(/▸ +bin → usr\/bin/);
    screen.type('/os-rel');
    await screen.until(/▸ +\/usr\/lib\/os-release +-rw-r--r--/);
    screen.type('\ro');
    await screen.until(() => shown.length === 1);
    await screen.until(/\/usr\/lib\/os-release/);
    screen.type('x');
    await screen.until(() => shown.length === 2);
    assert.deepEqual(shown[0], 'NAME=Test\nVERSION_ID=2\n');
    assert.match(shown[1] as string, /^00000000 {2}4e 41 4d 45 .*\|NAME=Test\.VERSIO\|\n/);
    screen.type('\x1b');
    await screen.until(/▸ +os-release/);
    screen.type('qqq');
    await ended;
  });

  it('says so when there is no pager', async (t) => {
    const { screen, ended } = open(t, 80, 24, undefined, undefined, {
      env: { ...env, PAGER: 'no-such-pager -x' },
    });
    await screen.until(/3 of 3 not sealed/);
    screen.type('t');
    await screen.until(/▸ +bin → usr\/bin/);
    screen.type('/tool\r');
    await screen.until(/▸ +\/usr\/bin\/tool +-rwxr-xr-x/);
    screen.type('o');
    await screen.until(/! no-such-pager: no such program/);
    screen.type('\x03');
    await ended;
  });

  it('reads commits again, and says why it cannot', async (t) => {
    await makeSmallSysroot(sandbox.join('emptied'));
    const { screen, ended } = open(t, 80, 24, sandbox.join('emptied'));
    screen.type('2');
    await screen.until(/2 commits/);
    rmSync(sandbox.join('emptied/ostree/repo/refs/heads/os/testing'));
    screen.type('R');
    await screen.until(/1 commit · 1 ref/);
    rmSync(sandbox.join('emptied/ostree/repo/refs/heads/os/stable'));
    screen.type('R');
    await screen.until(/has no refs/);
    rmSync(sandbox.join('emptied/ostree/repo'), { recursive: true });
    screen.type('R');
    await screen.until(/not an ostree\s+repository/);
    screen.type('q');
    await ended;
  });

  it('goes on when the repository is gone while its files are shown', async (t) => {
    await makeSmallSysroot(sandbox.join('gone'));
    const { screen, ended } = open(t, 80, 24, sandbox.join('gone'));
    await screen.until(/3 of 3 not sealed/);
    screen.type('t');
    await screen.until(/▸ +bin → usr\/bin/);
    rmSync(sandbox.join('gone/ostree/repo'), { recursive: true });
    screen.type('R');
    await screen.until(/✗ .*not an ostree repository/);
    screen.type('\x1b');
    await screen.until(/▸ +0 alpha/);
    screen.type('q');
    await ended;
  });

  it('opens a repository without a sysroot', async (t) => {
    const repositoryPath = sandbox.join('sysroot/ostree/repo');
    const { screen, ended } = open(t, 80, 24, '/nowhere', undefined, { repositoryPath });
    await screen.until(/2 commits/);
    assert(screen.text.includes(`sealtree --repo ${repositoryPath}`.slice(0, 60)));
    screen.type('1');
    await screen.until(/A repository alone has no deployments/);
    screen.type('Rq');
    await ended;
  });

  it('offers the demonstration where there is nothing, and hands the terminal over to it', async (t) => {
    const handed: (readonly string[])[] = [];
    const { screen, ended } = open(t, 40, 15, sandbox.join('nowhere'), undefined, {
      handOver: async (_program, words) => {
        assert(!screen.isAlternate && !screen.isRaw);
        handed.push(words);
      },
    });
    await screen.until(/is not an ostree/);
    await screen.until(/D makes a demo in \.\/demo/);
    screen.type('D');
    await ended;
    assert.deepEqual(handed, [['demo']]);
  });

  it('hands over that it is read aloud, too', async (t) => {
    const handed: (readonly string[])[] = [];
    const { screen, ended } = open(t, 80, 24, sandbox.join('nowhere'), undefined, {
      readsAloud: true,
      handOver: async (_program, words) => void handed.push(words),
    });
    await screen.until(/is not an ostree/);
    screen.type('D');
    await ended;
    assert.deepEqual(handed, [['demo', '--screen-reader']]);
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
