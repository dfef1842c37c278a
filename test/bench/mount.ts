/**
 * `npm run bench:mount [-- --rounds N --json FILE --docs]`: "composefs vs erofs+overlay", the comparison of 2023, on this kernel:
 * one Debian system as a checkout of hard links, as a composefs image over the repository's objects, as a whole EROFS image,
 * and as squashfs. Needs root, .ci/oracles and kernel support for all of these. --docs: puts the table into contrib/doc/speed.md.
 *
 * It is run in a mount namespace of its own (unshare(1) in package.json): whatever ends it, nothing stays mounted.
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missing, runHost } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { mountsUnder } from '../support/sandbox.ts';
import { type Contestant, hold } from './contest.ts';
import { renewBlock } from './docs.ts';
import { debianInputs, exclusively, WORK, wholeImages } from './inputs.ts';
import { describeMachine } from './machine.ts';
import { type MountResults, renderMounts } from './mount-table.ts';
import { build, runSealtree } from './program.ts';
import { median, pairedRatio } from './statistics.ts';

const ROUNDS = 5;
/** Reading all files from the disk six times takes a minute. */
const ROUNDS_OF_READING = 2;
const STATS = 1000;
const SEED = 2023;

const { values } = parseArgs({
  options: { rounds: { type: 'string' }, json: { type: 'string' }, docs: { type: 'boolean' } },
});
const rounds = Number(values.rounds ?? ROUNDS);

/** One way to have the system's files at a path. */
interface Way {
  readonly name: string;
  readonly path: string;
  /** The image's; the checkout has none, and what composefs points to is the repository's. */
  readonly imageBytes: number | undefined;
}

interface Work {
  readonly name: string;
  /** In sh, in the root of each; `$1` is a list of paths, each ended by NUL. */
  readonly script: string;
  readonly mostRounds?: number;
}

const WORKS: readonly Work[] = [
  { name: 'ls -lR', script: 'ls -lR . >/dev/null' },
  { name: 'find -size', script: 'find . -size +100M >/dev/null' },
  {
    name: `stat of ${STATS.toLocaleString('en')} files`,
    script: 'xargs --null stat --format=%s <"$1" >/dev/null',
  },
  {
    name: 'read every file',
    script: 'find . -type f -print0 | xargs --null cat >/dev/null',
    mostRounds: ROUNDS_OF_READING,
  },
];

function mount(type: string, options: string, source: string, point: string): void {
  mkdirSync(point, { recursive: true });
  runHost(['mount', '-t', type, '-o', options, source, point]);
}

/** A regular file by itself: without `-i`, mount(8) of some versions puts a loop device between. */
function mountFile(type: string, image: string, point: string): void {
  mkdirSync(point, { recursive: true });
  runHost(['mount', '-i', '-t', type, '-o', 'ro', image, point]);
}

function mountAll(): Way[] {
  const { repository, checkouts } = debianInputs();
  const { erofs, squashfs } = wholeImages();
  const at = (name: string): string => join(WORK, name);
  const empty = at('empty');
  mkdirSync(empty);
  runSealtree('image', 'create', '--repo', repository, 'first', '--output', at('image.cfs'), '--quiet');
  const objects = `ro,metacopy=on,redirect_dir=on,lowerdir=${at('meta')}::${join(repository, 'objects')}`;
  const objectsOverLoop = objects.replace(at('meta'), at('meta-loop'));
  mountFile('erofs', at('image.cfs'), at('meta'));
  mount('overlay', objects, 'composefs', at('composefs'));
  mount('erofs', 'ro,loop', at('image.cfs'), at('meta-loop'));
  mount('overlay', objectsOverLoop, 'composefs', at('composefs-loop'));
  mountFile('erofs', erofs, at('erofs'));
  // overlayfs without a layer to write to wants two to read from.
  mount('overlay', `ro,lowerdir=${empty}:${at('erofs')}`, 'erofs', at('erofs-overlay'));
  mount('squashfs', 'ro,loop', squashfs, at('squashfs'));
  mount('overlay', `ro,lowerdir=${empty}:${at('squashfs')}`, 'squashfs', at('squashfs-overlay'));
  const size = (path: string): number => statSync(path).size;
  return [
    { name: 'hard-link checkout', path: checkouts.first, imageBytes: undefined },
    { name: 'composefs, file', path: at('composefs'), imageBytes: size(at('image.cfs')) },
    { name: 'composefs, loop', path: at('composefs-loop'), imageBytes: size(at('image.cfs')) },
    { name: 'erofs', path: at('erofs'), imageBytes: size(erofs) },
    { name: 'erofs + overlay', path: at('erofs-overlay'), imageBytes: size(erofs) },
    { name: 'squashfs + overlay', path: at('squashfs-overlay'), imageBytes: size(squashfs) },
  ];
}

