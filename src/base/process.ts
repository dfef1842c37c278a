/** Running other programs: an argument vector, never a shell; English messages; bounded time and output. */
import { accessSync, constants as modes } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import {
  errnoOf,
  InterruptedError,
  NotFoundError,
  OperationError,
  SealtreeError,
  UnsupportedError,
} from './errors.ts';

/** Loaded by the first program that is run: most runs of ours run none. */
const childProcess = () => process.getBuiltinModule('node:child_process');

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment; LC_ALL is always C. */
  readonly env?: Readonly<Record<string, string>>;
  /** Given on standard input, which is empty otherwise. */
  readonly input?: Uint8Array;
  /** After so long the program is killed; default one minute. */
  readonly timeoutMs?: number;
  /** Bytes of output at which the program is killed; default 64 MiB. */
  readonly maxOutputBytes?: number;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The last part of stderr that an error carries. */
const STDERR_TAIL = 2000;

/**
 * Runs a program to its end, whatever its exit code. Throws {@link NotFoundError} when there is no such program,
 * {@link InterruptedError} on abort, {@link OperationError} when it could not be run, was killed or took too long.
 */
export function runAnyway(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  return new Promise((resolve, reject) => {
    const child = childProcess().execFile(
      program,
      args,
      {
        encoding: 'buffer',
        env: { ...process.env, ...options.env, LC_ALL: 'C' },
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: options.maxOutputBytes ?? 64 * 1024 * 1024,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, stdout, stderrBytes) => {
        const stderr = stderrBytes.toString('utf8');
        if (error === null) return resolve({ exitCode: 0, stdout, stderr });
        if (typeof error.code === 'number') return resolve({ exitCode: error.code, stdout, stderr });
        if (options.signal?.aborted) return reject(new InterruptedError());
        if (error.code === 'ENOENT') {
          return reject(
            new NotFoundError(`${program}: no such program`, { cause: error, details: { program } }),
          );
        }
        const why =
          error.killed && (error.code ?? null) === null ? `took longer than ${timeoutMs} ms` : reason(error);
        reject(failure(program, args, why, stderr, error));
      },
    );
    // A program that does not read its input may be gone before it is written.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  });
}

/** {@link runAnyway}, where any exit code but 0 is an {@link OperationError} that shows the end of stderr. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await runAnyway(program, args, options);
  if (result.exitCode !== 0)
    throw failure(program, args, `exit code ${result.exitCode}`, result.stderr, undefined);
  return result;
}

/**
 * Runs a program and gives its output as it comes, in pieces: for what is too large to be held as a whole. Whoever
 * stops reading ends the program. Throws as {@link run} does, at the end of the output at the latest.
 */
export async function* pipe(
  program: string,
  args: readonly string[],
  options: Pick<RunOptions, 'timeoutMs'> & {
    readonly input?: RunOptions['input'] | AsyncIterable<Uint8Array>;
  } = {},
): AsyncGenerator<Buffer, void, undefined> {
  const child = childProcess().spawn(program, args, { stdio: 'pipe', env: { ...process.env, LC_ALL: 'C' } });
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => {
    stderr = (stderr + piece.toString('utf8')).slice(-STDERR_TAIL);
  });
  const timeoutMs = options.timeoutMs ?? 60_000;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const ended = new Promise<string | undefined>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'ENOENT'
          ? new NotFoundError(`${program}: no such program`, { cause, details: { program } })
          : failure(program, args, reason(cause), stderr, cause),
      ),
    );
    child.once('close', (code, signal) => {
      if (isLate) resolve(`took longer than ${timeoutMs} ms`);
      else if (code !== 0) resolve(signal === null ? `exit code ${code}` : `killed by ${signal}`);
      else resolve(undefined);
    });
  });
  // It is awaited below, but may fail before that.
  ended.catch(() => undefined);
  const { input } = options;
  let unreadable: unknown;
  if (typeof input === 'object' && Symbol.asyncIterator in input) {
    const { pipeline } = process.getBuiltinModule('node:stream/promises');
    pipeline(input, child.stdin).catch((error: unknown) => {
      // All else is the pipe's: a program that does not read its input may be gone before it is written.
      if (error instanceof SealtreeError) unreadable = error;
    });
  } else {
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  }
  try {
    for await (const piece of child.stdout) yield piece as Buffer;
    const why = await ended;
    if (unreadable !== undefined) throw unreadable;
    if (why !== undefined) throw failure(program, args, why, stderr, undefined);
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

/** A program that runs beside this one. */
export interface Followed {
  /** Tells it to end, as Ctrl-C does unless another signal is named. */
  stop(signal?: NodeJS.Signals): void;
  /** Rejects as {@link runAnyway} does; a program that was killed ends with 128 and the number of the signal. */
  readonly ended: Promise<RunResult>;
}

/** Runs a program for as long as it takes and hands over its standard error line by line as it comes. */
export function follow(program: string, args: readonly string[], onLine: (line: string) => void): Followed {
  const child = childProcess().spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  let stderr = '';
  let rest = '';
  child.stdout.on('data', (piece: Buffer) => output.push(piece));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr = (stderr + piece).slice(-STDERR_TAIL);
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  const ended = new Promise<RunResult>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'ENOENT'
          ? new NotFoundError(`${program}: no such program`, { cause, details: { program } })
          : failure(program, args, reason(cause), stderr, cause),
      ),
    );
    child.once('close', (code, signal) => {
      if (rest !== '') onLine(rest);
      const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      resolve({ exitCode, stdout: Buffer.concat(output), stderr });
    });
  });
  return { stop: (signal = 'SIGINT') => void child.kill(signal), ended };
}

