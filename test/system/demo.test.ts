/** What the demonstration leaves behind is a sysroot for every ostree: looked at, checked, and deployed into. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { parseOstreeStatus, seenDeployment } from '../support/ostree-status.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree, sealtreeArgv } from '../support/sealtree.ts';

const SUITES = ['bookworm', 'trixie', 'sid'] as const;
const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups'];

/** Made by root: a bare repository. */
function asRoot(work: Sandbox): string {
  sealtree(['demo', 'demo'], { cwd: work.path });
  return work.join('demo');
}

/** Made by a user without any rights: bare-user. */
function asUser(work: Sandbox): string {
  chmodSync(work.path, 0o777);
  runHost(['setpriv', ...NOBODY, ...sealtreeArgv(['demo', 'demo'])], { cwd: work.path });
  return work.join('demo');
}

describeSystem('a demonstration in the hands of ostree', SUITES, () => {
  for (const [who, make] of [
    ['root', asRoot],
    ['a user', asUser],
  ] as const) {
    it(`made by ${who} passes fsck and shows its deployments, with each release`, () => {
      using work = new Sandbox();
      const path = make(work);
      const { deployments, problems } = readSysroot(path, linuxSystem);
      assert.deepEqual(problems, []);
      for (const suite of SUITES) {
        const { stdout } = oracle(suite).runScript(
          'ostree fsck --repo="$1/ostree/repo" >&2; ostree admin status --sysroot="$1"',
          [path],
        );
        assert.deepEqual(parseOstreeStatus(stdout), deployments.map(seenDeployment), suite);
      }
    });

    it(`made by ${who} has the images that ostree makes of its commits`, () => {
      using work = new Sandbox();
      const path = make(work);
      for (const { checksum, path: folder } of readSysroot(path, linuxSystem).deployments) {
        oracle('sid').run(
          ['ostree', `--repo=${path}/ostree/repo`, 'checkout', '--composefs', checksum, 'checkout'],
          { cwd: work.path },
        );
        assert(
          readFileSync(work.join('checkout')).equals(readFileSync(join(folder, '.ostree.cfs'))),
          checksum,
        );
        runHost(['rm', work.join('checkout')]);
      }
    });
  }

  for (const suite of SUITES) {
    it(`takes a deployment of ostree in ${suite}, which finds the same kernel there`, () => {
      using work = new Sandbox();
      const path = asRoot(work);
      const before = readdirSync(join(path, 'boot/ostree')).sort();
      const { stdout } = oracle(suite).runScript(
        `ostree refs --repo="$1/ostree/repo" --create=demo/old demo/server^^
         ostree admin deploy --sysroot="$1" --os=server --retain demo/old >&2
         ostree admin undeploy --sysroot="$1" 2 >&2
         ostree admin cleanup --sysroot="$1" >&2
         ostree fsck --repo="$1/ostree/repo" >&2
         ostree admin status --sysroot="$1"`,
        [path],
      );
      assert.deepEqual(readdirSync(join(path, 'boot/ostree')).sort(), before);
      const { deployments, problems } = readSysroot(path, linuxSystem);
      assert.deepEqual(problems, []);
      assert.equal(deployments.length, 3);
      assert.deepEqual(parseOstreeStatus(stdout), deployments.map(seenDeployment));
      // And it is made anew over what ostree has left, immutable folders included.
      asRoot(work);
      assert.deepEqual(readSysroot(path, linuxSystem).problems, []);
    });
  }

  it('is looked at through a mount of its first image', () => {
    using work = new Sandbox();
    const { stdout } = sealtree(['demo', '--json'], { cwd: work.path });
    const { mounted } = JSON.parse(stdout) as { mounted: Readonly<Record<string, string>> };
    assert.deepEqual(
      [mounted.file, mounted.firstLine, mounted.reason],
      ['usr/lib/os-release', 'NAME="Demo Server"', undefined],
    );
  });
});
