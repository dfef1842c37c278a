/**
 * What a check found. A check collects findings and goes on; it throws only when it cannot look at all.
 * `error` = wrong, `warning` = works but not as it should, `unchecked` = could not be looked at: never "ok".
 */
export type Severity = 'error' | 'warning' | 'unchecked';

export interface Finding {
  readonly severity: Severity;
  /** Stable kebab-case name of the kind, such as `object-missing`. */
  readonly code: string;
  /** Object, image or file concerned. */
  readonly where: string;
  readonly message: string;
  /** Paths inside the tree that are affected (display form); may be cut, then `pathCount` is larger. */
  readonly paths?: readonly string[];
  readonly pathCount?: number;
  /** Deployments concerned, as `OS/CHECKSUM.SERIAL`. */
  readonly deployments?: readonly string[];
  /** The exact command(s) that mend it. */
  readonly remedy?: readonly string[];
}
