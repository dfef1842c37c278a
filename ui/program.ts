/**
 * The program itself, run beside the interface: whatever takes long or changes something is the command that does it,
 * started as a person would start it. Keys never wait for it, its locks go when it goes, and Ctrl-C stops it where it
 * stops in a shell.
 */
import { ExitCode, SealtreeError } from '../src/base/errors.ts';
import { follow } from '../src/base/process.ts';
import type { Finding } from '../src/image/findings.ts';
import type { State } from './state.ts';

/** A stage of work as the program tells it; milliseconds. */
export interface StageFacts {
  readonly name: string;
  readonly done: number;
  readonly total: number | undefined;
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly remainingMs: number | undefined;
}

/** What is heard of a run before its end. */
export type Told =
  | { readonly kind: 'stage'; readonly stage: StageFacts | undefined }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'step'; readonly number: number; readonly count: number; readonly title: string };

/** How a run ended. */
export interface Outcome {
  readonly exitCode: number;
  /** What it printed: one JSON document. Undefined where it ended in an error. */
  readonly document: unknown;
  readonly error: RunError | undefined;
}

export interface RunError {
  readonly message: string;
  readonly code: string;
  readonly hint: string | undefined;
}

/** A run under way. */
export interface Running {
  /** Tells it to stop where nothing is half done. */
  stop(): void;
  /** Ends it at once: what only reads leaves nothing behind. */
  abandon(): void;
  /** Never rejects: what keeps the program from running is an outcome too. */
  readonly ended: Promise<Outcome>;
}

/** Runs `sealtree WORDS`. */
export type RunProgram = (words: readonly string[], onTold: (told: Told) => void) => Running;

/** Whether it was told to stop and did. */
export const isInterrupted = ({ exitCode }: Outcome): boolean => exitCode > 128;

/** @param argv what starts the program: its interpreter and its file */
export function runnerOf(
  argv: readonly string[],
  places: Pick<State, 'sysrootPath' | 'repositoryPath'>,
): RunProgram {
  const [program = '', ...first] = argv;
  const { sysrootPath, repositoryPath } = places;
  // Said in any case: $OSTREE_SYSROOT may be set.
  const where = repositoryPath === undefined ? ['--sysroot', sysrootPath] : ['--repo', repositoryPath];
  return (words, onTold) => {
    const args = [...first, ...words, ...where, '--json', '--progress=json'];
    let error: RunError | undefined;
    const { stop, ended } = follow(program, args, (line) => {
      const said = parseLine(line);
      if (said === undefined) return;
      if ('message' in said) error = said;
      else onTold(said);
    });
    return {
      stop: () => stop(),
      abandon: () => stop('SIGKILL'),
      ended: ended.then(({ exitCode, stdout, stderr }) => outcomeOf(exitCode, stdout, error, stderr), failed),
    };
  };
}

function failed(error: unknown): Outcome {
  if (!(error instanceof SealtreeError)) throw error;
  return { exitCode: error.exitCode, document: undefined, error: { ...error, message: error.message } };
}

function outcomeOf(exitCode: number, stdout: Buffer, error: RunError | undefined, stderr: string): Outcome {
  const document = stdout.length === 0 ? undefined : parseJson(stdout.toString());
  if (document !== undefined || error !== undefined) return { exitCode, document, error };
  // It ended without a word of its own: killed, or unable to start.
  const message = stderr.trim().split('\n').at(-1) ?? '';
  const said = message === '' ? `it ended with ${exitCode} and said nothing` : message;
  return { exitCode, document, error: { message: said, code: 'ended', hint: undefined } };
}

/** A line of standard error. What is none of ours is passed over: a warning of Node, say. */
function parseLine(line: string): Told | RunError | undefined {
  const value = parseJson(line);
  if (!isObject(value)) return undefined;
  const { stage, finding, step, steps, title, error, code, hint } = value;
  if (typeof error === 'string' && typeof code === 'string')
    return { message: error, code, hint: typeof hint === 'string' ? hint : undefined };
  if (isObject(finding)) return { kind: 'finding', finding: finding as unknown as Finding };
  if (typeof step === 'number' && typeof steps === 'number' && typeof title === 'string')
    return { kind: 'step', number: step, count: steps, title };
  if (stage === null) return { kind: 'stage', stage: undefined };
  return typeof stage === 'string' ? { kind: 'stage', stage: stageOf(stage, value) } : undefined;
}

function stageOf(name: string, value: Readonly<Record<string, unknown>>): StageFacts {
  const { done, total, bytes, elapsedMs, remainingMs } = value;
  return {
    name,
    done: numberOf(done) ?? 0,
    total: numberOf(total),
    bytes: numberOf(bytes) ?? 0,
    elapsedMs: numberOf(elapsedMs) ?? 0,
    remainingMs: numberOf(remainingMs),
  };
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/**
 * The document of an outcome, when it is one of that schema: the program that wrote it is this one, so the rest of it
 * is as its command declares it.
 */
export function documentOf<T>({ document }: Outcome, schema: string): T | undefined {
  return isObject(document) && document.schema === `sealtree/${schema}/v1` ? (document as T) : undefined;
}

/** An end that is no answer, in words. */
export function errorOf({ error, exitCode }: Outcome): RunError {
  if (exitCode === ExitCode.interrupted) return { message: 'stopped', code: 'interrupted', hint: undefined };
  return error ?? { message: 'the answer could not be understood', code: 'answer', hint: undefined };
}
