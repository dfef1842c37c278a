/** Man pages in roff: `sealtree.1` and one for each command. */
import { ExitCode } from '../../src/base/errors.ts';
import { type KeyGroup, keyGroups } from './keys.ts';
import type { ArgumentModel, CommandModel, OptionModel, ProgramModel } from './model.ts';

/** Pages by file name. */
export function manPages(program: ProgramModel, version: string): Map<string, string> {
  const pages = new Map([['sealtree.1', programPage(program, version)]]);
  for (const command of program.commands) {
    const name = `sealtree-${command.path.join('-')}`;
    pages.set(`${name}.1`, commandPage(command, name, version));
  }
  return pages;
}

const SUMMARY = 'seal OSTree deployments with validated composefs images';

function programPage(program: ProgramModel, version: string): string {
  return page('sealtree', SUMMARY, version, [
    ['SYNOPSIS', ['.B sealtree', text('[OPTION…] COMMAND [ARGUMENT…]')]],
    [
      'DESCRIPTION',
      paragraphs([
        'OSTree deploys an operating system as a farm of hard links: nothing stops a process, a bug or an attacker from changing files in it. composefs replaces that farm at boot by one EROFS image over the repository’s objects, and fs-verity refuses an object that differs by one bit. sealtree makes such an image of each deployment, validates it before it is published, places it where ostree looks for it, and tells at any time what is sealed and what is not.',
        'Without a command the interface opens on a terminal; elsewhere the state of all deployments is shown.',
        'A revision, REV, is a ref, REMOTE:REF, a full checksum or the unique start of one, each with ^ for its parent, or a deployment: its index, booted, pending, rollback, staged, or OS/CHECKSUM.SERIAL.',
      ]),
    ],
    [
      'COMMANDS',
      program.commands.flatMap((command) => [
        '.TP',
        `.BR sealtree\\-${escapeRoff(command.path.join('-'))} (1)`,
        text(sentence(command.summary)),
      ]),
    ],
    ['OPTIONS', [...program.options, VERSION, HELP].flatMap(optionLines)],
    ['EXIT STATUS', EXIT_STATUS.flatMap(([code, means]) => ['.TP', `.B ${code}`, text(means)])],
    ['ENVIRONMENT', ENVIRONMENT.flatMap(([name, means]) => ['.TP', `.B ${escapeRoff(name)}`, text(means)])],
    ['FILES', FILES.flatMap(([name, means]) => ['.TP', `.I ${escapeRoff(name)}`, text(means)])],
    ['EXAMPLES', program.commands.flatMap(({ examples }) => examples.slice(0, 1)).flatMap(exampleLines)],
    [
      'SEE ALSO',
      ['.BR sealtree.conf (5),', '.BR ostree (1),', '.BR mkcomposefs (1),', '.BR composefs\\-dump (5)'],
    ],
  ]);
}

function commandPage(command: CommandModel, name: string, version: string): string {
  const commands = command.children.length === 0 ? [command] : command.children;
  return page(name, lowerFirst(command.summary), version, [
    ['SYNOPSIS', commands.flatMap(synopsis)],
    ['DESCRIPTION', paragraphs(command.details.length === 0 ? [sentence(command.summary)] : command.details)],
    [
      'COMMANDS',
      command.children.flatMap((child) => [
        '.SS',
        text(child.path.slice(1).join(' ')),
        ...paragraphs([sentence(child.summary)]).slice(1),
        ...child.arguments.flatMap(argumentLines),
        ...child.options.flatMap(optionLines),
      ]),
    ],
    ['OPTIONS', [...command.arguments.flatMap(argumentLines), ...command.options.flatMap(optionLines)]],
    ['KEYS', command.path[0] === 'ui' ? keyGroups().flatMap(keyLines) : []],
    ['GLOBAL OPTIONS', command.isRaw ? [] : ['Options of every command are in', '.BR sealtree (1).']],
    ['EXAMPLES', command.examples.flatMap(exampleLines)],
    ['EXIT STATUS', command.isRaw ? [] : ['See', '.BR sealtree (1).']],
    [
      'SEE ALSO',
      [
        '.BR sealtree (1)',
        ...(command.isRaw && command.path[0] !== 'hook'
          ? [`.BR ${escapeRoff(command.path[0] ?? '')} (1)`]
          : []),
      ],
    ],
  ]);
}

function keyLines({ heading, keys }: KeyGroup): string[] {
  return [
    '.SS',
    text(heading),
    ...keys.flatMap(({ keys: names, does }) => ['.TP', `.B ${escapeRoff(names)}`, text(does)]),
  ];
}

export type Section = readonly [heading: string, lines: readonly string[]];

/** A whole page; sections without lines are left out. */
export function page(
  name: string,
  summary: string,
  version: string,
  sections: readonly Section[],
  { section = 1, source = 'command' } = {},
): string {
  const lines = [
    `.\\" Written by contrib/generate.ts from the ${source} table: change that.`,
    `.TH ${escapeRoff(name.toUpperCase())} ${section} "" "sealtree ${version}" "sealtree"`,
    '.SH NAME',
    `${escapeRoff(name)} \\- ${text(summary)}`,
  ];
  for (const [heading, body] of sections) if (body.length > 0) lines.push(`.SH ${heading}`, ...body);
  return `${lines.join('\n')}\n`;
}

