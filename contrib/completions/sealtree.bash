# bash completion for sealtree
# Written by contrib/generate.ts from the command table: change that.

# The value of an option on the command line, with or without "=".
_sealtree_option() {
  local i
  for ((i = 1; i < ${#words[@]}; i++)); do
    case ${words[i]} in
      "$1"=*) printf '%s' "${words[i]#*=}"; return ;;
      "$1") printf '%s' "${words[i + 1]}"; return ;;
    esac
  done
}

_sealtree_sysroot() {
  local sysroot=$(_sealtree_option --sysroot)
  printf '%s' "${sysroot:-${OSTREE_SYSROOT:-/}}"
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
  find "$refs/heads" -type f -printf '%P\n' 2>/dev/null
  find "$refs/remotes" -mindepth 2 -type f -printf '%P\n' 2>/dev/null | sed 's,/,:,'
}

_sealtree_deployments() {
  local deploy=$(_sealtree_sysroot)/ostree/deploy path
  printf '%s\n' booted pending rollback staged
  for path in "$deploy"/*/deploy/*.[0-9]*/; do
    [[ -d $path ]] || continue
    path=${path%/} path=${path#"$deploy"/}
    printf '%s\n' "${path/\/deploy\///}"
  done
}

_sealtree_value() {
  case $1 in
    *:--sysroot) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    *:--repo) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    *:--json) [[ $option == "$prev" ]] && return 1; COMPREPLY=($(compgen -W "document lines" -- "$cur")) ;;
    *:--color) COMPREPLY=($(compgen -W "auto always never" -- "$cur")) ;;
    *:--progress) COMPREPLY=($(compgen -W "auto plain json none" -- "$cur")) ;;
    log:--max-count) COMPREPLY=() ;;
    show:--print-metadata-key) COMPREPLY=() ;;
    show:--print-detached-metadata-key) COMPREPLY=() ;;
    diff:--owner-uid) COMPREPLY=() ;;
    diff:--owner-gid) COMPREPLY=() ;;
    import_dir:--ref) COMPREPLY=() ;;
    import_dir:--subject) COMPREPLY=() ;;
    import_dir:--timestamp) COMPREPLY=() ;;
    import_dir:--owner-uid) COMPREPLY=() ;;
    import_dir:--owner-gid) COMPREPLY=() ;;
    import_dir:--lock-timeout) COMPREPLY=() ;;
    import_tar:--ref) COMPREPLY=() ;;
    import_tar:--subject) COMPREPLY=() ;;
    import_tar:--timestamp) COMPREPLY=() ;;
    import_tar:--max-size) COMPREPLY=() ;;
    import_tar:--max-entries) COMPREPLY=() ;;
    import_tar:--lock-timeout) COMPREPLY=() ;;
    import_oci:--ref) COMPREPLY=() ;;
    import_oci:--subject) COMPREPLY=() ;;
    import_oci:--timestamp) COMPREPLY=() ;;
    import_oci:--max-size) COMPREPLY=() ;;
    import_oci:--max-entries) COMPREPLY=() ;;
    import_oci:--platform) COMPREPLY=() ;;
    import_oci:--lock-timeout) COMPREPLY=() ;;
    export_tar:-o|export_tar:--output) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    export_oci:-o|export_oci:--output) COMPREPLY=() ;;
    export_oci:--tag) COMPREPLY=() ;;
    export_oci:--command) COMPREPLY=() ;;
    export_oci:--platform) COMPREPLY=() ;;
    export_oci:--compression) COMPREPLY=() ;;
    image_create:-o|image_create:--output) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_create:--from-file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_create:--from-dir) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    image_create:--digests) COMPREPLY=() ;;
    image_create:--digest-store) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    image_create:--xattrs) COMPREPLY=() ;;
    image_create:--min-version) COMPREPLY=() ;;
    image_create:--max-version) COMPREPLY=() ;;
    image_dump:--filter) COMPREPLY=() ;;
    image_missing_objects:--objects) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    image_verify:--digest) COMPREPLY=() ;;
    image_verify:--objects) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    image_mount:--objects) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    image_mount:--upper) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    image_mount:--digest) COMPREPLY=() ;;
    digest:--digests) COMPREPLY=() ;;
    seal:--ref) COMPREPLY=() ;;
    seal:--digests) COMPREPLY=() ;;
    seal:--fsverity) COMPREPLY=() ;;
    seal:--lock-timeout) COMPREPLY=() ;;
    boot_preview:--root) COMPREPLY=() ;;
    boot_install:--root) COMPREPLY=() ;;
    boot_install:--plan) COMPREPLY=() ;;
    boot_install:--lock-timeout) COMPREPLY=() ;;
    boot_remove:--root) COMPREPLY=() ;;
    boot_remove:--plan) COMPREPLY=() ;;
    boot_remove:--lock-timeout) COMPREPLY=() ;;
    boot_rollback:--plan) COMPREPLY=() ;;
    boot_rollback:--lock-timeout) COMPREPLY=() ;;
    pin:--lock-timeout) COMPREPLY=() ;;
    gc:--lock-timeout) COMPREPLY=() ;;
    config_show:--root) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    hook:--sysroot) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    hook:--lock-timeout) COMPREPLY=() ;;
    mkcomposefs:--digest-store) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    mkcomposefs:--min-version) COMPREPLY=() ;;
    mkcomposefs:--max-version) COMPREPLY=() ;;
    mkcomposefs:--threads) COMPREPLY=() ;;
    composefs_info:--basedir) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    composefs_info:--filter) COMPREPLY=() ;;
    *) return 1 ;;
  esac
}

