/**
 * A machine that was sealed once and is upgraded by ostree alone: whatever way a deployment comes, the next boot is
 * sealed to its image, or says that it is not and is mended by then; and all of it goes without sealtree.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, it } from 'node:test';
import { deployMachine, Machine, type MachineBoot, STATEROOT } from '../support/machine.ts';
import { writeFiles } from '../support/machine-tree.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import type { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const VERSION = '/usr/share/machine/version';

/** Commits of the same system that differ in one file. */
const VERSIONS = ['b', 'c', 'd', 'e'] as const;

/** Whoever copied the program to a machine put it somewhere; it is not in anybody's way there. */
const BROUGHT = '/var/opt/sealtree';

async function machineWithUpgrades(work: Sandbox): Promise<OstreeSysroot> {
  const sysroot = await deployMachine(work, {
    generator: 'dracut',
    prepare: (tree) =>
      writeFiles(tree, {
        [VERSION]: 'a\n',
        'etc/sealtree/sealtree.conf': '[boot]\npolicy = prefer\ninitramfs = append\n',
      }),
  });
  for (const version of VERSIONS) {
    const path = join(work.join(`upgrade-${version}`), VERSION);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${version}\n`);
    sysroot.repo('commit', [
      ...[
        `--branch=debian/${version}`,
        '--tree=ref=debian/trixie',
        `--tree=dir=${work.join(`upgrade-${version}`)}`,
      ],
    ]);
  }
  const state = join(sysroot.path, 'ostree/deploy', STATEROOT, 'var/lib/sealtree');
  const brought = join(sysroot.path, 'ostree/deploy', STATEROOT, BROUGHT.slice(1));
  mkdirSync(dirname(brought), { recursive: true });
  runHost(['sh', '-euc', 'mv "$0"/app-* "$1"; rm -r "$0"', state, brought]);
  return sysroot;
}

const SURVEY = `
step running systemctl is-system-running --wait
step failed systemctl list-units --failed --no-legend --plain
step status ostree admin status
step version cat ${VERSION}
step root findmnt --noheadings --output FSTYPE,OPTIONS /
step sealed cat /run/sealtree/sealed
step unsealed cat /run/sealtree/unsealed
step booted systemctl show --property=Result,ExecMainStatus,ConditionResult sealtree-booted.service
step complete systemctl start boot-complete.target
settled() { # until nothing is under way that the units do
  sleep 3
  while [ "$(systemctl show --property=ActiveState --value sealtree-deploy.service)" = activating ]; do sleep 1; done
}
settled
`;

const JOURNAL = `
step journal journalctl --boot --no-pager --output=cat --unit=sealtree-deploy.service --unit=sealtree-deploy.path
`;

function assertDone(boot: MachineBoot, steps: readonly string[]): void {
  for (const name of steps) {
    const { status, stdout, stderr } = boot.step(name);
    assert.equal(status, 0, `${name}: exit ${status}\n${stdout}${stderr}\n${boot.console.slice(-3000)}`);
  }
}

/** Runs from the image that its boot entry pins, all units content. */
function assertSealed(boot: MachineBoot, machine: Machine, version: string): void {
  const about = boot.console.slice(-3000);
  assert.equal(boot.step('unsealed').stdout, '', about);
  assert.equal(boot.step('failed').stdout, '', about);
  assert.equal(boot.step('running').stdout, 'running\n');
  assert.equal(boot.step('version').stdout, `${version}\n`);
  assert.match(boot.step('root').stdout, /^overlay .*verity=require/);
  assert.match(boot.step('booted').stdout, /Result=success\nExecMainStatus=0\nConditionResult=yes/);
  assert.equal(boot.step('complete').status, 0);
  const [, commit = '', serial = ''] =
    /^\* \S+ ([0-9a-f]{64})\.(\d+)$/m.exec(boot.step('status').stdout) ?? [];
  const image = machine.fsVerityDigest(`/ostree/deploy/${STATEROOT}/deploy/${commit}.${serial}/.ostree.cfs`);
  assert.equal(boot.step('sealed').stdout, `${image}\n`);
  assert(boot.entry.options.includes(`sealtree.pin=${commit.slice(0, 12)}:${image}`), boot.entry.options);
}

describeSystem('upgrades', ['trixie', 'guest', 'machine'], () => {
  const work = new Sandbox();
  after(() => work.dispose());

  it('leave a machine sealed, by whatever way they come', async (t) => {
    using own = new Sandbox();
    const machine = Machine.of(await machineWithUpgrades(own), work.join('machine'));
    const boot = async (job: string): Promise<MachineBoot> => {
      const booted = await machine.boot(SURVEY + job);
      t.diagnostic(`${booted.seconds.toFixed(0)} s`);
      return booted;
    };

    await t.test('install', async () => {
      const program = `${BROUGHT}/node ${BROUGHT}/dist/sealtree.js`;
      const booted = await boot(`
        step seal ${program} seal --all
        step install ${program} boot install --yes
        step gone rm -r ${BROUGHT}
        step active systemctl is-active sealtree-deploy.path sealtree-finalized.service sealtree-verify.timer
        step check sealtree boot check --no-rehearsal`);
      assertDone(booted, ['seal', 'install', 'gone', 'active', 'check']);
      assert.match(booted.step('install').stdout, /copy this program to \/var\/lib\/sealtree\/app/);
    });

    await t.test('two in a row, as they are written at once', async () => {
      const booted = await boot(`
        step b ostree admin deploy debian/b
        step c ostree admin deploy debian/c
        settled
        ${JOURNAL}`);
      assertSealed(booted, machine, 'a');
      assertDone(booted, ['b', 'c']);
      assert.match(booted.step('journal').stdout, /sealed as [0-9a-f]{64}/);
    });

    await t.test('staged', async () => {
      const booted = await boot(`
        step stage ostree admin deploy --stage debian/b
        settled
        ${JOURNAL}`);
      assertSealed(booted, machine, 'c');
      assertDone(booted, ['stage']);
      assert.match(booted.step('journal').stdout, /the boot is up to date/);
    });

    await t.test('staged, and the power is cut while that is finalized', async () => {
      const booted = await boot(`
        step stage ostree admin deploy --stage debian/d
        settled
        ${JOURNAL}
        step end true
        (sleep 2; echo b >/proc/sysrq-trigger) &
        ostree admin finalize-staged
        sleep 60`);
      assertSealed(booted, machine, 'b');
      assertDone(booted, ['stage']);
    });

    await t.test('and nobody waits for the seal', async () => {
      const booted = await boot(`${JOURNAL}
        step deploy ostree admin deploy debian/e`);
      const version = booted.step('version').stdout.trim();
      assert(['b', 'd'].includes(version), version);
      assertSealed(booted, machine, version);
      assertDone(booted, ['deploy']);
    });

    let wasPlain = false;
    await t.test('which is then made up for', async () => {
      const booted = await boot(`${JOURNAL}
        step mended sealtree status
        step verify systemctl start sealtree-verify.service
        step found sealtree status`);
      assert.equal(booted.step('version').stdout, 'e\n');
      wasPlain = booted.step('unsealed').stdout !== '' || booted.step('sealed').status !== 0;
      t.diagnostic(`the first boot of what was not waited for: ${wasPlain ? 'plain' : 'sealed'}`);
      if (wasPlain) {
        assert.match(booted.step('booted').stdout, /Result=exit-code/);
        assert.notEqual(booted.step('complete').status, 0, 'the boot is not blessed');
        assert.match(booted.step('mended').stdout, /^NOT SEALED: /);
      } else assertSealed(booted, machine, 'e');
      assertDone(booted, ['verify']);
      assert.match(booted.step('found').stdout, /^Last check: .*objects read and hashed: 0 errors/m);
    });

    await t.test('and taken back when the program is gone', async () => {
      const booted = await boot(`
        step gone sh -euc 'rm -r /var/lib/sealtree/app /var/lib/sealtree/app-*'
        step quick systemctl start sealtree-deploy.service
        step remove sh /sysroot/ostree/repo/extensions/sealtree/boot/remove.sh
        step units sh -c 'find /etc/systemd /sysroot/ostree/deploy/*/deploy/*/etc/systemd -name "sealtree-*"'
        step stopped systemctl is-active sealtree-deploy.path sealtree-finalized.service sealtree-verify.timer`);
      assertSealed(booted, machine, 'e');
      assertDone(booted, ['gone', 'quick', 'remove']);
      assert(booted.step('quick').seconds < 5, 'units do nothing, quickly');
      assert.equal(booted.step('units').stdout, '');
      assert.doesNotMatch(booted.step('stopped').stdout, /^active$/m);
    });

    await t.test('to boot plain again', async () => {
      const booted = await boot('');
      assert.equal(booted.step('failed').stdout, '');
      assert.equal(booted.step('running').stdout, 'running\n');
      assert.match(booted.step('root').stdout, /^ext4 /);
      assert.doesNotMatch(booted.entry.options, /sealtree/);
    });
  });
});
