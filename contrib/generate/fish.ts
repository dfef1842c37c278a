/** Completion for fish. */
import type { ArgumentModel, CommandModel, OptionModel, ProgramModel, ValueKind } from './model.ts';

export function fishCompletion(program: ProgramModel): string {
  const lines = [
    '# fish completion for sealtree',
    '# Written by contrib/generate.ts from the command table: change that.',
    '',
    'function __sealtree_repo',
    '    for path in /ostree/repo .',
    '        test -d $path/refs; and echo $path; and return',
    '    end',
    'end',
    '',
    'function __sealtree_revisions',
    '    set -l refs (__sealtree_repo)/refs',
    "    find $refs/heads -type f -printf '%P\\n' 2>/dev/null",
    "    find $refs/remotes -mindepth 2 -type f -printf '%P\\n' 2>/dev/null | sed 's,/,:,'",
    'end',
    '',
    'function __sealtree_deployments',
    "    printf '%s\\n' booted pending rollback staged",
    '    for path in /ostree/deploy/*/deploy/*.*/',
    "        string replace -r '^/ostree/deploy/([^/]+)/deploy/([^/]+)/$' '$1/$2' -- $path",
    '    end',
    'end',
    '',
    'complete -c sealtree -f',
    ...program.options.map((option) => `complete -c sealtree${optionWords(option)}`),
    'complete -c sealtree -s h -l help -d "print a short help"',
    'complete -c sealtree -n __fish_use_subcommand -l version -d "print the version"',
  ];
  for (const command of program.commands) lines.push('', ...commandLines(command, '__fish_use_subcommand'));
  return `${lines.join('\n')}\n`;
}

function commandLines(command: CommandModel, condition: string): string[] {
  const name = command.path.at(-1) as string;
  const inside =
    command.path.length === 1
      ? `__fish_seen_subcommand_from ${name}`
      : `__fish_seen_subcommand_from ${command.path[0]}; and __fish_seen_subcommand_from ${name}`;
  const children = command.children.map((child) => child.path.at(-1) as string);
  const childless = `${inside}; and not __fish_seen_subcommand_from ${children.join(' ')}`;
  return [
    `complete -c sealtree -n ${quote(condition)} -a ${name} -d ${quote(command.summary)}`,
    ...command.options.map((option) => `complete -c sealtree -n ${quote(inside)}${optionWords(option)}`),
    ...argumentWords(command.arguments).map((words) => `complete -c sealtree -n ${quote(inside)} ${words}`),
    ...command.children.flatMap((child) => commandLines(child, childless)),
  ];
}

function optionWords({ short, long, value, isOptional, kind, choices, description }: OptionModel): string {
  const words = [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ...(value === undefined || isOptional ? [] : [choices.length > 0 ? '-x' : '-r']),
    ...(choices.length > 0
      ? [`-a ${quote(choices.join(' '))}`]
      : kind === 'file' || kind === 'folder'
        ? ['-F']
        : []),
    `-d ${quote(description)}`,
  ];
  return ` ${words.join(' ')}`;
}

const SOURCES: Record<ValueKind, string | undefined> = {
  revision: '-a "(__sealtree_revisions)"',
  deployment: '-a "(__sealtree_deployments)"',
  file: '-F',
  folder: '-a "(__fish_complete_directories)"',
  other: undefined,
};

/** The first argument decides for all: it is the one worth completing. */
function argumentWords(given: readonly ArgumentModel[]): string[] {
  const source = SOURCES[given[0]?.kind ?? 'other'];
  return source === undefined ? [] : [source];
}

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
