/** Completion for zsh. */
import type { CommandModel, OptionModel, ProgramModel, ValueKind } from './model.ts';

export function zshCompletion(program: ProgramModel): string {
  const all = program.commands.flatMap((command) => [command, ...command.children]);
  return `#compdef sealtree
# Written by contrib/generate.ts from the command table: change that.

# The value of an option on the command line, with or without "=".
_sealtree_option() {
  local i
  for ((i = 1; i <= $#all_words; i++)); do
    case $all_words[i] in
      ($1=*) print -r -- \${all_words[i]#*=}; return ;;
      ($1) print -r -- $all_words[i+1]; return ;;
    esac
  done
}

_sealtree_sysroot() {
  local sysroot=$(_sealtree_option --sysroot)
  print -r -- \${sysroot:-\${OSTREE_SYSROOT:-}}
}

_sealtree_repo() {
  local repo=$(_sealtree_option --repo)
  [[ -n $repo ]] || repo=$(_sealtree_sysroot)/ostree/repo
  [[ -d $repo ]] || repo=.
  print -r -- $repo
}

_sealtree_revisions() {
  local refs=$(_sealtree_repo)/refs
  local -a found
  found=(\${(f)"$(find $refs/heads -type f -printf '%P\\n' 2>/dev/null; find $refs/remotes -mindepth 2 -type f -printf '%P\\n' 2>/dev/null | sed 's,/,:,')"})
  compadd -a found
}

_sealtree_deployments() {
  local deploy=$(_sealtree_sysroot)/ostree/deploy
  local -a found
  found=($deploy/*/deploy/*.<->(N/))
  found=(\${\${found#$deploy/}/\\/deploy\\///})
  compadd booted pending rollback staged $found
}

${all.map(commandFunction).join('\n')}
_sealtree() {
  # What follows takes words away from the line.
  local -a all_words=($words)
  local context state state_descr line
  typeset -A opt_args
  local -a global_options=(
${program.options.map((option) => `    ${optionSpec(option)}`).join('\n')}
    '(-h --help)'{-h,--help}'[print a short help]'
  )
  _arguments -C $global_options '--version[print the version]' '(-): :->command' '(-)*:: :->argument'
  case $state in
    command)
      local -a commands=(
${program.commands.map((command) => `        ${described(command)}`).join('\n')}
      )
      _describe command commands
      ;;
    argument)
      case $line[1] in
${program.commands.map((command) => `        ${command.path[0]}) ${nameOf(command)} ;;`).join('\n')}
      esac
      ;;
  esac
}

_sealtree "$@"
`;
}

const nameOf = (command: CommandModel): string => `_sealtree_${command.path.join('_').replaceAll('-', '_')}`;

const described = (command: CommandModel): string =>
  quote(`${command.path.at(-1)}:${command.summary.replaceAll(':', '\\:')}`);

function commandFunction(command: CommandModel): string {
  if (command.children.length > 0)
    return `${nameOf(command)}() {
  local context state state_descr line
  _arguments -C $global_options '(-): :->command' '(-)*:: :->argument'
  case $state in
    command)
      local -a commands=(
${command.children.map((child) => `        ${described(child)}`).join('\n')}
      )
      _describe command commands
      ;;
    argument)
      case $line[1] in
${command.children.map((child) => `        ${child.path.at(-1)}) ${nameOf(child)} ;;`).join('\n')}
      esac
      ;;
  esac
}
`;
  const kind = command.arguments[0]?.kind ?? 'other';
  const specs = [
    ...command.options.map(optionSpec),
    ...(command.arguments.length === 0 ? [] : [`'*:${command.arguments[0]?.name}:${ACTIONS[kind]}'`]),
  ];
  return `${nameOf(command)}() {
  _arguments $global_options${specs.map((spec) => ` \\\n    ${spec}`).join('')}
}
`;
}

const ACTIONS: Record<ValueKind, string> = {
  revision: '_sealtree_revisions',
  deployment: '_sealtree_deployments',
  file: '_files',
  folder: '_files -/',
  other: ' ',
};

function optionSpec({ short, long, value, isOptional, kind, choices, description }: OptionModel): string {
  const action = choices.length > 0 ? `(${choices.join(' ')})` : ACTIONS[kind];
  const rest = `[${description.replace(/[[\]]/g, '')}]${value === undefined ? '' : `${isOptional ? '::' : ':'}${value}:${action}`}`;
  // "=" lets the value follow after it or as the next word, "=-" only after it.
  const suffix = value === undefined ? '' : isOptional ? '=-' : '=';
  if (short === undefined || long === undefined)
    return quote(`${short ?? long}${long === undefined ? '' : suffix}${rest}`);
  return `'(${short} ${long})'{${short}${value === undefined ? '' : '+'},${long}${suffix}}${quote(rest)}`;
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
