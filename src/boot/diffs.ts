/**
 * What a change does to a file, as a unified diff (POSIX diff -u). Files of a boot configuration are bytes: they pass
 * through the diff as byte strings, so a diff applies with patch(1) whatever the encoding of a kernel command line.
 */
import { FILE_HEADERS_ONLY, formatPatch, structuredPatch } from 'diff';
import { type ByteString, bytesToString, bytesToText, displayMessage } from '../base/bytes.ts';

/** Names a side of a diff that has no file, as patch(1) reads it. */
const NOTHING = '/dev/null';

/**
 * The diff of one file; empty where nothing changes.
 * @param name path below the sysroot, without a leading slash
 * @param before undefined = the file is new
 * @param after undefined = the file goes
 */
export function unifiedDiff(
  name: string,
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
): ByteString {
  const [from, to] = [before ?? Buffer.alloc(0), after ?? Buffer.alloc(0)];
  const patch = structuredPatch(
    before === undefined ? NOTHING : `a/${name}`,
    after === undefined ? NOTHING : `b/${name}`,
    bytesToString(from),
    bytesToString(to),
    undefined,
    undefined,
    { context: 3 },
  );
  if (patch.hunks.length === 0) return '' as ByteString;
  return formatPatch(patch, FILE_HEADERS_ONLY) as ByteString;
}

/**
 * The diff of two texts that may be long and have nothing in common: looked for in turns with other work, and given up
 * after `timeoutMs`. Undefined then.
 */
export function unifiedDiffInTurns(
  name: string,
  before: Uint8Array,
  after: Uint8Array,
  timeoutMs: number,
): Promise<ByteString | undefined> {
  return new Promise((resolve) => {
    structuredPatch(
      `a/${name}`,
      `b/${name}`,
      bytesToString(before),
      bytesToString(after),
      undefined,
      undefined,
      {
        context: 3,
        timeout: timeoutMs,
        callback: (patch) => resolve(patch && (formatPatch(patch, FILE_HEADERS_ONLY) as ByteString)),
      },
    );
  });
}

/** A diff as lines for a terminal: nothing in them acts on it. */
export const diffLines = (diff: ByteString): string[] =>
  displayMessage(bytesToText(diff)).replace(/\n$/, '').split('\n');