const VERSION: OptionModel = {
  short: undefined,
  long: '--version',
  value: undefined,
  isOptional: false,
  kind: 'other',
  choices: [],
  description: 'print the version',
};
const HELP: OptionModel = { ...VERSION, short: '-h', long: '--help', description: 'print a short help' };

const EXIT_STATUS: readonly (readonly [code: number | string, means: string])[] = [
  [ExitCode.ok, 'Success; what was asked for holds.'],
  [ExitCode.failed, 'The operation failed.'],
  [ExitCode.findings, 'The check was made and found errors.'],
  [ExitCode.usage, 'The command line does not make sense.'],
  [ExitCode.data, 'A repository, image or file is damaged or not what it should be.'],
  [ExitCode.noInput, 'A file, ref, object or deployment that was named does not exist.'],
  [ExitCode.unsupported, 'Kernel or file system lack what was asked for.'],
  [ExitCode.cannotCreate, 'An output file cannot be made.'],
  [ExitCode.io, 'Reading or writing failed.'],
  [ExitCode.busy, 'Somebody else holds a lock; try again.'],
  [ExitCode.permission, 'Permission is missing.'],
  [ExitCode.config, 'A configuration is wrong.'],
  ['130, 143, 129', 'Stopped by SIGINT, SIGTERM or SIGHUP.'],
  [ExitCode.brokenPipe, 'Stopped because nobody reads the output any more.'],
];

const ENVIRONMENT: readonly (readonly [name: string, means: string])[] = [
  ['OSTREE_SYSROOT', 'The system to work on where --sysroot is not given.'],
  ['NO_COLOR', 'Not empty: no colours, whatever --color says.'],
  ['FORCE_COLOR, CLICOLOR_FORCE', 'Not empty: colours also where the output is no terminal.'],
  ['SEALTREE_SCREEN_READER', 'Not empty: the interface writes plain lines, for screen readers.'],
];

const FILES: readonly (readonly [name: string, means: string])[] = [
  [
    'SYSROOT/ostree/repo/extensions/sealtree/images/DIGEST.cfs',
    'One image for each digest; never changed once it is there.',
  ],
  [
    'SYSROOT/ostree/deploy/OS/deploy/CHECKSUM.SERIAL/.ostree.cfs',
    'A hard link to the image of that deployment, where ostree-prepare-root reads it.',
  ],
  [
    'SYSROOT/ostree/repo/extensions/sealtree/object-info',
    'What earlier runs learnt of objects, so that the next image costs what changed. May be removed at any time.',
  ],
  ['/etc/sealtree/sealtree.conf', 'The configuration; see sealtree.conf(5).'],
  [
    '/var/cache/sealtree',
    'For root, and $XDG_CACHE_HOME/sealtree for others: compiled code for the next start. What former versions left there stays. May be removed at any time; NODE_DISABLE_COMPILE_CACHE=1 in the environment keeps it from being used.',
  ],
];

function synopsis(command: CommandModel): string[] {
  const words = command.arguments.map(argumentName);
  if (command.options.length > 0) words.unshift('[OPTION…]');
  return [
    `.B ${text(`sealtree ${command.path.join(' ')}`)}`,
    ...(words.length === 0 ? [] : [text(words.join(' '))]),
    '.br',
  ];
}

function argumentName({ name, isOptional, isVariadic }: ArgumentModel): string {
  const shown = `${name.toUpperCase()}${isVariadic ? '…' : ''}`;
  return isOptional ? `[${shown}]` : shown;
}

function argumentLines(argument: ArgumentModel): string[] {
  return ['.TP', `.I ${escapeRoff(argumentName(argument))}`, text(sentence(argument.description))];
}

function optionLines({ short, long, value, isOptional, description }: OptionModel): string[] {
  const names = [short, long]
    .filter((name) => name !== undefined)
    .map((name) => `\\fB${escapeRoff(name)}\\fR`);
  const shown =
    value === undefined
      ? ''
      : isOptional
        ? `[=\\fI${escapeRoff(value.toUpperCase())}\\fR]`
        : ` \\fI${escapeRoff(value.toUpperCase())}\\fR`;
  return ['.TP', `${names.join(', ')}${shown}`, text(sentence(description))];
}

function exampleLines([line, does]: readonly [string, string]): string[] {
  return ['.TP', `.B sealtree ${escapeRoff(line)}`, text(sentence(does))];
}

/** Running text, a paragraph each. */
export function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((one) => ['.PP', text(one)]);
}

/** With a capital at the start and a point at the end. */
function sentence(words: string): string {
  const capital =
    /^[a-z]+ /.test(words) || /^[a-z]/.test(words) ? words.charAt(0).toUpperCase() + words.slice(1) : words;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

const lowerFirst = (words: string): string => words.charAt(0).toLowerCase() + words.slice(1);

/** Words as roff prints them. */
export function escapeRoff(words: string): string {
  return words.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('…', '...').replaceAll('’', "'");
}

/** A line of running text; one that would be taken for a request is protected. */
export function text(words: string): string {
  const escaped = escapeRoff(words);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