_sealtree() {
  local cur prev words cword
  if declare -F _comp_initialize >/dev/null; then
    _comp_initialize -n := -- "$@" || return
  elif declare -F _init_completion >/dev/null; then
    _init_completion -n := || return
  else
    words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  fi

  local i command=
  for ((i = 1; i < cword; i++)); do
    case $command:${words[i]} in
      *:--sysroot|*:--repo|*:--color|*:--progress) ((i++)) ;;
      *:-*) ;;
      :refs) command=refs ;;
      :log) command=log ;;
      :show) command=show ;;
      :ls) command=ls ;;
      :cat) command=cat ;;
      :diff) command=diff ;;
      :import) command=import ;;
      import:dir) command=import_dir ;;
      import:tar) command=import_tar ;;
      import:oci) command=import_oci ;;
      :export) command=export ;;
      export:tar) command=export_tar ;;
      export:oci) command=export_oci ;;
      :image) command=image ;;
      image:create) command=image_create ;;
      image:info) command=image_info ;;
      image:ls) command=image_ls ;;
      image:dump) command=image_dump ;;
      image:objects) command=image_objects ;;
      image:missing-objects) command=image_missing_objects ;;
      image:verify) command=image_verify ;;
      image:diff) command=image_diff ;;
      image:mount) command=image_mount ;;
      image:umount) command=image_umount ;;
      :digest) command=digest ;;
      :seal) command=seal ;;
      :status) command=status ;;
      :verify) command=verify ;;
      :boot) command=boot ;;
      boot:status) command=boot_status ;;
      boot:preview) command=boot_preview ;;
      boot:install) command=boot_install ;;
      boot:remove) command=boot_remove ;;
      boot:check) command=boot_check ;;
      boot:history) command=boot_history ;;
      boot:rollback) command=boot_rollback ;;
      :pin) command=pin ;;
      :sharing) command=sharing ;;
      :gc) command=gc ;;
      :demo) command=demo ;;
      :config) command=config ;;
      config:show) command=config_show ;;
      :ui) command=ui ;;
      :hook) command=hook ;;
      :mkcomposefs) command=mkcomposefs ;;
      :composefs-info) command=composefs_info ;;
      :composefs-dump) command=composefs_dump ;;
    esac
  done

  COMPREPLY=()
  local option=
  if [[ $cur == --*=* ]]; then
    option=${cur%%=*} cur=${cur#*=}
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
    '') COMPREPLY=($(compgen -W "refs log show ls cat diff import export image digest seal status verify boot pin sharing gc demo config ui hook mkcomposefs composefs-info composefs-dump" -- "$cur")) ;;
    refs) COMPREPLY=() ;;
    log) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    show) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    ls) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    cat) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    diff) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    import) COMPREPLY=($(compgen -W "dir tar oci" -- "$cur")) ;;
    import_dir) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    import_tar) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    import_oci) COMPREPLY=() ;;
    export) COMPREPLY=($(compgen -W "tar oci" -- "$cur")) ;;
    export_tar) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    export_oci) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    image) COMPREPLY=($(compgen -W "create info ls dump objects missing-objects verify diff mount umount" -- "$cur")) ;;
    image_create) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    image_info) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_ls) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_dump) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_objects) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_missing_objects) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_verify) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_diff) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_mount) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    image_umount) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    digest) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    seal) COMPREPLY=($(compgen -W "$(_sealtree_deployments)" -- "$cur")) ;;
    status) COMPREPLY=() ;;
    verify) COMPREPLY=($(compgen -W "$(_sealtree_deployments)" -- "$cur")) ;;
    boot) COMPREPLY=($(compgen -W "status preview install remove check history rollback" -- "$cur")) ;;
    boot_status) COMPREPLY=() ;;
    boot_preview) COMPREPLY=() ;;
    boot_install) COMPREPLY=() ;;
    boot_remove) COMPREPLY=() ;;
    boot_check) COMPREPLY=() ;;
    boot_history) COMPREPLY=() ;;
    boot_rollback) COMPREPLY=() ;;
    pin) COMPREPLY=($(compgen -W "$(_sealtree_deployments)" -- "$cur")) ;;
    sharing) COMPREPLY=($(compgen -W "$(_sealtree_revisions)" -- "$cur")) ;;
    gc) COMPREPLY=() ;;
    demo) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$cur")) ;;
    config) COMPREPLY=($(compgen -W "show" -- "$cur")) ;;
    config_show) COMPREPLY=() ;;
    ui) COMPREPLY=() ;;
    hook) COMPREPLY=() ;;
    mkcomposefs) COMPREPLY=() ;;
    composefs_info) COMPREPLY=() ;;
    composefs_dump) COMPREPLY=() ;;
  esac
  declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$cur"
  return 0
}

