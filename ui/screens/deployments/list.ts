/** The list of the first screen as lines: columns that leave in order of how little they are missed. */

import prettyBytes from 'pretty-bytes';
import type { Deployment } from '../../../src/deployment/deployment.ts';
import type { Finding } from '../../../src/image/findings.ts';
import { cursorRow } from '../../models/cursor-row.ts';
import { ageOf, deploymentSubject, marksOf, shortName } from '../../models/deployment.ts';
import { TONES } from '../../models/finding.ts';
import { clamp } from '../../models/list.ts';
import { isSameSubject } from '../../models/subject.ts';
import { cell, displayText, messageText, truncate, widthOf } from '../../models/text.ts';
import { imageVerdict, TONE_WORDS, type Verdict, verityVerdict } from '../../models/verdict.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme, type Tone } from '../../theme.ts';
import { type BootEntryReport, bootVerdict, pinVerdict, targetOf, textOf } from '../boot/report.ts';
import type { Item } from './items.ts';
import { summarizeOutlook } from './outlook.ts';

type ColumnName = 'deployment' | 'image' | 'verity' | 'digest' | 'size' | 'age' | 'pin' | 'boots' | 'marks';

interface Column {
  readonly name: ColumnName;
  readonly title: string;
  readonly width: number;
  readonly align?: 'right';
}

/** Left of the columns: cursor, booted, index, spaces. */
const indexColumns = (count: number): number => 4 + indexDigits(count);
const indexDigits = (count: number): number => Math.max(2, String(count - 1).length);
const GAP = 2;

/** At least its title; up to 20 columns before others get any. */
const DEPLOYMENT = { name: 'deployment', title: 'deployment' } as const;
const DEPLOYMENT_COLUMNS = [10, 20] as const;
const MARKS: Column = { name: 'marks', title: 'marks', width: 8 };
const OPTIONAL: readonly Column[] = [
  { name: 'verity', title: 'fs-verity', width: 9 },
  { name: 'digest', title: 'digest', width: 12 },
  { name: 'size', title: 'size', width: 7, align: 'right' },
  { name: 'age', title: 'age', width: 4, align: 'right' },
  { name: 'pin', title: 'seal pin', width: 11 },
  { name: 'boots', title: 'boots', width: 9 },
];
const IMAGE: Column = { name: 'image', title: 'image', width: 12 };
/** Who gets room first. */
const PRIORITY: readonly ColumnName[] = ['marks', 'boots', 'age', 'verity', 'size', 'pin', 'digest'];

/**
 * The columns that fit into `width` besides the index, in the order shown. What is left over goes to the deployment, up to
 * `longestName`, then to the marks.
 */
export function fitColumns(width: number, longestName: number): Column[] {
  const name = clamp(longestName, ...DEPLOYMENT_COLUMNS);
  let room = width - name - GAP - IMAGE.width;
  const taken = new Set<ColumnName>();
  for (const next of PRIORITY) {
    const column = [...OPTIONAL, MARKS].find((one) => one.name === next) as Column;
    if (column.width + GAP > room) break;
    taken.add(next);
    room -= column.width + GAP;
  }
  // Where not even the two columns fit, the name gives way.
  const more = Math.min(room, Math.max(0, longestName - name));
  return [
    { ...DEPLOYMENT, width: name + more },
    IMAGE,
    ...OPTIONAL.filter((column) => taken.has(column.name)),
    ...(taken.has('marks') ? [{ ...MARKS, width: MARKS.width + room - more }] : []),
  ];
}

/** The heading and the visible rows. */
export function listLines(
  state: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { items, list, sysroot } = state;
  const longestName = Math.max(
    0,
    ...(sysroot?.stateroots ?? []).map((name) => widthOf(displayText(name)) + 11),
  );
  const indexWidth = indexColumns(items.length);
  const columns = fitColumns(width - indexWidth, longestName);
  const heading = columns.map((column) =>
    cell(column.title, column.width, theme.glyphs.ellipsis, column.align),
  );
  const rows = items.slice(list.offset, list.offset + height).map((item, slot) => {
    const isSelected = list.offset + slot === list.cursor;
    return rowLine(item, isSelected, { state, columns, width, theme, hasKeys });
  });
  return [theme.dim(`${cell('   #', indexWidth, '')}${heading.join(' '.repeat(GAP))}`), ...rows];
}

interface Drawing {
  readonly state: State;
  readonly columns: readonly Column[];
  readonly width: number;
  readonly theme: Theme;
  readonly hasKeys: boolean;
}

/** The selected row is inverse while the list has the keys, without colours of its own that would fight with it. */
function rowLine(item: Item, isSelected: boolean, drawing: Drawing): string {
  const { theme, width, hasKeys } = drawing;
  const isMarked =
    item.kind === 'deployment' && isSameSubject(deploymentSubject(item.deployment), drawing.state.marked);
  const cursor = isSelected ? theme.glyphs.cursor : isMarked ? theme.glyphs.marked : ' ';
  const pick = (paint: Paint): Paint => (isSelected ? plain : paint);
  const content =
    item.kind === 'deployment' ? deploymentRow(item.deployment, drawing, pick) : noteRow(item, drawing, pick);
  const line = `${cursor}${content}`;
  return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
}