/**
 * Names, types, modes, owners, sizes and contents must be the same in all; but for /etc, an empty folder that the image of a
 * commit has so that the boot can mount there.
 */
function refuseDifferences(ways: readonly Way[]): void {
  const script = `cd "$1"
    find . -mindepth 1 ! -path ./etc -printf '%y %m %U %G %l %p ' \\( -type f -printf '%s\\n' -o -printf '\\n' \\) | LC_ALL=C sort | sha256sum
    find . -type f -print0 | LC_ALL=C sort --zero-terminated | xargs --null cat | sha256sum`;
  const sums = ways.map(
    ({ path }) => runHost(['sh', '-euc', script, 'sum', path], { timeoutMs: 600_000 }).stdout,
  );
  for (const [i, sum] of sums.entries())
    if (sum !== sums[0]) throw new Error(`${ways[i]?.path} has not the files of ${ways[0]?.path}`);
}

function randomPaths(root: string): string {
  const all = runHost(['find', '.', '-type', 'f', '-print0'], { cwd: root })
    .stdout.split('\0')
    .filter(Boolean);
  const random = new Random(SEED);
  return Array.from({ length: STATS }, () => `${random.pick(all)}\0`).join('');
}

const reason = missing(['sid']);
if (reason !== undefined) throw new Error(reason);

const results = await exclusively(async () => {
  await build(join(WORK, 'program'));
  try {
    const ways = mountAll();
    refuseDifferences(ways);
    const list = join(WORK, 'list');
    writeFileSync(list, randomPaths(ways[0]?.path ?? ''));
    return measureAll(ways, list);
  } finally {
    for (const point of mountsUnder(WORK)) runHost(['umount', point]);
  }
});
process.stdout.write(renderMounts(results));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
if (values.docs) renewBlock('contrib/doc/speed.md', 'mounts', renderMounts(results));

function measureAll(ways: readonly Way[], list: string): MountResults {
  // What was just compared is in the page cache: warm comes first.
  const works = [false, true].flatMap((cold) =>
    WORKS.map(({ name: work, script, mostRounds = rounds }) => {
      console.error(`${new Date().toLocaleTimeString('en-GB')} ${work}, ${cold ? 'cold' : 'warm'}`);
      const contestants = ways.map(({ name, path }): Contestant => {
        const argv = ['sh', '-euc', `cd "$2"; ${script}`, 'work', list, path];
        return cold ? { name, argv, coldBytes: 1 } : { name, argv };
      });
      const contest = { contestants, goals: [], agree: () => undefined };
      const runs = hold(contest, Math.min(rounds, mostRounds), join(WORK, 'desks'));
      const wall = ways.map(({ name }) => (runs.get(name) ?? []).map(({ wallMs }) => wallMs));
      const checkout = wall[0] as number[];
      return {
        work,
        cold,
        wallMs: wall.map(median),
        ratios: wall.map((times) => pairedRatio(times, checkout)),
      };
    }),
  );
  return {
    machine: describeMachine(),
    date: new Date().toISOString(),
    rounds,
    ways: ways.map(({ name, imageBytes }) => ({ name, ...(imageBytes === undefined ? {} : { imageBytes }) })),
    works,
  };
}
