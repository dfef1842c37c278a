/** The state of a machine's boot as text. */
import { displayBytes } from '../../base/bytes.ts';
import type { PinKind } from '../../boot/entries.ts';
import type { BootState, BootTarget } from '../../boot/state.ts';
import { blsValue } from '../../formats/bls.ts';
import { fieldLines, type Style } from '../output.ts';
import { renderFindings } from './findings.ts';

const PINS: Readonly<Record<PinKind, string>> = {
  none: 'none',
  right: 'of the sealed image',
  stale: 'stale: of another commit',
  wrong: 'of another image than the one sealed',
  unknown: 'of an image that is not recorded here',
  malformed: 'malformed',
};

export function renderBootStatus(state: BootState, style: Style): string[] {
  const lines = state.targets.flatMap((target) => renderTarget(target, style));
  if (state.problems.length > 0) lines.push('', ...renderFindings(state.problems, style));
  return lines;
}

function renderTarget({ deployment, entry }: BootTarget, style: Style): string[] {
  const title = entry.entry === undefined ? undefined : blsValue(entry.entry, 'title');
  return [
    `${deployment.booted ? '*' : ' '} ${deployment.index}  ${style.bold(deployment.id)}`,
    ...fieldLines(
      [
        ['entry', entry.name],
        ['title', title === undefined ? '' : displayBytes(title)],
        ['seal pin', PINS[entry.pin]],
      ],
      '    ',
    ),
  ];
}
