/**
 * Machines that were sealed once and are upgraded by ostree alone: whatever way a deployment comes, the next boot is
 * sealed to its image, or says that it is not and is mended by then; and all of it goes without sealtree.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import {
  BRANCH,
  deployMachine,
  deployTree,
  Machine,
  type MachineBoot,
  type MachineSettings,
  STATEROOT,
} from '../support/machine.ts';
import { type MachineTree, makeMachineTree, writeFiles } from '../support/machine-tree.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import type { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const VERSION = '/usr/share/machine/version';

/** Whoever copied the program to a machine put it somewhere; it is not in anybody's way there. */
const BROUGHT = '/var/opt/sealtree';

/** Version a of the system. */
const TREE = {
  generator: 'dracut',
  prepare: (tree) =>
    writeFiles(tree, {
      [VERSION]: 'a\n',
      'etc/sealtree/sealtree.conf': '[boot]\npolicy = prefer\ninitramfs = append\n',
    }),
} satisfies MachineTree;

/**
 * Commits later versions, each from the one before: they differ in one file, and the first also has another initramfs,
 * so that ostree gives it and those after it another folder in /boot.
 */
function commitVersions(sysroot: OstreeSysroot, work: Sandbox, versions: readonly string[]): void {
  const [deployment = ''] = sysroot.deployments();
  const [kernel = ''] = readdirSync(join(deployment, 'usr/lib/modules'));
  const initramfs = join('usr/lib/modules', kernel, 'initramfs.img');
  let before = BRANCH;
  for (const version of versions) {
    const tree = work.mkdir(`version-${version}`);
    writeFiles(tree, { [VERSION]: `${version}\n` });
    if (before === BRANCH) {
      mkdirSync(dirname(join(tree, initramfs)), { recursive: true });
      // What the kernel skips between archives.
      writeFileSync(
        join(tree, initramfs),
        Buffer.concat([readFileSync(join(deployment, initramfs)), Buffer.alloc(512)]),
      );
    }
    const branch = `debian/${version}`;
    sysroot.repo('commit', [`--branch=${branch}`, `--tree=ref=${before}`, `--tree=dir=${tree}`]);
    before = branch;
  }
}

