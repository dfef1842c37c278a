/** The history of the boot configuration: kept by git, hindering nothing, and a way back that tells what it lacks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { PermissionError } from '../../src/base/errors.ts';
import type { Change } from '../../src/boot/change.ts';
import { readBootEntries } from '../../src/boot/entries.ts';
import { changeText, compareConfigurations, diffFiles } from '../../src/boot/history/compare.ts';
import { type History, type HistoryEntry, openHistory } from '../../src/boot/history/history.ts';
import { ROLLBACK_FILE } from '../../src/boot/settings-files.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { change, configure, makeSealedSysroot, readState, snapshot } from '../support/boot-change.ts';
import { whatBoots } from '../support/boot-model.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const work = new Sandbox({ inMemory: true });
after(() => work.dispose());

let made = 0;
const fresh = (settings?: Readonly<Record<string, string>>): Promise<BootableSysroot> =>
  makeSealedSysroot(work, `sysroot${made++}`, settings);

const historyOf = ({ path, system }: BootableSysroot): History =>
  openHistory(readSysroot(path, system), system);

/** A change whose history is kept by git, as that of a machine is. */
const kept = (
  sysroot: BootableSysroot,
  verb: 'install' | 'remove' | HistoryEntry,
  cause = typeof verb === 'string' ? `boot ${verb}` : `boot rollback ${verb.number}`,
): Promise<Change> =>
  change(sysroot, typeof verb === 'string' ? verb : { to: verb }, sysroot.system, {
    cause,
    history: () => historyOf(sysroot),
  });

const git = ({ where }: History, ...args: string[]): string =>
  execFileSync('git', ['--git-dir', where, ...args], { encoding: 'utf8' });

describe('the boot history', () => {
  it('has what was there before the first change, and after each', async () => {
    const sysroot = await fresh();
    const history = historyOf(sysroot);
    assert.deepEqual(await history.list(), []);
    const { history: kept1 } = await kept(sysroot, 'install');
    assert.deepEqual(kept1, { number: 2, notes: [] });
    assert.equal((await kept(sysroot, 'install')).history, undefined);
    await kept(sysroot, 'remove');
    const entries = await history.list();
    assert.deepEqual(
      entries.map(({ number, kind, cause, configuration }) => [
        number,
        kind,
        cause,
        configuration.isInstalled,
      ]),
      [
        [1, 'found', 'boot install', false],
        [2, 'change', 'boot install', true],
        [3, 'change', 'boot remove', false],
      ],
    );
    const [before, installed, removed] = entries as [HistoryEntry, HistoryEntry, HistoryEntry];
    assert.equal(installed.configuration.deployments.length, 3);
    for (const { sealPin, imageDigest, addition } of installed.configuration.deployments) {
      assert.equal(sealPin?.split(':')[1], imageDigest);
      assert.match(addition ?? '', /^[0-9a-f]{64}$/);
    }
    assert.deepEqual(compareConfigurations(before.configuration, removed.configuration), []);
    assert.equal(diffFiles(await history.kept(before), await history.kept(removed)), '');
    const changes = compareConfigurations(before.configuration, installed.configuration).map(changeText);
    assert.ok(changes.includes('installed: no → yes'), changes.join('\n'));
    assert.match(changes.join('\n'), /: seal pin: none → [0-9a-f]{64}/);
    assert.match(
      diffFiles(await history.kept(before), await history.kept(installed)),
      /^\+options .*sealtree\.pin=/m,
    );
  });

  it('is a repository that git itself reads, and nobody but its owner', async () => {
    const sysroot = await fresh();
    await kept(sysroot, 'install');
    const history = historyOf(sysroot);
    assert.equal(statSync(history.where).mode & 0o777, 0o700);
    assert.match(git(history, 'fsck', '--strict', '--full'), /^$/);
    assert.match(
      git(history, 'log', '-1', '--format=%B', 'main'),
      /^boot install\n\nInstalled: yes\nDeployment: /,
    );
    const [entry = ''] = readdirSync(join(sysroot.path, 'boot/loader.0/entries'));
    assert.equal(
      git(history, 'show', `main:files/loader/entries/${entry}`),
      readFileSync(join(sysroot.path, 'boot/loader.0/entries', entry), 'utf8'),
    );
    assert.equal(readdirSync(history.where).includes('hooks'), false);
  });

  it('keeps what others changed in between, and bytes that are no text', async () => {
    const sysroot = await fresh();
    await kept(sysroot, 'install');
    const path = sysroot.entries[0] as string;
    const text = readFileSync(path, 'latin1');
    const odd = Buffer.from(text.replace(/^(options .*)$/m, '$1 odd=\xff\xfe'), 'latin1');
    writeFileSync(path, odd);
    configure(sysroot, { initramfs: 'append', policy: 'enforce' });
    const again = await kept(sysroot, 'install', 'hook boot');
    assert.equal(again.outcome, 'done', JSON.stringify(again.plan.refusals));
    const history = historyOf(sysroot);
    const entries = await history.list();
    assert.deepEqual(
      entries.map(({ kind, cause }) => `${kind} ${cause}`),
      ['found boot install', 'change boot install', 'found hook boot', 'change hook boot'],
    );
    const found = await history.kept(entries[2] as HistoryEntry);
    assert.ok(found.files.get('loader/entries/ostree-3.conf')?.equals(odd));
    assert.match(found.configuration.deployments[0]?.kargs ?? '', / odd=\xff\xfe$/);
  });

  it('is refused to others than its owner', async () => {
    const sysroot = await fresh();
    await kept(sysroot, 'install');
    const { where } = historyOf(sysroot);
    const system: typeof sysroot.system = {
      ...sysroot.system,
      lstatIfExists: (path) => {
        const stats = sysroot.system.lstatIfExists(path);
        if (path === where && stats !== undefined) stats.uid += 1;
        return stats;
      },
    };
    await assert.rejects(openHistory(readSysroot(sysroot.path, system), system).list(), PermissionError);
  });
});

