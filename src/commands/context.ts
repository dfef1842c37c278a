/**
 * What a command works with: the surroundings of the run, the global options, and the few verbs every command
 * needs: open the repository or the sysroot, report progress, ask, print.
 */
import { resolve } from 'node:path';
import { type ByteString, displayMessage, stringToBytes } from '../base/bytes.ts';
import { errnoOf, InterruptedError, NotFoundError, UsageError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import type { Repository } from '../repository/repository.ts';
import { type ColorChoice, formatJson, makeStyle, type Style, schemaOf, wantsColor } from './output.ts';
import { type ProgressChoice, progressLine } from './progress-line.ts';
import type { OutputStream, Surroundings } from './surroundings.ts';

/** Options every command takes, before or after its name. */
export interface GlobalOptions {
  /** `--sysroot`, else $OSTREE_SYSROOT, else `/`. Absolute. */
  readonly sysroot: string;
  /** `--repo`, absolute; undefined where it was not given. */
  readonly repo: string | undefined;
  readonly json: boolean;
  /** `--json=lines`: the items of a list one a line instead of one document. Implies `json`. */
  readonly jsonLines: boolean;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: ColorChoice;
  readonly progress: ProgressChoice;
}

export type Level = 'error' | 'warning' | 'info' | 'debug';

export interface Context {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly system: System;
  readonly options: GlobalOptions;
  /** Reading it makes this command answer to SIGINT itself: see {@link Surroundings}. */
  readonly signal: AbortSignal;
  /** Colours for stdout. */
  readonly style: Style;
  /** A path the person typed, absolute. */
  path(text: string): string;
  /** The repository of `--repo`, else of the sysroot, else the working folder if it is one. */
  openRepository(): Promise<Repository>;
  /** `--sysroot`, to work on it and its own repository. A `--repo` that names another is a UsageError. */
  sysrootPath(): string;
  /** The deployments of {@link sysrootPath}. */
  openSysroot(): Promise<Sysroot>;
  /** Progress on stderr, as `--progress` says; none with `--quiet`. */
  progress(): Progress;
  /** One JSON object a line among the progress, for who follows the run as a program does; only with `--progress=json`. */
  tell(event: Readonly<Record<string, unknown>>): void;
  /** Takes the progress line of work that ended early off the terminal. */
  clearProgress(): void;
  /** One line (or several) to stdout. */
  print(text: string): void;
  /** Bytes to stdout, nothing added. */
  write(bytes: Uint8Array | ByteString): void;
  /** One JSON document `{"schema": "sealtree/COMMAND/v1", …value}` to stdout; with `--json=lines` in one line. */
  printJson(command: string, value: Readonly<Record<string, unknown>>): void;
  /** A list as JSON: `{"schema": …, KEY: [items]}`, or with `--json=lines` each item on its own line. Streams. */
  printJsonList(command: string, key: string, items: Iterable<Readonly<Record<string, unknown>>>): void;
  /** A line to stderr: `info` not with `--quiet`, `debug` only with `--verbose`. */
  say(level: Level, message: string): void;
  /**
   * Asks before something that cannot be taken back; `--yes` answers. Without a terminal to ask on this is a
   * UsageError that names `--yes`: nothing is done by default.
   */
  confirm(question: string): Promise<boolean>;
}

/** Puts a context together. */
export function makeContext(surroundings: Surroundings, options: GlobalOptions): Context {
  const { stdout, stderr, env, cwd, system } = surroundings;
  const style = makeStyle(wantsColor(options.color, env, stdout));

  let progress: Progress | undefined;
  const context: Context = {
    stdout,
    stderr,
    env,
    cwd,
    system,
    options,
    get signal() {
      return surroundings.signal;
    },
    style,
    path: (text) => resolve(cwd, text),
    async openRepository() {
      const { Repository } = await import('../repository/repository.ts');
      return Repository.open(findRepository(context), system);
    },
    sysrootPath() {
      const own = resolve(options.sysroot, 'ostree/repo');
      if (options.repo !== undefined && !isSameFolder(options.repo, own, system))
        throw new UsageError(`${options.repo} is not the repository of ${options.sysroot}`, {
          hint: 'this works on a sysroot and its own repository: leave out --repo, or name the sysroot with --sysroot PATH',
        });
      return options.sysroot;
    },
    async openSysroot() {
      const { readSysroot } = await import('../deployment/sysroot.ts');
      return readSysroot(context.sysrootPath(), system);
    },
    progress() {
      progress = progressLine({
        choice: options.quiet ? 'none' : options.progress,
        stream: stderr,
        signal: surroundings.signal,
      });
      return progress;
    },
    tell(event) {
      if (options.progress !== 'json' || options.quiet) return;
      stderr.write(`${formatJson(event, 0)}\n`);
      stderr.flush();
    },
    clearProgress() {
      if (progress?.stage !== undefined && stderr.isTerminal) stderr.write('\r\x1b[K');
    },
    print(text) {
      stdout.write(`${text}\n`);
    },
    write(bytes) {
      stdout.write(typeof bytes === 'string' ? stringToBytes(bytes) : bytes);
    },
    printJson(command, value) {
      stdout.write(`${formatJson({ schema: schemaOf(command), ...value }, options.jsonLines ? 0 : 2)}\n`);
    },
    printJsonList(command, key, items) {
      if (options.jsonLines) {
        for (const item of items) stdout.write(`${formatJson({ schema: schemaOf(command), ...item }, 0)}\n`);
        return;
      }
      stdout.write(`{\n  "schema": ${JSON.stringify(schemaOf(command))},\n  ${JSON.stringify(key)}: [`);
      let separator = '\n';
      for (const item of items) {
        stdout.write(`${separator}    ${formatJson(item).replaceAll('\n', '\n    ')}`);
        separator = ',\n';
      }
      stdout.write(separator === '\n' ? ']\n}\n' : '\n  ]\n}\n');
    },
    say(level, message) {
      say(surroundings, options, level, message);
    },
    confirm: (question) => confirm(surroundings, options, question),
  };
  return context;
}

/** Where to look for the repository; an error says what was tried. */
function findRepository(context: Context): string {
  const { options, system, cwd } = context;
  if (options.repo !== undefined) return options.repo;
  const tried = [resolve(options.sysroot, 'ostree/repo'), cwd];
  for (const path of tried) if (isRepository(path, system)) return path;
  throw new NotFoundError(`no repository found: tried ${tried.join(' and ')}`, {
    hint: 'name one with --repo PATH, or a system with --sysroot PATH',
    details: { tried },
  });
}

/** A repository is a folder with `config` and `objects`, as for libostree. */
function isRepository(path: string, system: System): boolean {
  return ['config', 'objects'].every((name) => {
    try {
      system.stat(resolve(path, name));
      return true;
    } catch {
      // Whatever stands in the way, there is no repository that could be opened here.
      return false;
    }
  });
}

/** Whether two paths lead to one folder; one that leads nowhere is like no other. */
function isSameFolder(a: string, b: string, system: System): boolean {
  try {
    return system.realpath(a) === system.realpath(b);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

const SD_LEVELS: Record<Level, number> = { error: 3, warning: 4, info: 6, debug: 7 };

/** A line to stderr that cannot act on a terminal, with sd-daemon(3) levels in the journal and `sealtree: ` elsewhere. */
export function say(
  surroundings: Surroundings,
  options: Pick<GlobalOptions, 'quiet' | 'verbose' | 'color'>,
  level: Level,
  message: string,
): void {
  if (level === 'info' && options.quiet) return;
  if (level === 'debug' && !options.verbose) return;
  const { stderr } = surroundings;
  const shown = displayMessage(message);
  if (surroundings.stderrIsJournal) {
    for (const line of shown.split('\n')) stderr.write(`<${SD_LEVELS[level]}>${line}\n`);
  } else {
    const style = makeStyle(wantsColor(options.color, surroundings.env, stderr));
    const label =
      level === 'error' ? style.red('error: ') : level === 'warning' ? style.yellow('warning: ') : '';
    stderr.write(`sealtree: ${label}${shown}\n`);
  }
  stderr.flush();
}

async function confirm(
  surroundings: Surroundings,
  options: GlobalOptions,
  question: string,
): Promise<boolean> {
  if (options.yes) return true;
  if (!surroundings.stdinIsTerminal || !surroundings.stderr.isTerminal)
    throw new UsageError(`${question} Not a terminal, so nobody can answer`, {
      hint: 'say --yes to go ahead',
    });
  surroundings.stdout.flush();
  surroundings.stderr.write(`${displayMessage(question)} [y/N] `);
  surroundings.stderr.flush();
  const answer = await surroundings.readLine();
  if (surroundings.interruptedExitCode !== undefined) throw new InterruptedError();
  return /^y(es)?$/i.test(answer?.trim() ?? '');
}

/** What commander hands over for the global options: undefined where not given. */
export interface RawGlobalOptions {
  readonly sysroot?: string;
  readonly repo?: string;
  readonly json?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: string;
  readonly progress?: string;
}

/** Checks the global options and fills in what was not given. */
export function globalOptions(raw: RawGlobalOptions, surroundings: Surroundings): GlobalOptions {
  const { env, cwd } = surroundings;
  const json = oneOf('--json', raw.json, ['document', 'lines'], undefined);
  const sysroot = raw.sysroot ?? env.OSTREE_SYSROOT;
  // An unset variable in a script must not stand for the running system.
  if (raw.sysroot === '') throw new UsageError('--sysroot needs a path');
  if (raw.repo === '') throw new UsageError('--repo needs a path');
  return {
    sysroot: resolve(cwd, sysroot === undefined || sysroot === '' ? '/' : sysroot),
    repo: raw.repo === undefined ? undefined : resolve(cwd, raw.repo),
    json: json !== undefined,
    jsonLines: json === 'lines',
    dryRun: raw.dryRun ?? false,
    yes: raw.yes ?? false,
    quiet: raw.quiet ?? false,
    verbose: raw.verbose ?? false,
    color: oneOf('--color', raw.color, ['auto', 'always', 'never'], 'auto'),
    progress: oneOf('--progress', raw.progress, ['auto', 'plain', 'json', 'none'], 'auto'),
  };
}

/** One of a few words, or `fallback` where nothing was given; anything else is a UsageError. */
export function oneOf<const T extends string, F extends T | undefined>(
  option: string,
  value: string | undefined,
  words: readonly T[],
  fallback: F,
): T | F {
  if (value === undefined) return fallback;
  const word = words.find((one) => one === value);
  if (word === undefined)
    throw new UsageError(`${option} is one of ${words.join(', ')}, not ${JSON.stringify(value)}`);
  return word;
}
