/** Seals a sysroot made by makeSmallSysroot and is killed before step N, if it has that many; prints the steps. */
import { linuxSystem } from '../../../src/base/system-linux.ts';
import { faultSystem } from '../../support/fault-system.ts';
import { sealAll } from '../../support/seal-state.ts';
import type { SmallSysroot } from '../../support/small-sysroot.ts';

const [description, at] = process.argv.slice(2) as [string, string];
const system = faultSystem(linuxSystem, {
  kind: 'stop',
  at: Number(at),
  stop: () => process.kill(process.pid, 'SIGKILL'),
});
const results = await sealAll(JSON.parse(description) as SmallSysroot, 'auto', system);
const failure = results.find(({ error }) => error !== undefined)?.error;
if (failure !== undefined) throw failure;
console.log(system.steps.length);