_sealtree_options() {
  printf '%s ' --sysroot --repo --json -n --dry-run -y --yes -q --quiet -v --verbose --color --progress --help
  case $1 in
    '') printf '%s ' --version ;;
    refs) printf '%s ' --list -r --revision -A --alias -c --collections ;;
    log) printf '%s ' --raw --oneline --max-count ;;
    show) printf '%s ' --list-metadata-keys --print-metadata-key --list-detached-metadata-keys --print-detached-metadata-key --print-hex --print-related --raw -B --no-byteswap ;;
    ls) printf '%s ' -d --dironly -R --recursive -C --checksum -X --xattrs --nul-filenames-only ;;
    diff) printf '%s ' --stats --fs-diff --no-xattrs --owner-uid --owner-gid ;;
    import_dir) printf '%s ' --ref --parent --subject --timestamp --no-xattrs --owner-uid --owner-gid --skip-special --lock-timeout ;;
    import_tar) printf '%s ' --ref --parent --subject --timestamp --max-size --max-entries --skip-special --lock-timeout ;;
    import_oci) printf '%s ' --ref --parent --subject --timestamp --max-size --max-entries --skip-special --platform --layers --lock-timeout ;;
    export_tar) printf '%s ' -o --output ;;
    export_oci) printf '%s ' -o --output --tag --command --platform --compression ;;
    image_create) printf '%s ' -o --output --from-file --from-dir --digests --digest-store --xattrs --no-devices --epoch --strict --min-version --max-version ;;
    image_dump) printf '%s ' --filter ;;
    image_missing_objects) printf '%s ' --objects ;;
    image_verify) printf '%s ' --digest --objects --require-verity ;;
    image_diff) printf '%s ' --exit-code ;;
    image_mount) printf '%s ' --objects --upper --digest --verity ;;
    digest) printf '%s ' --digests ;;
    seal) printf '%s ' --all --ref --unseal --digests --fsverity --rebuild --lock-timeout ;;
    verify) printf '%s ' --all --deep --paranoid --repository --require-verity --record ;;
    boot_preview) printf '%s ' --root ;;
    boot_install) printf '%s ' --root --plan --lock-timeout ;;
    boot_remove) printf '%s ' --root --plan --lock-timeout ;;
    boot_check) printf '%s ' --deep --no-rehearsal ;;
    boot_rollback) printf '%s ' --plan --lock-timeout ;;
    pin) printf '%s ' --unpin --lock-timeout ;;
    sharing) printf '%s ' --content ;;
    gc) printf '%s ' --lock-timeout ;;
    demo) printf '%s ' --screen-reader ;;
    config_show) printf '%s ' --root ;;
    ui) printf '%s ' --screen-reader ;;
    hook) printf '%s ' --sysroot --lock-timeout ;;
    mkcomposefs) printf '%s ' --digest-store --use-epoch --skip-devices --skip-xattrs --user-xattrs --print-digest --print-digest-only --from-file --min-version --max-version --threads ;;
    composefs_info) printf '%s ' --basedir --filter ;;
  esac
}

complete -F _sealtree sealtree
