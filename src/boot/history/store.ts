/**
 * What keeps the history: a line of revisions, each a few small files. A port, so that what is kept and what keeps it
 * are two thoughts: {@link ./git.ts} is the one there is.
 */

/** A revision that is there. */
export interface Revision {
  /** Names it as long as the store lives. */
  readonly id: string;
  /** When it was written, seconds since 1970. */
  readonly seconds: number;
}

/** A revision to be written. */
export interface NewRevision {
  /** Its first line is a title. For a person who looks with the store's own tools; nothing is read back from it. */
  readonly message: string;
  /** Who did it, a name. */
  readonly author: string;
  readonly seconds: number;
  /** Content by path: relative, of `[A-Za-z0-9._+-]` and slashes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface HistoryStore {
  /** Where it is, for messages. */
  readonly where: string;
  /** The oldest first. @throws FormatError where it is damaged */
  list(): Promise<Revision[]>;
  /** The files, in the order asked for; undefined for one that a revision does not have. @throws FormatError */
  read(files: readonly { readonly id: string; readonly path: string }[]): Promise<(Buffer | undefined)[]>;
  /** Adds one behind the last. @throws OperationError; then nothing is added */
  append(revision: NewRevision): Promise<void>;
  /** Puts what is there aside, whatever it is, and begins anew. Returns where it lies then. */
  setAside(seconds: number): Promise<string>;
}
