/**
 * Bundles the program into `dist/`: one entry, `sealtree.js`, and chunks that are loaded when needed. Only koffi
 * stays outside (its binary is a package of its own). Run by `npm run build`.
 */
import { chmodSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { fewerChunks, GROUPS_OF_PROGRAM, GROUPS_OF_THREADS } from './chunks.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Built-in modules by `process.getBuiltinModule`: an import statement would ask each of them for all it has, and some of
 * that is made when it is asked for (of node:fs its streams and promises: a third of Node's own start). What is imported
 * by name is asked for when the importing module is loaded, what is taken from a default import when it is used.
 * CommonJS packages ask by `require`, which an ES module does not have.
 */
export const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, kind, importer }) => {
      if (!isBuiltin(path)) return undefined;
      if (kind === 'require-call') return { path, namespace: 'required-builtin' };
      // A module for each importer: nobody pays for what another one imports.
      return kind === 'import-statement'
        ? { path, suffix: `?${relative(root, importer)}`, namespace: 'builtin', sideEffects: false }
        : undefined;
    });
    onLoad({ filter: /./, namespace: 'required-builtin' }, ({ path }) => ({
      contents: `module.exports = ${builtin(path)};`,
    }));
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => {
      const module: object = process.getBuiltinModule(path) ?? {};
      const names = Object.keys(module).filter((name) => /^\w+$/.test(name));
      const lines = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => it().${name})();`);
      const late = names.map((name) => `get ${name}() { return it().${name}; }`);
      // What is a function, inherits, or takes values (process, events, assert) is only whole as itself.
      const whole = isNamespace(module) ? `{ ${late.join(', ')} }` : 'it()';
      return {
        contents: `const it = () => ${builtin(path)};\nexport default ${whole};\n${lines.join('\n')}`,
      };
    });
  },
};

/** Whether `module` is no more than the names it holds: copied name by name, nothing of it is missing. */
const isNamespace = (module: object): boolean => Object.getPrototypeOf(module) === Object.prototype;

const builtin = (path: string): string => `process.getBuiltinModule(${JSON.stringify(path)})`;

/** The programs of worker threads are entries of their own; src/base/threads.ts looks for them beside the chunks. */
const workers = (): Record<string, string> =>
  Object.fromEntries(
    globSync('src/**/*-worker.ts', { cwd: root }).map((path) => [`chunks/${basename(path, '.ts')}`, path]),
  );

/** Writes the bundle into `outdir`; returns esbuild's account of what went where. */
export async function buildProgram(outdir: string): Promise<Metafile> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  rmSync(outdir, { recursive: true, force: true });
  const options: BuildOptions = {
    absWorkingDir: root,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    // The entry must parse on the old Nodes it sends away; top-level await is the newest thing it has.
    target: 'node18',
    // Names in stack traces are worth more than the few milliseconds that minified code saves.
    minifySyntax: true,
    minifyWhitespace: true,
    // The second one belongs to ink's debugger, which is not installed and never loaded.
    external: ['koffi', 'react-devtools-core'],
    jsx: 'automatic',
    define: {
      SEALTREE_VERSION: JSON.stringify(manifest.version),
      // React's and ink's own switches: the build for use, and no way to their debuggers.
      'process.env.NODE_ENV': '"production"',
      'process.env.DEV': '"false"',
    },
    chunkNames: 'chunks/[name]-[hash]',
    legalComments: 'linked',
    logLevel: 'warning',
  };
  const metafile: Metafile = { inputs: {}, outputs: {} };
  // Apart from one another: no thread has a module in common with the program, and chunks for both would be more chunks.
  for (const { entryPoints, groups } of [
    { entryPoints: { sealtree: 'src/main.ts' }, groups: GROUPS_OF_PROGRAM },
    { entryPoints: workers(), groups: GROUPS_OF_THREADS },
  ]) {
    const plugins = [await fewerChunks(root, Object.values(entryPoints), groups, options), builtins];
    const made = (await build({ ...options, entryPoints, plugins, metafile: true })).metafile;
    Object.assign(metafile.inputs, made.inputs);
    Object.assign(metafile.outputs, made.outputs);
  }
  const entry = join(outdir, 'sealtree.js');
  writeFileSync(entry, `#!/usr/bin/env node\n${readFileSync(entry, 'utf8')}`);
  chmodSync(entry, 0o755);
  return metafile;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // esbuild has printed what is wrong; a stack of its own says nothing more.
  await buildProgram(join(root, 'dist')).catch(() => process.exit(1));
}
