/**
 * The table of commands: names and summaries only, so that `--help`, completions and man pages can walk it and
 * a run loads nothing but the module it needs.
 */
import type { Command } from 'commander';
import type { Context } from './context.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Turns the body of a command into a commander action: the body gets the context, then the arguments and the
 * command's own options as commander gives them, and returns the exit code.
 */
export type Run = <A extends readonly unknown[]>(
  body: (context: Context, ...args: A) => Promise<number>,
) => (...args: [...A, Command]) => Promise<void>;

/** What `--help` and the man page say besides the options. */
export interface CommandText {
  /** Paragraphs for the man page, plain text. */
  readonly details?: readonly string[];
  /** Command lines without `sealtree`, each with what it does. */
  readonly examples?: readonly (readonly [line: string, does: string])[];
}

/** A command whose arguments and options commander parses. */
export interface CommandModule extends CommandText {
  readonly name: string;
  readonly summary: string;
  /** Declares arguments, options, help texts and subcommands on `command`, and its action through `run`. */
  define(command: Command, run: Run): void;
}

/** A command that reads its arguments itself: hooks, which must be quick, and stand-ins for other programs. */
export interface RawCommand extends CommandText {
  readonly name: string;
  readonly summary: string;
  /** For man page and completions. */
  readonly options?: readonly OptionText[];
  /** `args` are those after the name. Returns the exit code. */
  main(args: readonly string[], surroundings: Surroundings): Promise<number>;
}

interface EntryBase {
  readonly name: string;
  /** Arguments as in a synopsis, for the list of commands. */
  readonly usage: string;
  readonly summary: string;
  readonly group: Group;
}

export type CommandEntry =
  | (EntryBase & { readonly raw?: false; readonly load: () => Promise<{ readonly command: CommandModule }> })
  | (EntryBase & { readonly raw: true; readonly load: () => Promise<{ readonly command: RawCommand }> });

export const GROUPS = ['Commits', 'Images', 'Deployments', 'Other'] as const;
export type Group = (typeof GROUPS)[number];

/** In the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'refs',
    usage: '[PREFIX…]',
    summary: 'List refs',
    group: 'Commits',
    load: () => import('./refs.ts'),
  },
  {
    name: 'log',
    usage: 'REV',
    summary: 'Show the history of a commit',
    group: 'Commits',
    load: () => import('./log.ts'),
  },
  {
    name: 'show',
    usage: 'OBJECT',
    summary: 'Show a commit or another object',
    group: 'Commits',
    load: () => import('./show.ts'),
  },
  {
    name: 'ls',
    usage: 'REV [PATH…]',
    summary: 'List files of a commit',
    group: 'Commits',
    load: () => import('./ls.ts'),
  },
  {
    name: 'cat',
    usage: 'REV PATH…',
    summary: 'Print the content of files of a commit',
    group: 'Commits',
    load: () => import('./cat.ts'),
  },
];

/** The entry of a command, or undefined. */
export function findCommand(name: string, commands = COMMANDS): CommandEntry | undefined {
  return commands.find((entry) => entry.name === name);
}

export interface OptionText {
  readonly flags: string;
  readonly description: string;
  /** The only values it takes. */
  readonly choices?: readonly string[];
}

/** Options of every command: what `--help`, man pages and completions say of them. */
export const GLOBAL_OPTIONS: readonly OptionText[] = [
  { flags: '--sysroot <path>', description: 'the system to work on (default: $OSTREE_SYSROOT or /)' },
  { flags: '--repo <path>', description: 'the repository (default: SYSROOT/ostree/repo, or . if it is one)' },
  {
    flags: '--json [format]',
    description: 'print JSON; --json=lines prints lists one item a line',
    choices: ['document', 'lines'],
  },
  { flags: '-n, --dry-run', description: 'say what would be done, do nothing' },
  { flags: '-y, --yes', description: 'do not ask' },
  { flags: '-q, --quiet', description: 'no progress, no remarks' },
  { flags: '-v, --verbose', description: 'say more on stderr' },
  { flags: '--color <when>', description: 'auto, always or never', choices: ['auto', 'always', 'never'] },
  {
    flags: '--progress <how>',
    description: 'auto, plain, json or none',
    choices: ['auto', 'plain', 'json', 'none'],
  },
];

/** The text of `sealtree --help`. */
export function helpText(version: string, commands = COMMANDS): string {
  const lines = [
    'Usage: sealtree [OPTION…] COMMAND [ARGUMENT…]',
    '',
    `Seals OSTree deployments with validated composefs images. Version ${version}.`,
  ];
  for (const group of GROUPS) {
    const entries = commands.filter((entry) => entry.group === group);
    if (entries.length === 0) continue;
    lines.push('', `${group}:`);
    for (const entry of entries)
      lines.push(`  ${`${entry.name} ${entry.usage}`.padEnd(30)} ${entry.summary}`);
  }
  lines.push('', 'Options:');
  for (const { flags, description } of GLOBAL_OPTIONS) lines.push(`  ${flags.padEnd(30)} ${description}`);
  lines.push(
    '  --version',
    '',
    'REV is a ref, REMOTE:REF, a checksum or the start of one, REV^, or a deployment (0, OS/CHECKSUM.SERIAL).',
  );
  lines.push('sealtree COMMAND --help says more about a command.');
  return lines.join('\n');
}