describe('what is wrong with the history', () => {
  /** Every way to damage it, and whether what is left can be told from none at all. */
  const DAMAGES: Readonly<Record<string, (where: string) => void>> = {
    'is no folder': (where) => {
      rmSync(where, { recursive: true });
      writeFileSync(where, 'something else');
    },
    'has a branch that leads nowhere': (where) => truncateSync(join(where, 'refs/heads/main')),
    'has lost its objects': (where) => rmSync(join(where, 'objects'), { recursive: true }),
    'has an empty object': (where) => {
      const commit = readFileSync(join(where, 'refs/heads/main'), 'utf8').trim();
      const path = join(where, 'objects', commit.slice(0, 2), commit.slice(2));
      rmSync(path);
      writeFileSync(path, '');
    },
    'has a HEAD that is none': (where) => writeFileSync(join(where, 'HEAD'), '\0\0\0'),
    'has a configuration that is none': (where) => writeFileSync(join(where, 'config'), '[core\n'),
  };

  for (const [what, damage] of Object.entries(DAMAGES))
    it(`hinders no install: it ${what}`, async () => {
      const sysroot = await fresh();
      await kept(sysroot, 'install');
      const { where } = historyOf(sysroot);
      damage(where);
      const done = await kept(sysroot, 'remove');
      assert.equal(done.outcome, 'done');
      assert.equal(done.history?.number, 2, done.history?.notes.join());
      assert.match(
        done.history?.notes.join() ?? '',
        /was damaged and begins anew; the old one is .*history-\d{8}T\d{6}Z\.git/,
      );
      assert.equal(readdirSync(dirname(where)).filter((name) => name.startsWith('history-')).length, 1);
      assert.equal((await historyOf(sysroot).list()).length, 2);
    });

  it('hinders no install: there is no git', async (test) => {
    const sysroot = await fresh();
    const { PATH } = process.env;
    test.after(() => {
      process.env.PATH = PATH;
    });
    process.env.PATH = '/nonexistent';
    const done = await kept(sysroot, 'install');
    process.env.PATH = PATH;
    assert.deepEqual([...(await whatBoots(sysroot)).values()], ['sealed', 'sealed', 'sealed']);
    assert.deepEqual(done.history, {
      number: undefined,
      notes: ['no history is kept of this change: git is not installed'],
    });
    // Once there is git, it begins.
    assert.equal((await kept(sysroot, 'remove')).history?.number, 2);
  });

  it('hinders no install: nobody else may have a say in it', async (test) => {
    const sysroot = await fresh();
    const home = join(sysroot.path, 'home');
    const { HOME, GIT_DIR } = process.env;
    test.after(() => {
      Object.assign(process.env, { HOME, ...(GIT_DIR === undefined ? {} : { GIT_DIR }) });
      if (GIT_DIR === undefined) delete process.env.GIT_DIR;
    });
    process.env.HOME = home;
    process.env.GIT_DIR = '/nonexistent';
    assert.deepEqual((await kept(sysroot, 'install')).history, { number: 2, notes: [] });
  });
});

