/** Install and remove with a staged deployment: what ostree is told to write at shutdown, and power cuts before that. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { bootSettings } from '../../src/boot/change.ts';
import { checkBoot } from '../../src/boot/check.ts';
import { splitAddition } from '../../src/boot/initramfs/extended.ts';
import { bootFolder } from '../../src/boot/journal.ts';
import { bootOutlook } from '../../src/boot/outlook.ts';
import { planInstall, planRemove } from '../../src/boot/plan.ts';
import { type BootState, readBootState } from '../../src/boot/state.ts';
import { carryOut } from '../../src/boot/transaction.ts';
import { makeStyle } from '../../src/commands/output.ts';
import { renderBootPlan } from '../../src/commands/text/boot-plan.ts';
import { readStaged } from '../../src/deployment/staged.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { type Value, type Variant, writeVariant } from '../../src/formats/gvariant.ts';
import { makeSealedSysroot, NOTHING_KEPT, snapshot } from '../support/boot-change.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

const dict = (values: Record<string, Variant>): ReadonlyMap<ByteString, Value> =>
  new Map(Object.entries(values).map(([key, value]) => [key as ByteString, value]));
const text = (value: string): Variant => ({ type: 's', value: value as ByteString });

/** Its first deployment is staged, with another kernel as far as ostree knows; the second one runs. */
async function makeStagedSysroot(
  work: Sandbox,
  name: string,
  initramfs: string,
  more: Record<string, Variant> = {},
): Promise<BootableSysroot> {
  const sysroot = await makeSealedSysroot(work, name, { initramfs, policy: 'enforce' });
  const [staged = '', booted = ''] = sysroot.deploymentPaths;
  rmSync(sysroot.entries[0] as string);
  const variant = (path: string, bootcsum: string): Variant => ({
    type: 'a{sv}',
    value: dict({
      name: text(path.split('/').at(-1) ?? ''),
      osname: text('alpha'),
      bootcsum: text(bootcsum),
    }),
  });
  const { dev, ino } = lstatSync(booted, { bigint: true });
  const write = (file: string, values: Record<string, Variant>): void => {
    const path = join(sysroot.path, 'run', file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, writeVariant('a{sv}', dict(values)));
  };
  write('ostree-booted', { 'backing-root-device-inode': { type: '(tt)', value: [dev, ino] } });
  write('ostree/staged-deployment', {
    target: variant(staged, 'c'.repeat(64)),
    'merge-deployment': variant(booted, 'b'.repeat(64)),
    'unknown-key': text('kept'),
    ...more,
  });
  return sysroot;
}

const runOf = ({ path }: Pick<BootableSysroot, 'path'>): string => join(path, 'run');

async function readState(sysroot: BootableSysroot, system: System = sysroot.system): Promise<BootState> {
  const read = readSysroot(sysroot.path, system, { runDirectory: runOf(sysroot) });
  const settings = bootSettings({ ...read, deployments: read.deployments.slice(0, 1).map(unstaged) }, system);
  const state = await readBootState(read, settings, silent(), system);
  return {
    ...state,
    storage: { ...state.storage, verity: { state: 'ready' } },
    keep: { ...state.keep, ...NOTHING_KEPT },
  };
}

/** The stand-in's configuration lies in the deployment that is staged here. */
const unstaged = <T>(deployment: T): T => ({ ...deployment, staged: false });

async function run(
  sysroot: BootableSysroot,
  planOf: typeof planInstall,
  system?: System,
  adapt: (state: BootState) => BootState = (state) => state,
): Promise<string[]> {
  const state = adapt(await readState(sysroot, system));
  const plan = planOf(state);
  assert.deepEqual(plan.refusals, []);
  await carryOut(plan, state.sysroot, { progress: silent() }, system ?? sysroot.system);
  return plan.steps.map(({ kind }) => kind);
}

