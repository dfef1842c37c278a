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

/** Where not all of that is loaded: a hook with nothing to do, stand-ins, `--help`. */
const QUICK = [
  'base/system-linux',
  'commands/surroundings',
  'commands/raw',
  'commands/hook',
  'commands/mkcomposefs',
  'commands/composefs-dump',
  'commands/composefs-info',
  'commands/program',
].map((name) => `src/${name}.ts`);
/** What reaches most of what all the others do. */
const COMMON = ['src/commands/program.ts', 'src/commands/seal.ts'];

/** @param entries sources from `root` that are entries anyway: first the program's, then those of threads */
export async function fewerChunks(root: string, entries: readonly string[]): Promise<Plugin> {
  const inputs = await inputsOf(root, entries);
  const early = reachable(QUICK, inputs);
  const onDemand = Object.values(inputs).flatMap(({ imports }) =>
    imports.flatMap(({ kind, path }) => (kind === 'dynamic-import' && !early.has(path) ? path : [])),
  );
  const reachAll = new Set([...onDemand, ...entries.slice(1)]);
  return {
    name: 'fewer-chunks',
    setup({ onLoad }) {
      onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
        if (!reachAll.has(relative(root, path))) return undefined;
        const lines = COMMON.map((other) => `import ${JSON.stringify(join(root, other))};\n`).join('');
        const loader = extname(path) === '.tsx' ? 'tsx' : 'ts';
        return { contents: lines + readFileSync(path, 'utf8'), loader };
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