/**
 * Runs a program that has the terminal for itself, such as a pager, with `input` on its standard input; without, its keys
 * are the program's too. Its exit code tells nothing; what cannot be started is a {@link NotFoundError} or an {@link OperationError}.
 */
export function runOnTerminal(program: string, args: readonly string[], input?: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = childProcess().spawn(program, args, {
      stdio: [input === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit'],
    });
    // Ctrl-C is meant for the program; the kernel sends it to both.
    const ignore = (): void => undefined;
    process.on('SIGINT', ignore);
    const end = (): void => void process.off('SIGINT', ignore);
    child.once('error', end);
    child.once('close', end);
    child.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'ENOENT'
          ? new NotFoundError(`${program}: no such program`, { cause, details: { program } })
          : failure(program, args, reason(cause), '', cause),
      ),
    );
    child.once('close', () => resolve());
    // A pager is left before it has read everything.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

function reason(error: {
  code?: string | number | null | undefined;
  signal?: NodeJS.Signals | null | undefined;
}): string {
  if (error.signal) return `killed by ${error.signal}`;
  return error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER' ? 'wrote too much output' : String(error.code);
}

function failure(
  program: string,
  args: readonly string[],
  why: string,
  stderr: string,
  cause: unknown,
): OperationError {
  const tail = stderr.trimEnd().slice(-STDERR_TAIL);
  return new OperationError('process', `${program} failed: ${why}${tail === '' ? '' : `: ${tail}`}`, {
    details: { program, args, stderr: tail },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Becomes another program: same process, same streams, nothing of this program goes on.
 * @throws UnsupportedError when there is no such program
 */
export function become(program: string, args: readonly string[], env: NodeJS.ProcessEnv): never {
  const path = findProgram(program, env);
  // Node 22.15 and 23.11 brought execve; before it, wait for the child and end as it does.
  if (typeof process.execve === 'function') process.execve(path, [program, ...args], env);
  const child = childProcess().spawnSync(path, args, { stdio: 'inherit', env });
  process.exit(child.status ?? 1);
}

function findProgram(name: string, env: NodeJS.ProcessEnv): string {
  for (const folder of (env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, modes.X_OK);
      return path;
    } catch (error) {
      // Not in this folder.
      if (errnoOf(error) === undefined) throw error;
    }
  }
  throw new UnsupportedError(`${name} is not installed`);
}
