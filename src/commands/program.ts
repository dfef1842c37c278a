/** Runs a command whose options commander parses: finds it, declares the options, maps usage errors. */
import { Command, CommanderError, Option } from 'commander';
import { ExitCode, type SealtreeError, UsageError } from '../base/errors.ts';
import { leaveAtOnce } from '../base/leave.ts';
import { linuxSystem } from '../base/system-linux.ts';
import type { CommandModule, Run } from './command.ts';
import { type Context, globalOptions, makeContext, type RawGlobalOptions } from './context.ts';
import { reportFailure } from './failure.ts';
import { COMMANDS, type CommandEntry, findCommand, GLOBAL_OPTIONS, helpText } from './registry.ts';
import { processSurroundings, type Surroundings } from './surroundings.ts';

export interface Program {
  readonly version: string;
  readonly commands: readonly CommandEntry[];
}

/** Runs `sealtree ARGS` on this machine; returns the exit code. Never throws. */
export async function startProgram(args: readonly string[], version: string): Promise<number> {
  const exitCode = await runProgram(args, processSurroundings(linuxSystem), { version, commands: COMMANDS });
  leaveAtOnce();
  return exitCode;
}

/** Runs `sealtree ARGS`; returns the exit code. Never throws. */
export async function runProgram(
  args: readonly string[],
  surroundings: Surroundings,
  program: Program,
): Promise<number> {
  try {
    const exitCode = await dispatch(withJsonFormat(args), surroundings, program);
    surroundings.stdout.flush();
    return exitCode;
  } catch (error) {
    return afterFailure(error, args, surroundings);
  }
}

function afterFailure(error: unknown, args: readonly string[], surroundings: Surroundings): number {
  const given = args.slice(0, args.includes('--') ? args.indexOf('--') : args.length);
  const has = (...flags: string[]): boolean => given.some((arg) => flags.includes(arg));
  return reportFailure(error, surroundings, {
    json: given.some((arg) => /^--json(=|$)/.test(arg)),
    quiet: has('-q', '--quiet'),
    verbose: has('-v', '--verbose'),
    color: has('--color=always') ? 'always' : has('--color=never') ? 'never' : 'auto',
  });
}

async function dispatch(
  args: readonly string[],
  surroundings: Surroundings,
  program: Program,
): Promise<number> {
  const { version, commands } = program;
  const { name, rest } = splitCommand(args);
  const wantsHelp = rest.includes('--help') || rest.includes('-h');
  if (name === 'help') {
    const topic = splitCommand(rest).name;
    if (topic !== undefined) return dispatch([topic, '--help'], surroundings, program);
  }
  if (name === 'help' || (name === undefined && wantsHelp)) {
    surroundings.stdout.write(`${helpText(version, commands)}\n`);
    return ExitCode.ok;
  }
  if (name === undefined && rest.includes('--version')) {
    surroundings.stdout.write(`sealtree ${version}\n`);
    return ExitCode.ok;
  }
  const chosen = name ?? (wantsInterface(rest, surroundings) ? 'ui' : 'status');
  const entry = findCommand(chosen, commands);
  if (entry === undefined) throw unknownCommand(chosen, commands);
  if (entry.raw) {
    const { command } = await entry.load();
    return command.main(rest, surroundings);
  }
  const { command: module } = await entry.load();
  return parseAndRun(module, rest, surroundings);
}

/** Without a command: whether somebody sits at a terminal and looks. */
function wantsInterface(args: readonly string[], { stdout, stdinIsTerminal, env }: Surroundings): boolean {
  const wantsJson = args.some((arg) => arg.startsWith('--json'));
  return stdout.isTerminal && stdinIsTerminal && env.TERM !== 'dumb' && !wantsJson;
}

/** Options with a value that may stand before the command's name as two words. */
const WITH_VALUE = ['--sysroot', '--repo', '--color', '--progress'];

