/**
 * How long `import tar` takes, as a multiple of `ostree commit --tree=tar=`: `npm run build && node test/bench/import.ts
 * ARCHIVE [FOLDER]`, as root, with the sid root of .ci/oracles. Runs alternate, so that both see the same machine;
 * repositories are made anew in FOLDER and removed at the end only: a file system may be slow to reuse what was just freed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { oracle } from '../support/oracle.ts';

const entry = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/sealtree.js');
const [archive, base = tmpdir()] = process.argv.slice(2);
if (archive === undefined) throw new Error('name an archive');
const RUNS = 7;

const folder = mkdtempSync(join(resolve(base), 'sealtree-bench-'));
const sid = oracle('sid');
const input = resolve(archive);
const binds = [resolve(base), dirname(input)];

function timeMs(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

function empty(name: string): string {
  const path = join(folder, name);
  sid.runScript(
    'ostree init --repo="$1" --mode=bare; ostree --repo="$1" config set core.fsync false',
    [path],
    { binds },
  );
  return path;
}

const run = (argv: readonly string[]): void => {
  const [program = '', ...args] = argv;
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

try {
  // Entering the root takes time too, and is not ostree's.
  const entering = median(
    Array.from({ length: 3 }, () => timeMs(() => run(sid.command(['true'], { binds })))),
  );
  const pairs = Array.from({ length: RUNS }, (_, i) => {
    const [theirs, ours] = [empty(`theirs${i}`), empty(`ours${i}`)];
    const commit = ['ostree', `--repo=${theirs}`, 'commit', '--branch=x', `--tree=tar=${input}`];
    const own = timeMs(() =>
      run([process.execPath, entry, 'import', 'tar', `--repo=${ours}`, '--ref=x', '--progress=none', input]),
    );
    return [own, timeMs(() => run(sid.command(commit, { binds }))) - entering] as const;
  });
  const ratio = median(pairs.map(([own, other]) => own / other));
  const [own, other] = [median(pairs.map((pair) => pair[0])), median(pairs.map((pair) => pair[1]))];
  console.log(
    `import tar ${own.toFixed(0)} ms, ostree ${other.toFixed(0)} ms: ${ratio.toFixed(2)}x  (aim: at most 0.7x)`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
