/** A commit as `ostree log` and `ostree show` print it, and as JSON. */
import { type ByteString, textToBytes } from '../../base/bytes.ts';
import { type Checksum, checksumOf, nativeEngine } from '../../base/digest.ts';
import { isVariant, type Value } from '../../formats/gvariant.ts';
import { formatVariant } from '../../formats/gvariant-text.ts';
import type { Commit } from '../../formats/objects.ts';
import { jsonBytes, rfc3339 } from '../output.ts';

/** A checksum of what is in a commit, whenever and by whom it was made: of root dirtree and root dirmeta. */
export function contentChecksum(commit: Commit): Checksum {
  return checksumOf(nativeEngine.sha256(Buffer.from(commit.rootTree + commit.rootMeta, 'hex')));
}

/** The commit's `version`, where it is a string. */
export function commitVersion(commit: Commit): ByteString | undefined {
  const version = commit.metadata.get('version');
  return version?.type === 's' ? (version.value as ByteString) : undefined;
}

/** `2026-11-23 05:00:00 +0000`: always UTC. */
export function formatDate(seconds: number): string {
  const time = rfc3339(seconds);
  if (time === undefined || !/^\d{4}-/.test(time)) return `invalid (${seconds})`;
  return `${time.slice(0, 10)} ${time.slice(11, 19)} +0000`;
}

/** `commit CHECKSUM`, its facts, subject and body, and an empty line. */
export function commitText(checksum: Checksum, commit: Commit): ByteString {
  const version = commitVersion(commit);
  const lines = [
    `commit ${checksum}`,
    ...(commit.parent === undefined ? [] : [`Parent:  ${commit.parent}`]),
    `ContentChecksum:  ${contentChecksum(commit)}`,
    `Date:  ${formatDate(commit.timestamp)}`,
    ...(version === undefined ? [] : [`Version: ${version}`]),
    ...(commit.subject === '' ? ['(no subject)'] : ['', ...indented(commit.subject)]),
    ...(commit.body === '' ? [] : ['', ...indented(commit.body)]),
    '',
  ];
  return `${lines.join('\n')}\n` as ByteString;
}

function indented(text: string): string[] {
  const lines = text.split('\n');
  // A newline at the end ends the last line and begins no other.
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `    ${line}`);
}

const ABBREVIATED = 12;

/** `CHECKSUM DATE VERSION SUBJECT` in one line, the checksum cut to 12 digits. */
export function commitLine(checksum: Checksum, commit: Commit): ByteString {
  const version = commitVersion(commit);
  const subject = commit.subject.split('\n')[0] ?? '';
  const words = [checksum.slice(0, ABBREVIATED), formatDate(commit.timestamp).slice(0, 16)];
  if (version !== undefined) words.push(`(${version})`);
  words.push(subject === '' ? '(no subject)' : subject);
  return `${words.join(' ')}\n` as ByteString;
}

/** A commit for JSON; `metadata` by key, see {@link jsonValue}. */
export function commitJson(checksum: Checksum, commit: Commit): Record<string, unknown> {
  const version = commitVersion(commit);
  return {
    checksum,
    ...(commit.parent === undefined ? {} : { parent: commit.parent }),
    contentChecksum: contentChecksum(commit),
    timestamp: rfc3339(commit.timestamp) ?? commit.timestamp,
    ...(version === undefined ? {} : { version: jsonBytes(version) }),
    subject: jsonBytes(commit.subject),
    ...(commit.body === '' ? {} : { body: jsonBytes(commit.body) }),
    rootTree: commit.rootTree,
    rootMeta: commit.rootMeta,
    metadata: jsonMetadata(commit.metadata),
  };
}

/** Metadata as an object, in stored order. */
export function jsonMetadata(metadata: Commit['metadata']): Record<string, unknown> {
  const entries = Array.from(metadata, ([key, { type, value }]) => [
    Buffer.from(key, 'latin1').toString('utf8'),
    jsonValue(type, value),
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/**
 * A GVariant as JSON: booleans, numbers as stored (not byte-swapped), strings, and arrays of those as they are; byte
 * arrays as hex digits; anything else as GVariant text.
 */
function jsonValue(type: string, value: Value): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'string') return jsonBytes(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return value;
  if (isVariant(value)) return jsonValue(value.type, value.value);
  if (Array.isArray(value) && type.startsWith('a') && !type.startsWith('a{'))
    return (value as readonly Value[]).map((item) => jsonValue(type.slice(1), item));
  return Buffer.from(formatVariant(type, value), 'latin1').toString('utf8');
}

/**
 * Text that came with a commit for a terminal: control bytes become escapes, lines stay. Elsewhere the bytes go out
 * as they are.
 */
export function forTerminal(text: ByteString, isTerminal: boolean): ByteString {
  if (!isTerminal) return text;
  const unicode = Buffer.from(text, 'latin1').toString('utf8');
  return textToBytes(
    unicode.replace(/(?!\n|\t)[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) =>
      Array.from(Buffer.from(c), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
    ),
  );
}
