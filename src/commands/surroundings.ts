/**
 * What a run of the program finds around it: streams, environment, working folder, kernel, signals. The real
 * ones are made by {@link processSurroundings}; tests bring their own.
 */
import { fstatSync, writeSync } from 'node:fs';
import { errnoOf, IoError } from '../base/errors.ts';
import type { System } from '../base/system.ts';

/** A sink for text (written as UTF-8) and bytes. A write may be held back until `flush`. */
export interface OutputStream {
  write(chunk: string | Uint8Array): void;
  flush(): void;
  readonly isTerminal: boolean;
  /** Columns of the terminal; 80 where there is none. */
  readonly columns: number;
}

export interface Surroundings {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly system: System;
  /**
   * Aborted by SIGINT, SIGTERM and SIGHUP. The handlers are installed when this is first read: whoever never
   * looks keeps the kernel's way (the process dies at once), whoever looks promises to stop.
   */
  readonly signal: AbortSignal;
  /** The exit code the shell expects after the signal that aborted: 128 + its number. */
  readonly interruptedExitCode: number | undefined;
  /** One line typed by the person, without the newline; undefined at the end of the input, or when interrupted. */
  readLine(): Promise<string | undefined>;
  readonly stdinIsTerminal: boolean;
  /** Whether stderr is the journal: lines then begin with sd-daemon(3) levels such as `<4>`. */
  readonly stderrIsJournal: boolean;
}

/** The reader of our output has gone away: the program ends quietly. */
export class BrokenPipe extends Error {
  constructor() {
    super('broken pipe');
    this.name = 'BrokenPipe';
  }
}

const HOLD_BYTES = 64 * 1024;

/** A file descriptor as a stream. Synchronous: work whose result nobody reads any more ends in {@link BrokenPipe}. */
export class DescriptorStream implements OutputStream {
  readonly #fd: number;
  readonly #isNeeded: boolean;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #terminal: boolean | undefined;

  /** @param isNeeded - false for what is only said along the way: then a reader that went away stops nothing */
  constructor(fd: number, isNeeded: boolean) {
    this.#fd = fd;
    this.#isNeeded = isNeeded;
  }

  get isTerminal(): boolean {
    this.#terminal ??= isatty(this.#fd);
    return this.#terminal;
  }

  get columns(): number {
    if (!this.isTerminal) return 80;
    const columns = (this.#fd === 2 ? process.stderr : process.stdout).columns;
    return columns > 0 ? columns : 80;
  }

  write(chunk: string | Uint8Array): void {
    if (typeof chunk !== 'string' && chunk.length >= HOLD_BYTES) {
      this.flush();
      this.#writeOut(chunk);
      return;
    }
    // A caller may use its memory again after the write, so bytes are not kept without a copy.
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : new Uint8Array(chunk);
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes >= HOLD_BYTES || this.isTerminal) this.flush();
  }

  flush(): void {
    if (this.#heldBytes === 0) return;
    const bytes = this.#held.length === 1 ? (this.#held[0] as Uint8Array) : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#writeOut(bytes);
  }

  #writeOut(bytes: Uint8Array): void {
    try {
      writeAll(this.#fd, bytes);
    } catch (error) {
      if (this.#isNeeded || !(error instanceof BrokenPipe)) throw error;
    }
  }
}

/** The major number of /dev/null and its like: Documentation/admin-guide/devices.txt of the kernel. */
const MEMORY_DEVICES = 1;

/**
 * Only a character device can be one, and /dev/null, where a service's output may go, is none; the module that knows is
 * loaded for the others alone: it takes a tenth of Node's start.
 */
function isatty(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    if (!stats.isCharacterDevice() || Math.floor(stats.rdev / 256) === MEMORY_DEVICES) return false;
  } catch (error) {
    // A descriptor that was closed.
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(fd);
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EPIPE') throw new BrokenPipe();
      // Somebody who shares the pipe has made it non-blocking: wait for the reader.
      if (errno === undefined) throw error;
      if (errno !== 'EAGAIN')
        throw new IoError('write', fd === 2 ? 'standard error' : 'standard output', errno, { cause: error });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A folder that was removed has no name any more; what is looked for in it is then not found, and the rest works. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return '/proc/self/cwd';
  }
}

/** The real surroundings of this process. */
export function processSurroundings(system: System): Surroundings {
  let controller: AbortController | undefined;
  let interruptedExitCode: number | undefined;

  function listen(): AbortController {
    const made = new AbortController();
    for (const [name, exitCode] of Object.entries(SIGNALS)) {
      process.on(name as keyof typeof SIGNALS, () => {
        // A second signal does not wait for a clean stop.
        if (interruptedExitCode !== undefined) process.exit(exitCode);
        interruptedExitCode = exitCode;
        made.abort();
      });
    }
    return made;
  }

  return {
    stdout: new DescriptorStream(1, true),
    stderr: new DescriptorStream(2, false),
    env: process.env,
    cwd: workingFolder(),
    system,
    get signal() {
      controller ??= listen();
      return controller.signal;
    },
    get interruptedExitCode() {
      return interruptedExitCode;
    },
    get stdinIsTerminal() {
      return isatty(0);
    },
    get stderrIsJournal() {
      return isJournal(2, process.env.JOURNAL_STREAM);
    },
    async readLine() {
      const { createInterface } = await import('node:readline');
      const signal = controller?.signal;
      const lines = createInterface({
        input: process.stdin,
        terminal: false,
        ...(signal === undefined ? {} : { signal }),
      });
      try {
        for await (const line of lines) return line;
        return undefined;
      } finally {
        lines.close();
      }
    },
  };
}

/** systemd.exec(5): JOURNAL_STREAM is `DEVICE:INODE` of the stream that goes to the journal. */
function isJournal(fd: number, journalStream: string | undefined): boolean {
  if (journalStream === undefined) return false;
  const stats = fstatSync(fd);
  return journalStream === `${stats.dev}:${stats.ino}`;
}
