/**
 * A terminal without a kernel: the streams an interface wants, joined to a terminal emulator. What is on the screen
 * is what a person would see, after all control sequences.
 */
import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import xterm from '@xterm/headless';

const DEADLINE_MS = 30_000;

export class Screen {
  readonly stdout: WriteStream;
  readonly stdin: ReadStream;
  /** Everything written, control sequences and all. */
  written = '';
  isRaw = false;
  readonly #emulator: InstanceType<typeof xterm.Terminal>;
  readonly #keys = new PassThrough();

  constructor(columns: number, rows: number) {
    // There is no kernel to turn a newline into a new line at its beginning.
    const emulator = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, convertEol: true });
    this.#emulator = emulator;
    const output = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.written += chunk.toString('utf8');
        emulator.write(chunk, done);
      },
    });
    this.stdout = Object.assign(output, { isTTY: true, columns, rows }) as unknown as WriteStream;
    const setRawMode = (isRaw: boolean): void => {
      this.isRaw = isRaw;
    };
    const unchanged = (): void => undefined;
    this.stdin = Object.assign(this.#keys, {
      isTTY: true,
      setRawMode,
      ref: unchanged,
      unref: unchanged,
    }) as unknown as ReadStream;
  }

  /** Types; several keys in one string arrive in one read. */
  type(keys: string): void {
    this.#keys.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#emulator.resize(columns, rows);
    Object.assign(this.stdout, { columns, rows });
    this.stdout.emit('resize');
  }

  /** Whether the screen that goes away is shown. */
  get isAlternate(): boolean {
    return this.#emulator.buffer.active.type === 'alternate';
  }

  get lines(): string[] {
    const { active } = this.#emulator.buffer;
    return Array.from({ length: this.#emulator.rows }, (_, row) =>
      (active.getLine(active.viewportY + row)?.translateToString(true) ?? '').trimEnd(),
    );
  }

  get text(): string {
    return this.lines.join('\n');
  }

  /** Waits until the screen fits; the time limit ends only what is broken. */
  async until(condition: RegExp | (() => boolean), deadlineMs = DEADLINE_MS): Promise<void> {
    const holds = typeof condition === 'function' ? condition : () => condition.test(this.text);
    const deadline = performance.now() + deadlineMs;
    while (!holds()) {
      if (performance.now() > deadline) assert.fail(`waited for ${condition}, the screen is\n${this.text}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
