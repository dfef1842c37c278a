/**
 * Renews the screens in README.md: builds the program, makes a demonstration, opens the interface on it in tmux and
 * puts what is on the screen between the marks. `node contrib/screens.ts`; needs tmux.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildProgram } from './build.ts';
import { setBlock } from './marked-block.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = mkdtempSync(join(tmpdir(), 'sealtree-screens-'));

/** Each screen of README.md by the name of its mark, the keys that lead to it from the one before, and what tells that it is there. */
const SCREENS: readonly (readonly [name: string, keys: readonly string[], there: RegExp])[] = [
  ['deployments', [], /3 sealed[\s\S]*boots +– plain/],
  ['commits', ['2'], /signatures/],
  ['sharing', ['5'], /together[\s\S]*removal/],
];

function tmux(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(
    'tmux',
    ['-S', join(work, 'tmux'), '-f', '/dev/null', ...args],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function screen(there: RegExp): Promise<string> {
  for (let tries = 200; ; tries--) {
    const text = tmux('capture-pane', '-p', '-t', 'screens').trimEnd();
    if (there.test(text)) return text;
    if (tries === 0) throw new Error(`waited for ${there}, the screen is\n${text}`);
    await wait(50);
  }
}

try {
  await buildProgram(join(work, 'dist'));
  symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'));
  const program = [process.execPath, join(work, 'dist/sealtree.js')];
  const made = spawnSync(program[0] as string, [...program.slice(1), 'demo', '-q'], { cwd: work });
  if (made.status !== 0) throw new Error(String(made.stderr));
  const command = `cd ${work}/demo && LC_ALL=C.UTF-8 exec ${program.join(' ')} --sysroot .`;
  tmux('new-session', '-d', '-s', 'screens', '-x', '100', '-y', '22', command);
  const path = join(root, 'README.md');
  let text = readFileSync(path, 'utf8');
  for (const [name, keys, there] of SCREENS) {
    if (keys.length > 0) tmux('send-keys', '-t', 'screens', ...keys);
    const shown = (await screen(there)).replaceAll(join(work, 'demo'), '/sysroot');
    text = setBlock(text, `screen ${name}`, shown);
  }
  writeFileSync(path, text);
  tmux('kill-server');
} finally {
  rmSync(work, { recursive: true, force: true });
}
