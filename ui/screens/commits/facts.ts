/** All there is to say about a commit, read from its object. */
import { type ByteString, bytesToText } from '../../../src/base/bytes.ts';
import { type Checksum, checksumOf, nativeEngine } from '../../../src/base/digest.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import { formatVariant } from '../../../src/formats/gvariant-text.ts';
import type { VariantMap } from '../../../src/formats/objects.ts';
import { type SealedRef, sealedRefs } from '../../../src/image/sealed-refs.ts';
import { listDeltas, type StaticDelta } from '../../../src/repository/deltas.ts';
import type { PartialState, Repository } from '../../../src/repository/repository.ts';
import { type Signature, signaturesIn } from '../../../src/repository/signatures.ts';

/** A key of the metadata and its value as text. */
export type MetadataLine = readonly [key: string, value: string];

export interface CommitFacts {
  readonly checksum: Checksum;
  readonly parent: Checksum | undefined;
  /** Of what is in it, whenever and by whom it was made. */
  readonly contentChecksum: Checksum;
  readonly rootTree: Checksum;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly subject: string;
  readonly body: string;
  readonly metadata: readonly MetadataLine[];
  /** Of the detached metadata, without the signatures. */
  readonly detached: readonly MetadataLine[];
  readonly signatures: readonly Signature[];
  readonly partial: PartialState;
  /** Static deltas that lead to it or away from it. */
  readonly deltas: readonly StaticDelta[];
  /** Refs of the repository that have an image, whichever commit they name. */
  readonly sealedRefs: readonly SealedRef[];
  /** What of this could not be read. */
  readonly problem: string | undefined;
}

/** @throws NotFoundError, FormatError */
export function readCommitFacts(repository: Repository, checksum: Checksum): CommitFacts {
  const commit = repository.commit(checksum);
  const { parent, rootTree, rootMeta, timestamp, metadata } = commit;
  let detached: VariantMap | undefined;
  let deltas: StaticDelta[] = [];
  let sealed: readonly SealedRef[] = [];
  let problem: string | undefined;
  try {
    detached = repository.detachedMetadata(checksum);
    sealed = sealedRefs(repository.path, repository.system);
    deltas = listDeltas(repository).filter(({ from, to }) => from === checksum || to === checksum);
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    problem = error.message;
  }
  const signatures = signaturesIn(detached);
  return {
    checksum,
    parent,
    contentChecksum: checksumOf(nativeEngine.sha256(Buffer.from(rootTree + rootMeta, 'hex'))),
    rootTree,
    timestamp,
    subject: bytesToText(commit.subject),
    body: bytesToText(commit.body),
    metadata: metadataLines(metadata),
    detached: metadataLines(detached).filter(([key]) => !/^ostree\.(gpgsigs|sign\.)/.test(key)),
    signatures,
    partial: repository.partialState(checksum),
    deltas,
    sealedRefs: sealed,
    problem,
  };
}

/** A value longer than this is cut: nobody reads on, and every line of it would have to be broken. */
const MAX_VALUE = 2000;

function metadataLines(metadata: VariantMap | undefined): MetadataLine[] {
  return Array.from(metadata ?? [], ([key, { type, value }]) => {
    const text = bytesToText(formatVariant(type, value));
    const cut = text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)} ...` : text;
    return [
      bytesToText(key as ByteString),
      value instanceof Uint8Array ? Buffer.from(value).toString('hex').slice(0, MAX_VALUE) : cut,
    ];
  });
}
