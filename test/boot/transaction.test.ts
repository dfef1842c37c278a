/** Carrying plans out beside others who change the same files, and what is asked before. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { OperationError, SealtreeError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { unifiedDiff } from '../../src/boot/diffs.ts';
import { installedPath, journalPath, readJournal } from '../../src/boot/journal.ts';
import { parseGrubMenu } from '../../src/boot/loaders/grub-menu.ts';
import { planInstall } from '../../src/boot/plan.ts';
import { replaceEntry } from '../../src/boot/replace.ts';
import type { BootState } from '../../src/boot/state.ts';
import { carryOut } from '../../src/boot/transaction.ts';
import { parseBlsName } from '../../src/formats/bls.ts';
import { change, configure, makeSealedSysroot, readState, snapshot } from '../support/boot-change.ts';
import { whatBoots } from '../support/boot-model.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';

describe('a boot entry is replaced', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  const [before, after_] = [Buffer.from('title old\n'), Buffer.from('title new\n')];
  const NAME = parseBlsName('ostree-2+3.conf');
  assert.ok(NAME !== undefined);

  /** A folder with the entry, and a system on which `meddle` runs before the call of that name. */
  type Call = 'create' | 'rename' | 'listxattr';
  const setUp = (name: string, call: Call | undefined, meddle: (folder: string) => void) => {
    const folder = work.mkdir(`entries${name}`);
    writeFileSync(join(folder, 'ostree-2+3.conf'), before);
    let isDone = false;
    const once = (): void => {
      if (!isDone) meddle(folder);
      isDone = true;
    };
    const system: System = {
      ...linuxSystem,
      create(path, mode) {
        if (call === 'create') once();
        return linuxSystem.create(path, mode);
      },
      listxattr(path) {
        if (call === 'listxattr') once();
        return linuxSystem.listxattr(path);
      },
      rename(from, to) {
        if (call === 'rename') once();
        linuxSystem.rename(from, to);
      },
    };
    return { folder, system };
  };
  const bless = (folder: string): void =>
    renameSync(join(folder, 'ostree-2+3.conf'), join(folder, 'ostree-2.conf'));

  for (const [when, call] of [
    ['not at all', undefined],
    ['while it is written aside', 'create'],
    ['just before the rename', 'rename'],
    ['while it is looked at', 'listxattr'],
  ] as const)
    it(`under the name it has then, renamed ${when}`, () => {
      const { folder, system } = setUp(when, call, bless);
      replaceEntry(folder, NAME, before, after_, system);
      assert.deepEqual(readdirSync(folder), [call === undefined ? 'ostree-2+3.conf' : 'ostree-2.conf']);
      assert.deepEqual(readFileSync(join(folder, readdirSync(folder)[0] as string)), after_);
    });

  it('not where somebody else has written to it', () => {
    const { folder, system } = setUp('other', undefined, () => undefined);
    writeFileSync(join(folder, 'ostree-2+3.conf'), 'title other\n');
    assert.throws(() => replaceEntry(folder, NAME, before, after_, system), OperationError);
    assert.deepEqual(readdirSync(folder), ['ostree-2+3.conf']);
    assert.equal(readFileSync(join(folder, 'ostree-2+3.conf'), 'utf8'), 'title other\n');
  });

  it('not where it is gone', () => {
    const { folder, system } = setUp('gone', undefined, () => undefined);
    renameSync(join(folder, 'ostree-2+3.conf'), join(folder, 'other.conf'));
    assert.throws(() => replaceEntry(folder, NAME, before, after_, system), OperationError);
  });
});

