/** A plan as rows: what its command says with `--dry-run --json`. */
import prettyBytes from 'pretty-bytes';
import type { Finding } from '../../../src/image/findings.ts';
import { documentOf, type Outcome } from '../../program.ts';
import { counted } from '../../view.ts';
import {
  type GcDocument,
  type ImportDirDocument,
  type ImportOciDocument,
  type ImportTarDocument,
  type PinDocument,
  type SealDocument,
  type SealRefDocument,
  shortId,
} from '../jobs/result.ts';
import type { JobKind } from '../jobs/state.ts';

export type PlanRow =
  | {
      readonly kind: 'step';
      readonly text: string;
      readonly notes: readonly string[];
      /** A unified diff. */
      readonly diff: readonly string[];
    }
  /** Something that stays as it is, or that is not done. */
  | { readonly kind: 'untouched'; readonly text: string; readonly why: string }
  | { readonly kind: 'finding'; readonly finding: Finding };

export interface Plan {
  readonly rows: readonly PlanRow[];
  /** One sentence over all of it. */
  readonly summary: string;
  /** Whether there is anything to accept. */
  readonly isPossible: boolean;
  /** What makes the command do this plan and no other. */
  readonly words: readonly string[];
}

/** Undefined where the command gave no plan. */
export function planOf(kind: JobKind, outcome: Outcome): Plan | undefined {
  switch (kind) {
    case 'seal': {
      const document = documentOf<SealDocument>(outcome, 'seal');
      return document && sealPlan(document);
    }
    case 'seal-ref':
    case 'unseal-ref': {
      const document = documentOf<SealRefDocument>(outcome, 'seal');
      return document && sealRefPlan(document);
    }
    case 'import-dir': {
      const document = documentOf<ImportDirDocument>(outcome, 'import-dir');
      return document && importDirPlan(document);
    }
    case 'import-tar': {
      const document = documentOf<ImportTarDocument>(outcome, 'import-tar');
      return document && importTarPlan(document);
    }
    case 'import-oci': {
      const document = documentOf<ImportOciDocument>(outcome, 'import-oci');
      return document && importOciPlan(document);
    }
    case 'gc': {
      const document = documentOf<GcDocument>(outcome, 'gc');
      return document && gcPlan(document);
    }
    case 'pin': {
      const document = documentOf<PinDocument>(outcome, 'pin');
      return document && pinPlan(document);
    }
    case 'boot-install':
    case 'boot-remove':
    case 'boot-rollback': {
      const document = documentOf<BootPlanDocument>(outcome, 'boot-plan');
      return document && bootPlan(document);
    }
    case 'verify':
    case 'boot-check':
      return undefined;
  }
}

const WOULD: Readonly<Record<SealDocument['deployments'][number]['action'], string>> = {
  sealed: 'make, check and place its image',
  adopted: 'take the image it has: it is right',
  linked: 'link the stored image',
  protected: 'turn on fs-verity where it is off',
  unchanged: 'nothing: it is sealed',
  skipped: 'not sealed',
  failed: 'would fail',
};

function sealPlan({ deployments }: SealDocument): Plan {
  const rows = deployments.map((deployment): PlanRow => {
    const { id, action, imageDigest, imageBytes, steps, reason, error } = deployment;
    const text = `${shortId(id)}: ${WOULD[action]}`;
    if (action === 'unchanged' || action === 'skipped')
      return { kind: 'untouched', text, why: reason ?? 'image and objects are as they should be' };
    if (error !== undefined)
      return {
        kind: 'finding',
        finding: { severity: 'error', code: 'seal', where: id, message: error.error },
      };
    const image = imageDigest === null ? [] : [`image ${imageDigest}`];
    const size = imageBytes === null ? [] : [prettyBytes(imageBytes)];
    return { kind: 'step', text, notes: [...image, ...size, ...steps], diff: [] };
  });
  const count = rows.filter(({ kind }) => kind === 'step').length;
  const summary =
    count === 0
      ? 'There is nothing to do.'
      : `${counted(count, 'deployment')} to seal. Nothing that boots is changed by it.`;
  return { rows, summary, isPossible: count > 0, words: [] };
}

function sealRefPlan({ refs }: SealRefDocument): Plan {
  const rows = refs.map(({ ref, action, imageDigest, imageBytes, steps = [] }): PlanRow => {
    if (action === 'unchanged')
      return { kind: 'untouched', text: ref, why: 'it is sealed, as of the commit it names' };
    const size = imageBytes === undefined ? [] : [prettyBytes(imageBytes)];
    const isUnsealed = action === 'unsealed';
    return {
      kind: 'step',
      text: `${ref}: ${isUnsealed ? 'keep its image no longer' : 'make, check and keep its image'}`,
      notes: [
        `image ${imageDigest}`,
        ...size,
        ...(isUnsealed ? ['The next clean up removes it, where nothing else has it.'] : steps),
      ],
      diff: [],
    };
  });
  const count = rows.filter(({ kind }) => kind === 'step').length;
  const verb = refs.some(({ action }) => action === 'unsealed') ? 'unseal' : 'seal';
  const summary =
    count === 0
      ? 'There is nothing to do.'
      : `${counted(count, 'ref')} to ${verb}. Nothing that boots is changed by it.`;
  return { rows, summary, isPossible: count > 0, words: [] };
}

function importDirPlan({ ref, parent, files, bytes }: ImportDirDocument): Plan {
  const step: PlanRow = {
    kind: 'step',
    text: `make a commit of ${counted(files, 'file')}, ${prettyBytes(bytes)}`,
    notes: [
      'All of the folder was read: it holds nothing that a commit cannot hold.',
      ...namedBy(ref, parent),
    ],
    diff: [],
  };
  return importPlan([step]);
}

