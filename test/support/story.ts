/** Drives an interface on a terminal of its own as a person would: what is pressed, and what is to be seen then. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { StartOptions, start as startInterface } from '../../ui/start.tsx';
import { Screen } from './screen.ts';

const KEYS: Readonly<Record<string, string>> = {
  enter: '\r',
  esc: '\x1b',
  space: ' ',
  tab: '\t',
  up: '\x1b[A',
  down: '\x1b[B',
};

export const SIZES = [
  [40, 15],
  [80, 24],
  [120, 40],
] as const;

export class Story {
  readonly #screen: Screen;
  /** What was handed to the pager. */
  readonly #paged: string[] = [];
  #ended: Promise<string[]> = Promise.resolve([]);

  /** Opens the interface on a sysroot for one test; whatever becomes of the test, it ends with it. */
  static begin(
    t: TestContext,
    start: typeof startInterface,
    sysrootPath: string,
    [columns, rows]: readonly [number, number],
    more: Partial<StartOptions> = {},
  ): Story {
    const story = new Story(columns, rows);
    const { stdin, stdout } = story.#screen;
    story.#ended = start({
      sysrootPath,
      system: linuxSystem,
      env: { LANG: 'C.UTF-8', TERM: 'xterm' },
      hasColor: true,
      stdin,
      stdout,
      page: async (bytes) => void story.#paged.push(bytes.toString()),
      ...more,
    });
    t.after(async () => {
      // The second one leaves work that is under way to itself.
      story.#screen.type('\x03\x03');
      await Promise.allSettled([story.#ended]);
    });
    return story;
  }

  private constructor(columns: number, rows: number) {
    this.#screen = new Screen(columns, rows);
  }

  /** Presses keys one after the other: letters, or names such as `enter`. */
  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.#screen.type(KEYS[key] ?? key);
      // An escape that is followed at once is the beginning of another key.
      if (key === 'esc') await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }

  /** Waits until the screen has a line that fits. */
  async sees(...lines: readonly RegExp[]): Promise<void> {
    for (const line of lines)
      await this.#screen.until(() => this.#screen.lines.some((text) => line.test(text)));
  }

  /** Waits until no line fits any more. */
  async misses(line: RegExp): Promise<void> {
    await this.#screen.until(() => !this.#screen.lines.some((text) => line.test(text)));
  }

  /** What stays on the terminal at the end of the interface, which has given it back. */
  async summary(): Promise<string> {
    const lines = await this.#ended;
    assert(!this.#screen.isAlternate && !this.#screen.isRaw);
    return lines.join('\n');
  }

  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
  }

  /** Scrolls through what has the keys, down and up again, until a line fits; fails where none does. */
  async scrollsTo(line: RegExp): Promise<void> {
    for (let i = 0; i < 200; i++) {
      if (this.#screen.lines.some((text) => line.test(text))) return;
      // What is looked at more closely may come a moment later, in a place that was passed.
      await this.press(i < 100 ? 'j' : 'k');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail(`no line fits ${line}:\n${this.#screen.text}`);
  }

  /** Waits until the pager was given what fits. */
  async hasPaged(text: RegExp): Promise<void> {
    await this.#screen.until(() => this.#paged.some((paged) => text.test(paged)));
  }

  /** Waits until the cursor is on a row that fits. */
  async isOn(row: RegExp): Promise<void> {
    await this.#screen.until(() =>
      this.#screen.lines.some((text) => text.startsWith('▸') && row.test(text.slice(1))),
    );
  }

  /** Moves down until the cursor is on a row that fits; fails where there is none. */
  async goTo(row: RegExp): Promise<void> {
    await this.press('g');
    for (let i = 0; i < 200; i++) {
      const line = this.#screen.lines.find((text) => text.startsWith('▸'));
      if (line !== undefined && row.test(line)) return;
      const before = this.#screen.text;
      await this.press('j');
      await this.#screen.until(() => this.#screen.text !== before);
    }
    assert.fail(`no row fits ${row}:\n${this.#screen.text}`);
  }
}
