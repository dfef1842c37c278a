/** The way back without sealtree: the same as `boot remove`, in every shell, whatever was stopped before. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { removerPath } from '../../src/boot/journal.ts';
import { changeUnits, readUnits, type UnitsState } from '../../src/boot/keep/units.ts';
import { payloadPath } from '../../src/boot/payload.ts';
import { renderRemover } from '../../src/boot/remover.ts';
import { withIntegrity } from '../../src/boot/repo-config.ts';
import { change, makeSealedSysroot, snapshot } from '../support/boot-change.ts';
import { whatBoots } from '../support/boot-model.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { lintScripts, missingShellcheck } from '../support/shellcheck.ts';
import { hasShell, SHELLS } from '../support/shells.ts';

interface Run {
  /** Null where it was killed. */
  readonly status: number | null;
  readonly output: string;
}

/** Said before the script, in the same shell, where it runs often: no process is killed sooner than a disk is asked. */
const NO_FLUSHES = `
sync() { :; }
fsfreeze() { :; }
`;

/** And what takes names away, or gives them to other files, is counted: at the one numbered $STOP_AT all ends. */
const STEPS = `
step() {
  echo "$*" >>"$STEPS"
  counted=0
  while read -r _; do counted=$((counted + 1)); done <"$STEPS"
  [ "$counted" -ne "$STOP_AT" ] || kill -9 0
  command "$@"
}
mv() { step mv "$@"; }
rm() { step rm "$@"; }
rmdir() { step rmdir "$@"; }
`;

