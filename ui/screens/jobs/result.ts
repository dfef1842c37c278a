/** What came of a job, read from the document its command printed. */
import prettyBytes from 'pretty-bytes';
import type { Finding } from '../../../src/image/findings.ts';
import { displayText, messageText } from '../../models/text.ts';
import { documentOf, type Outcome } from '../../program.ts';
import type { State } from '../../state.ts';
import { counted } from '../../view.ts';
import type { JobKind } from './state.ts';

export interface Result {
  /** Whether what was asked for holds now. */
  readonly isGood: boolean;
  /** Sentences. */
  readonly lines: readonly string[];
  /** In the place of those that came one by one. */
  readonly findings?: readonly Finding[];
}

/** `sealtree seal --json`, as far as it is shown. */
export interface SealDocument {
  readonly deployments: readonly {
    readonly id: string;
    readonly action: 'sealed' | 'adopted' | 'linked' | 'protected' | 'unchanged' | 'skipped' | 'failed';
    readonly imageDigest: string | null;
    readonly imageBytes: number | null;
    readonly steps: readonly string[];
    readonly reason?: string;
    readonly error?: { readonly error: string; readonly hint?: string };
  }[];
}

/** `sealtree seal --ref --json`. */
export interface SealRefDocument {
  readonly refs: readonly {
    readonly ref: string;
    readonly checksum: string;
    readonly action: 'sealed' | 'unchanged' | 'unsealed';
    readonly imageDigest: string;
    readonly imageBytes?: number;
    readonly steps?: readonly string[];
    readonly verity?: string | null;
  }[];
}

/** `sealtree import dir --json`. */
export interface ImportDirDocument {
  readonly checksum: string;
  readonly parent: string | null;
  readonly ref: string | null;
  readonly files: number;
  readonly bytes: number;
}

/** `sealtree import tar --json`. */
export interface ImportTarDocument {
  readonly checksum: string;
  readonly parent: string | null;
  readonly ref: string | null;
  readonly entries: number;
  readonly bytes: number;
  readonly skipped: readonly unknown[];
}

/** `sealtree import oci --json`. */
export interface ImportOciDocument {
  readonly checksum: string;
  readonly ref: string | null;
  readonly manifestDigest: string | null;
  readonly platform: string;
  readonly layers: readonly { readonly diffId: string; readonly known: boolean }[];
  readonly skipped: readonly unknown[];
}

/** `sealtree gc --json`. */
export interface GcDocument {
  readonly removed: readonly {
    readonly path: string;
    readonly imageDigest: string;
    readonly bytes: number;
  }[];
  readonly kept: readonly unknown[];
  readonly records: readonly string[];
  readonly temporary: readonly string[];
  readonly foreign: readonly unknown[];
  readonly freedBytes: number;
}

/** `sealtree pin --json`. */
export interface PinDocument {
  readonly pinned: boolean;
  readonly deployments: readonly { readonly id: string; readonly isChanged: boolean }[];
}

interface VerifyDocument {
  readonly deployments: number;
  readonly images: number;
  readonly objects: number;
  readonly objectsRead: number;
  readonly findings: readonly Finding[];
}

interface CheckDocument {
  readonly entries: readonly string[];
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
}

interface ChangeDocument {
  readonly outcome: 'done' | 'nothing' | 'refused' | 'declined';
  readonly refusals: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly waitsFor: { readonly path: string; readonly command?: string } | null;
}

/** Undefined where there is no answer: it ended in an error. */
export function resultOf(kind: JobKind, outcome: Outcome): Result | undefined {
  switch (kind) {
    case 'seal': {
      const document = documentOf<SealDocument>(outcome, 'seal');
      return document && sealResult(document);
    }
    case 'seal-ref':
    case 'unseal-ref': {
      const document = documentOf<SealRefDocument>(outcome, 'seal');
      return document && sealRefResult(document);
    }
    case 'import-dir': {
      const document = documentOf<ImportDirDocument>(outcome, 'import-dir');
      return document && importDirResult(document);
    }
    case 'import-tar': {
      const document = documentOf<ImportTarDocument>(outcome, 'import-tar');
      return document && importTarResult(document);
    }
    case 'import-oci': {
      const document = documentOf<ImportOciDocument>(outcome, 'import-oci');
      return document && importOciResult(document);
    }
    case 'gc': {
      const document = documentOf<GcDocument>(outcome, 'gc');
      return document && gcResult(document);
    }
    case 'pin': {
      const document = documentOf<PinDocument>(outcome, 'pin');
      return document && pinResult(document);
    }
    case 'verify': {
      const document = documentOf<VerifyDocument>(outcome, 'verify');
      return document && verifyResult(document);
    }
    case 'boot-check': {
      const document = documentOf<CheckDocument>(outcome, 'boot-check');
      return document && checkResult(document);
    }
    case 'boot-install':
    case 'boot-remove':
    case 'boot-rollback': {
      const document = documentOf<ChangeDocument>(outcome, kind);
      return document && changeResult(kind, document);
    }
  }
}

/** What was done, for the screen that stays: a line for each job. */
export function summaryOf({ jobs }: Pick<State, 'jobs'>): string[] {
  return jobs.all.toReversed().flatMap(({ title, state, result, error }) => {
    const [first = ''] = result;
    const said = error?.message ?? (first || state);
    return [
      `${displayText(title)}: ${messageText(said)}`,
      ...result.slice(1).map((line) => `  ${messageText(line)}`),
    ];
  });
}

