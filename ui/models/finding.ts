/** A finding as a row and in full. */
import type { Finding } from '../../src/image/findings.ts';
import type { Theme, Tone } from '../theme.ts';
import type { FactLines } from './fact-lines.ts';
import { messageText, truncate, widthOf } from './text.ts';

export const TONES: Readonly<Record<Finding['severity'], Tone>> = {
  error: 'bad',
  warning: 'warning',
  unchecked: 'unknown',
};

/** One line of at most `width` columns: how bad, where, what. */
export function findingText(
  { where, message }: Finding,
  width: number,
  { ellipsis }: Theme['glyphs'],
): string {
  // Of a path the end tells more; the message says what is wrong with it.
  const name = messageText(where.split('/').slice(-2).join('/')).replace(/([0-9a-f]{8})[0-9a-f]{56}/g, '$1');
  const room = Math.max(0, width - widthOf(name) - 2);
  return truncate(
    `${name}: ${truncate(messageText(message), Math.max(room, 20), ellipsis)}`,
    width,
    ellipsis,
  );
}

/** In words. */
export const findingSaid = ({ severity, where, message }: Finding): string =>
  messageText(`${severity}: ${where}: ${message}`);

/** All of it. */
export function describeFinding(finding: Finding, lines: FactLines): void {
  const {
    severity,
    code,
    where,
    message,
    paths = [],
    pathCount = paths.length,
    deployments = [],
    remedy = [],
  } = finding;
  lines.text(message, lines.theme.tone[TONES[severity]]);
  lines.blank();
  lines.field('where', where);
  lines.field('seen as', paths.join(', '));
  if (pathCount > paths.length) lines.field('', `and ${pathCount - paths.length} more`);
  lines.field('concerns', deployments.join(', '));
  lines.field('kind', `${severity}, ${code}`);
  if (remedy.length === 0) return;
  lines.blank();
  lines.text('to mend it:');
  for (const command of remedy) lines.command(command);
}
