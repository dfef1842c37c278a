/**
 * What a sealed machine does when something is not as it was: each case on a machine of its own, once under each
 * policy. The table in contrib/doc/boot.md is made from the same boots.
 */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { describeSystem } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PLAIN_FILES, type SmallBoot } from '../support/small-machine.ts';
import {
  type Expected,
  type Failure,
  POLICIES,
  type Policy,
  TAMPER_CASES,
  type TamperCase,
} from '../support/tamper-cases.ts';
import { TamperMachine } from '../support/tamper-machine.ts';
import { assertTamperTable, type TamperedBoots } from '../support/tamper-table.ts';

/** Each takes a processor. */
const MACHINES = 2;

describeSystem('a machine that was tampered with', ['trixie', 'guest', 'machine'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let machine: TamperMachine;
  const boots = new Map<TamperCase, Promise<TamperedBoots>>();

  before(async () => {
    machine = await TamperMachine.make(work);
    // All are begun here, so that two machines run at any time, whichever test waits.
    const turns = new Turns(MACHINES);
    for (const one of TAMPER_CASES) {
      const both = Promise.all(POLICIES.map((policy) => turns.take(() => boot(one, policy))));
      boots.set(
        one,
        both.then(([enforce, prefer]) => ({ enforce, prefer }) as TamperedBoots),
      );
      // The test that waits for it reports it.
      both.catch(() => undefined);
    }
  });

  const boot = async (one: TamperCase, policy: Policy): Promise<SmallBoot> => {
    const settings = { policy, unpinned: 'refuse', onRefusal: 'emergency', ...one.settings } as const;
    return await machine.boot({
      name: `${one.name}-${policy}`,
      pins: one.pins?.(machine) ?? [machine.rightPin],
      addition: await machine.addition(settings, one.initramfs?.(policy)),
      tamper: one.tamper,
    });
  };

  for (const one of TAMPER_CASES)
    it(titleOf(one), async () => {
      const found = await boots.get(one);
      assert(found !== undefined);
      for (const policy of POLICIES)
        check(found[policy], one.expected(machine)[policy], one, `${one.name}, ${policy}`);
    });

  it('is what the documentation says', async () => {
    const all = await Promise.all(TAMPER_CASES.map(async (one) => [one, await boots.get(one)] as const));
    assertTamperTable(machine, new Map(all as [TamperCase, TamperedBoots][]));
  });

  const check = (boot: SmallBoot, expected: Expected, one: TamperCase, where: string): void => {
    const said = boot.console.filter((line) => line.startsWith('sealtree: '));
    const context = `${where}:\n${boot.console.join('\n')}`;
    if (expected.end === 'sealed') {
      const { imageDigest } = machine.deployment;
      assert.deepEqual([boot.root, boot.end], ['sealed', 'power off'], context);
      assert.deepEqual([boot.sealed, boot.unsealed], [imageDigest, undefined], context);
      assert.deepEqual(boot.writable, ['/etc'], context);
      assert(
        said.includes(`sealtree: the root is the image ${imageDigest} (pinned, not authenticated)`),
        context,
      );
      assert.deepEqual(Object.fromEntries(boot.reads), readsOf(one), context);
      return;
    }
    const isRefused = expected.end === 'emergency' || expected.end === 'reboot';
    assertSaid(said, isRefused ? 'REFUSED TO BOOT' : 'NOT SEALED', expected.failure, context);
    assert.equal(boot.sealed, undefined, context);
    if (expected.end === 'plain') {
      assert.deepEqual([boot.root, boot.end], ['plain', 'power off'], context);
      assert.deepEqual(boot.writable, one.writable ?? ['/etc'], context);
      const { check, expected: wanted } = expected.failure;
      const recorded = /^(.*) \(expected (.*), found (.*)\); (.*)$/.exec(boot.unsealed ?? '');
      assert.deepEqual(recorded?.slice(1, 3), [check, wanted], context);
      assertFound(recorded?.[3] ?? '', expected.failure, context);
      assert(said.includes(`sealtree:   going on without the image (${recorded?.[4]})`), context);
      return;
    }
    assert.equal(boot.root, 'nothing', context);
    const reboots = boot.console.includes('Rebooting automatically due to panic= boot argument');
    if (expected.end === 'emergency') {
      // The shell that a person would get is a restart where `panic=` forbids one.
      assert.deepEqual([reboots, boot.end], [true, 'restart'], context);
      assert(boot.console.includes('sealtree: this must not boot'), context);
    } else if (expected.end === 'reboot') {
      assert(said.includes('sealtree:   rebooting in 10 seconds'), context);
      assert.deepEqual([reboots, boot.end], [false, 'restart'], context);
    } else assert.equal(boot.end, 'panic', context);
  };
});

function titleOf({ part, done }: TamperCase): string {
  return `${part}: ${typeof done === 'string' ? done : done.map(({ what }) => what).join('; ')}`;
}

/** What reading gives in a sealed root. */
function readsOf({ done }: TamperCase): Record<string, string> {
  const reads: Record<string, string> = Object.fromEntries(PLAIN_FILES.map((name) => [name, 'right']));
  if (typeof done !== 'string') for (const { file, gives } of done) reads[file] = gives;
  return reads;
}

/** The whole message: check, expected, found, and some advice. */
function assertSaid(said: readonly string[], what: string, failure: Failure, context: string): void {
  const at = said.indexOf(`sealtree: ${what}: ${failure.check}`);
  assert(at >= 0, `does not say "${what}: ${failure.check}"\n${context}`);
  const rest = said.slice(at).filter((line, i, all) => line !== all[i - 1]);
  assert.equal(rest[1], `sealtree:   expected: ${failure.expected}`, context);
  const found = /^sealtree: {3}found: {4}(.*)$/.exec(rest[2] ?? '')?.[1];
  assertFound(found ?? '', failure, context);
  assert.match(rest[3] ?? '', /^sealtree: {3}what to do: ./, context);
}

function assertFound(found: string, failure: Failure, context: string): void {
  if (typeof failure.found === 'string') assert.equal(found, failure.found, context);
  else assert.match(found, failure.found, context);
}

/** Lets so many tasks run at a time, in their order. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
