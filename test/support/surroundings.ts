/** Surroundings in memory: what a command prints can be looked at. */
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { BrokenPipe, type OutputStream, type Surroundings } from '../../src/commands/surroundings.ts';

export class MemoryStream implements OutputStream {
  readonly isTerminal: boolean;
  readonly columns: number;
  /** After this many bytes the reader is gone. */
  readonly limitBytes: number;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor({ isTerminal = false, columns = 80, limitBytes = Number.POSITIVE_INFINITY } = {}) {
    this.isTerminal = isTerminal;
    this.columns = columns;
    this.limitBytes = limitBytes;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }

  write(chunk: string | Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk as Uint8Array));
    this.#size += chunk.length;
    if (this.#size > this.limitBytes) throw new BrokenPipe();
  }

  flush(): void {}
}

export interface MemorySurroundings extends Surroundings {
  readonly stdout: MemoryStream;
  readonly stderr: MemoryStream;
}

export interface SurroundingsOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly system?: System;
  readonly stdout?: MemoryStream;
  readonly stderr?: MemoryStream;
  readonly signal?: AbortSignal;
  /** What the person types; given, stdin is a terminal. */
  readonly answers?: readonly string[];
  readonly stderrIsJournal?: boolean;
}

export function memorySurroundings(options: SurroundingsOptions = {}): MemorySurroundings {
  const answers = [...(options.answers ?? [])];
  return {
    stdout: options.stdout ?? new MemoryStream(),
    stderr: options.stderr ?? new MemoryStream({ isTerminal: options.answers !== undefined }),
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    system: options.system ?? linuxSystem,
    signal: options.signal ?? new AbortController().signal,
    interruptedExitCode: undefined,
    readLine: async () => answers.shift(),
    stdinIsTerminal: options.answers !== undefined,
    stderrIsJournal: options.stderrIsJournal ?? false,
  };
}
