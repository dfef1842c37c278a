/** What is measured: the program as it is shipped, built anew, and how long it says that its stages took. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildProgram } from '../../contrib/build.ts';
import type { Command } from './measure.ts';

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Stages that look at what was made, and make nothing. */
const VALIDATION = new Set(['reading objects again', 'validating the image', 'checking object digests']);

let entry: string | undefined;

/** Builds the program in a folder of its own. */
export async function build(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await buildProgram(join(folder, 'dist'));
  // As where it is installed: by package.json Node knows what kind of modules these are, and need not look.
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(PROJECT, name), join(folder, name));
  entry = join(folder, 'dist/sealtree.js');
}

/** The command line of a run of what {@link build} built. */
export function sealtree(...args: readonly string[]): string[] {
  if (entry === undefined) throw new Error('not built yet');
  return [process.execPath, entry, ...args];
}

/** Runs it for what is not measured. */
export function runSealtree(...args: readonly string[]): void {
  const [program = '', ...rest] = sealtree(...args);
  const { status, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`sealtree ${args.join(' ')}: ${stderr}`);
}

/** Milliseconds of each stage of one run, by name; the time before the first is that of `starting`. */
export function stagesOf({ argv, env }: Command): Promise<ReadonlyMap<string, number>> {
  return new Promise((resolve, reject) => {
    const stages = new Map<string, number>();
    let [current, sinceMs] = ['starting', performance.now()];
    const enter = (stage: string): void => {
      const nowMs = performance.now();
      stages.set(current, (stages.get(current) ?? 0) + nowMs - sinceMs);
      [current, sinceMs] = [stage, nowMs];
    };
    const [program = '', ...args] = argv;
    const child = spawn(program, [...args, '--progress=json'], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let rest = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const stage = /^\{"stage":(?:null|"([^"]+)")/.exec(line);
        if (stage !== null && stage[1] !== current) enter(stage[1] ?? 'ending');
      }
    });
    child.on('error', reject).on('close', (status) => {
      enter('');
      if (status === 0) resolve(stages);
      else reject(new Error(`${argv.join(' ')}: exit ${status}`));
    });
  });
}

/** What of those stages was validation. */
export function validationMs(stages: ReadonlyMap<string, number>): number {
  return [...stages].reduce((sum, [name, ms]) => (VALIDATION.has(name) ? sum + ms : sum), 0);
}
