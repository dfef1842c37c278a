/** `sealtree sharing --json`, as it is shown. */
import type { Finding } from '../../../src/image/findings.ts';

export interface ShareReport {
  readonly totalBytes: number;
  readonly uniqueBytes: number;
  readonly sharedBytes: number;
  readonly freedBytes: number;
  readonly folderBytes: number;
  /** Inodes. */
  readonly files: number;
  readonly keptBy: readonly string[];
  readonly sharesWith: readonly { readonly name: string; readonly bytes: number }[];
}

export interface SharingReport {
  readonly deployments: readonly (ShareReport & { readonly index: number; readonly id: string })[];
  readonly images: readonly (ShareReport & { readonly imageDigest: string; readonly path: string })[];
  readonly totalBytes: number;
  readonly problems: readonly Finding[];
}
