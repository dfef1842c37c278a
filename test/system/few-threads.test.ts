/**
 * The program where the system lets it have no thread of its own, or one: RLIMIT_NPROC, which a unit's TasksMax is like.
 * Root is exempt from that limit, so it runs as somebody else, who may read and write all the same.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtreeArgv } from '../support/sealtree.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';

/** Nobody: no process of this machine may count. */
const USER = '61234';

/** More than any of the commands does without threads. */
const FILES = 6000;

describeSystem('where there are few threads', [], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let sysroot: SmallSysroot;

  /** Runs sealtree with at most so many threads in all. */
  const run = (threads: number, ...args: readonly string[]): string => {
    const capabilities = [
      '--inh-caps=+dac_override,+fowner,+chown',
      '--ambient-caps=+dac_override,+fowner,+chown',
    ];
    const as = ['setpriv', '--reuid', USER, '--regid', USER, '--clear-groups', ...capabilities];
    const limit = ['prlimit', `--nproc=${threads}`];
    const words = ['--sysroot', sysroot.path, '--progress=none', ...args];
    // One that waits for what never comes must not hold up everything.
    const { stdout } = runHost(['timeout', '60', ...as, ...limit, ...sealtreeArgv(words)]);
    return stdout;
  };

  /** Threads that Node itself starts with: what fewer do it does not even start. */
  let own: number;

  before(async () => {
    sysroot = await makeSmallSysroot(work.join('sysroot'));
    for (let i = 0; i < FILES; i++) {
      if (i % 100 === 0) mkdirSync(work.join(`tree/${i / 100}`), { recursive: true });
      writeFileSync(work.join(`tree/${Math.floor(i / 100)}/${i}`), `content ${i}\n`);
    }
    runHost(['tar', '-C', work.join('tree'), '-cf', work.join('tree.tar'), '.']);
    const count = "console.log(require('fs').readdirSync('/proc/self/task').length)";
    own = Number(runHost([process.execPath, '-e', count]).stdout);
    assert(own > 1 && own < 20, String(own));
  });

  for (const more of [0, 1])
    it(`imports, seals and verifies with ${more} threads more than Node itself has`, () => {
      const threads = own + more;
      const commit = (source: readonly string[], limit: number): string =>
        run(limit, 'import', ...source, '--ref', 'os/many', '--timestamp', '1').split('\n')[0] as string;
      const tar = ['tar', work.join('tree.tar')];
      const directory = ['dir', work.join('tree')];
      for (const source of [tar, directory]) assert.equal(commit(source, threads), commit(source, 64));
      assert.equal(run(threads, 'digest', 'os/many'), run(64, 'digest', 'os/many'));
      run(threads, 'seal', '--ref', 'os/many', '--rebuild');
      assert.match(run(threads, 'verify', '--repository', '--deep'), / 0 errors/);
    });
});
