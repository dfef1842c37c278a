/** `sealtree boot status --json`, as far as it is shown, and what it means in words. */
import type { Finding } from '../../../src/image/findings.ts';
import type { Verdict } from '../../models/verdict.ts';

export interface BootEntryReport {
  readonly path: string;
  readonly name: string;
  readonly owner: 'ostree' | 'foreign';
  readonly title: JsonText | null;
  /** The id of the deployment it boots. */
  readonly deployment: string | null;
  readonly kernel: JsonText | null;
  readonly initrds: readonly JsonText[];
  readonly options: JsonText;
  readonly sealPin: 'none' | 'right' | 'stale' | 'wrong' | 'unknown' | 'malformed';
  readonly triesLeft: number | null;
  readonly problems: readonly Finding[];
}

/** Bytes in JSON: text where they are UTF-8. */
export type JsonText = string | { readonly base64: string };

export interface BootTargetReport {
  readonly index: number;
  readonly id: string;
  readonly entry: string;
  readonly sealPin: BootEntryReport['sealPin'];
  readonly boots: { readonly as: 'sealed' | 'plain' | 'refused' | 'unknown'; readonly reason: string };
  readonly obstacles: readonly Finding[];
}

export interface BootReport {
  readonly deployments: readonly BootTargetReport[];
  /** In the order of a boot menu. */
  readonly entries: readonly BootEntryReport[];
  readonly initramfs: readonly {
    readonly path: string;
    readonly content: 'original' | 'extended' | 'damaged' | 'foreign' | 'unreadable';
    readonly deployments: readonly string[];
    readonly kernelRelease: string | null;
  }[];
  readonly policy: string;
  readonly loader: {
    readonly name: string;
    readonly readsEntries: 'bls' | 'generated' | 'none';
    readonly initrds: 'all' | 'first';
    readonly evidence: readonly string[];
  };
  readonly way: 'append' | 'overlay' | 'module' | null;
  readonly verity: 'ready' | 'needs-feature' | 'impossible' | 'unknown';
  readonly protectedFiles: number;
  readonly files: number;
  readonly installed: boolean;
  readonly running:
    | { readonly as: 'sealed'; readonly imageDigest: string }
    | { readonly as: 'unsealed'; readonly reason: string }
    | { readonly as: 'plain' }
    | null;
  readonly unfinished: string | null;
  readonly refusals: readonly Finding[];
  readonly problems: readonly Finding[];
}

/** As a person reads it; bytes that are no text as what they are. */
export const textOf = (text: JsonText | null): string =>
  typeof text === 'string' ? text : text === null ? '' : `base64:${text.base64}`;

const PINS: Readonly<Record<BootEntryReport['sealPin'], Verdict>> = {
  none: { tone: 'none', word: 'none', sentence: 'none' },
  right: { tone: 'good', word: 'right', sentence: 'of the sealed image' },
  stale: { tone: 'warning', word: 'stale', sentence: 'stale: of another commit' },
  wrong: { tone: 'bad', word: 'wrong', sentence: 'of another image than the one sealed' },
  unknown: { tone: 'unknown', word: 'unknown', sentence: 'of an image that is not recorded here' },
  malformed: { tone: 'bad', word: 'malformed', sentence: 'cannot be read' },
};

export const pinVerdict = (pin: BootEntryReport['sealPin']): Verdict => PINS[pin];

/** What a deployment would come up as. */
export function bootVerdict({ as, reason }: BootTargetReport['boots']): Verdict {
  switch (as) {
    case 'sealed':
      return { tone: 'good', word: 'sealed', sentence: 'sealed: pinned, not authenticated' };
    case 'plain':
      return { tone: 'none', word: 'plain', sentence: `plain: ${reason}` };
    case 'refused':
      return { tone: 'bad', word: 'refused', sentence: `not at all: ${reason}` };
    case 'unknown':
      return {
        tone: 'unknown',
        word: 'unknown',
        sentence: `unknown: ${reason}; the mount script is of an earlier install`,
      };
  }
}

/** What runs now; undefined where this is not the running system. */
export function runningVerdict({ running }: BootReport): Verdict | undefined {
  switch (running?.as) {
    case undefined:
      return undefined;
    case 'sealed':
      return { tone: 'good', word: 'sealed', sentence: `sealed, image ${running?.imageDigest}` };
    case 'unsealed':
      return { tone: 'bad', word: 'NOT SEALED', sentence: `NOT SEALED: ${running?.reason}` };
    case 'plain':
      return { tone: 'none', word: 'plain', sentence: 'plain' };
  }
}

/** What a deployment would come up as, by its id; undefined where that is not known. */
export const targetOf = (report: BootReport | undefined, id: string): BootTargetReport | undefined =>
  report?.deployments.find((one) => one.id === id);

/** Entries that lead to no deployment: those of other systems, and those that lost theirs. */
export const strayEntries = (report: BootReport | undefined): BootEntryReport[] =>
  (report?.entries ?? []).filter(({ deployment }) => deployment === null);