type Pick = (paint: Paint) => Paint;

function deploymentRow(deployment: Deployment, { state, columns, theme }: Drawing, pick: Pick): string {
  const { glyphs } = theme;
  const image = state.images.get(deployment.id);
  const target = targetOf(state.boot.value, deployment.id);
  const texts: Record<ColumnName, readonly [text: string, paint: Paint]> = {
    deployment: [`${displayText(deployment.stateroot)} ${shortName(deployment)}`, plain],
    image: judged(imageVerdict(image), theme),
    verity: judged(verityVerdict(image), theme),
    digest: [image?.digest?.slice(0, 12) ?? '', plain],
    size: [image?.sizeBytes === undefined ? '' : prettyBytes(image.sizeBytes), plain],
    age: [image?.madeAt === undefined ? '' : ageOf(image.madeAt, state.nowMs), plain],
    pin: judged(target && pinVerdict(target.sealPin), theme),
    boots: judged(target && bootVerdict(target.boots), theme),
    marks: [marksOf(deployment).join(' '), theme.accent],
  };
  const cells = columns.map(({ name, width, align }) => {
    const [text, paint] = texts[name];
    return pick(paint)(cell(text, width, glyphs.ellipsis, align));
  });
  const booted = deployment.booted ? pick(theme.accent)(glyphs.booted) : ' ';
  return `${booted} ${String(deployment.index).padStart(indexDigits(state.items.length))} ${cells.join(' '.repeat(GAP))}`;
}

function judged(verdict: Verdict | undefined, { glyphs, tone }: Theme): readonly [string, Paint] {
  return verdict === undefined
    ? ['', plain]
    : [`${glyphs[verdict.tone]} ${verdict.word}`, tone[verdict.tone]];
}

/** What a row says, in words. */
export function itemSaid(state: State, row: number): string {
  const item = state.items[row];
  if (item === undefined) return '';
  if (item.kind !== 'deployment') {
    const [tone, text] = noteOf(item, state, 'with');
    return `${TONE_WORDS[tone]}${messageText(text)}`;
  }
  const { deployment } = item;
  const verity = verityVerdict(state.images.get(deployment.id));
  const target = targetOf(state.boot.value, deployment.id);
  return [
    `${deployment.index} ${displayText(deployment.stateroot)} ${shortName(deployment)}`,
    imageVerdict(state.images.get(deployment.id)).word,
    ...(verity === undefined ? [] : [`fs-verity ${verity.word}`]),
    ...(target === undefined ? [] : [`seal pin ${target.sealPin}`, `boots ${target.boots.as}`]),
    ...marksOf(deployment),
  ].join(', ');
}

/** A problem or the outlook: one sentence over all columns. */
function noteRow(item: Exclude<Item, { kind: 'deployment' }>, drawing: Drawing, pick: Pick): string {
  const { state, width, theme } = drawing;
  const { glyphs } = theme;
  const [tone, text] = noteOf(item, state, glyphs.next);
  const sentence = truncate(messageText(text), width - indexColumns(state.items.length), glyphs.ellipsis);
  const indent = ' '.repeat(indexColumns(state.items.length) - 3);
  return `${indent}${pick(theme.tone[tone])(glyphs[tone])} ${sentence}`;
}

function noteOf(
  item: Exclude<Item, { kind: 'deployment' }>,
  state: State,
  next: string,
): readonly [Tone, string] {
  switch (item.kind) {
    case 'problem':
      return [TONES[item.finding.severity], problemNote(item.finding)];
    case 'entry':
      return entryNote(item.entry);
    case 'orphan': {
      const { digest, sizeBytes } = item.image;
      return ['none', `image ${digest.slice(0, 12)}, ${prettyBytes(sizeBytes)}: no deployment has it`];
    }
    case 'outlook':
      return outlookNote(state, next);
  }
}

function entryNote({ name, owner, title }: BootEntryReport): readonly [Tone, string] {
  const called = textOf(title) === '' ? '' : ` (${textOf(title)})`;
  return owner === 'foreign'
    ? ['none', `boot entry ${name}${called}: foreign, it boots something else`]
    : ['bad', `boot entry ${name}${called}: stale, it leads to no deployment`];
}

/** The message, and whom it concerns: several deployments can have the same problem. */
const problemNote = ({ message, deployments = [] }: Finding): string =>
  deployments.length === 0 ? message : `${message}: ${deployments.join(', ')}`;

function outlookNote(state: State, next: string) {
  const { tone, text, command } = summarizeOutlook(state);
  return [tone, command === undefined ? text : `${text} ${next} ${command}`] as const;
}
