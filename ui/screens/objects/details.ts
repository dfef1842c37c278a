/** All there is to say about the selected object: how it is, every path that has it, and who needs it. */
import { displayBytes } from '../../../src/base/bytes.ts';
import type { ImageObject } from '../../../src/image/inspect.ts';
import { payloadObject } from '../../../src/image/verify-objects.ts';
import { commandLine } from '../../models/command-line.ts';
import { sizeText } from '../../models/entry.ts';
import { FactLines } from '../../models/fact-lines.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import type { ObjectUse } from '../../trees/object-uses.ts';
import { type Objects, selectedObject, stateOf } from './state.ts';

/** More paths than these nobody reads. */
const MAX_PATHS = 200;

export function objectTitle({ objects }: State): string {
  const object = objects && selectedObject(objects);
  return object === undefined ? '' : `object ${object.payload.replace('/', '').slice(0, 12)}`;
}

/** The details of the selected object in lines of at most `width` columns. */
export function objectDetails(state: State, width: number, theme: Theme): string[] {
  const { objects } = state;
  const object = objects && selectedObject(objects);
  const lines = new FactLines(width - 1, theme);
  if (objects === undefined || object === undefined) return lines.lines;
  describeState(objects, object, lines);
  lines.blank();
  lines.text(
    object.paths.length === 1 ? 'the path that has it' : `the ${object.paths.length} paths that have it`,
    theme.dim,
  );
  for (const path of object.paths.slice(0, MAX_PATHS)) lines.text(displayBytes(path));
  if (object.paths.length > MAX_PATHS) lines.text(`and ${object.paths.length - MAX_PATHS} more`, theme.dim);
  lines.blank();
  describeUses(objects, object, lines);
  lines.blank();
  lines.text('the same as commands:', theme.dim);
  lines.command(commandLine(state, 'image', 'objects', objects.image.path));
  lines.command(commandLine(state, 'verify', '--deep'));
  return lines.lines;
}

function describeState(objects: Objects, object: ImageObject, lines: FactLines): void {
  const { theme } = lines;
  const { tone, word } = stateOf(objects, object);
  lines.verdict('state', { tone, sentence: SENTENCES[word] ?? word });
  const checksum = payloadObject(object.payload);
  for (const { message } of (checksum && objects.findings.get(checksum)) || [])
    lines.field('', message, theme.tone.bad);
  lines.field('object', displayBytes(object.payload));
  lines.field('size', sizeText(object.sizeBytes));
  lines.field('digest', object.digest ?? 'none: its content is not protected');
  if (tone === 'bad') {
    lines.blank();
    lines.text(
      'Reading these paths ends in an error, or gives what was not sealed. A copy of the object mends it:',
    );
    lines.command('ostree fsck --delete; ostree pull REMOTE REF');
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  unchecked: 'not looked at yet',
  present: 'there, of the right size; no fs-verity here, so its content is not known',
  protected: 'there, and the kernel measures what the image lists',
  'verity off': 'there, of the right size; fs-verity is off, so its content is not known',
  'no digest': 'the image lists no digest for it',
  'no object': 'not in the form of an object of ostree',
};

function describeUses({ uses }: Objects, { payload }: ImageObject, lines: FactLines): void {
  const { theme } = lines;
  lines.text('deployments that need it', theme.dim);
  if (uses?.payload !== payload) lines.text('reading', theme.dim);
  else if (uses.problem !== undefined) lines.text(uses.problem, theme.tone.bad);
  else if (uses.uses.length === 0) lines.text('no deployments are known here');
  else describeNeeds(uses.uses, lines);
}

/** Who needs an object, and how often it occurs there. */
function describeNeeds(uses: readonly ObjectUse[], lines: FactLines): void {
  const needing = uses.filter(({ count, problem }) => count > 0 || problem !== undefined);
  if (needing.length === 0) lines.text('none');
  for (const { titles, count, problem } of needing)
    lines.text(
      `${titles.join(', ')}: ${problem ?? (count === 1 ? 'one path' : `${count} paths`)}`,
      problem === undefined ? undefined : lines.theme.tone.bad,
    );
}
