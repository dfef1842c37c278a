/**
 * Every failure sealtree reports on purpose. One class with families: a family fixes the exit code
 * (sysexits(3) where it has a fitting one), `code` names the kind for `--json`, `details` carries the facts
 * as data, and the message says what, where, got and want. Findings of a check are not errors: see
 * {@link ../image/findings.ts}.
 */
import os from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** Exit codes of the program; conventions follow sysexits(3). */
export const ExitCode = {
  ok: 0,
  failed: 1,
  findings: 2,
  usage: 64,
  data: 65,
  noInput: 66,
  unsupported: 69,
  cannotCreate: 73,
  io: 74,
  busy: 75,
  permission: 77,
  config: 78,
  interrupted: 130,
  /** Nobody reads the output any more; as if killed by SIGPIPE, since the work may be half done. */
  brokenPipe: 141,
} as const;

export interface ErrorOptionsOf {
  /** What to do next, as a sentence or a command line. */
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** Base of all typed errors. `exitCode` is what the program exits with when nobody handles it. */
export class SealtreeError extends Error {
  readonly code: string;
  readonly exitCode: number;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, exitCode: number, message: string, options: ErrorOptionsOf = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.exitCode = exitCode;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }

  toJSON(): Record<string, unknown> {
    return {
      error: this.message,
      code: this.code,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(Object.keys(this.details).length === 0 ? {} : { details: this.details }),
    };
  }
}

/** The operation was tried and did not succeed. */
export class OperationError extends SealtreeError {
  constructor(code: string, message: string, options?: ErrorOptionsOf) {
    super(code, ExitCode.failed, message, options);
  }
}

/** The command line does not make sense. */
export class UsageError extends SealtreeError {
  constructor(message: string, options?: ErrorOptionsOf) {
    super('usage', ExitCode.usage, message, options);
  }
}

export interface FormatErrorFacts extends ErrorOptionsOf {
  /** Byte offset in `where`, when there is one. */
  readonly offset?: number;
  readonly got?: unknown;
  readonly want?: unknown;
}

/** Bytes that do not follow their format. `where` names the file, object or image, `what` the broken part. */
export class FormatError extends SealtreeError {
  constructor(where: string, what: string, facts: FormatErrorFacts = {}) {
    const at = facts.offset === undefined ? '' : ` at 0x${facts.offset.toString(16)}`;
    const got = facts.got === undefined ? '' : `: got ${String(facts.got)}`;
    const want = facts.want === undefined ? '' : `${got === '' ? ':' : ','} want ${String(facts.want)}`;
    super('format', ExitCode.data, `${where}${at}: ${what}${got}${want}`, {
      ...facts,
      details: {
        where,
        ...(facts.offset === undefined ? {} : { offset: facts.offset }),
        ...(facts.got === undefined ? {} : { got: String(facts.got) }),
        ...(facts.want === undefined ? {} : { want: String(facts.want) }),
        ...facts.details,
      },
    });
  }
}

/** A file, ref, object or deployment that was named does not exist. */
export class NotFoundError extends SealtreeError {
  constructor(message: string, options?: ErrorOptionsOf) {
    super('not-found', ExitCode.noInput, message, options);
  }
}

/** The kernel, the file system or the format lacks what was asked for. */
export class UnsupportedError extends SealtreeError {
  constructor(message: string, options?: ErrorOptionsOf) {
    super('unsupported', ExitCode.unsupported, message, options);
  }
}

/** Somebody else holds a lock; trying again later makes sense. */
export class BusyError extends SealtreeError {
  constructor(message: string, options?: ErrorOptionsOf) {
    super('busy', ExitCode.busy, message, options);
  }
}

export class PermissionError extends SealtreeError {
  constructor(message: string, options?: ErrorOptionsOf) {
    super('permission', ExitCode.permission, message, options);
  }
}

export class ConfigError extends SealtreeError {
  constructor(message: string, options?: ErrorOptionsOf) {
    super('config', ExitCode.config, message, options);
  }
}

/** Exit codes of system calls that failed for a reason with a code of its own; others are I/O errors. */
const ERRNO_EXIT_CODES: ReadonlyMap<string, number> = new Map([
  ['EACCES', ExitCode.permission],
  ['EPERM', ExitCode.permission],
  ['ENOENT', ExitCode.noInput],
  ['ENOTDIR', ExitCode.noInput],
]);

/** A system call failed. `errno` is the kernel's name for it, such as `ENOSPC`. */
export class IoError extends SealtreeError {
  readonly errno: string;
  constructor(operation: string, path: string, errno: string, options?: ErrorOptionsOf) {
    const exitCode = ERRNO_EXIT_CODES.get(errno) ?? ExitCode.io;
    super('io', exitCode, `${path}: cannot ${operation}: ${errno}${meaningOf(errno)}`, {
      ...options,
      details: { operation, path, errno, ...options?.details },
    });
    this.errno = errno;
  }
}

/** Node makes it anew at each call, and files that are not there are looked for all the time. */
let systemErrors: ReturnType<typeof getSystemErrorMap> | undefined;

/** What an errno means, such as ` (no such file or directory)`; empty for a name it does not know. */
function meaningOf(errno: string): string {
  systemErrors ??= getSystemErrorMap();
  const number = (os.constants.errno as Readonly<Record<string, number>>)[errno];
  const [, message] = (number === undefined ? undefined : systemErrors.get(-number)) ?? [];
  return message === undefined ? '' : ` (${message})`;
}

/** The user or a signal stopped the work. */
export class InterruptedError extends SealtreeError {
  constructor(message = 'interrupted') {
    super('interrupted', ExitCode.interrupted, message);
  }
}

/** The `ENOENT`-like name of a failed system call, or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof IoError) return error.errno;
  if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^E[A-Z0-9]+$/.test(error.code)
  )
    return error.code;
  return undefined;
}

/** Whether a system call failed because nothing has that name: missing, below a file, or a link that leads in a circle. */
export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP';
}

/** An error as plain data, for another thread. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Of a {@link SealtreeError} only. */
  readonly facts?: {
    readonly code: string;
    readonly exitCode: number;
    readonly hint: string | undefined;
    readonly details: Readonly<Record<string, unknown>>;
    readonly errno: string | undefined;
  };
}

export function recordOfError(error: unknown): ErrorRecord {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined };
  const { name, message, stack } = error;
  if (!(error instanceof SealtreeError)) return { name, message, stack };
  const { code, exitCode, hint, details } = error;
  const errno = error instanceof IoError ? error.errno : undefined;
  return { name, message, stack, facts: { code, exitCode, hint, details, errno } };
}

/** The families by name: what {@link errorOfRecord} gives back. */
const FAMILIES: ReadonlyMap<string, { readonly prototype: SealtreeError }> = new Map(
  [
    OperationError,
    UsageError,
    FormatError,
    NotFoundError,
    UnsupportedError,
    BusyError,
    PermissionError,
    ConfigError,
    IoError,
    InterruptedError,
  ].map((family) => [family.name, family]),
);

/** The error that a record was made of, of the same family. */
export function errorOfRecord({ name, message, stack, facts }: ErrorRecord): Error {
  const error =
    facts === undefined
      ? new Error(message)
      : new SealtreeError(facts.code, facts.exitCode, message, {
          details: facts.details,
          ...(facts.hint === undefined ? {} : { hint: facts.hint }),
        });
  const family = FAMILIES.get(name);
  if (facts !== undefined && family !== undefined) Object.setPrototypeOf(error, family.prototype);
  if (facts?.errno !== undefined) Object.defineProperty(error, 'errno', { value: facts.errno });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