describe('the remover', () => {
  const work = new Sandbox({ inMemory: true });
  after(() => work.dispose());
  let made = 0;
  // Not this machine's file system.
  work.write('programs/fsfreeze', '#!/bin/sh\n');
  chmodSync(work.join('programs/fsfreeze'), 0o755);
  const PATH = `${work.join('programs')}:${process.env.PATH}`;

  const runRemover = (
    [program, ...args]: readonly [string, ...string[]],
    { repositoryPath }: BootableSysroot,
  ): Run => {
    const { status, stdout, stderr } = spawnSync(program, [...args, removerPath(repositoryPath)], {
      encoding: 'utf8',
      cwd: '/',
      env: { ...process.env, PATH },
    });
    return { status, output: stdout + stderr };
  };

  /** The run after one that was stopped. */
  const goOn = (sysroot: BootableSysroot): Run => runRemover(['dash', '-c', `${NO_FLUSHES}. "$0"`], sysroot);

  /** Returns the steps that were begun. In a group of its own, which all of it is killed with. */
  const runStopped = (stopAt: number, { repositoryPath }: BootableSysroot): string[] => {
    const log = work.write('log', '');
    spawnSync(
      'setsid',
      ['--wait', 'dash', '-c', `${NO_FLUSHES}${STEPS}. "$0"`, removerPath(repositoryPath)],
      {
        cwd: '/',
        env: { ...process.env, STEPS: log, STOP_AT: String(stopAt) },
      },
    );
    return readFileSync(log, 'utf8').trimEnd().split('\n');
  };

  const fresh = (settings: Readonly<Record<string, string>>): Promise<BootableSysroot> =>
    makeSealedSysroot(work, `sysroot${made++}`, settings);

  it('is clean', { skip: missingShellcheck() ?? false }, async () => {
    const sysroot = await fresh({ initramfs: 'append' });
    await change(sysroot, 'install');
    lintScripts([payloadPath('remove'), removerPath(sysroot.repositoryPath)]);
  });

  for (const shell of SHELLS) {
    const skip = hasShell(shell) ? false : `${shell[0]} is not installed`;
    for (const initramfs of ['append', 'overlay'])
      it(`takes back what was installed by ${initramfs}, in ${shell[0]}`, { skip }, async () => {
        const sysroot = await fresh({ initramfs });
        // Entries as others leave them: odd spacing, unknown keys, other overlays, no end of line.
        appendFileSync(sysroot.entries[0] as string, `x-note  two  blanks \naboot /other\n`);
        const other = `/ostree/initramfs-overlays/${'a'.repeat(64)}.img`;
        mkdirSync(dirname(join(sysroot.path, 'boot', other)), { recursive: true });
        writeFileSync(join(sysroot.path, 'boot', other), 'not ours');
        appendFileSync(sysroot.entries[1] as string, `initrd ${other}\n`);
        const plain = snapshot(sysroot.path);
        assert.equal((await change(sysroot, 'install')).outcome, 'done');
        assert.notDeepEqual(snapshot(sysroot.path), plain);
        const { status, output } = runRemover(shell, sysroot);
        assert.equal(status, 0, output);
        assert.deepEqual(snapshot(sysroot.path), plain, output);
        assert.equal((await change(sysroot, 'remove')).outcome, 'nothing');
      });
  }

  it('takes units and copies of the program away, where that is gone already, too', async () => {
    const sysroot = await fresh({ initramfs: 'append' });
    const [deployment = '', other = ''] = sysroot.deploymentPaths;
    const plain = snapshot(sysroot.path);
    await change(sysroot, 'install');
    const unitsOf = (path: string): UnitsState =>
      readUnits({ id: 'x', path, booted: false }, undefined, sysroot.system);
    mkdirSync(join(other, 'etc/systemd/system'), { recursive: true });
    symlinkSync('/dev/null', join(other, 'etc/systemd/system/sealtree-verify.timer'));
    for (const path of [deployment, other]) {
      const { wanted: writes, links } = unitsOf(path);
      assert.ok(writes.length > 3 && links.length > 3);
      await changeUnits(
        { kind: 'units', deployment: 'x', writes, links, removes: [], isRunning: false },
        sysroot.system,
      );
    }
    const own = join(deployment, 'etc/systemd/system/multi-user.target.wants/another.service');
    symlinkSync('/usr/lib/systemd/system/another.service', own);
    const state = join(sysroot.path, 'ostree/deploy/alpha/var/lib/sealtree');
    for (const [name, isGone] of [
      ['alpha', false],
      ['beta', true],
    ] as const) {
      const folder = state.replace('/alpha/', `/${name}/`);
      mkdirSync(join(folder, 'app-0123456789abcdef'), { recursive: true });
      symlinkSync('app-0123456789abcdef', join(folder, 'app'));
      writeFileSync(join(folder, 'app/node'), '');
      writeFileSync(join(folder, 'verified.json'), '');
      if (isGone) rmSync(join(folder, 'app-0123456789abcdef'), { recursive: true });
    }
    mkdirSync(join(state, 'history.git'));
    const { status, output } = runRemover(['dash'], sysroot);
    assert.equal(status, 0, output);
    assert.deepEqual(snapshot(sysroot.path), plain, output);
    for (const path of [deployment, other]) assert.deepEqual(unitsOf(path).found, []);
    assert.deepEqual(readdirSync(dirname(own)), ['another.service']);
    assert.deepEqual(readdirSync(join(other, 'etc/systemd/system')), ['sealtree-verify.timer']);
    assert.deepEqual(readdirSync(state), ['history.git']);
    assert.ok(!existsSync(state.replace('/alpha/', '/beta/')));
  });

  it('goes on where a remove was cut off', async () => {
    const sysroot = await fresh({ initramfs: 'append' });
    const plain = snapshot(sysroot.path);
    await change(sysroot, 'install');
    const counted = faultSystem(sysroot.system);
    await change(sysroot, 'remove', counted);
    const renames = counted.steps.flatMap(({ call }, i) =>
      call === 'rename' || call === 'unlink' ? [i] : [],
    );
    assert(renames.length > 10);
    for (const at of renames) {
      await change(sysroot, 'install');
      const broken = faultSystem(sysroot.system, { kind: 'power-cut', at });
      await assert.rejects(change(sysroot, 'remove', broken), PowerCut);
      const step = `${broken.steps[at]?.call} ${broken.steps[at]?.subject}`;
      if (existsSync(removerPath(sysroot.repositoryPath))) {
        const { status, output } = goOn(sysroot);
        assert.equal(status, 0, output);
        assert.deepEqual(snapshot(sysroot.path), plain, `${step}: ${output}`);
      } else await change(sysroot, 'remove');
    }
  });

  for (const initramfs of ['append', 'overlay'])
    it(`boots wherever it was stopped, and goes on from there: ${initramfs}`, async () => {
      const sysroot = await fresh({ initramfs, policy: 'enforce' });
      const plain = snapshot(sysroot.path);
      await change(sysroot, 'install');
      // Not where a pattern found no file, nor in what no boot reads.
      const stops = runStopped(0, sysroot).flatMap((step, i) =>
        step.includes(join(sysroot.path, 'boot/')) && !step.includes('*') ? [i + 1] : [],
      );
      assert.deepEqual(snapshot(sysroot.path), plain);
      assert(stops.length > 8, String(stops));
      for (const at of stops) {
        assert.equal((await change(sysroot, 'install')).outcome, 'done');
        const what = `${at}: ${runStopped(at, sysroot).at(-1)}`;
        for (const [id, as] of await whatBoots(sysroot))
          assert.ok(as === 'plain' || as === 'sealed', `${what}: ${id}: ${as}`);
        if (existsSync(removerPath(sysroot.repositoryPath))) {
          const { status, output } = goOn(sysroot);
          assert.equal(status, 0, `${what}: ${output}`);
        } else assert.ok(['done', 'nothing'].includes((await change(sysroot, 'remove')).outcome), what);
        assert.deepEqual(snapshot(sysroot.path), plain, what);
      }
    });

  const damage = (path: string, at: number): void => {
    const bytes = readFileSync(path);
    const offset = at < 0 ? bytes.length + at : at;
    bytes[offset] = (bytes[offset] as number) ^ 1;
    writeFileSync(path, bytes);
  };

  it('puts the own initramfs of a deployment in the place of a damaged one', async () => {
    const sysroot = await fresh({ initramfs: 'append' });
    const plain = snapshot(sysroot.path);
    await change(sysroot, 'install');
    const [first, second] = sysroot.initrds;
    damage(first, 10);
    // The end mark, by which it is told at once.
    damage(second, -300);
    const { status, output } = runRemover(['dash'], sysroot);
    assert.equal(status, 0, output);
    assert.deepEqual(snapshot(sysroot.path), plain, output);
  });

  it('says what is damaged, and stays until that is mended', async () => {
    const sysroot = await fresh({ initramfs: 'append' });
    await change(sysroot, 'install');
    const [initrd] = sysroot.initrds;
    for (const path of sysroot.deploymentPaths)
      rmSync(join(path, 'usr/lib/modules/6.12.0-test/initramfs.img'));
    damage(initrd, 10);
    const first = runRemover(['dash'], sysroot);
    assert.equal(first.status, 1);
    assert.match(first.output, /initramfs-.*: damaged: .* and no deployment has it/);
    assert.match(readFileSync(sysroot.entries[0] as string, 'latin1'), /sealtree\.pin=/);
    damage(initrd, 10);
    assert.equal(runRemover(['dash'], sysroot).status, 0);
  });

  it('leaves ostree no half of a kernel that was staged, and no settings of a rollback', async () => {
    const sysroot = await fresh({ initramfs: 'append' });
    const plain = snapshot(sysroot.path);
    await change(sysroot, 'install');
    const [initrd] = sysroot.initrds;
    const early = dirname(initrd).replaceAll('b'.repeat(64), 'c'.repeat(64));
    mkdirSync(early);
    writeFileSync(join(early, basename(initrd)), readFileSync(initrd));
    const settings = join(sysroot.deploymentPaths[0] as string, 'etc/sealtree/sealtree.conf.d');
    mkdirSync(settings, { recursive: true });
    for (const name of ['zz-rollback.conf', 'own.conf']) writeFileSync(join(settings, name), '');
    assert.equal(runRemover(['dash'], sysroot).status, 0);
    assert.deepEqual(snapshot(sysroot.path), plain);
    assert.deepEqual(readdirSync(settings), ['own.conf']);
  });

  it('takes the pins out of a menu that ostree writes', async () => {
    const sysroot = await fresh({ initramfs: 'append' });
    const menu = join(sysroot.path, 'boot/loader.0/syslinux.cfg');
    writeFileSync(menu, syslinuxMenu(sysroot));
    mkdirSync(join(sysroot.path, 'boot/syslinux'));
    symlinkSync('../loader/syslinux.cfg', join(sysroot.path, 'boot/syslinux/syslinux.cfg'));
    const plain = snapshot(sysroot.path);
    assert.equal((await change(sysroot, 'install')).outcome, 'done');
    assert.equal(readFileSync(menu, 'latin1').match(/sealtree\.pin=/g)?.length, 3);
    const { status, output } = runRemover(['dash'], sysroot);
    assert.equal(status, 0, output);
    assert.deepEqual(snapshot(sysroot.path), plain);
  });

  /** Copies of boot entries, which a person makes. */
  const OTHER_MENU = {
    path: '/efi/loader/entries',
    format: 'bls',
    bytes: Buffer.alloc(0),
    entries: [],
  } as const;

  const CONFIGS = [
    '[core]\nrepo_version=1\nmode=bare\n',
    '[core]\nmode=bare',
    '[core]\nmode=bare\n\n[ex-integrity]\nfsverity=no\n\n[remote "a"]\nurl=https://a\n',
    '[ex-integrity]\ncomposefs=no\n[core]\nmode=bare\n',
    '[core]\nmode=bare\n[ex-integrity]\n\n# nothing here\n',
    "[core]\nmode=bare\n\n[ex-integrity]\nfsverity = maybe\n# it's odd\n",
  ];
  for (const config of CONFIGS)
    it(`gives back the configuration ${JSON.stringify(config)}`, () => {
      const root = work.join(`config${made++}`);
      const own = join(root, 'ostree/repo/extensions/sealtree/boot');
      mkdirSync(own, { recursive: true });
      mkdirSync(join(root, 'boot/loader/entries'), { recursive: true });
      const edit = withIntegrity(Buffer.from(config), 'config');
      assert.ok(edit !== undefined);
      writeFileSync(join(root, 'ostree/repo/config'), edit.bytes);
      const remover = renderRemover(
        { integrityBefore: edit.before },
        {
          loader: { regenerate: undefined, command: undefined, menus: [OTHER_MENU] },
          boot: { path: join(root, 'boot') },
          initramfs: [],
        },
      );
      writeFileSync(join(own, 'remove.sh'), remover);
      const { status, stderr } = spawnSync('dash', [join(own, 'remove.sh')], {
        encoding: 'utf8',
        env: { ...process.env, PATH },
      });
      assert.equal(status, 0, stderr);
      assert.match(stderr, /^sealtree: \/efi\/loader\/entries still has the seal pins: /m);
      assert.equal(readFileSync(join(root, 'ostree/repo/config'), 'utf8'), config, edit.bytes.toString());
    });
});

/** As ostree's syslinux back end writes it. */
function syslinuxMenu({ entries }: BootableSysroot): string {
  const labels = entries.map((path) => {
    const value = (key: string): string =>
      new RegExp(`^${key} (.*)$`, 'm').exec(readFileSync(path, 'latin1'))?.[1] ?? '';
    return `LABEL ${value('title')}\n\tKERNEL ${value('linux')}\n\tINITRD ${value('initrd')}\n\tAPPEND ${value('options')}\n`;
  });
  return `DEFAULT first\nTIMEOUT 20\n\n${labels.join('')}`;
}
