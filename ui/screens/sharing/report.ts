/** `sealtree sharing --json`, as far as it is shown. */
import type { Finding } from '../../../src/image/findings.ts';

/** Bytes on the disk, and of what. */
export interface AmountReport {
  readonly bytes: number;
  readonly inodes: number;
  /** Content objects. */
  readonly objects: number;
  readonly objectBytes: number;
  /** Objects of the same bytes counted once; null where that was not asked for. */
  readonly contents: number | null;
  readonly contentBytes: number | null;
}

export interface FolderReport {
  /** Bytes that are no text come as base64. */
  readonly path: string | { readonly base64: string };
  readonly objects: number;
  readonly bytes: number;
  readonly sharedBytes: number;
}

export interface ShareReport {
  readonly total: AmountReport;
  readonly unique: AmountReport;
  readonly shared: AmountReport;
  readonly freed: AmountReport;
  readonly folderBytes: number;
  readonly keptBy: readonly string[];
  readonly sharesWith: readonly { readonly name: string; readonly bytes: number }[];
  readonly folders: readonly FolderReport[];
}

export interface SharingReport {
  readonly deployments: readonly (ShareReport & { readonly index: number; readonly id: string })[];
  readonly refs: readonly (ShareReport & {
    readonly ref: string;
    readonly checksum: string;
    readonly imageDigest: string | null;
  })[];
  readonly images: readonly (ShareReport & { readonly imageDigest: string; readonly path: string })[];
  readonly total: AmountReport;
  /** Null where it was not asked for. */
  readonly sameContent: {
    readonly objectsMore: number;
    readonly bytesMore: number;
    readonly contents: readonly {
      readonly objectDigest: string;
      readonly objects: readonly string[];
      readonly bytes: number;
    }[];
  } | null;
  readonly folders: readonly FolderReport[];
  readonly problems: readonly Finding[];
}
