/**
 * Writes `contrib/man` and `contrib/completions` from the tables of commands and settings: `npm run generate`. A test holds them up to
 * date.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bashCompletion } from './generate/bash.ts';
import { fishCompletion } from './generate/fish.ts';
import { manPages } from './generate/man.ts';
import { readProgram } from './generate/model.ts';
import { settingsPage } from './generate/settings-page.ts';
import { zshCompletion } from './generate/zsh.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** All generated files by path below `contrib`; completions have the names distributions install them by. */
export async function renderFiles(): Promise<Map<string, string>> {
  const manifest = JSON.parse(readFileSync(join(here, '../package.json'), 'utf8')) as { version: string };
  const program = await readProgram();
  const files = new Map([
    ['completions/sealtree.bash', bashCompletion(program)],
    ['completions/_sealtree', zshCompletion(program)],
    ['completions/sealtree.fish', fishCompletion(program)],
  ]);
  for (const [name, page] of manPages(program, manifest.version)) files.set(`man/${name}`, page);
  files.set('man/sealtree.conf.5', settingsPage(manifest.version));
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const folder of ['man', 'completions']) rmSync(join(here, folder), { recursive: true, force: true });
  for (const [name, content] of await renderFiles()) {
    mkdirSync(dirname(join(here, name)), { recursive: true });
    writeFileSync(join(here, name), content);
  }
}
