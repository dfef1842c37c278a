/** Install and remove stopped at every one of their steps: the system boots then, and the next run goes on. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SealtreeError } from '../../src/base/errors.ts';
import type { Change } from '../../src/boot/change.ts';
import { readJournal } from '../../src/boot/journal.ts';
import type { BootPlan } from '../../src/boot/plan.ts';
import { change, makeSealedSysroot, snapshot } from '../support/boot-change.ts';
import { type Boots, whatBoots } from '../support/boot-model.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { type Fault, faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

interface Case {
  readonly settings: Readonly<Record<string, string>>;
  /** Outcomes that an intermediate state may have. */
  readonly allowed: readonly Boots[];
}

const CASES: readonly Case[] = [
  { settings: { initramfs: 'append', policy: 'enforce' }, allowed: ['plain', 'sealed'] },
  { settings: { initramfs: 'overlay', policy: 'enforce' }, allowed: ['plain', 'sealed'] },
];

/** The steps that are stopped at: the flushes between them change nothing in this model. */
const isWrite = (call: string): boolean =>
  !['fsync', 'fsyncDirectory', 'syncfs', 'checkpoint'].includes(call);

for (const { settings, allowed } of CASES) {
  describe(`stopped at any step, ${Object.values(settings).join(' ')}`, () => {
    const work = new Sandbox({ inMemory: true });
    /** One for all: each run ends with what it began with, and that is tested. */
    let sysroot: BootableSysroot;
    /** What is there before the first install; fs-verity stays where it is, so it has to be forgotten. */
    let plain: ReadonlyMap<string, string>;
    let verity: ReadonlySet<number>;
    const forgetVerity = (): void => {
      sysroot.verity.clear();
      for (const inode of verity) sysroot.verity.add(inode);
    };

    /** Numbers of the steps of a run that is not disturbed. */
    const writes: Record<BootPlan['verb'], number[]> = { install: [], remove: [] };
    /** Those of them before which the state is another one than before any other step. */
    const states: Record<BootPlan['verb'], number[]> = { install: [], remove: [] };

    /**
     * All that the next run, or a boot, can tell a state by. A temporary file may have any name, and what is in it is
     * read by nobody but in the folder of the boot entries; before there is a seal pin nothing asks for fs-verity.
     */
    const stateNow = (): string => {
      const files = [...snapshot(sysroot.path)].map(([path, content]) => {
        const isUnread = path.includes('/.sealtree-tmp-') && !path.includes('/entries/');
        return [path.replace(/tmp-[0-9a-f]{12}/, 'tmp'), isUnread ? '' : content] as const;
      });
      const text = JSON.stringify(files.sort());
      const isPinned = text.includes('sealtree.pin=');
      return isPinned ? `${text} ${[...sysroot.verity].sort().join(' ')}` : text;
    };

    /** What each state that was met boots: many steps lead to the same one. */
    const known = new Map<string, Map<string, Boots>>();
    const bootsNow = async (): Promise<Map<string, Boots>> => {
      const state = stateNow();
      const boots = known.get(state) ?? (await whatBoots(sysroot));
      known.set(state, boots);
      return boots;
    };

    /** States in which install was seen to have nothing to do. */
    const finished = new Set<string>();

    before(async () => {
      sysroot = await makeSealedSysroot(work, 'sysroot', settings);
      plain = snapshot(sysroot.path);
      verity = new Set(sysroot.verity);
      for (const verb of ['install', 'remove'] as const) {
        const seen = new Map<string, number>();
        const counted = faultSystem(sysroot.system, {
          kind: 'watch',
          before: (step) => {
            const state = stateNow();
            if (!seen.has(state)) seen.set(state, step);
          },
        });
        assert.equal((await change(sysroot, verb, counted)).outcome, 'done');
        writes[verb] = counted.steps.flatMap(({ call }, i) => (isWrite(call) ? [i] : []));
        states[verb] = [...seen.values()];
      }
      assert.ok(writes.install.length > 40 && writes.remove.length > 20, JSON.stringify(writes));
      assert.ok(states.install.length > 20 && states.remove.length > 10, JSON.stringify(states));
    });
    after(() => work.dispose());

    /** What every state in between has to be, and what the run after it makes of it. */
    const checkAndFinish = async (verb: BootPlan['verb'], what: string): Promise<void> => {
      const boots = await bootsNow();
      assert.equal(boots.size, 3, what);
      for (const [id, as] of boots) assert.ok(allowed.includes(as), `${what}: ${id}: ${as}`);
      const next: Change = await change(sysroot, verb);
      assert.ok(['done', 'nothing'].includes(next.outcome), `${what}: ${next.outcome}`);
      if (verb === 'install') {
        assert.deepEqual(
          [...(await bootsNow()).values()],
          ['sealed', 'sealed', 'sealed'],
          `${what}, then run again`,
        );
        assert.equal(readJournal(sysroot.repositoryPath, sysroot.system), undefined);
        if (!finished.has(stateNow()))
          assert.equal((await change(sysroot, 'install')).outcome, 'nothing', what);
        finished.add(stateNow());
        // A way back must lead to where it began.
        assert.equal((await change(sysroot, 'remove')).outcome, 'done', what);
      }
      assert.deepEqual(snapshot(sysroot.path), plain, what);
    };

    for (const verb of ['install', 'remove'] as const) {
      it(`boots after a power cut at any step of ${verb} that changes something, which can be run again`, async () => {
        for (const at of states[verb]) {
          forgetVerity();
          if (verb === 'remove') await change(sysroot, 'install');
          const fault: Fault = { kind: 'power-cut', at };
          const broken = faultSystem(sysroot.system, fault);
          await assert.rejects(change(sysroot, verb, broken), PowerCut);
          const step = broken.steps[at];
          await checkAndFinish(verb, `${verb} cut at ${at} (${step?.call} ${step?.subject})`);
        }
      });
    }

    it('boots after any step of install that failed, and says what failed', async () => {
      for (const at of writes.install) {
        forgetVerity();
        const broken = faultSystem(sysroot.system, { kind: 'fail', at, errno: 'ENOSPC' });
        try {
          await change(sysroot, 'install', broken);
        } catch (error) {
          assert.ok(error instanceof SealtreeError && /ENOSPC/.test(error.message), String(error));
        }
        const step = broken.steps[at];
        const what = `install failed at ${at} (${step?.call} ${step?.subject})`;
        for (const [id, as] of await bootsNow()) assert.ok(allowed.includes(as), `${what}: ${id}: ${as}`);
        assert.ok(['done', 'nothing'].includes((await change(sysroot, 'remove')).outcome), what);
        assert.deepEqual(snapshot(sysroot.path), plain, what);
      }
    });
  });
}
