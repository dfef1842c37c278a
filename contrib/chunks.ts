/**
 * Few chunks for what most commands have in common.
 *
 * A chunk holds what can be reached from the same entries, and every module that is loaded on demand is an entry: that
 * gives chunks by the hundred. Each costs Node most of a millisecond to find, read and link, which is more than it takes
 * to load code that is not needed this time. So here entries are made to reach all that is common, except those that must
 * start at once.
 */
import { readFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

/** Commands that read their arguments themselves: where nothing is to be done, little is loaded. */
const RAW = ['src/commands/raw.ts', 'src/commands/hook.ts'];
/** What nearly every run needs; little enough for all. */
const BASE = [
  'base/digest',
  'base/progress',
  'base/system-linux',
  'commands/output',
  'commands/surroundings',
].map((name) => `src/${name}.ts`);
/** What every other command needs, and all that `--help` does. */
const PROGRAM = 'src/commands/program.ts';
/** What reaches most of what commands do, and most of what the stand-ins do. */
const COMMON = [...BASE, PROGRAM, 'src/commands/seal.ts'];
const COMMON_OF_STAND_INS = [...BASE, 'src/image/plan.ts', 'src/image/seal-image.ts'];
const STAND_INS = ['mkcomposefs', 'composefs-dump', 'composefs-info'].map(
  (name) => `src/commands/${name}.ts`,
);

/** @param entries sources from `root` that are entries anyway: first the program's, then those of threads */
export async function fewerChunks(root: string, entries: readonly string[]): Promise<Plugin> {
  const inputs = await inputsOf(root, entries);
  const withProgram = reachable([PROGRAM], inputs);
  const withoutProgram = reachable([...RAW, ...STAND_INS, ...COMMON_OF_STAND_INS], inputs);
  const commonOf = (path: string): readonly string[] => {
    if (STAND_INS.includes(path)) return COMMON_OF_STAND_INS;
    if (withoutProgram.has(path) || path === PROGRAM) return BASE;
    return withProgram.has(path) ? [...BASE, PROGRAM] : COMMON;
  };
  const onDemand = Object.values(inputs).flatMap(({ imports }) =>
    imports.flatMap(({ kind, path }) => (kind === 'dynamic-import' ? path : [])),
  );
  const [, ...threads] = entries;
  // Each thread loads what it needs anew: more would cost it more than finding the files does.
  const reaches = new Map([
    ...onDemand.map((path) => [path, commonOf(path)] as const),
    ...threads.map((path) => [path, BASE] as const),
  ]);
  return {
    name: 'fewer-chunks',
    setup({ onLoad }) {
      onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
        const lines = (reaches.get(relative(root, path)) ?? [])
          .filter((other) => join(root, other) !== path)
          .map((other) => `import ${JSON.stringify(join(root, other))};\n`);
        if (lines.length === 0) return undefined;
        const loader = extname(path) === '.tsx' ? 'tsx' : 'ts';
        return { contents: lines.join('') + readFileSync(path, 'utf8'), loader };
      });
    },
  };
}

/** All sources, and what each imports. */
async function inputsOf(root: string, entryPoints: readonly string[]): Promise<Metafile['inputs']> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [...entryPoints],
    outdir: '.',
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    jsx: 'automatic',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  return metafile.inputs;
}

/** Sources that are loaded with any of these. */
function reachable(from: readonly string[], inputs: Metafile['inputs']): ReadonlySet<string> {
  const found = new Set(from);
  for (const path of found) {
    for (const { kind, path: target } of inputs[path]?.imports ?? []) {
      if (kind === 'import-statement') found.add(target);
    }
  }
  return found;
}
