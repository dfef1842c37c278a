/**
 * `npm run bench [WORD…] [-- --rounds N --quick --json FILE --docs]`: how fast the program is, as multiples of what the C tools
 * take for the same work. Words pick contests: each has to be in the name of one; none picks all. Needs root and .ci/oracles;
 * inputs are made at the first run, which takes ten minutes more. The exit code is 1 when a goal is missed.
 *
 * --quick: one round each, no million entries. --docs: puts the tables into README.md and contrib/doc/speed.md.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missing } from '../support/oracle.ts';
import { hold, type Row, rowsOf } from './contest.ts';
import { CONTESTS, type Entry } from './contests.ts';
import { renewBlock } from './docs.ts';
import { type Growth, measureGrowth } from './growth.ts';
import { exclusively, WORK } from './inputs.ts';
import { describeMachine } from './machine.ts';
import { peerVersions } from './peers.ts';
import { build, stagesOf, validationMs } from './program.ts';
import { renderSummary, renderTable } from './table.ts';

const ROUNDS = 5;
const GROWTH = 'growth';
/** A million entries take long. */
const GROWTH_ROUNDS = 2;
const QUICK_ENTRIES = 100_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean' },
    json: { type: 'string' },
    docs: { type: 'boolean' },
  },
});
const rounds = values.quick ? 1 : Number(values.rounds ?? ROUNDS);
const chosen = (name: string): boolean => positionals.every((word) => name.includes(word));

const reason = missing(['sid']);
if (reason !== undefined) throw new Error(reason);
if (values.docs && (positionals.length > 0 || values.quick))
  throw new Error('--docs is for a run of all there is');
const names = [...CONTESTS.map(({ name }) => name), GROWTH];
if (!names.some(chosen)) throw new Error(`no such row; there are: ${names.join(', ')}`);

const rows: Row[] = [];
const stages: Record<string, Record<string, number>> = {};
const failures: Record<string, string> = {};
let growth: Growth | undefined;

async function run({ name, contest: prepare, staged = [] }: Entry): Promise<void> {
  const contest = prepare();
  const { leastRounds = 1, mostRounds = Number.POSITIVE_INFINITY, contestants } = contest;
  const count = values.quick
    ? 1
    : Math.min(Math.max(rounds, values.rounds === undefined ? leastRounds : 1), mostRounds);
  const runs = hold(contest, count, join(WORK, 'desks'));
  const validation = new Map<string, number>();
  for (const contestant of contestants.filter((each) => staged.includes(each.name))) {
    contestant.prepare?.();
    const took = await stagesOf(contestant);
    validation.set(contestant.name, validationMs(took));
    stages[`${name}: ${contestant.name}`] = Object.fromEntries(took);
  }
  const measured = rowsOf(contest, runs, validation);
  for (const { work, peer, ratio, atMost, cpuRatio } of measured)
    console.error(
      `  ${work}: ${ratio.toFixed(2)} of ${peer} (goal ${atMost}), of processor time ${cpuRatio.toFixed(2)}`,
    );
  rows.push(...measured);
}

/** What fails is told with the rest: it takes half an hour to come to the last row. */
async function attempt(name: string, work: () => Promise<void>): Promise<void> {
  if (!chosen(name)) return;
  console.error(`${new Date().toLocaleTimeString('en-GB')} ${name}`);
  await work().catch((error: Error) => {
    failures[name] = error.message;
    console.error(error.message);
  });
}

await exclusively(async () => {
  await build(join(WORK, 'program'));
  for (const entry of CONTESTS) await attempt(entry.name, () => run(entry));
  await attempt(GROWTH, async () => {
    const most = values.quick ? QUICK_ENTRIES : undefined;
    growth = measureGrowth(Math.min(rounds, GROWTH_ROUNDS), join(WORK, 'desks'), most);
  });
});

const results = {
  machine: describeMachine(),
  date: new Date().toISOString(),
  versions: peerVersions(),
  rows,
  ...(growth === undefined ? {} : { growth }),
  stages,
  failures,
};
process.stdout.write(renderTable(results));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
if (values.docs) {
  renewBlock('README.md', 'speed', renderSummary(results));
  renewBlock('contrib/doc/speed.md', 'speed', renderTable(results));
}
const isMissed = rows.some(({ passed }) => !passed) || growth?.passed === false;
process.exitCode = isMissed || Object.keys(failures).length > 0 ? 1 : 0;
