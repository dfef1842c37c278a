/** Where root's compiled code is kept, each time with a /var of the test's own. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { describeSystem, runHost } from '../support/oracle.ts';
import { sealtreeArgv } from '../support/sealtree.ts';

/** Runs sealtree where /var is as `script` makes it; what is below it then, with owners and modes. */
function varAfter(script: string): string {
  const lines = `mount -t tmpfs none /var; ${script}; "$@" >&2; cd /var; find . -maxdepth 3 -printf '%P %u %m\\n' | sort`;
  const argv = ['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', lines, 'sh'];
  return runHost([...argv, ...sealtreeArgv(['--help'])]).stdout.replace(/^.*\n/, '');
}

describeSystem("root's compiled code", [], () => {
  it('is kept in a folder of root alone', () =>
    assert.equal(
      varAfter('mkdir -m 755 /var/cache'),
      'cache root 755\ncache/sealtree root 700\ncache/sealtree/compiled root 755\n',
    ));

  it('is not kept where there is no folder for caches', () => assert.equal(varAfter(':'), ''));

  it('is not kept in a folder of somebody else', () =>
    assert.equal(
      varAfter('mkdir -p -m 755 /var/cache/sealtree; chown nobody /var/cache/sealtree'),
      'cache root 755\ncache/sealtree nobody 755\n',
    ));
});
