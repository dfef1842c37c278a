/** The objects an image points to: which there are, how they are, and who needs one. Pure. */
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Checksum } from '../../../src/base/digest.ts';
import type { ImageObject } from '../../../src/image/inspect.ts';
import { type ObjectFinding, payloadObject } from '../../../src/image/verify-objects.ts';
import { deploymentSubject } from '../../models/deployment.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { type Subject, subjectKey } from '../../models/subject.ts';
import type { State } from '../../state.ts';
import type { Tone } from '../../theme.ts';
import type { ObjectUse } from '../../trees/object-uses.ts';

export type ImageOf = Extract<Subject, { kind: 'image' }>;

/** Where an object is used, besides the image that is looked at. */
export interface ObjectUses {
  readonly payload: ByteString;
  readonly uses: readonly ObjectUse[];
  readonly problem: string | undefined;
}

export interface Objects extends Scroll {
  readonly image: ImageOf;
  /** All of them, sorted by payload; undefined while the image is read. */
  readonly all: readonly ImageObject[] | undefined;
  /** Those that are shown. */
  readonly rows: readonly ImageObject[];
  /** What is wrong, by object. */
  readonly findings: ReadonlyMap<Checksum, readonly ObjectFinding[]>;
  /** Objects that could have fs-verity, and have none. */
  readonly unprotected: ReadonlySet<Checksum>;
  /** Objects that could be asked for fs-verity where nothing knows it. */
  readonly unsupported: number;
  /** How many of all were looked at. */
  readonly checked: number;
  readonly isChecked: boolean;
  readonly badOnly: boolean;
  /** Of one object: the one last selected. */
  readonly uses: ObjectUses | undefined;
  readonly failure: string | undefined;
}

/** `of` tells which image it is about: see {@link subjectKey}. */
export type ObjectsEvent = { readonly of: string } & (
  | { readonly type: 'objects-listed'; readonly objects: readonly ImageObject[] }
  | {
      readonly type: 'objects-checked';
      readonly findings: readonly ObjectFinding[];
      readonly unprotected: readonly Checksum[];
      readonly unsupported: number;
      /** All that were looked at so far. */
      readonly checked: number;
      readonly isDone: boolean;
    }
  | { readonly type: 'objects-failed'; readonly message: string }
  | { readonly type: 'uses-read'; readonly uses: ObjectUses }
);

export type ObjectsRequest = { readonly reader: 'objects'; readonly image: ImageOf } & (
  | { readonly type: 'read-objects' }
  | { readonly type: 'read-uses'; readonly payload: ByteString; readonly subjects: readonly Subject[] }
);

export function openObjects(image: ImageOf): Objects {
  return {
    ...TOP,
    image,
    all: undefined,
    rows: [],
    findings: new Map(),
    unprotected: new Set(),
    unsupported: 0,
    checked: 0,
    isChecked: false,
    badOnly: false,
    uses: undefined,
    failure: undefined,
  };
}

/** Forgets what was found, not what is shown of it. */
export const objectsAnew = ({ image, badOnly, list }: Objects): Objects => ({
  ...openObjects(image),
  badOnly,
  list,
});

/** Objects that are left for another screen: nobody hears of a check that is under way. */
export const objectsLeft = (objects: Objects | undefined): Objects | undefined =>
  objects === undefined || objects.isChecked ? objects : objectsAnew(objects);

export const selectedObject = ({ rows, list }: Objects): ImageObject | undefined => rows[list.cursor];

export function objectsRequests({ objects, sysroot }: State): ObjectsRequest[] {
  if (objects === undefined || objects.failure !== undefined) return [];
  const { image, isChecked, uses } = objects;
  const about = { reader: 'objects', image } as const;
  const requests: ObjectsRequest[] = isChecked ? [] : [{ ...about, type: 'read-objects' }];
  const object = selectedObject(objects);
  if (object === undefined || uses?.payload === object.payload) return requests;
  const subjects = (sysroot?.deployments ?? []).map(deploymentSubject);
  return [...requests, { ...about, type: 'read-uses', payload: object.payload, subjects }];
}

export function onObjects(state: State, event: ObjectsEvent): State {
  const { objects } = state;
  if (objects === undefined || subjectKey(objects.image) !== event.of) return state;
  return { ...state, objects: objectsAfter(objects, event) };
}

function objectsAfter(objects: Objects, event: ObjectsEvent): Objects {
  switch (event.type) {
    case 'objects-listed':
      return withObjectRows({ ...objects, all: event.objects });
    case 'objects-checked': {
      const findings = new Map(objects.findings);
      for (const finding of event.findings)
        findings.set(finding.checksum, [...(findings.get(finding.checksum) ?? []), finding]);
      const unprotected = new Set([...objects.unprotected, ...event.unprotected]);
      const { checked, isDone: isChecked, unsupported } = event;
      return withObjectRows({ ...objects, findings, unprotected, unsupported, checked, isChecked });
    }
    case 'objects-failed':
      return { ...objects, failure: event.message };
    case 'uses-read':
      return { ...objects, uses: event.uses };
  }
}

/** The rows that are shown now; the cursor stays with its object. */
export function withObjectRows(objects: Objects): Objects {
  const { all = [], badOnly, list } = objects;
  const rows = badOnly ? all.filter((object) => isBad(objects, object)) : all;
  if (rows.length === objects.rows.length) return { ...objects, rows };
  const selected = selectedObject(objects);
  const found = selected === undefined ? -1 : rows.indexOf(selected);
  return { ...objects, rows, list: { ...list, cursor: found === -1 ? list.cursor : found } };
}

export interface ObjectState {
  readonly tone: Tone;
  readonly word: string;
}

const WORDS: Readonly<Record<string, string>> = {
  'object-missing': 'missing',
  'object-unreadable': 'unreadable',
  'object-size': 'wrong size',
  'object-verity': 'wrong digest',
  'object-corrupt': 'corrupt',
};

/** How an object is, as far as that was looked at: never good before it was. */
export function stateOf(objects: Objects, object: ImageObject): ObjectState {
  const checksum = payloadObject(object.payload);
  if (checksum === undefined) return { tone: 'unknown', word: 'no object' };
  const worst = objects.findings.get(checksum)?.toSorted((a, b) => rank(a) - rank(b))[0];
  if (worst !== undefined)
    return { tone: worst.severity === 'error' ? 'bad' : 'unknown', word: WORDS[worst.code] ?? 'damaged' };
  if (!objects.isChecked) return { tone: 'unknown', word: 'unchecked' };
  if (object.digest === undefined) return { tone: 'warning', word: 'no digest' };
  if (objects.unprotected.has(checksum)) return { tone: 'warning', word: 'verity off' };
  // There, of the right length; what is in it nobody read, and no kernel vouches for.
  if (objects.unsupported > 0) return { tone: 'unknown', word: 'present' };
  return { tone: 'good', word: 'protected' };
}

const rank = ({ severity }: ObjectFinding): number => (severity === 'error' ? 0 : 1);

/** Whether something is wrong with it, or could not be found out. */
function isBad(objects: Objects, { payload }: ImageObject): boolean {
  const checksum = payloadObject(payload);
  return checksum === undefined || objects.findings.has(checksum);
}
