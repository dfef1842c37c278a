/** Completion for bash: one static file, no process of ours at Tab. */
import type { CommandModel, OptionModel, ProgramModel, ValueKind } from './model.ts';

export function bashCompletion(program: ProgramModel): string {
  const all = program.commands.flatMap((command) => [command, ...command.children]);
  return `# bash completion for sealtree
# Written by contrib/generate.ts from the command table: change that.

# The value of an option on the command line, with or without "=".
_sealtree_option() {
  local i
  for ((i = 1; i < \${#words[@]}; i++)); do
    case \${words[i]} in
      "$1"=*) printf '%s' "\${words[i]#*=}"; return ;;
      "$1") printf '%s' "\${words[i + 1]}"; return ;;
    esac
  done
}

_sealtree_sysroot() {
  local sysroot=$(_sealtree_option --sysroot)
  printf '%s' "\${sysroot:-\${OSTREE_SYSROOT:-/}}"
}

_sealtree_repo() {
  local repo=$(_sealtree_option --repo)
  if [[ -z $repo ]]; then
    repo=$(_sealtree_sysroot)/ostree/repo
    [[ -d $repo ]] || repo=.
  fi
  printf '%s' "$repo"
}

_sealtree_revisions() {
  local refs=$(_sealtree_repo)/refs
  find "$refs/heads" -type f -printf '%P\\n' 2>/dev/null
  find "$refs/remotes" -mindepth 2 -type f -printf '%P\\n' 2>/dev/null | sed 's,/,:,'
}

_sealtree_deployments() {
  local deploy=$(_sealtree_sysroot)/ostree/deploy path
  printf '%s\\n' booted pending rollback staged
  for path in "$deploy"/*/deploy/*.[0-9]*/; do
    [[ -d $path ]] || continue
    path=\${path%/} path=\${path#"$deploy"/}
    printf '%s\\n' "\${path/\\/deploy\\///}"
  done
}

_sealtree_value() {
  case $1 in
${kindCases(all, program.options)}
  esac
}

_sealtree() {
  local cur prev words cword
  if declare -F _comp_initialize >/dev/null; then
    _comp_initialize -n := -- "$@" || return
  elif declare -F _init_completion >/dev/null; then
    _init_completion -n := || return
  else
    words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  fi

  local i command=
  for ((i = 1; i < cword; i++)); do
    case $command:\${words[i]} in
      *:${alternatives(valueOptions(program.options))}) ((i++)) ;;
      *:-*) ;;
${all.map((command) => `      ${parentOf(command)}:${command.path.at(-1)}) command=${idOf(command)} ;;`).join('\n')}
    esac
  done

  COMPREPLY=()
  local option=
  if [[ $cur == --*=* ]]; then
    option=\${cur%%=*} cur=\${cur#*=}
  elif [[ $prev == -* ]]; then
    option=$prev
  fi
  if [[ -n $option ]] && _sealtree_value "$command:$option"; then
    return
  fi
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_sealtree_options "$command")" -- "$cur"))
    return
  fi
  case $command in
${[
  { id: '', words: program.commands.map(({ path }) => path[0] as string), kinds: [] as ValueKind[] },
  ...all.map((command) => ({
    id: idOf(command),
    words: command.children.map(({ path }) => path.at(-1) as string),
    kinds: command.arguments.map(({ kind }) => kind),
  })),
]
  .map(({ id, words, kinds }) => `    ${id === '' ? "''" : id}) ${argumentCompletion(words, kinds)} ;;`)
  .join('\n')}
  esac
  declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$cur"
  return 0
}

_sealtree_options() {
  printf '%s ' ${program.options.flatMap(namesOf).join(' ')} --help
  case $1 in
    '') printf '%s ' --version ;;
${all
  .filter(({ options }) => options.length > 0)
  .map((command) => `    ${idOf(command)}) printf '%s ' ${command.options.flatMap(namesOf).join(' ')} ;;`)
  .join('\n')}
  esac
}

complete -F _sealtree sealtree
`;
}

const idOf = (command: CommandModel): string => command.path.join('_').replaceAll('-', '_');
const parentOf = (command: CommandModel): string => command.path.slice(0, -1).join('_').replaceAll('-', '_');
const alternatives = (words: readonly string[]): string => words.join('|*:');

const namesOf = ({ short, long }: OptionModel): string[] =>
  [short, long].filter((name) => name !== undefined);

/** Options whose value is the next word. */
const valueOptions = (options: readonly OptionModel[]): string[] =>
  options.filter(({ value, isOptional }) => value !== undefined && !isOptional).flatMap(namesOf);

/** How to complete a kind of value into COMPREPLY. */
function completionOf(kind: ValueKind): string {
  switch (kind) {
    case 'file':
      return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))';
    case 'folder':
      return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur"))';
    case 'revision':
      return 'COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur"))';
    case 'deployment':
      return 'COMPREPLY=($(compgen -W "$(_sealtree_deployments)" -- "$cur"))';
    case 'other':
      return 'COMPREPLY=()';
  }
}

/** The first argument decides for all: it is the one worth completing. */
function argumentCompletion(words: readonly string[], kinds: readonly ValueKind[]): string {
  if (words.length > 0) return `COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$cur"))`;
  return completionOf(kinds[0] ?? 'other');
}

/** Cases `COMMAND:OPTION)` for the options that take a value; others fail, so that the caller goes on. */
function kindCases(commands: readonly CommandModel[], global: readonly OptionModel[]): string {
  const cases = [
    ...global.map((option) => ({ id: '*', option })),
    ...commands.flatMap((command) => command.options.map((option) => ({ id: idOf(command), option }))),
  ]
    .filter(({ option }) => option.value !== undefined)
    .map(({ id, option }) => {
      const patterns = namesOf(option).map((name) => `${id}:${name}`);
      const body =
        option.choices.length > 0
          ? `COMPREPLY=($(compgen -W "${option.choices.join(' ')}" -- "$cur"))`
          : completionOf(option.kind);
      // A value that may be left out follows "=" only.
      const guard = option.isOptional ? '[[ $option == "$prev" ]] && return 1; ' : '';
      return `    ${patterns.join('|')}) ${guard}${body} ;;`;
    });
  return [...cases, '    *) return 1 ;;'].join('\n');
}
