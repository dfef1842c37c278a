/**
 * Half states of a sysroot: what power cuts, other programs and people leave behind. Each is made of one that is
 * sealed and installed, by a few changes of what a boot goes by; a seed makes the same one again.
 */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { System } from '../../src/base/system.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { mutate } from './mutate.ts';
import { runHost } from './oracle.ts';
import { Random } from './random.ts';
import { memorySurroundings } from './surroundings.ts';

/** Paths below the sysroot of all that may be missing or wrong, folders among them; objects are `verify`'s business. */
function subjects(sysroot: string): string[] {
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const one of readdirSync(join(sysroot, path), { withFileTypes: true })) {
      const name = join(path, one.name);
      if (/^ostree\/repo\/(objects|tmp|refs|state)/.test(name)) continue;
      found.push(name);
      // Of a deployment's files only those that the boot goes by.
      if (one.isDirectory() && !/\/deploy\/[^/]+\.\d+\/(?!usr$|etc$|usr\/lib$)/.test(`${name}`)) walk(name);
    }
  };
  walk('boot');
  walk('ostree');
  return found.filter((path) => path !== 'boot' && path !== 'ostree');
}

type Change = (random: Random, path: string, all: readonly string[]) => string;

const kindOf = (path: string): 'file' | 'folder' | 'link' | 'fifo' => {
  const stats = lstatSync(path);
  return stats.isSymbolicLink() ? 'link' : stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'fifo';
};

const remove: Change = (_, path) => {
  rmSync(path, { recursive: true, force: true });
  return 'removed';
};

/** Another thing of that name. */
const replace: Change = (random, path) => {
  rmSync(path, { recursive: true, force: true });
  const target = random.pick(['nowhere', '.', '..', basename(path), '/', 'loader.0', 'loader.1']);
  const made = random.pick(['link', 'folder', 'file', 'fifo'] as const);
  if (made === 'link') symlinkSync(target, path);
  else if (made === 'folder') mkdirSync(path);
  else if (made === 'file') writeFileSync(path, random.bytes(random.below(40)));
  else runHost(['mkfifo', path]);
  return `replaced by a ${made}${made === 'link' ? ` to ${target}` : ''}`;
};

/** Written to and cut off, or bits of it gone. A hard link of it elsewhere stays as it is. */
const damage: Change = (random, path, all) => {
  if (kindOf(path) !== 'file') return replace(random, path, all);
  const before = readFileSync(path);
  const other = all.filter((one) => lstatSync(one).isFile());
  const { bytes, steps } = random.chance(0.3)
    ? { bytes: before.subarray(0, random.below(before.length + 1)), steps: ['cut off'] }
    : mutate(random, before, readFileSync(random.pick(other)), true);
  rmSync(path);
  writeFileSync(path, bytes);
  return steps.join(', ');
};

const copyAside: Change = (random, path, all) => {
  if (kindOf(path) !== 'file') return remove(random, path, all);
  const name = random.pick([
    'ostree-9.conf',
    'other.conf',
    'x',
    '.sealtree-tmp-0123456789ab',
    'ostree-1+0-2.conf',
  ]);
  copyFileSync(path, join(dirname(path), name));
  return `copied to ${name}`;
};

const swap: Change = (random, path, all) => {
  const same = all.filter(
    (one) => existsSync(one) && kindOf(one) === kindOf(path) && !one.startsWith(`${path}/`),
  );
  const other = random.pick(same);
  if (other === path || path.startsWith(`${other}/`)) return 'swapped with itself';
  const aside = `${path}.aside`;
  renameSync(path, aside);
  renameSync(other, path);
  renameSync(aside, other);
  return `swapped with ${other}`;
};

const CHANGES: readonly Change[] = [remove, remove, replace, damage, damage, damage, copyAside, swap];

/** Changes a sysroot; returns what was done, to be shown with a failure. */
export function halve(sysroot: string, seed: number): string[] {
  const random = new Random(seed);
  const done: string[] = [];
  for (let count = random.pick([1, 1, 2, 2, 3, 5]); count > 0; count--) {
    const all = subjects(sysroot);
    // Few files are as telling as those of the boot.
    const boot = all.filter((path) => /^boot\/|extensions\/sealtree|^ostree\/boot/.test(path));
    const path = random.pick(random.chance(0.7) && boot.length > 0 ? boot : all);
    const did = random.pick(CHANGES)(
      random,
      join(sysroot, path),
      all.map((one) => join(sysroot, one)),
    );
    done.push(`${path} ${did}`);
  }
  return done;
}

/** What is asked of a half state: all that looks and changes nothing. */
const QUESTIONS: readonly (readonly string[])[] = [
  ['status'],
  ['status', '--json'],
  ['boot', 'status'],
  ['boot', 'status', '--json'],
  ['boot', 'preview'],
  ['boot', 'history'],
];

/** Exit codes of an answer: all is well, or it is not. Only what could not be asked at all ends in another. */
const ANSWERS = [0, 2];

/** Looks at it in every way; what fails is said with `what` and the question. */
export async function assertExplained(sysroot: string, system: System, what: string): Promise<void> {
  const isSysroot = ['ostree/deploy', 'ostree/repo'].every((path) => isFolder(join(sysroot, path)));
  for (const question of QUESTIONS) {
    const surroundings = memorySurroundings({ system });
    const args = [...question, '--sysroot', sysroot, '--progress', 'none'];
    const exitCode = await runProgram(args, surroundings, { version: '0', commands: COMMANDS });
    const { stdout, stderr } = surroundings;
    const context = `${what}\n$ ${question.join(' ')}: ${exitCode}\n${stdout.text}${stderr.text}`;
    assert.doesNotMatch(stderr.text, /internal error/, context);
    if (isSysroot && question.includes('status')) assert.ok(ANSWERS.includes(exitCode), context);
    if (ANSWERS.includes(exitCode)) {
      assert.notEqual(stdout.text, '', context);
      if (question.includes('--json')) JSON.parse(stdout.text);
    } else if (question.includes('--json')) assert.ok('error' in JSON.parse(stderr.text), context);
    else assert.match(stderr.text, /^sealtree: error: \S/, context);
  }
}

const isFolder = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
