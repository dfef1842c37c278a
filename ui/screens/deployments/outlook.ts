/** What sealing would give, what stands in the way, and the command line that does it. */
import { isSealed } from '../../models/verdict.ts';
import type { State } from '../../state.ts';
import type { Tone } from '../../theme.ts';

export interface OutlookSummary {
  readonly tone: Tone;
  /** One sentence. */
  readonly text: string;
  /** The command line to run; undefined where there is nothing to do or something in the way. */
  readonly command: string | undefined;
}

export function summarizeOutlook(state: State): OutlookSummary {
  const { sysroot, outlook, images } = state;
  const all = sysroot?.deployments ?? [];
  if (all.length === 0) return { tone: 'none', text: 'no deployments', command: undefined };
  if (all.some(({ id }) => !images.has(id)))
    return { tone: 'busy', text: 'images are being read', command: undefined };
  const unsealed = [...images.values()].filter((image) => !isSealed(image)).length;
  const obstacles = outlook?.obstacles ?? [];
  if (unsealed > 0) {
    const isBlocked = obstacles.some(({ severity }) => severity === 'error');
    const text = `${unsealed} of ${all.length} not sealed`;
    return isBlocked
      ? { tone: 'bad', text: `${text}, and sealing cannot work here`, command: undefined }
      : { tone: 'none', text, command: outlook?.next };
  }
  const limits = obstacles.length;
  return limits === 0
    ? { tone: 'good', text: 'all sealed', command: undefined }
    : {
        tone: 'unknown',
        text: `all sealed, with ${limits} limit${limits === 1 ? '' : 's'}`,
        command: undefined,
      };
}
