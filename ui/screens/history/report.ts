/** `sealtree boot history --json`, as far as it is shown. */
import type { ConfigurationChange } from '../../../src/boot/history/compare.ts';
import type { JsonText } from '../boot/report.ts';

export interface HistoryEntryReport {
  /** Counted from 1, the oldest. */
  readonly number: number;
  readonly kind: 'change' | 'found';
  readonly cause: string;
  readonly by: string;
  /** RFC 3339. */
  readonly time: string;
  readonly installed: boolean;
  readonly settings: { readonly policy: string };
  /** The first one boots by default. */
  readonly deployments: readonly {
    readonly id: string;
    readonly title: JsonText;
    readonly sealPin: JsonText | null;
    readonly imageDigest: string | null;
  }[];
}

export interface HistoryReport {
  /** The oldest first. */
  readonly entries: readonly HistoryEntryReport[];
}

/** `sealtree boot history NUMBER --json`: what an entry changed; both are missing in the first one. */
export interface HistoryChangeReport extends HistoryEntryReport {
  readonly changes?: readonly (Omit<ConfigurationChange, 'deployment'> & {
    readonly deployment: string | null;
  })[];
  /** Unified. */
  readonly diff?: JsonText;
}

/** What it is called in a list. */
export const causeOf = ({ kind, cause }: HistoryEntryReport): string =>
  kind === 'found' ? `found before ${cause}` : cause;
