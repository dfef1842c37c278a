/** The dependency rule: who may import whom, which package has which single door. A scan of the text. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Chapters of src/ in reading order: each may import itself and those before it. */
const CHAPTERS = [
  'base',
  'formats',
  'config',
  'repository',
  'image',
  'container',
  'deployment',
  'boot',
  'commands',
  'main.ts',
];

/** Packages and node modules that have one door, and the files that are it. */
const DOORS: readonly (readonly [module: RegExp, files: RegExp])[] = [
  [/^koffi$/, /^src\/base\//],
  [/^@noble\/hashes/, /^src\/base\/digest-noble\.ts$/],
  [/^diff$/, /^src\/boot\/diffs\.ts$/],
  [/^commander$/, /^(src\/commands\/|contrib\/)/],
  [/^pretty-(bytes|ms)$/, /^(src\/commands|ui)\//],
  [/^tar-stream$/, /^src\/repository\/(import|export)-tar\.ts$/],
  [/^simple-git$/, /^src\/boot\/history\/git\.ts$/],
  [/^(ink|react)$/, /^ui\//],
  [/^node:worker_threads$/, /^src\/base\/threads\.ts$/],
  [/^node:child_process$/, /^src\/(base\/process\.ts$|main\.ts$)/],
];

/** What pure code does without: everything that reaches out of the process. */
const EFFECTS = /^node:(fs|child_process|net|http|os|worker_threads)/;

interface Import {
  readonly file: string;
  readonly target: string;
  readonly isType: boolean;
}

const STATEMENT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  return Array.from(text.matchAll(STATEMENT), (match) => ({
    file,
    target: match[2] ?? match[3] ?? '',
    isType: match[1] !== undefined,
  }));
}

/** A relative import as a path from the root. */
const pathOf = ({ file, target }: Import): string => normalize(join(dirname(file), target));

const sources = globSync('src/**/*.ts', { cwd: root }).sort();
const interfaces = globSync('ui/**/*.{ts,tsx}', { cwd: root }).sort();
const imports = [...sources, ...interfaces].flatMap(importsOf);
const isRelative = ({ target }: Import): boolean => target.startsWith('.');
const chapterOf = (path: string): string => path.split('/')[1] as string;
const show = (found: readonly Import[]): string[] =>
  found.map(({ file, target }) => `${file} imports ${target}`);

describe('architecture', () => {
  it('finds the sources and their imports', () => {
    assert(sources.length > 20);
    assert(imports.length > sources.length);
  });

  it('every source file belongs to a chapter', () => {
    assert.deepEqual(
      sources.filter((file) => !CHAPTERS.includes(chapterOf(file))),
      [],
    );
  });

  it('chapters import only themselves and earlier ones', () => {
    const wrong = imports.filter((one) => {
      if (!isRelative(one) || !one.file.startsWith('src/')) return false;
      const target = pathOf(one);
      if (target.startsWith('ui/')) return one.file !== 'src/commands/ui.ts';
      if (!target.startsWith('src/')) return true;
      return CHAPTERS.indexOf(chapterOf(target)) > CHAPTERS.indexOf(chapterOf(one.file));
    });
    assert.deepEqual(show(wrong), []);
  });

  it('the interface uses the library, not the commands', () => {
    const wrong = imports.filter(
      (one) => one.file.startsWith('ui/') && /^src\/(commands|main)/.test(pathOf(one)),
    );
    assert.deepEqual(show(wrong), []);
  });

  it('packages and system modules have their doors', () => {
    const wrong = imports.filter(
      (one) =>
        !one.isType && DOORS.some(([module, files]) => module.test(one.target) && !files.test(one.file)),
    );
    assert.deepEqual(show(wrong), []);
  });

  it('hashes are computed by the engines alone', () => {
    const wrong = sources.filter(
      (file) =>
        !file.startsWith('src/base/digest') &&
        /\bcreateHash\b|import \{[^}]*\bhash\b[^}]*\} from 'node:crypto'/.test(
          readFileSync(join(root, file), 'utf8'),
        ),
    );
    assert.deepEqual(wrong, []);
  });

  it('formats are pure', () => {
    const wrong = imports.filter((one) => one.file.startsWith('src/formats/') && EFFECTS.test(one.target));
    assert.deepEqual(show(wrong), []);
  });

  it('files are imported with their suffix', () => {
    assert.deepEqual(
      show(imports.filter((one) => isRelative(one) && !/\.(tsx?|json)$/.test(one.target))),
      [],
    );
  });

  it('only package.json names what is imported', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object };
    const known = Object.keys(manifest.dependencies);
    const wrong = imports.filter(
      (one) =>
        !isRelative(one) &&
        !one.target.startsWith('node:') &&
        !known.some((name) => one.target === name || one.target.startsWith(`${name}/`)),
    );
    assert.deepEqual(show(wrong), []);
  });
});
