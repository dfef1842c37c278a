/** Facts as lines of limited width: sentences, labelled values, commands. */
import { type Paint, plain, type Theme } from '../theme.ts';
import { messageText, wrap } from './text.ts';
import type { Verdict } from './verdict.ts';

const LABEL_COLUMNS = 11;

/** Lines in the making. Every text given to it is made harmless here. */
export class FactLines {
  readonly lines: string[] = [];
  readonly theme: Theme;
  readonly #width: number;

  constructor(width: number, theme: Theme) {
    this.#width = width;
    this.theme = theme;
  }

  text(text: string, paint: Paint = plain, indent = 1): void {
    for (const line of wrap(messageText(text), this.#width - indent))
      this.lines.push(`${' '.repeat(indent)}${paint(line)}`);
  }

  /** Text in lines of its own, as whoever wrote it broke them. */
  paragraphs(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.text(line);
  }

  blank(): void {
    this.lines.push('');
  }

  /** Nothing where there is no value. */
  field(label: string, value: string | undefined, paint: Paint = plain): void {
    if (value === undefined || value === '') return;
    const indent = LABEL_COLUMNS + 1;
    wrap(messageText(value), this.#width - indent).forEach((line, i) => {
      const start = i === 0 ? this.theme.dim(label.padEnd(LABEL_COLUMNS)) : ' '.repeat(LABEL_COLUMNS);
      this.lines.push(` ${start}${paint(line)}`);
    });
  }

  verdict(label: string, verdict: Pick<Verdict, 'tone' | 'sentence'> | undefined): void {
    if (verdict === undefined) return;
    const { glyphs, tone } = this.theme;
    this.field(label, `${glyphs[verdict.tone]} ${verdict.sentence}`, tone[verdict.tone]);
  }

  /** A line of a file: broken where the room ends, so that each character of it is seen. */
  wide(line: string, paint: Paint, width: number): void {
    const text = messageText(line);
    const room = Math.max(1, width - 3);
    for (let at = 0; at === 0 || at < text.length; at += room)
      this.lines.push(`${at === 0 ? ' ' : '  '}${paint(text.slice(at, at + room))}`);
  }

  /** A line of ours that is drawn already. */
  drawn(line: string): void {
    this.lines.push(`   ${line}`);
  }

  command(line: string): void {
    this.text(line, this.theme.bold, 3);
  }
}