describe('going back', () => {
  it('to what was before the first install takes all of it back', async () => {
    const sysroot = await fresh({ initramfs: 'append', policy: 'enforce' });
    const plain = snapshot(sysroot.path);
    await kept(sysroot, 'install');
    const done = await kept(sysroot, await historyOf(sysroot).entry(1));
    assert.equal(done.plan.verb, 'remove');
    assert.deepEqual(done.plan.warnings, []);
    assert.deepEqual(snapshot(sysroot.path), plain);
    assert.equal((await historyOf(sysroot).list()).at(-1)?.cause, 'boot rollback 1');
  });

  it('brings the settings of then, and only those that the files do not say', async () => {
    const sysroot = await fresh({ initramfs: 'append', policy: 'prefer' });
    await kept(sysroot, 'install');
    configure(sysroot, { initramfs: 'append', policy: 'enforce' });
    await kept(sysroot, 'install');
    assert.equal((await readState(sysroot, sysroot.system)).wanted.policy, 'enforce');
    const history = historyOf(sysroot);
    const dropIn = join(sysroot.deploymentPaths[0] as string, ROLLBACK_FILE);
    const back = await kept(sysroot, await history.entry(2));
    assert.equal(back.plan.steps[0]?.kind, 'settings');
    assert.match(readFileSync(dropIn, 'utf8'), /^# .*\n\[boot\]\npolicy=prefer\n$/);
    const state = await readState(sysroot, sysroot.system);
    assert.equal(state.wanted.policy, 'prefer');
    assert.deepEqual([...(await whatBoots(sysroot)).values()], ['sealed', 'sealed', 'sealed']);
    // As the next install sees it, all is done.
    assert.equal((await kept(sysroot, 'install')).outcome, 'nothing');
    assert.equal((await kept(sysroot, await history.entry(2))).outcome, 'nothing');
    // And forth again: the file has nothing to say then.
    const entries = await history.list();
    const enforced = entries.find(({ configuration }) => configuration.settings.policy === 'enforce');
    await kept(sysroot, enforced as HistoryEntry);
    assert.equal(existsSync(dropIn), false);
    assert.equal((await readState(sysroot, sysroot.system)).wanted.policy, 'enforce');
  });

  it('leaves no settings behind that a remove would have to explain', async () => {
    const sysroot = await fresh({ initramfs: 'append', policy: 'prefer' });
    const plain = snapshot(sysroot.path);
    await kept(sysroot, 'install');
    configure(sysroot, { initramfs: 'append', policy: 'enforce' });
    await kept(sysroot, 'install');
    await kept(sysroot, await historyOf(sysroot).entry(2));
    await kept(sysroot, 'remove');
    assert.equal(existsSync(join(sysroot.deploymentPaths[0] as string, ROLLBACK_FILE)), false);
    assert.deepEqual(snapshot(sysroot.path), plain);
  });

  it('says what it cannot bring back', async () => {
    const sysroot = await fresh();
    await kept(sysroot, 'install');
    const history = historyOf(sysroot);
    const then = await history.entry(2);
    const [first] = then.configuration.deployments;
    const before = readBootEntries(readSysroot(sysroot.path, sysroot.system), sysroot.system);
    // ostree has dropped the default deployment, and changed what another one is booted with.
    rmSync(sysroot.entries[0] as string);
    const path = sysroot.entries[1] as string;
    writeFileSync(path, readFileSync(path, 'utf8').replace(/^options /m, 'options quiet '));
    const { plan } = await kept(sysroot, then);
    const lost = plan.warnings.filter(({ code }) => code === 'not-brought-back');
    assert.deepEqual(
      lost.map(({ where, message }) => [where, message]),
      [
        [first?.id, 'this deployment is gone: ostree keeps no more than it was told to'],
        [
          before.find((entry) => entry.path === path)?.deployment?.id,
          "its kernel arguments are ostree's: they stay as they are (quiet was not there)",
        ],
      ],
    );
  });

  it('names the file that has the last word on a setting', async () => {
    const sysroot = await fresh({ initramfs: 'append', policy: 'prefer' });
    await kept(sysroot, 'install');
    const folder = dirname(join(sysroot.deploymentPaths[0] as string, ROLLBACK_FILE));
    const later = join(folder, 'zzz.conf');
    sysroot.system.mkdir(folder);
    writeFileSync(later, '[boot]\npolicy=enforce\n');
    await kept(sysroot, 'install');
    const { plan } = await kept(sysroot, await historyOf(sysroot).entry(2));
    assert.deepEqual(
      plan.warnings.map(({ where, message }) => [where, message]),
      [
        [
          '/etc/sealtree/sealtree.conf.d/zzz.conf',
          'policy was prefer in entry 2, and this file has the last word on it',
        ],
      ],
    );
    assert.equal((await readState(sysroot, sysroot.system)).wanted.policy, 'enforce');
  });
});