function importTarPlan({ ref, parent, entries, bytes }: ImportTarDocument): Plan {
  const step: PlanRow = {
    kind: 'step',
    text: `make a commit of ${entries} ${entries === 1 ? 'entry' : 'entries'}, ${prettyBytes(bytes)}`,
    notes: ['All of the archive was read: it holds nothing that is refused.', ...namedBy(ref, parent)],
    diff: [],
  };
  return importPlan([step]);
}

const namedBy = (ref: string | null, parent: string | null): string[] => [
  `The ref ${ref} will name it.`,
  parent === null
    ? 'It has no parent: it is the first commit of the ref.'
    : `Its parent is ${parent}, which the ref names now.`,
];

function importOciPlan({ ref, manifestDigest, platform, layers }: ImportOciDocument): Plan {
  const unpack = layers.map(({ diffId, known }): PlanRow => {
    // As much of it as is usual, and its algorithm.
    const text = `layer ${diffId.slice(0, 19)}`;
    return known
      ? { kind: 'untouched', text, why: 'It came with an image before, and is not unpacked again.' }
      : { kind: 'step', text: `unpack ${text}`, notes: [diffId, 'Its digests are right.'], diff: [] };
  });
  const commit: PlanRow = {
    kind: 'step',
    text: 'lay them over one another, and make a commit of that',
    notes: [
      `The ref ${ref} will name it; what it names now, if anything, is the parent.`,
      `platform ${platform}`,
      ...(manifestDigest === null ? [] : [`manifest ${manifestDigest}`]),
    ],
    diff: [],
  };
  return importPlan([...unpack, commit]);
}

const importPlan = (rows: readonly PlanRow[]): Plan => ({
  rows,
  summary: 'One commit more. Nothing that boots is changed by it.',
  isPossible: true,
  words: [],
});

function gcPlan({ removed, kept, records, temporary, foreign, freedBytes }: GcDocument): Plan {
  const remove = (text: string, notes: readonly string[]): PlanRow => ({
    kind: 'step',
    text,
    notes,
    diff: [],
  });
  const rows = [
    ...removed.map(({ path, imageDigest, bytes }) =>
      remove(`remove image ${imageDigest.slice(0, 12)}, ${prettyBytes(bytes)}`, [
        path,
        'no deployment has it',
      ]),
    ),
    ...[...records, ...temporary].map((path) => remove(`remove ${path.split('/').at(-1)}`, [path])),
    ...foreign.map(
      (name): PlanRow => ({ kind: 'untouched', text: String(name), why: 'it is not one of sealtree' }),
    ),
  ];
  const isPossible = removed.length + records.length + temporary.length > 0;
  const summary = isPossible
    ? `${counted(removed.length, 'image')} to remove, ${prettyBytes(freedBytes)} to free; ${kept.length} in use.`
    : `There is nothing to remove: ${counted(kept.length, 'image')} in use.`;
  return { rows, summary, isPossible, words: [] };
}

function pinPlan({ pinned, deployments }: PinDocument): Plan {
  const rows = deployments.map(
    ({ id, isChanged }): PlanRow =>
      isChanged
        ? {
            kind: 'step',
            text: `${shortId(id)}: ${pinned ? 'keep it' : 'keep it no more'}`,
            notes: [
              pinned
                ? 'ostree keeps a pinned deployment: no upgrade pushes it out.'
                : 'The next upgrade may push it out, as ostree decides.',
            ],
            diff: [],
          }
        : { kind: 'untouched', text: shortId(id), why: pinned ? 'it is pinned' : 'it is not pinned' },
  );
  const isPossible = deployments.some(({ isChanged }) => isChanged);
  return { rows, summary: isPossible ? '' : 'There is nothing to do.', isPossible, words: [] };
}

/** `sealtree boot install --dry-run --json`, as far as it is shown. */
interface BootPlanDocument {
  readonly verb: 'install' | 'remove';
  readonly id: string;
  readonly steps: readonly {
    readonly title: string;
    readonly notes: readonly string[];
    readonly diff?: string;
  }[];
  readonly refusals: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly untouched: readonly { readonly path: string; readonly why: string }[];
}

/** So many digits of a plan's id are enough to tell it from any other. */
const ID_DIGITS = 16;

function bootPlan({ verb, id, steps, refusals, warnings, untouched }: BootPlanDocument): Plan {
  const found = (finding: Finding): PlanRow => ({ kind: 'finding', finding });
  const rows = [
    ...refusals.map(found),
    ...steps.map(
      ({ title, notes, diff }): PlanRow => ({
        kind: 'step',
        text: title,
        notes,
        diff: diff?.split('\n') ?? [],
      }),
    ),
    ...warnings.map(found),
    ...untouched.map(({ path, why }): PlanRow => ({ kind: 'untouched', text: path, why })),
  ];
  const isPossible = refusals.length === 0 && steps.length > 0;
  return {
    rows,
    summary: bootSummary(verb, steps.length, refusals.length),
    isPossible,
    words: ['--plan', id.slice(0, ID_DIGITS)],
  };
}

function bootSummary(verb: 'install' | 'remove', steps: number, refusals: number): string {
  if (refusals > 0) return 'It will not be done: nothing is changed.';
  if (steps === 0)
    return verb === 'install' ? 'It is installed, and up to date.' : 'Nothing of sealtree is in the boot.';
  return `${counted(steps, 'step')}, in this order; the system boots before and after each.`;
}