const SEALED: Readonly<Record<SealDocument['deployments'][number]['action'], string>> = {
  sealed: 'sealed',
  adopted: 'sealed with the image it had',
  linked: 'sealed with the stored image',
  protected: 'sealed, fs-verity turned on where it was off',
  unchanged: 'already sealed',
  skipped: 'not sealed',
  failed: 'FAILED',
};

/** A deployment by so much of its name that it can be told from others: `server/b641f9e4.0`. */
export const shortId = (id: string): string => id.replace(/([0-9a-f]{8})[0-9a-f]{56}/, '$1');

function sealResult({ deployments }: SealDocument): Result {
  const lines = deployments.map(({ id, action, imageDigest, reason, error }) => {
    const why = error?.error ?? reason;
    const image = imageDigest === null ? '' : `, image ${imageDigest.slice(0, 12)}`;
    return `${shortId(id)} ${SEALED[action]}${image}${why === undefined ? '' : `: ${why}`}`;
  });
  return { isGood: deployments.every(({ action }) => action !== 'failed' && action !== 'skipped'), lines };
}

const SEALED_REF: Readonly<Record<SealRefDocument['refs'][number]['action'], string>> = {
  sealed: 'sealed',
  unchanged: 'already sealed',
  unsealed: 'unsealed: gc removes what nothing else has of it',
};

function sealRefResult({ refs }: SealRefDocument): Result {
  const lines = refs.map(
    ({ ref, action, imageDigest }) => `${ref} ${SEALED_REF[action]}, image ${imageDigest.slice(0, 12)}`,
  );
  return { isGood: true, lines };
}

function importDirResult({ ref, checksum, files, bytes }: ImportDirDocument): Result {
  const what = `${counted(files, 'file')}, ${prettyBytes(bytes)}`;
  return { isGood: true, lines: [`${ref} is commit ${checksum.slice(0, 12)}: ${what}`] };
}

function importTarResult({ ref, checksum, entries, bytes }: ImportTarDocument): Result {
  const what = `${entries} ${entries === 1 ? 'entry' : 'entries'}, ${prettyBytes(bytes)}`;
  return { isGood: true, lines: [`${ref} is commit ${checksum.slice(0, 12)}: ${what}`] };
}

function importOciResult({ ref, checksum, layers }: ImportOciDocument): Result {
  const known = layers.filter((layer) => layer.known).length;
  const what = `${counted(layers.length, 'layer')}, ${known} of them known before`;
  return { isGood: true, lines: [`${ref} is commit ${checksum.slice(0, 12)}: ${what}`] };
}

function gcResult({ removed, kept, freedBytes }: GcDocument): Result {
  const text = `${counted(removed.length, 'image')} removed, ${prettyBytes(freedBytes)} freed, ${kept.length} in use`;
  return { isGood: true, lines: [text] };
}

function pinResult({ pinned, deployments }: PinDocument): Result {
  const lines = deployments.map(
    ({ id }) => `${shortId(id)} ${pinned ? 'is pinned' : 'is not pinned any more'}`,
  );
  return { isGood: true, lines };
}

function verifyResult({ deployments, images, objects, objectsRead, findings }: VerifyDocument): Result {
  const content =
    objectsRead === 0
      ? `${objects} objects looked at, content not read`
      : `${objectsRead} of ${objects} objects read and hashed`;
  return {
    isGood: hasNoError(findings),
    lines: [
      `${images} of ${counted(deployments, 'deployment')} with an image; ${content}: ${countFindings(findings)}`,
    ],
    findings,
  };
}

function checkResult({ entries, findings, notes }: CheckDocument): Result {
  const checked = `${entries.length} boot ${entries.length === 1 ? 'entry' : 'entries'} checked`;
  return {
    isGood: hasNoError(findings),
    lines: [`${checked}: ${countFindings(findings)}`, ...notes],
    findings,
  };
}

function changeResult(kind: keyof typeof CHANGED, document: ChangeDocument): Result {
  const { outcome, refusals, warnings, waitsFor } = document;
  switch (outcome) {
    case 'refused':
    case 'declined':
      return { isGood: false, lines: ['nothing is changed'], findings: refusals };
    case 'nothing':
      return { isGood: true, lines: ['there was nothing to do'] };
    case 'done':
      return {
        isGood: true,
        lines: [
          waitsFor !== null
            ? `done so far: run ${waitsFor.command ?? `what brings ${waitsFor.path} up to date`}, then install once more`
            : CHANGED[kind],
        ],
        findings: warnings,
      };
  }
}

const CHANGED = {
  'boot-install': 'from the next boot on, what was sealed is what boots',
  'boot-remove': 'every deployment boots plain from now on, as ostree left it',
  'boot-rollback': "sealtree's part of the boot is as it was then",
};

const hasNoError = (findings: readonly Finding[]): boolean =>
  findings.every(({ severity }) => severity !== 'error');

const NOUNS = { error: 'error', warning: 'warning', unchecked: 'unchecked' } as const;

/** `1 error, 2 unchecked`; `nothing found` without any. */
export function countFindings(findings: readonly Finding[]): string {
  const parts = (['error', 'warning', 'unchecked'] as const).flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    if (count === 0) return [];
    return [severity === 'unchecked' ? `${count} ${NOUNS.unchecked}` : counted(count, NOUNS[severity])];
  });
  return parts.length === 0 ? 'nothing found' : parts.join(', ');
}
