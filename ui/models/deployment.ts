/** What is known of a deployment, in words. */
import prettyMilliseconds from 'pretty-ms';
import { type ByteString, displayBytes } from '../../src/base/bytes.ts';
import type { Deployment } from '../../src/deployment/deployment.ts';
import { blsValue } from '../../src/formats/bls.ts';
import type { Subject } from './subject.ts';
import { displayText } from './text.ts';

/** Its part in what boots, most telling first. */
export function marksOf(deployment: Deployment): string[] {
  const { booted, staged, pending, rollback, pinned, unlocked } = deployment;
  const marks = Object.entries({ booted, staged, pending, rollback, pinned })
    .filter(([, is]) => is)
    .map(([mark]) => mark);
  return unlocked === undefined ? marks : [...marks, `unlocked: ${unlocked}`];
}

/** `CHECKSUM.SERIAL`, cut to what tells deployments of a stateroot apart; commands take it too. */
export function shortName({ checksum, serial }: Deployment): string {
  return `${checksum.slice(0, 8)}.${serial}`;
}

/** The title of its boot entry. */
export function titleOf({ entry }: Deployment): string | undefined {
  const title: ByteString | undefined = entry === undefined ? undefined : blsValue(entry.content, 'title');
  return title === undefined ? undefined : displayBytes(title);
}

/** What it was deployed from. */
export function sourceOf({ origin }: Deployment): string | undefined {
  const source = origin?.containerImage ?? origin?.refspec;
  return source === undefined ? undefined : displayText(source);
}

/** How long ago: `12m`, or `12 minutes` where there is room. A time to come is now. */
export function ageOf(seconds: number, nowMs: number, { verbose = false } = {}): string {
  return prettyMilliseconds(Math.max(0, nowMs - seconds * 1000), { compact: true, verbose });
}

/** Its commit, as what has files and can be compared. */
export function deploymentSubject(deployment: Deployment): Extract<Subject, { kind: 'commit' }> {
  const { checksum, stateroot } = deployment;
  return { kind: 'commit', checksum, title: `${stateroot} ${shortName(deployment)}` };
}