describe('install', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  const entryNames = ({ path }: BootableSysroot): string[] =>
    readdirSync(join(path, 'boot/loader.0/entries')).sort();

  it('keeps boot counters, foreign entries, modes and what is odd in an entry', async () => {
    const sysroot = await makeSealedSysroot(work, 'odd');
    const entries = join(sysroot.path, 'boot/loader.0/entries');
    renameSync(join(entries, 'ostree-3.conf'), join(entries, 'ostree-3+02-1.conf'));
    const foreign = 'title Other\nlinux /vmlinuz\noptions sealtree.pin=mine ostree\n';
    writeFileSync(join(entries, 'other.conf'), foreign, { mode: 0o600 });
    const odd = join(entries, 'ostree-2.conf');
    writeFileSync(odd, `# a comment\n${readFileSync(odd, 'latin1')}x-unknown\tvalue  \nx-unknown again\n`, {
      mode: 0o755,
    });
    const plain = snapshot(sysroot.path);
    await change(sysroot, 'install');
    assert.deepEqual(entryNames(sysroot), [
      'ostree-1.conf',
      'ostree-2.conf',
      'ostree-3+02-1.conf',
      'other.conf',
    ]);
    assert.equal(readFileSync(join(entries, 'other.conf'), 'latin1'), foreign);
    const diff = unifiedDiff(
      'x',
      Buffer.from(plain.get('boot/loader.0/entries/ostree-2.conf') ?? '', 'latin1'),
      readFileSync(odd),
    );
    assert.equal(diff.match(/^[-+](?![-+])/gm)?.length, 2, diff);
    assert.equal([...(await whatBoots(sysroot)).values()].join(' '), 'sealed sealed sealed');
    await change(sysroot, 'remove');
    assert.deepEqual(snapshot(sysroot.path), plain);
  });

  it('follows settings that have changed, and goes from one way to the other', async () => {
    const sysroot = await makeSealedSysroot(work, 'settings', { initramfs: 'append', policy: 'prefer' });
    const plain = snapshot(sysroot.path);
    const masters = (): string[] =>
      readdirSync(join(sysroot.repositoryPath, 'extensions/sealtree/boot/additions'));
    for (const settings of [
      { initramfs: 'append', policy: 'prefer' },
      { initramfs: 'append', policy: 'enforce' },
      { initramfs: 'overlay', policy: 'enforce' },
      { initramfs: 'overlay', policy: 'prefer' },
      { initramfs: 'append', policy: 'enforce' },
    ]) {
      configure(sysroot, settings);
      assert.equal((await change(sysroot, 'install')).outcome, 'done');
      assert.equal((await change(sysroot, 'install')).outcome, 'nothing');
      const { initramfs, overlays } = await readState(sysroot, sysroot.system);
      const isAppended = settings.initramfs === 'append';
      assert.deepEqual(
        initramfs.map(({ content }) => content),
        isAppended ? ['extended', 'extended'] : ['original', 'original'],
      );
      assert.equal(overlays.length, isAppended ? 0 : 1);
      assert.equal(masters().length, 1, 'no addition is kept that nothing uses');
      assert.equal([...(await whatBoots(sysroot)).values()].join(' '), 'sealed sealed sealed');
    }
    await change(sysroot, 'remove');
    assert.deepEqual(snapshot(sysroot.path), plain);
  });

  it('does only what was agreed to', async () => {
    const sysroot = await makeSealedSysroot(work, 'agreed');
    const plain = snapshot(sysroot.path);
    const declined = await change(sysroot, 'install', sysroot.system, {
      agree: () => Promise.resolve(false),
    });
    assert.equal(declined.outcome, 'declined');
    assert.deepEqual(snapshot(sysroot.path), plain);
    const [entry = ''] = sysroot.entries;
    const agree = (): Promise<boolean> => {
      writeFileSync(entry, `${readFileSync(entry, 'latin1')}x-new key\n`);
      return Promise.resolve(true);
    };
    await assert.rejects(
      change(sysroot, 'install', sysroot.system, { agree }),
      (error) => error instanceof OperationError && error.code === 'changed-meanwhile',
    );
    assert.ok(!existsSync(installedPath(sysroot.repositoryPath)));
    let asked = 0;
    const count = (): Promise<boolean> => Promise.resolve(++asked > 0);
    assert.equal((await change(sysroot, 'install', sysroot.system, { agree: count })).outcome, 'done');
    assert.equal((await change(sysroot, 'install', sysroot.system, { agree: count })).outcome, 'nothing');
    assert.equal(asked, 1, 'nobody is asked about nothing');
  });

  it('stops at a file that somebody else has changed, and leaves the journal', async () => {
    const sysroot = await makeSealedSysroot(work, 'changed');
    const state = await readState(sysroot, sysroot.system);
    const plan = planInstall(state);
    const [entry = ''] = sysroot.entries;
    writeFileSync(entry, `${readFileSync(entry, 'latin1')}x-new key\n`);
    await assert.rejects(
      carryOut(plan, state.sysroot, { progress: silent() }, sysroot.system),
      (error) => error instanceof OperationError && error.message.startsWith(entry),
    );
    const journal = readJournal(sysroot.repositoryPath, sysroot.system);
    assert.equal(journal?.verb, 'install');
    assert.equal(journal?.steps.length, plan.steps.length);
    assert.equal((await change(sysroot, 'install')).outcome, 'done');
    assert.ok(!existsSync(journalPath(sysroot.repositoryPath)));
    assert.match(readFileSync(entry, 'latin1'), /^x-new key$/m);
  });

  it('lets a loader find what was renamed before it removes what a killed run has left', async () => {
    const sysroot = await makeSealedSysroot(work, 'leftovers');
    const [entry = ''] = sysroot.entries;
    const counted = faultSystem(sysroot.system);
    await change(sysroot, 'install', counted);
    await change(sysroot, 'remove');
    const renamed = counted.steps.findIndex(
      ({ call, subject }) => call === 'rename' && dirname(subject) === dirname(entry),
    );
    const killed = faultSystem(sysroot.system, { kind: 'power-cut', at: renamed + 1 });
    await assert.rejects(change(sysroot, 'install', killed), PowerCut);
    const next = faultSystem(sysroot.system);
    await change(sysroot, 'install', next);
    const first = next.steps.findIndex(({ call }) => call === 'unlink');
    assert.equal(dirname(next.steps[first]?.subject ?? ''), dirname(entry));
    assert.deepEqual(next.steps[first - 1], { call: 'checkpoint', subject: dirname(entry) });
  });

  const IN_THE_WAY: Readonly<Record<string, (sysroot: BootableSysroot) => void>> = {
    'a folder with the name of a temporary file': ({ entries: [entry = ''] }) =>
      mkdirSync(join(dirname(entry), '.sealtree-tmp-0123456789ab')),
    'a file where overlay initrds would be': ({ path }) =>
      writeFileSync(join(path, 'boot/ostree/initramfs-overlays'), ''),
  };
  for (const [what, put] of Object.entries(IN_THE_WAY))
    it(`leaves alone, and goes on in spite of, ${what}`, async () => {
      const sysroot = await makeSealedSysroot(work, what);
      put(sysroot);
      const plain = snapshot(sysroot.path);
      assert.equal((await change(sysroot, 'install')).outcome, 'done');
      assert.equal((await change(sysroot, 'remove')).outcome, 'done');
      assert.deepEqual(snapshot(sysroot.path), plain);
      assert.equal((await change(sysroot, 'remove')).outcome, 'nothing');
    });

  it("has ostree's generator write the menu, after the pins and before the script", async () => {
    const sysroot = await makeSealedSysroot(work, 'menu', { initramfs: 'append', policy: 'enforce' });
    const output = join(sysroot.path, 'boot/loader.0/grub.cfg');
    const program = work.write(
      'generator',
      `#!/bin/sh
set -eu
[ ! -e "$2" ] && [ "$_OSTREE_GRUB2_BOOTVERSION" = 0 ]
for entry in "\${2%/*}"/entries/*.conf; do
  echo "menuentry '\${entry##*/}' {"
  while read -r key value; do [ "$key" != options ] || echo "linux /k $value"; done <"$entry"
  echo "}"
done >"$2"
`,
    );
    runHost(['chmod', '755', program]);
    const menuOf = (): BootState['loader']['menus'] => [
      {
        path: output,
        format: 'grub',
        bytes: readFileSync(output),
        entries: parseGrubMenu(readFileSync(output), output).entries,
      },
    ];
    runHost([program, '-o', output], { env: { _OSTREE_GRUB2_BOOTVERSION: '0' } });
    const adapt = (state: BootState): BootState => ({
      ...state,
      loader: {
        ...state.loader,
        name: 'grub',
        readsEntries: 'generated',
        initrds: 'first',
        ways: ['append', 'module'],
        menus: menuOf(),
        regenerate: {
          kind: 'program',
          argv: [program, '-o'],
          env: { _OSTREE_GRUB2_BOOTVERSION: '0' },
          output,
          why: 'a test',
        },
      },
    });
    const kinds: string[] = [];
    const onStep = ({ kind }: { kind: string }): void => void kinds.push(kind);
    const plain = snapshot(sysroot.path);
    assert.equal((await change(sysroot, 'install', sysroot.system, { adapt, onStep })).outcome, 'done');
    assert.deepEqual(kinds.slice(-4), ['edit', 'menu', 'append', 'append']);
    assert.equal(readFileSync(output, 'latin1').match(/ sealtree\.pin=/g)?.length, 3);
    const choices = menuOf()[0]?.entries.map(({ options }) => ({
      link: / ostree=(\S+)/.exec(options)?.[1] ?? '',
      options,
    }));
    assert.equal([...(await whatBoots(sysroot, choices)).values()].join(' '), 'sealed sealed sealed');
    assert.equal((await change(sysroot, 'install', sysroot.system, { adapt })).outcome, 'nothing');
    assert.equal((await change(sysroot, 'remove', sysroot.system, { adapt })).outcome, 'done');
    assert.deepEqual(snapshot(sysroot.path), plain);
  });

  it('keeps the menu that is there when the generator fails, or leaves out what has to be in it', async () => {
    const sysroot = await makeSealedSysroot(work, 'broken-menu', { initramfs: 'append', policy: 'enforce' });
    const output = join(sysroot.path, 'boot/loader.0/grub.cfg');
    writeFileSync(output, 'the menu');
    mkdirSync(join(sysroot.path, 'boot/grub'), { recursive: true });
    const generator = (name: string, line: string): string => {
      const program = work.write(name, `#!/bin/sh\n${line} >"$2"\n`);
      runHost(['chmod', '755', program]);
      return program;
    };
    const entries = join(sysroot.path, 'boot/loader.0/entries');
    const all = `for e in ${entries}/*; do echo "menuentry 'x' {"; sed -n 's/^options /linux /k /p' "$e"; echo '}'; done`;
    const programs = [
      'false',
      'touch',
      // As grub-mkconfig fails.
      generator('half', 'echo half >"$2.new"; exit 1; true'),
      generator('foreign', `echo "menuentry 'Another system' {\n linux /k root=/dev/sdb\n}"`),
      generator('one-short', `(${all}) | sed '1,3d'`),
      generator('without-pin', `(${all}) | sed '2s/ sealtree.pin=[^ ]*//'`),
      generator('cut-off', `(${all}) | sed '$d'`),
    ];
    for (const program of programs) {
      const adapt = (state: BootState): BootState => ({
        ...state,
        loader: {
          ...state.loader,
          menus: [
            {
              path: output,
              format: 'grub',
              bytes: Buffer.from('the menu'),
              entries: [
                {
                  title: '' as never,
                  kernel: '/k' as never,
                  initrds: [],
                  options: `ostree=${state.targets[0]?.deployment.bootLink}` as never,
                  optionsLine: 1,
                },
              ],
            },
          ],
          regenerate: { kind: 'program', argv: [program, '--'], env: {}, output, why: 'a test' },
        },
      });
      await assert.rejects(change(sysroot, 'install', sysroot.system, { adapt }), SealtreeError, program);
      assert.equal(readFileSync(output, 'utf8'), 'the menu', program);
      assert.deepEqual(readdirSync(dirname(output)).sort(), ['entries', 'grub.cfg'], program);
      const { initramfs } = await readState(sysroot, sysroot.system);
      assert.ok(
        initramfs.every(({ content }) => content === 'original'),
        'the script comes after the menu',
      );
    }
  });
});
