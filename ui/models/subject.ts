/** What has files and can be compared: a commit, which a deployment is too, or an image. */
import type { Checksum } from '../../src/base/digest.ts';

export type Subject =
  | {
      readonly kind: 'commit';
      readonly checksum: Checksum;
      /** What the person calls it: a ref or a deployment; empty where it has no other name. */
      readonly title: string;
    }
  | { readonly kind: 'image'; readonly path: string; readonly title: string };

const SHORT = 8;

/** Tells subjects apart, whatever they are called. */
export function subjectKey(subject: Subject): string {
  return subject.kind === 'commit' ? `commit ${subject.checksum}` : `image ${subject.path}`;
}

export const isSameSubject = (a: Subject | undefined, b: Subject | undefined): boolean =>
  a !== undefined && b !== undefined && subjectKey(a) === subjectKey(b);

/** One name, not yet made harmless. */
export function subjectName(subject: Subject): string {
  return subject.title || (subject.kind === 'commit' ? subject.checksum.slice(0, SHORT) : subject.path);
}
