/** Half states of sysroots that ostree 2022.7, 2025.2 and 2026.4 made: see ../properties/half-states.test.ts. */
import { after, before, it } from 'node:test';
import { openHistory } from '../../src/boot/history/history.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { change } from '../support/boot-change.ts';
import { bootableTree, playedVerity } from '../support/bootable-tree.ts';
import { assertExplained, halve } from '../support/half-states.ts';
import { describeSystem, oracle, runHost, SUITES } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealAll } from '../support/seal-state.ts';

const COUNT = Number(process.env.SEALTREE_FUZZ_COUNT ?? 15);
const FIRST = Number(process.env.SEALTREE_FUZZ_SEED ?? 1000);

for (const suite of SUITES)
  describeSystem(`a half state of a sysroot of ostree of ${suite}`, [suite], () => {
    const system = playedVerity();
    let work: Sandbox;
    let sysroot: OstreeSysroot;
    before(async () => {
      work = new Sandbox();
      sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      for (const version of ['1', '2']) sysroot.commit(`os/${version}`, bootableTree(version, 'overlay'));
      for (const version of ['1', '2']) sysroot.deploy('os', `os/${version}`);
      for (const { error } of await sealAll(sysroot, 'require', system)) if (error !== undefined) throw error;
      await change({ path: sysroot.path, system }, 'install', system, {
        history: () => openHistory(readSysroot(sysroot.path, system), system),
      });
    });
    after(() => work.dispose());

    it('is explained', async () => {
      for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
        const path = work.join(`half-${seed}`);
        runHost(['cp', '--archive', sysroot.path, path]);
        const done = halve(path, seed);
        await assertExplained(path, system, `seed ${seed}: ${done.join('; ')}`);
        runHost(['rm', '--recursive', '--force', path]);
      }
    });
  });