describe('a staged deployment', () => {
  const work = new Sandbox();
  after(() => work.dispose());

  it('gets pin and script by what ostree goes by at shutdown, and keeps what it had', async () => {
    const sysroot = await makeStagedSysroot(work, 'append', 'append');
    assert((await run(sysroot, planInstall)).includes('amend'));
    const staged = readStaged(runOf(sysroot), sysroot.system);
    const { staged: target, initramfs } = await readState(sysroot);
    assert.equal(target?.entry.pin, 'right');
    // The pin is its own, the rest that of the deployment it is merged from.
    assert.match(staged?.kargs?.join(' ') ?? '', /^root=LABEL=root sealtree\.pin=[0-9a-f]{12}:[0-9a-f]{64}$/);
    assert.match(
      readFileSync(join(runOf(sysroot), 'ostree/staged-deployment'), 'latin1'),
      /unknown-key.*kept/s,
    );
    const own = initramfs.find(({ path }) => path.includes(`alpha-${'c'.repeat(64)}`));
    assert.equal(own?.content, 'extended');
    assert.deepEqual(bootOutlook(target as never, await readState(sysroot)), { as: 'sealed', reason: '' });
    assert.deepEqual(planInstall(await readState(sysroot)).steps, []);
  });

  it('brings the script as an overlay initrd that waits beside the state', async () => {
    const foreign = 'f'.repeat(64) as ByteString;
    const sysroot = await makeStagedSysroot(work, 'overlay', 'overlay', {
      kargs: { type: 'as', value: ['root=LABEL=root' as ByteString, 'quiet' as ByteString] },
      'overlay-initrds': { type: 'as', value: [foreign] },
    });
    await run(sysroot, planInstall);
    const staged = readStaged(runOf(sysroot), sysroot.system);
    assert.deepEqual(staged?.kargs?.slice(0, 2), ['root=LABEL=root', 'quiet']);
    const [kept, ours = '', ...none] = staged?.overlayInitrds ?? [];
    assert.deepEqual([kept, none], [foreign, []]);
    const waiting = join(runOf(sysroot), 'ostree/staged-initrds', ours);
    assert.equal(lstatSync(waiting).mode & 0o777, 0o600);
    const { staged: target, ...state } = await readState(sysroot);
    assert.deepEqual(bootOutlook(target as never, { staged: target, ...state }), {
      as: 'sealed',
      reason: '',
    });

    await run(sysroot, planRemove);
    const after = readStaged(runOf(sysroot), sysroot.system);
    assert.deepEqual([after?.kargs, after?.overlayInitrds], [['root=LABEL=root', 'quiet'], [foreign]]);
  });

  it('is left as it is where it cannot be sealed, and said to be', async () => {
    const sysroot = await makeStagedSysroot(work, 'unsealable', 'append');
    const state = await readState(sysroot);
    const { staged } = state;
    assert(staged !== undefined);
    const { steps, refusals, warnings } = planInstall({
      ...state,
      staged: { ...staged, oldLibrary: 'usr/lib/libostree-1.so.1' },
    });
    assert.deepEqual(refusals, []);
    assert(!steps.some(({ kind }) => kind === 'amend'));
    assert(
      warnings.some(({ code, message }) => code === 'ostree-too-old' && /will not boot$/.test(message)),
      JSON.stringify(warnings),
    );
  });

  /** With this much room in /boot, which may be a file system of its own. */
  const withRoom =
    (availableBytes: number, bootIsSeparate = false) =>
    (state: BootState): BootState => ({
      ...state,
      storage: { ...state.storage, bootIsSeparate },
      boot: { ...state.boot, availableBytes },
    });
  const early = ({ path }: BootableSysroot): string => join(path, `boot/ostree/alpha-${'c'.repeat(64)}`);
  const values = ({ repositoryPath }: BootableSysroot): string =>
    readFileSync(join(bootFolder(repositoryPath), 'values'), 'latin1');

  it('gets the script at shutdown where it does not fit beside what is there', async () => {
    const sysroot = await makeStagedSysroot(work, 'no-room', 'append');
    const { initramfs, boot } = await readState(sysroot);
    const [pending, ...others] = initramfs.toSorted(
      (a, b) => +(b.pending !== undefined) - +(a.pending !== undefined),
    );
    assert(pending?.pending !== undefined && others.every((one) => one.pending === undefined));
    const sizeOf = (one: typeof pending) => one.originalBytes + (one.wanted?.bytes.length ?? 0);
    const rest = others.reduce((sum, one) => sum + sizeOf(one) - one.freedBytes, 0);
    const needed = rest + sizeOf(pending) + (1 << 20);
    const kinds = await run(sysroot, planInstall, undefined, withRoom(needed - 1));
    assert(kinds.includes('amend') && kinds.filter((kind) => kind === 'append').length === others.length);
    assert(!existsSync(early(sysroot)), 'ostree is to find no folder of that kernel');
    assert.match(values(sysroot), / tail\n/);
    const original = readFileSync(pending.original as string);
    const tail = readFileSync(join(bootFolder(sysroot.repositoryPath), 'tail'));
    const made = splitAddition(Buffer.concat([original, tail]), 'made at shutdown');
    assert.equal(made?.originalEnd, original.length);

    const again = withRoom(boot.availableBytes > needed ? needed - rest - 1 : 0)(await readState(sysroot));
    const { warnings, steps } = planInstall(again);
    assert.deepEqual(steps, []);
    const [warning] = warnings;
    assert.deepEqual([warning?.code, warning?.where], ['boot-full', boot.path]);
    assert.match(
      warning?.message ?? '',
      /at shutdown, where ostree has made room by then; else it boots plain once$/,
    );

    assert((await run(sysroot, planInstall, undefined, withRoom(needed - rest))).includes('append'));
    assert(existsSync(early(sysroot)));
    assert.match(values(sysroot), /^(\S+ \S+ append\n)+$/);
    assert(!existsSync(join(bootFolder(sysroot.repositoryPath), 'tail')));
  });

  it('gets the script at shutdown where /boot is a file system of its own', async () => {
    const sysroot = await makeStagedSysroot(work, 'separate', 'append');
    const separate = withRoom(1 << 30, true);
    const before = await readState(sysroot);
    assert.equal(planInstall(separate(before)).atShutdown?.id, before.staged?.deployment.id);
    assert.equal(planInstall(withRoom(1 << 30)(before)).atShutdown, undefined);
    assert((await run(sysroot, planInstall, undefined, separate)).includes('amend'));
    assert(!existsSync(early(sysroot)), 'ostree would remove it');
    assert.match(values(sysroot), / tail\n/);
    const state = separate(await readState(sysroot));
    const { steps, warnings } = planInstall(state);
    assert.deepEqual([steps, warnings], [[], []]);
    assert.deepEqual(bootOutlook(state.staged as never, state), {
      as: 'unknown',
      reason: 'its initramfs gets the mount script at shutdown, if /boot has room then',
    });
    const options = { depth: 'metadata', progress: silent(), rehearse: undefined } as const;
    const told: string[] = [];
    for await (const { severity, code } of checkBoot(state, options, sysroot.system))
      if (code.startsWith('staged-')) told.push(`${severity} ${code}`);
    assert.deepEqual(told, ['unchecked staged-unsealed'], 'what cannot be looked at yet is not passed over');
    // Kernel and initramfs by ostree, and then once more the initramfs with the script behind it.
    const pending = state.initramfs.find((one) => one.pending !== undefined);
    assert(pending?.pending !== undefined && pending.pending.bytes > 0);
    const needed =
      pending.pending.bytes + 2 * pending.originalBytes + (pending.wanted?.bytes.length ?? 0) + (1 << 20);
    const codes = (room: number): string[] =>
      planInstall(withRoom(room, true)(state)).warnings.map(({ code }) => code);
    assert.deepEqual([codes(needed), codes(needed - 1)], [[], ['boot-full']]);
  });

  for (const [why, planOf, isSeparate] of [
    ['was taken back', planRemove, false],
    ['would be in the way', planInstall, true],
  ] as const)
    it(`leaves ostree no folder of its kernel where it ${why}`, async () => {
      const sysroot = await makeStagedSysroot(work, planOf.name, 'append');
      await run(sysroot, planInstall);
      assert(existsSync(early(sysroot)));
      assert((await run(sysroot, planOf, undefined, withRoom(1 << 30, isSeparate))).includes('withdraw'));
      assert(!existsSync(early(sysroot)));
      assert.equal(readStaged(runOf(sysroot), sysroot.system)?.overlayInitrds.length, 0);
    });

  it('waits with an overlay initrd, too', async () => {
    const sysroot = await makeStagedSysroot(work, 'no-room-overlay', 'overlay');
    const full = withRoom(1 << 20, true);
    const state = await readState(sysroot);
    const { wanted: addition } = state.initramfs.find(({ pending }) => pending !== undefined) ?? {};
    // The deployments that are there share it: it is written for them, and would be once more for this one.
    assert.deepEqual(
      planInstall(full(state)).refusals.map(({ code }) => code),
      ['boot-full'],
    );
    await run(sysroot, planInstall);
    assert((await run(sysroot, planInstall, undefined, full)).includes('amend'));
    assert.deepEqual(readStaged(runOf(sysroot), sysroot.system)?.overlayInitrds, []);
    const late = await readState(sysroot);
    assert.equal(late.staged?.entry.pin, 'right');
    assert.equal(bootOutlook(late.staged as never, late).as, 'unknown');
    assert.match(values(sysroot), new RegExp(`^(\\S+ \\S+ ${addition?.sha256}\n)+$`));
  });

  it('is named in the plan', async () => {
    const sysroot = await makeStagedSysroot(work, 'named', 'overlay');
    const state = await readState(sysroot);
    const lines = renderBootPlan(planInstall(state), state, makeStyle(false), {
      diffs: false,
      name: 'install',
    }).join('\n');
    assert.match(
      lines,
      /Have ostree write seal pin and mount script into the boot entry of the\n +staged deployment/,
    );
  });

  for (const initramfs of ['append', 'overlay'])
    it(`has its old state or its new one after a power cut at any step, by ${initramfs}`, async () => {
      const whole = await makeStagedSysroot(work, `${initramfs}-whole`, initramfs);
      const file = (sysroot: BootableSysroot) => join(runOf(sysroot), 'ostree/staged-deployment');
      const before = readFileSync(file(whole));
      const counted = faultSystem(whole.system);
      await run(whole, planInstall, counted);
      const after = readFileSync(file(whole));
      const done = snapshot(whole.path);
      const amending = counted.steps.flatMap(({ subject }, i) =>
        subject.includes('/run/ostree') ? [i] : [],
      );
      const appending = counted.steps.flatMap(({ subject }, i) =>
        subject.includes('c'.repeat(64)) || subject.includes('/boot/ostree/.sealtree-tmp-') ? [i] : [],
      );
      assert(amending.length > 2);
      assert.equal(appending.length > 2, initramfs === 'append');
      for (const at of [...amending, ...appending]) {
        const sysroot = await makeStagedSysroot(work, `${initramfs}-${at}`, initramfs);
        await assert.rejects(
          run(sysroot, planInstall, faultSystem(sysroot.system, { kind: 'power-cut', at })),
          PowerCut,
        );
        for (const name of readdirSync(join(sysroot.path, 'boot/ostree')).filter((one) => /-c+$/.test(one)))
          if (counted.steps[at]?.call !== 'rename')
            assert.notDeepEqual(readdirSync(join(sysroot.path, 'boot/ostree', name)), [], `cut at ${at}`);
        const now = readFileSync(file(sysroot));
        assert(now.equals(before) || now.equals(after), `cut at ${at}`);
        for (const sum of readStaged(runOf(sysroot), sysroot.system)?.overlayInitrds ?? [])
          assert(existsSync(join(runOf(sysroot), 'ostree/staged-initrds', sum)), `${sum}, cut at ${at}`);
        await run(sysroot, planInstall);
        assert(readFileSync(file(sysroot)).equals(after), `cut at ${at}, then run again`);
        assert.deepEqual(snapshot(sysroot.path), done, `cut at ${at}, then run again`);
      }
    });
});
