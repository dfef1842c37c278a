/**
 * Few chunks for what commands have in common.
 *
 * A chunk holds what can be reached from the same entries, and every module that is loaded on demand is an entry: that
 * gives chunks by the hundred. Each costs Node most of a millisecond to find, read and link, which is more than it takes
 * to load code that is not needed this time. So modules that are mostly needed together are made a group: an entry that
 * reaches any of them is made to reach all, and they become one chunk.
 */
import { readFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { type BuildOptions, build, type Loader, type Metafile, type Plugin } from 'esbuild';

/** Sources that reach a group, apart from what is in the groups before it. */
type Group = readonly string[];

/** What nearly every run needs. */
const BASE: Group = ['src/base/digest.ts', 'src/base/progress.ts', 'src/base/system-linux.ts'];

export const GROUPS_OF_PROGRAM: readonly Group[] = [
  [...BASE, 'src/commands/raw.ts'],
  // All that `--help` does, and what other commands begin with.
  ['src/commands/program.ts'],
  // A system, its repository, and what is sealed already: all that a seal needs, and more than a hook, with nothing to do.
  ['src/deployment/seal.ts', 'src/deployment/writable.ts', 'src/commands/lock-timeout.ts'],
  // The trees of commits.
  ['src/repository/dirtree-pack.ts', 'src/repository/object-info.ts', 'src/repository/tree.ts'],
  // What makes images and looks into them.
  ['src/deployment/seal-builder.ts'],
  // What finds and shows what is in commits.
  ['src/commands/revision.ts', 'src/commands/text/entry.ts'],
];

/** Each thread loads what it needs anew: more would cost it more than finding the files does. */
export const GROUPS_OF_THREADS: readonly Group[] = [BASE];

/** @param entries sources from `root` */
export async function fewerChunks(
  root: string,
  entries: readonly string[],
  groups: readonly Group[],
  options: Pick<BuildOptions, 'define' | 'external'>,
): Promise<Plugin> {
  const inputs = await inputsOf(root, entries, options);
  const before: string[] = [];
  const parts = groups.map((group) => {
    const earlier = reachable(before, inputs);
    before.push(...group);
    return { group, members: [...reachable(group, inputs)].filter((path) => !earlier.has(path)) };
  });
  /** The groups that have something of what this reaches: the last ones first, since they reach into others. */
  const groupsOf = (path: string): Group => {
    let wanted: Group = [];
    for (const { group, members } of parts.toReversed()) {
      const reached = reachable([path, ...wanted], inputs);
      if (members.some((member) => reached.has(member))) wanted = [...group, ...wanted];
    }
    // The first one has esbuild's own helpers with it, which would be a chunk if anything reached them without it.
    return wanted.length === 0 ? groups[0]! : wanted;
  };
  const onDemand = Object.values(inputs).flatMap(({ imports }) =>
    imports.flatMap(({ kind, path }) =>
      kind === 'dynamic-import' && inputs[path]?.format === 'esm' ? path : [],
    ),
  );
  const wanted = new Map(onDemand.map((path) => [path, groupsOf(path)]));
  return {
    name: 'fewer-chunks',
    setup({ onLoad }) {
      onLoad({ filter: /\.(?:tsx?|m?js)$/ }, ({ path }) => {
        const lines = (wanted.get(relative(root, path)) ?? [])
          .filter((other) => join(root, other) !== path)
          .map((other) => `import ${JSON.stringify(join(root, other))};\n`);
        if (lines.length === 0) return undefined;
        // esbuild's names of loaders are those of extensions, but for one.
        const loader = extname(path).slice(1).replace('mjs', 'js') as Loader;
        return { contents: lines.join('') + readFileSync(path, 'utf8'), loader };
      });
    },
  };
}

/** All sources, and what each imports. */
async function inputsOf(
  root: string,
  entryPoints: readonly string[],
  options: Pick<BuildOptions, 'define' | 'external'>,
): Promise<Metafile['inputs']> {
  const { metafile } = await build({
    ...options,
    absWorkingDir: root,
    entryPoints: [...entryPoints],
    outdir: '.',
    bundle: true,
    format: 'esm',
    platform: 'node',
    splitting: true,
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
