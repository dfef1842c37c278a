/** Install and remove with a staged deployment: what ostree is told to write at shutdown, and power cuts before that. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { bootSettings } from '../../src/boot/change.ts';
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

async function run(sysroot: BootableSysroot, planOf: typeof planInstall, system?: System): Promise<string[]> {
  const state = await readState(sysroot, system);
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
