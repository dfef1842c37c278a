/**
 * The table of commands: names and summaries only, so that `--help`, completions and man pages can walk it and
 * a run loads nothing but the module it needs.
 */
import type { CommandModule, OptionText, RawCommand } from './command.ts';

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

/** Headings of the help. Stand-ins are listed by name only. */
export const GROUPS = ['Commits', 'Images', 'Deployments', 'Other', 'Stand-ins'] as const;
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
  {
    name: 'diff',
    usage: '[A] B',
    summary: 'Compare two commits, or commits with folders',
    group: 'Commits',
    load: () => import('./diff.ts'),
  },
  {
    name: 'import',
    usage: 'dir|tar|oci …',
    summary: 'Make commits of folders, archives and container images',
    group: 'Commits',
    load: () => import('./import.ts'),
  },
  {
    name: 'export',
    usage: 'tar|oci REV…',
    summary: 'Write commits as tar archives and container images',
    group: 'Commits',
    load: () => import('./export.ts'),
  },
  {
    name: 'image',
    usage: 'VERB …',
    summary: 'Make, look into, compare and mount images',
    group: 'Images',
    load: () => import('./image.ts'),
  },
  {
    name: 'digest',
    usage: 'REV',
    summary: "Print the digest of a commit's image",
    group: 'Images',
    load: () => import('./digest.ts'),
  },
  {
    name: 'seal',
    usage: '[DEPLOYMENT…]',
    summary: 'Make, validate and place the image of deployments',
    group: 'Deployments',
    load: () => import('./seal.ts'),
  },
  {
    name: 'status',
    usage: '',
    summary: 'Show every deployment and its image',
    group: 'Deployments',
    load: () => import('./status.ts'),
  },
  {
    name: 'verify',
    usage: '[DEPLOYMENT…]',
    summary: 'Check deployments, or a whole repository',
    group: 'Deployments',
    load: () => import('./verify.ts'),
  },
  {
    name: 'boot',
    usage: 'VERB …',
    summary: 'Make the system boot what was sealed',
    group: 'Deployments',
    load: () => import('./boot.ts'),
  },
  {
    name: 'pin',
    usage: 'DEPLOYMENT…',
    summary: 'Keep deployments that upgrades would push out',
    group: 'Deployments',
    load: () => import('./pin.ts'),
  },
  {
    name: 'sharing',
    usage: '[REV…]',
    summary: 'Show what deployments, refs and images share',
    group: 'Deployments',
    load: () => import('./sharing.ts'),
  },
  {
    name: 'gc',
    usage: '',
    summary: 'Remove images that no deployment or ref uses',
    group: 'Deployments',
    load: () => import('./gc.ts'),
  },
  {
    name: 'demo',
    usage: '[DIR]',
    summary: 'Make a small sysroot to try things on, and seal it',
    group: 'Other',
    load: () => import('./demo.ts'),
  },
  {
    name: 'config',
    usage: 'show',
    summary: 'Show the configuration and its origins',
    group: 'Other',
    load: () => import('./config.ts'),
  },
  {
    name: 'ui',
    usage: '',
    summary: 'Open the interface',
    group: 'Other',
    load: () => import('./ui.ts'),
  },
  {
    name: 'hook',
    usage: 'EVENT',
    summary: 'Seal what is new, quietly; for units and package hooks',
    group: 'Other',
    raw: true,
    load: () => import('./hook.ts'),
  },
  {
    name: 'mkcomposefs',
    usage: '…',
    summary: "Stand-in for libcomposefs' tool of that name",
    group: 'Stand-ins',
    raw: true,
    load: () => import('./mkcomposefs.ts'),
  },
  {
    name: 'composefs-info',
    usage: '…',
    summary: "Stand-in for libcomposefs' tool of that name",
    group: 'Stand-ins',
    raw: true,
    load: () => import('./composefs-info.ts'),
  },
  {
    name: 'composefs-dump',
    usage: '…',
    summary: "Stand-in for libcomposefs' tool of that name",
    group: 'Stand-ins',
    raw: true,
    load: () => import('./composefs-dump.ts'),
  },
];

/** The entry of a command, or undefined. */
export function findCommand(name: string, commands = COMMANDS): CommandEntry | undefined {
  return commands.find((entry) => entry.name === name);
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
  {
    flags: '--color <when>',
    description: 'when to colour: auto, always or never',
    choices: ['auto', 'always', 'never'],
  },
  {
    flags: '--progress <how>',
    description: 'how to show progress: auto, plain, json or none',
    choices: ['auto', 'plain', 'json', 'none'],
  },
];

/** The text of `sealtree --help`: one screen, so options that explain themselves share lines. */
export function helpText(version: string, commands = COMMANDS): string {
  const lines = ['Usage: sealtree [OPTION…] COMMAND [ARGUMENT…]', ''];
  for (const group of GROUPS) {
    const entries = commands.filter((entry) => entry.group === group);
    const rows =
      group === 'Stand-ins'
        ? [entries.map((entry) => entry.name).join(', ')]
        : entries.map(({ name, usage, summary }) => `${`${name} ${usage}`.padEnd(21)} ${summary}`);
    lines.push(...labelled(entries.length === 0 ? [] : rows, group));
  }
  lines.push(
    '',
    ...labelled(
      [
        '--sysroot PATH        the system to work on (default $OSTREE_SYSROOT or /)',
        '--repo PATH           default SYSROOT/ostree/repo, or . if it is one',
        '--json[=lines]        print JSON; with =lines an item a line',
        '-n, --dry-run         say what would be done',
        '-y, --yes             do not ask',
        '-q, --quiet  -v, --verbose  --version  -h, --help',
        '--color=auto|always|never  --progress=auto|plain|json|none',
      ],
      'Options',
    ),
    '',
    'Without a command: the interface on a terminal, status elsewhere.',
    'REV is a ref, REMOTE:REF, a checksum or its start, REV^, or a deployment: an index',
    'such as 0, or OS/CHECKSUM.SERIAL. sealtree COMMAND --help says more of a command.',
    `This is version ${version}.`,
  );
  return lines.join('\n');
}

/** Rows with a label before the first. */
function labelled(rows: readonly string[], label: string): string[] {
  return rows.map((row, i) => `${(i === 0 ? label : '').padEnd(12)} ${row}`.trimEnd());
}