/** The first word that is no option is the command; global options may stand before it. */
function splitCommand(args: readonly string[]): { name: string | undefined; rest: string[] } {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') break;
    if (WITH_VALUE.includes(arg)) i++;
    else if (!arg.startsWith('-')) return { name: arg, rest: [...args.slice(0, i), ...args.slice(i + 1)] };
  }
  return { name: undefined, rest: [...args] };
}

/** commander would take the word after a bare `--json` for its value. */
function withJsonFormat(args: readonly string[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  return args.map((arg, i) => (i < end && arg === '--json' ? '--json=document' : arg));
}

async function parseAndRun(
  module: CommandModule,
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  let exitCode: number = ExitCode.ok;
  const run: Run =
    <A extends readonly unknown[]>(body: (context: Context, ...args: A) => Promise<number>) =>
    async (...given: [...A, Command]) => {
      const command = given.at(-1) as Command;
      const raw = command.optsWithGlobals() as RawGlobalOptions;
      const context = makeContext(surroundings, globalOptions(raw, surroundings));
      try {
        exitCode = await body(context, ...(given.slice(0, -1) as unknown as A));
      } finally {
        context.clearProgress();
      }
    };
  const command = buildCommand(module, run, surroundings);
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return ExitCode.ok;
    throw usageError(error, command, args);
  }
  return exitCode;
}

/** The whole command line of one command as commander knows it; also what man pages and completions read. */
export function buildCommand(module: CommandModule, run: Run, surroundings?: Surroundings): Command {
  const command = new Command(`sealtree ${module.name}`).description(module.summary);
  command
    .exitOverride()
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureHelp({ helpWidth: Math.min(surroundings?.stdout.columns ?? 80, 100) })
    .configureOutput({
      writeOut: (text) => surroundings?.stdout.write(text),
      // Errors are reported once, by whoever catches them.
      writeErr: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const { flags, description, choices } of GLOBAL_OPTIONS) {
    const option = new Option(flags, description).hideHelp();
    command.addOption(choices === undefined ? option : option.choices(choices));
  }
  module.define(command, run);
  addHelp(command, module.examples);
  return command;
}

const EXAMPLE_COLUMNS = 30;

/** The last line of each command's help; examples come before it. */
function addHelp(command: Command, examples: CommandModule['examples'] = []): void {
  if (examples.length > 0) {
    const lines = examples.map(([line, does]) => {
      // A long command line has its explanation below.
      const gap = line.length <= EXAMPLE_COLUMNS ? ' '.repeat(EXAMPLE_COLUMNS - line.length + 2) : '\n      ';
      return `  sealtree ${line}${gap}${does}`;
    });
    command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  }
  command.addHelpText(
    'after',
    '\nAlso --sysroot, --repo, --json, -n, -y, -q, -v, --color, --progress: see sealtree --help.',
  );
  for (const child of command.commands) addHelp(child);
}

/** A run for those who only want to look at a command's options. */
export const inertRun: Run = () => async () => undefined;

function usageError(error: CommanderError, command: Command, args: readonly string[]): SealtreeError {
  const [message = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = more.join(' ').replace(/^\(|\)$/g, '');
  const child = command.commands.find((one) => one.name() === args.find((arg) => !arg.startsWith('-')));
  const name = child === undefined ? command.name() : `${command.name()} ${child.name()}`;
  const seeHelp = `${name} --help lists what there is`;
  if (error.code === 'commander.help') return new UsageError('a subcommand is missing', { hint: seeHelp });
  return new UsageError(message, { hint: suggestion === '' ? seeHelp : suggestion });
}

function unknownCommand(name: string, commands: readonly CommandEntry[]): UsageError {
  const near = commands
    .map((entry) => ({
      name: entry.name,
      distance: editDistance(entry.name, name),
    }))
    .filter(({ name: candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0];
  return new UsageError(`unknown command ${JSON.stringify(name)}`, {
    hint: near === undefined ? 'sealtree --help lists the commands' : `Did you mean ${near.name}?`,
  });
}

/** Damerau-Levenshtein distance (adjacent swaps count one). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(
        (rows[i - 1]?.[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (rows[i - 1]?.[j - 1] ?? 0) + same,
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