/** Has the program lie where somebody brought it, instead of where `boot install` puts it. */
function bringProgram({ path }: OstreeSysroot): void {
  const installed = join(path, 'ostree/deploy', STATEROOT, 'var/lib/sealtree');
  const brought = join(path, 'ostree/deploy', STATEROOT, BROUGHT);
  mkdirSync(dirname(brought), { recursive: true });
  runHost(['sh', '-euc', 'mv "$0"/app-* "$1"; rm -r "$0"', installed, brought]);
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
`;

/**
 * `wait_until COMMAND…`: asks again and again, for five minutes at most. `sealed_by_units REF`: that deployment of the
 * commit is written down as sealed, and whatever did it has ended.
 */
const WAIT = `
wait_until() {
  read -r now _ </proc/uptime
  deadline=$((\${now%.*} + 300))
  until "$@"; do
    read -r now _ </proc/uptime
    [ "\${now%.*}" -lt "$deadline" ] || return 1
    sleep 1
  done
}
is_written_down() { grep -q "^${STATEROOT}/$1\\." /sysroot/ostree/repo/extensions/sealtree/boot/values; }
is_idle() {
  case $(systemctl show --property=ActiveState --value sealtree-deploy.service) in
    active | activating | deactivating) return 1 ;;
  esac
}
sealed_by_units() { wait_until is_written_down "$(ostree rev-parse "$1")" && wait_until is_idle; }
`;

const JOURNAL = `
step journal journalctl --boot --no-pager --output=cat --unit=sealtree-deploy.service
`;

/** The end of a boot whose power is cut: what was not written is lost. */
const CUT_POWER = `
step end true
echo b >/proc/sysrq-trigger
sleep 60
`;

const tailOf = (boot: MachineBoot): string => boot.console.slice(-4000);

function assertDone(boot: MachineBoot, steps: readonly string[]): void {
  for (const name of steps) {
    const { status, stdout, stderr } = boot.step(name);
    const journal = boot.steps.get('journal')?.stdout ?? '';
    assert.equal(status, 0, `${name}: exit ${status}\n${stdout}${stderr}${journal}${tailOf(boot)}`);
  }
}

/** All units are content. */
function assertUp(boot: MachineBoot): void {
  assert.equal(boot.step('failed').stdout, '', tailOf(boot));
  assert.equal(boot.step('running').stdout, 'running\n', tailOf(boot));
}

/** Runs from the image that its boot entry pins. */
function assertSealed(boot: MachineBoot, machine: Machine, version: string): void {
  assert.equal(boot.step('unsealed').stdout, '', tailOf(boot));
  assertUp(boot);
  assert.equal(boot.step('version').stdout, `${version}\n`);
  assert.match(boot.step('root').stdout, /^overlay .*verity=require/);
  const booted = boot.step('booted').stdout.trimEnd().split('\n').sort();
  assert.deepEqual(booted, ['ConditionResult=yes', 'ExecMainStatus=0', 'Result=success']);
  assertDone(boot, ['complete']);
  const [, commit = '', serial = ''] =
    /^\* \S+ ([0-9a-f]{64})\.(\d+)$/m.exec(boot.step('status').stdout) ?? [];
  const image = machine.fsVerityDigest(`/ostree/deploy/${STATEROOT}/deploy/${commit}.${serial}/.ostree.cfs`);
  assert.equal(boot.step('sealed').stdout, `${image}\n`);
  assert(boot.entry.options.includes(`sealtree.pin=${commit.slice(0, 12)}:${image}`), boot.entry.options);
}

/** Boots, asks what there is to ask, and does the job. */
async function run(t: TestContext, machine: Machine, job: string): Promise<MachineBoot> {
  const boot = await machine.boot(SURVEY + WAIT + job);
  t.diagnostic(`${boot.seconds.toFixed(0)} s`);
  return boot;
}

describeSystem('upgrades', ['trixie', 'sid', 'guest', 'machine', 'machine-sid'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  /** Of trixie. */
  const tree = work.join('tree');
  before(() => makeMachineTree(tree, TREE));

  const deploy = async (own: Sandbox, settings: MachineSettings = {}): Promise<OstreeSysroot> => {
    const sysroot = await deployTree(own, tree, settings);
    commitVersions(sysroot, own, ['b', 'c', 'd']);
    return sysroot;
  };

  // All at once: they differ in length, and so no processor waits for the longest.
  describe('leave a machine sealed', { concurrency: 3 }, () => {
    it('that are written at once', async (t) => {
      using own = new Sandbox();
      const sysroot = await deploy(own);
      bringProgram(sysroot);
      const machine = Machine.of(sysroot, own.join('machine'));

      await t.test('install, with the program brought along', async (t) => {
        const program = `${BROUGHT}/node ${BROUGHT}/dist/sealtree.js`;
        const boot = await run(
          t,
          machine,
          `step seal ${program} seal --all
          step install ${program} boot install --yes
          step gone rm -r ${BROUGHT}
          step active systemctl is-active sealtree-deploy.path sealtree-finalized.service sealtree-verify.timer
          step check sealtree boot check --no-rehearsal`,
        );
        assertDone(boot, ['seal', 'install', 'gone', 'active', 'check']);
        assert.match(boot.step('install').stdout, /copy this program to \/var\/lib\/sealtree\/app/);
      });

      await t.test('two in a row', async (t) => {
        const boot = await run(
          t,
          machine,
          `step b ostree admin deploy debian/b
          step c ostree admin deploy debian/c
          step wait sealed_by_units debian/c
          ${JOURNAL}`,
        );
        assertSealed(boot, machine, 'a');
        assertDone(boot, ['b', 'c', 'wait']);
        assert.match(boot.step('journal').stdout, /sealed as [0-9a-f]{64}/);
      });

      await t.test('and one that nobody waits for', async (t) => {
        const boot = await run(t, machine, 'step deploy ostree admin deploy debian/d');
        assertSealed(boot, machine, 'c');
        assertDone(boot, ['deploy']);
      });

      await t.test('which is then made up for', async (t) => {
        const boot = await run(
          t,
          machine,
          `step wait sealed_by_units debian/d
          ${JOURNAL}
          step mended sealtree status
          step verify systemctl start sealtree-verify.service
          step found sealtree status
          step rollback ostree admin set-default 1`,
        );
        assert.equal(boot.step('version').stdout, 'd\n');
        const isSealed = boot.step('sealed').status === 0;
        t.diagnostic(`the first boot of what was not waited for: ${isSealed ? 'sealed' : 'plain'}`);
        if (isSealed) assertSealed(boot, machine, 'd');
        else {
          assert.match(boot.step('booted').stdout, /Result=exit-code/);
          assert.notEqual(boot.step('complete').status, 0, 'the boot is not blessed');
          assert.match(boot.step('mended').stdout, /^NOT SEALED: /);
        }
        assertDone(boot, ['wait', 'verify', 'rollback']);
        assert.match(boot.step('found').stdout, /^Last check: .*objects read and hashed: 0 errors/m);
      });

      await t.test('and a rollback', async (t) => {
        const boot = await run(t, machine, 'step forward ostree admin set-default 1');
        assertSealed(boot, machine, 'c');
        assertDone(boot, ['forward']);
      });

      await t.test('to and fro', async (t) => {
        assertSealed(await run(t, machine, ''), machine, 'd');
      });
    });

    it('that are staged, on a machine with a /boot of its own', async (t) => {
      using own = new Sandbox();
      const hasOwnBoot = true;
      const sysroot = await deploy(own, { hasOwnBoot, isReadOnly: true });
      const machine = Machine.of(sysroot, own.join('machine'), { hasOwnBoot });

      await t.test('install', async (t) => {
        const boot = await run(
          t,
          machine,
          `step seal sealtree seal --all
          step install sealtree boot install --yes
          step boot findmnt --noheadings --raw --output FSTYPE,LABEL /boot
          step check sealtree boot check`,
        );
        assertDone(boot, ['seal', 'install', 'check']);
        assert.equal(boot.step('boot').stdout, 'ext4 boot\n');
        assert.match(boot.entry.linux, /^\/ostree\//);
      });

      await t.test('staged', async (t) => {
        const boot = await run(
          t,
          machine,
          `step stage ostree admin deploy --stage debian/b
          step wait sealed_by_units debian/b
          ${JOURNAL}`,
        );
        assertSealed(boot, machine, 'a');
        assertDone(boot, ['stage', 'wait']);
        assert.match(boot.step('journal').stdout, /the boot is up to date/);
      });

      await t.test('staged, and the power is cut while that is finalized', async (t) => {
        const boot = await run(
          t,
          machine,
          `step stage ostree admin deploy --stage debian/c
          step wait sealed_by_units debian/c
          ${JOURNAL}
          # To be cut when the new boot entries have just become those that boot.
          for other in /boot/loader.0 /boot/loader.1; do [ /boot/loader -ef $other ] || break; done
          ostree admin finalize-staged &
          until [ /boot/loader -ef $other ]; do :; done
          ${CUT_POWER}`,
        );
        assertSealed(boot, machine, 'b');
        assertDone(boot, ['stage', 'wait']);
      });

      await t.test('and taken back when the program is gone', async (t) => {
        const boot = await run(
          t,
          machine,
          `step gone sh -euc 'rm -r /var/lib/sealtree/app /var/lib/sealtree/app-*'
          step quick systemctl start sealtree-deploy.service
          step remove sh -euc 'mount -o remount,rw /sysroot; sh /sysroot/ostree/repo/extensions/sealtree/boot/remove.sh'
          step units sh -c 'find /etc/systemd /sysroot/ostree/deploy/*/deploy/*/etc/systemd -name "sealtree-*"'
          step stopped systemctl is-active sealtree-deploy.path sealtree-finalized.service sealtree-verify.timer`,
        );
        const version = boot.step('version').stdout.trim();
        t.diagnostic(`after the power cut: ${version}`);
        assert(['b', 'c'].includes(version), version);
        assertSealed(boot, machine, version);
        assertDone(boot, ['gone', 'quick', 'remove']);
        // Emulated, beside two other machines.
        assert(boot.step('quick').seconds < 10, 'units do nothing, quickly');
        assert.equal(boot.step('units').stdout, '');
        assert.doesNotMatch(boot.step('stopped').stdout, /^active$/m);
      });

      await t.test('to boot plain again', async (t) => {
        const boot = await run(t, machine, '');
        assertUp(boot);
        assert.match(boot.step('root').stdout, /^ext4 /);
        assert.doesNotMatch(boot.entry.options, /sealtree/);
      });
    });

    it('where ostree mounts images by itself', async (t) => {
      using own = new Sandbox();
      const sysroot = await deployMachine(own, { ...TREE, release: 'sid' });
      commitVersions(sysroot, own, ['b']);
      const machine = Machine.of(sysroot, own.join('machine'));
      /** It has mounted the image, and the judge found it to be the pinned one. */
      const assertByOstree = (boot: MachineBoot, version: string): void => {
        assertSealed(boot, machine, version);
        assert.match(boot.console, /sealtree: ostree mounted the root from its own composefs image/);
        assert.match(boot.step('prepare').stdout, /^Finished .*Have ostree mount the pinned image/m);
        assertDone(boot, ['write']);
      };
      const ask = `
        step prepare journalctl --boot --no-pager --output=cat --unit=sealtree-prepare.service
        step write touch /etc/written /var/written`;

      await t.test('install', async (t) => {
        const boot = await run(
          t,
          machine,
          `step ostree ostree --version
          step seal sealtree seal --all
          step install sealtree boot install --yes
          step check sealtree boot check`,
        );
        assert.match(boot.step('ostree').stdout, /- composefs$/m);
        assertDone(boot, ['seal', 'install', 'check']);
      });

      await t.test('staged', async (t) => {
        const boot = await run(
          t,
          machine,
          `${ask}
          step stage ostree admin deploy --stage debian/b
          step wait sealed_by_units debian/b
          ${JOURNAL}`,
        );
        assertByOstree(boot, 'a');
        assertDone(boot, ['stage', 'wait']);
      });

      await t.test('and booted', async (t) => {
        assertByOstree(await run(t, machine, ask), 'b');
      });
    });
  });
});
