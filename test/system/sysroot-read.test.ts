/** What we read of a sysroot is what `ostree admin status` of the release that laid it out says. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { Deployment } from '../../src/deployment/deployment.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import {
  type OwnDeployment,
  parseOstreeStatus,
  type SeenDeployment,
  seenDeployment,
} from '../support/ostree-status.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const ours = (sysroot: OstreeSysroot): SeenDeployment[] => {
  const { deployments, problems } = readSysroot(sysroot.path, linuxSystem);
  assert.deepEqual(problems, []);
  return deployments.map(seenDeployment);
};

function threeCommits(suite: 'sid' | 'trixie' | 'bookworm', work: Sandbox): OstreeSysroot {
  const sysroot = new OstreeSysroot(oracle(suite), work, ['alpha', 'beta']);
  for (const version of ['1', '2', '3']) sysroot.commit(`os/v${version}`, { version });
  return sysroot;
}

for (const suite of ['bookworm', 'trixie', 'sid'] as const) {
  describeSystem(`reading a sysroot of ostree in ${suite}`, [suite], () => {
    it('agrees with ostree after each change of the deployments', () => {
      using work = new Sandbox();
      const sysroot = threeCommits(suite, work);
      const check = (): readonly SeenDeployment[] => {
        const theirs = parseOstreeStatus(sysroot.admin('status').stdout);
        assert.deepEqual(ours(sysroot), theirs);
        return theirs;
      };
      assert.deepEqual(check(), []);
      const deploy = ['deploy', '--retain', '--karg=root=LABEL=root', '--karg=a="b c"'];
      const steps: readonly (readonly string[])[] = [
        [...deploy, '--os=alpha', 'os/v1'],
        [...deploy, '--os=alpha', 'os/v2'],
        [...deploy, '--os=beta', 'os/v2'],
        [...deploy, '--os=alpha', 'os/v2'],
        [...deploy, '--os=alpha', '--not-as-default', 'os/v3'],
        ['pin', '1'],
        // ostree 2022.7 has no such verb.
        ...(suite === 'bookworm' ? [] : [['set-default', '2']]),
        ['undeploy', '3'],
        ['pin', '--unpin', '1'],
        ['cleanup'],
      ];
      for (const [verb = '', ...args] of steps) {
        sysroot.admin(verb, args);
        check();
      }
      assert.equal(check().length, 4);
    });

    it('reads boot entries whose deployments ostree then finds by the same links', () => {
      using work = new Sandbox();
      const sysroot = threeCommits(suite, work);
      sysroot.deploy('alpha', 'os/v1', ['--karg=root=LABEL=root', '--karg=quiet']);
      sysroot.deploy('beta', 'os/v2');
      const { deployments } = readSysroot(sysroot.path, linuxSystem);
      const facts = (deployment: Deployment) => [
        deployment.stateroot,
        deployment.kargs?.slice(0, -1),
        deployment.bootLink?.split('/').slice(3),
      ];
      const [beta, alpha] = deployments as [Deployment, Deployment];
      assert.deepEqual(facts(beta), ['beta', [], ['beta', beta.bootcsum, '0']]);
      assert.deepEqual(facts(alpha), ['alpha', ['root=LABEL=root', 'quiet'], ['alpha', alpha.bootcsum, '0']]);
    });

    it('sees on a booted system what ostree sees: booted, pending, rollback, staged, unlocked', () => {
      using work = new Sandbox();
      const sysroot = threeCommits(suite, work);
      sysroot.deploy('alpha', 'os/v1', ['--karg=root=LABEL=root']);
      const booted = sysroot.deploy('alpha', 'os/v2');
      sysroot.deploy('beta', 'os/v1');
      sysroot.deploy('alpha', 'os/v3');
      const id = booted.split('/').at(-1);
      const both = 'ostree admin status; echo ----; sealtree status --json || test $? = 2; echo ====';
      const { stdout } = sysroot.runBooted(
        booted,
        `${both}
         mkdir -p /run/ostree/deployment-state/${id}
         touch /run/ostree/deployment-state/${id}/unlocked-development
         ostree admin deploy --stage --os=alpha os/v3 >&2
         test -e /run/ostree/staged-deployment
         ${both}`,
      );
      const [before, staged] = stdout
        .split('====')
        .slice(0, 2)
        .map((part) => {
          const [text = '', json = ''] = part.split('----');
          const theirs = parseOstreeStatus(text);
          const { deployments, problems } = JSON.parse(json) as {
            deployments: OwnDeployment[];
            problems: unknown[];
          };
          assert.deepEqual(problems, []);
          assert.deepEqual(deployments.map(seenDeployment), theirs);
          return theirs.map(({ marks }) => marks.join(', '));
        }) as [string[], string[]];
      assert.deepEqual(before, ['pending', '', 'booted', 'rollback']);
      assert.deepEqual(staged, ['staged', '', '', 'booted, unlocked: development', 'rollback']);
    });
  });
}

describeSystem('reading a sysroot beside ostree admin status --json', ['sid'], () => {
  it('agrees in every field', () => {
    using work = new Sandbox();
    const sysroot = threeCommits('sid', work);
    sysroot.deploy('alpha', 'os/v1');
    sysroot.deploy('beta', 'os/v2');
    sysroot.deploy('alpha', 'os/v3');
    sysroot.admin('pin', ['2']);
    const { deployments: theirs } = JSON.parse(sysroot.admin('status', ['--json']).stdout) as {
      deployments: Record<string, unknown>[];
    };
    const ours = readSysroot(sysroot.path, linuxSystem).deployments.map((deployment) => ({
      checksum: deployment.checksum,
      stateroot: deployment.stateroot,
      refspec: deployment.origin?.refspec,
      serial: deployment.serial,
      index: deployment.index,
      booted: deployment.booted,
      pending: deployment.pending,
      rollback: deployment.rollback,
      'finalization-locked': deployment.finalizationLocked,
      'soft-reboot-target': deployment.softRebootTarget,
      staged: deployment.staged,
      pinned: deployment.pinned,
      unlocked: deployment.unlocked ?? 'none',
    }));
    assert.deepEqual(ours, theirs);
  });
});
