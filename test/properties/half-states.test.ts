/** status and boot status in half states: they explain, and never end in an error of their own. */
import { after, before, describe, it } from 'node:test';
import { openHistory } from '../../src/boot/history/history.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { change, makeSealedSysroot } from '../support/boot-change.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { assertExplained, halve } from '../support/half-states.ts';
import { runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';

const COUNT = Number(process.env.SEALTREE_FUZZ_COUNT ?? 30);
const FIRST = Number(process.env.SEALTREE_FUZZ_SEED ?? 0);

for (const initramfs of ['append', 'overlay'])
  describe(`a half state of a machine with the script by ${initramfs}`, () => {
    const work = new Sandbox({ inMemory: true });
    after(() => work.dispose());
    let whole: BootableSysroot;
    before(async () => {
      whole = await makeSealedSysroot(work, 'whole', { initramfs, policy: 'enforce' });
      await change(whole, 'install', whole.system, {
        history: () => openHistory(readSysroot(whole.path, whole.system), whole.system),
      });
    });

    it('is explained', async () => {
      for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
        const path = work.join(`half-${seed}`);
        runHost(['cp', '--archive', whole.path, path]);
        const done = halve(path, seed);
        await assertExplained(path, whole.system, `seed ${seed}: ${done.join('; ')}`);
        runHost(['rm', '--recursive', '--force', path]);
      }
    });
  });
