/**
 * The interface in a real terminal (tmux), started from a shell: whatever ends or stops it, the shell gets its terminal
 * back as it was.
 */
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { buildProgram } from '../../contrib/build.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { initRepository } from '../../src/repository/init.ts';
import { LayoutMaker } from '../support/oci-layout.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT } from '../support/sealtree.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';
import { tarOf } from '../support/tar.ts';

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
    const program = `${process.execPath} ${sandbox.join('dist/sealtree.js')}`;
    const names = `PROGRAM='${program}' SEALTREE='${program} --sysroot ${sandbox.join('sysroot')}'`;
    const setup = `cd ${sandbox.path}; export PS1='$ ' ${names}; exec bash --norc --noprofile`;
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
    await until(/\|── alpha/);
    tmux('resize-window', '-t', 'test', '-x', '40', '-y', '15');
    await until(/^(?![\s\S]*\|── )[\s\S]*▸ +0 alpha[\s\S]*q quit/);
    tmux('resize-window', '-t', 'test', '-x', '80', '-y', '24');
    await until(/1 Deployments/);
    type('q');
    await expectShell(0);
  });

  it('opens on a demonstration, where every screen has something to show, and changes can be tried', async () => {
    type('clear; $PROGRAM demo', 'Enter');
    await until(/▸ +0 server [0-9a-f]{8}\.0 +✓ sealed/);
    assert(isAlternate());
    type('2');
    await until(/▸\*.* [0-9a-f]{8} .*\[demo\/server\]/);
    type('/', 'manual', 'Enter');
    await until(/▸\*.*Fix greeting, add a manual/);
    type('g', 't');
    await until(/boot +drwxr-xr-x/);
    type('q', 'd');
    await until(/A \d+ R \d+ M \d+ [\s\S]*M +libdemo\.so/);
    type('q', '3');
    await until(/grub, not installed[\s\S]*ostree-3\.conf +Demo Server 1\.2.* 0 [0-9a-f]{8}\.0/);
    type('H');
    await until(/was not changed by sealtree yet/);
    type('q', '4');
    await until(/[0-9a-f]{12} +[\d.]+ kB .*server [0-9a-f]{8}\.0[\s\S]*digest +[0-9a-f]{64}/);
    type('o');
    await until(/0 of \d+ objects bad[\s\S]*[0-9a-f]{12} +[\d.]+ k?B {2}\/usr\//);
    type('q', '5');
    await until(/▸0 server\/[0-9a-f]{8}\.0 +[\d.]+ MB/);
    type('?');
    await until(/key +does[\s\S]*▸ \? +help/);
    type('q', 'J');
    await until(/Nothing runs/);
    type('q', '1');

    // What is sealed loses its image, and gets it again.
    runHost([
      'sh',
      '-c',
      `chattr -i ${sandbox.join('demo')}/ostree/deploy/*/deploy/*.0 2>/dev/null; rm ${sandbox.join('demo')}/ostree/deploy/kiosk/deploy/*.0/.ostree.cfs`,
    ]);
    type('R');
    await until(/2 kiosk [0-9a-f]{8}\.0 +✗ missing/);
    type('W', 'j', 'j', 's');
    await until(/1 deployment to seal[\s\S]*y do it/);
    type('y');
    await until(/✓ seal kiosk [0-9a-f]{8}\.0 +done[\s\S]*sealed with the stored image/);
    type('q');
    await until(/2 kiosk [0-9a-f]{8}\.0 +✓ sealed/);

    const [object] = runHost([
      'sh',
      '-c',
      `grep -l 'Welcome to the demo' ${sandbox.join('demo')}/ostree/repo/objects/*/*.file || ls ${sandbox.join('demo')}/ostree/repo/objects/*/*.file`,
    ]).stdout.split('\n');
    runHost(['sh', '-c', `chmod u+w ${object}; printf x | dd of=${object} bs=1 conv=notrunc 2>/dev/null`]);
    type('G', 'V');
    await until(/✗ verify all deployments +failed[\s\S]*✗ object [0-9a-f]{8}\.file/);
    type('q', 'q');
    await expectShell(0);
    // The last words stay, below what the demonstration printed.
    assert.match(
      tmux('capture-pane', '-pJ', '-S', '-200', '-t', 'test'),
      /verify all deployments: [^\n]*1 error/,
    );
  });

  it('imports images into a repository, seals a ref, and says what they share', async () => {
    const layer = (name: string) => tarOf([{ name, data: `${name} `.repeat(2000) }]);
    const layout = new LayoutMaker(join(sandbox.mkdir('offers'), 'apps'));
    layout.addImage({ tag: 'web', layers: [layer('base')] });
    layout.addImage({ tag: 'db', layers: [layer('base'), layer('more')] });
    initRepository(sandbox.join('images'), 'bare-user', linuxSystem);
    type('clear; (cd offers; exec $PROGRAM --repo ../images)', 'Enter');
    await until(/has no refs[\s\S]*imports an archive/);
    type('i', 'W');
    await until(/image +apps:web/);
    for (const tag of ['web', 'db']) {
      type('j');
      await until(new RegExp(`▸image +apps:${tag}`));
      type('i');
      await until(new RegExp(`ref: import/${tag}`));
      type('Enter');
      await until(/One commit more[\s\S]*y do it/);
      type('y');
      await until(new RegExp(`import/${tag} is commit [0-9a-f]{12}: `));
      type('q');
      await until(/kind +size +name/);
    }
    type('q');
    await until(/▸\*.*\[import\/db\]/);
    type('s');
    await until(/1 ref to seal[\s\S]*y do it/);
    type('y');
    await until(/import\/db sealed, image [0-9a-f]{12}/);
    type('q', '4');
    await until(/▸[0-9a-f]{12} .*ref import\/db/);
    type('u');
    await until(/1 ref to unseal[\s\S]*y do it/);
    type('y');
    await until(/import\/db unsealed/);
    type('q');
    await until(/no deployment or ref/);
    type('5', 'c');
    await until(/by content[\s\S]*import\/db +[\d.]+ kB[\s\S]*import\/web +[\d.]+ kB/);
    type('q');
    await expectShell(0);
  });

  it('that is closed with its terminal leaves no lock behind', async () => {
    await open();
    type('V');
    await until(/verify alpha/);
    tmux('respawn-pane', '-k', '-t', 'test', `cd ${sandbox.path}; exec bash --norc --noprofile`);
    await until(/[$#]/);
    const entry = sandbox.join('dist/sealtree.js');
    const { stdout } = runHost([
      process.execPath,
      entry,
      'seal',
      '--lock-timeout',
      '20',
      '--sysroot',
      sandbox.join('sysroot'),
    ]);
    assert.match(stdout, /: sealed/);
  });
});
