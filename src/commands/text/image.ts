/** Images, their entries, objects and differences as text and as JSON. */
import { type ByteString, displayBytes } from '../../base/bytes.ts';
import { isDirectory, isRegular, isSymlink, S_IFMT, typeLetter, typeName } from '../../base/mode.ts';
import type { ErofsImage, WalkedEntry } from '../../formats/erofs/read.ts';
import type { EntryChange, FieldValue } from '../../image/diff.ts';
import type { ImageObject, ImageSurvey } from '../../image/inspect.ts';
import type { Place } from '../../image/locate.ts';
import { jsonBytes, rfc3339 } from '../output.ts';
import { xattrsJson } from './entry.ts';
import { formatSize } from './size.ts';

type ShowName = (name: ByteString) => ByteString;

export function surveyLines(survey: ImageSurvey): string[] {
  const { counts, objects } = survey;
  const unprotected = objects.filter(({ digest }) => digest === undefined).length;
  return (
    [
      ['Digest', survey.digest],
      ['Size', `${formatSize(survey.sizeBytes)} (${survey.blocks} blocks)`],
      ['Format version', survey.composefsVersion],
      ['POSIX ACLs', survey.hasAcl ? 'yes' : 'no'],
      ['Oldest mtime', `${survey.buildTimeSec}.${String(survey.buildTimeNsec).padStart(9, '0')}`],
      ['Inodes', `${survey.inodes}, 256 of them hide the object folders`],
      ['Directories', counts.directories],
      [
        'Files',
        `${counts.backedFiles} with an object, ${counts.inlineFiles} inline (${formatSize(survey.inlineBytes)})`,
      ],
      ['Symlinks', counts.symlinks],
      [
        'Other',
        `${counts.devices} devices, ${counts.whiteouts} whiteouts, ${counts.fifos} fifos, ${counts.sockets} sockets`,
      ],
      ['Hard links', survey.hardLinks],
      ['Objects', `${objects.length} (${formatSize(objectBytes(objects))})`],
      ['Without digest', unprotected === 0 ? 'none' : `${unprotected} objects`],
    ] as const
  ).map(([title, value]) => `${`${title}:`.padEnd(16)}${value}`);
}

export function surveyJson(survey: ImageSurvey): Record<string, unknown> {
  const { counts, objects } = survey;
  return {
    imageDigest: survey.digest,
    imageBytes: survey.sizeBytes,
    composefsVersion: survey.composefsVersion,
    hasAcl: survey.hasAcl,
    buildTime: rfc3339(Number(survey.buildTimeSec)) ?? null,
    buildTimeSeconds: survey.buildTimeSec,
    buildTimeNanoseconds: survey.buildTimeNsec,
    blocks: survey.blocks,
    inodes: survey.inodes,
    counts: { ...counts, hardLinks: survey.hardLinks },
    inlineBytes: survey.inlineBytes,
    fileBytes: survey.fileBytes,
    objects: objects.length,
    objectBytes: objectBytes(objects),
    objectsWithoutDigest: objects.filter(({ digest }) => digest === undefined).length,
  };
}

const objectBytes = (objects: readonly ImageObject[]): number =>
  objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** `-00644 0 0     12 /path`, as `ls` prints a commit's entries; sizes of files only. */
export function imageEntryLine(
  image: ErofsImage,
  { path, inode, linkOf }: WalkedEntry,
  show: ShowName,
): ByteString {
  const { mode, uid = 0, gid = 0, size = 0, payload } = image.node(inode);
  const permissions = (mode & ~S_IFMT).toString(8).padStart(4, '0');
  const bytes = isRegular(mode) ? size : 0;
  let line = `${typeLetter(mode)}0${permissions} ${uid} ${gid} ${bytes.toString().padStart(6)} ${show(path)}`;
  if (isSymlink(mode) && payload !== undefined) line += ` -> ${show(payload)}`;
  if (linkOf !== undefined) line += ` link to ${show(linkOf)}`;
  return `${line}\n` as ByteString;
}

/** @param all with xattrs, times and inline content */
export function imageEntryJson(
  image: ErofsImage,
  { path, inode, linkOf }: WalkedEntry,
  all: boolean,
): Record<string, unknown> {
  const { mode, nlink, uid, gid, rdev, size, mtimeSec, mtimeNsec, payload, content, digest, xattrs } =
    image.node(inode);
  return {
    path: jsonBytes(path),
    type: typeName(mode),
    mode: (mode & ~S_IFMT).toString(8).padStart(4, '0'),
    uid,
    gid,
    ...(isRegular(mode) ? { size } : {}),
    ...(payload === undefined ? {} : { [isSymlink(mode) ? 'target' : 'object']: jsonBytes(payload) }),
    ...(digest === undefined ? {} : { objectDigest: Buffer.from(digest).toString('hex') }),
    ...(linkOf === undefined ? {} : { hardLinkTo: jsonBytes(linkOf) }),
    ...(all
      ? {
          nlink,
          ...(rdev === undefined || isRegular(mode) || isDirectory(mode) ? {} : { rdev }),
          mtimeSeconds: mtimeSec,
          mtimeNanoseconds: mtimeNsec,
          ...(content === undefined ? {} : { content: { base64: Buffer.from(content).toString('base64') } }),
          xattrs: xattrsJson(xattrs ?? []),
        }
      : {}),
  };
}

/** `DIGEST SIZE PATH`, the digest `-` where the image lists none. */
export function objectLine({ payload, sizeBytes, digest }: ImageObject, show: ShowName): ByteString {
  return `${digest ?? '-'.padEnd(64)} ${sizeBytes.toString().padStart(10)} ${show(payload)}\n` as ByteString;
}

export function objectJson({ payload, sizeBytes, digest, paths }: ImageObject): Record<string, unknown> {
  return {
    path: jsonBytes(payload),
    size: sizeBytes,
    objectDigest: digest ?? null,
    files: paths.length,
  };
}

const LETTERS = { added: 'A', removed: 'D', modified: 'M' } as const;

export function changeLines(change: EntryChange): string[] {
  const lines = [`${LETTERS[change.kind]} ${displayBytes(change.path)}`];
  if (change.kind !== 'modified') return lines;
  for (const { field, before, after } of change.fields)
    lines.push(`    ${displayBytes(field)}: ${fieldText(before)} -> ${fieldText(after)}`);
  return lines;
}

function fieldText(value: FieldValue | undefined): string {
  if (value === undefined) return 'none';
  if (typeof value === 'number') return String(value);
  return value === '' ? '""' : displayBytes(value);
}

export function changeJson(change: EntryChange): Record<string, unknown> {
  const { kind, path, mode } = change;
  if (change.kind !== 'modified') return { kind, path: jsonBytes(path), type: typeName(mode) };
  return {
    kind,
    path: jsonBytes(path),
    type: typeName(mode),
    fields: change.fields.map(({ field, before, after }) => ({
      field: jsonBytes(field),
      before: fieldJson(before),
      after: fieldJson(after),
    })),
  };
}

function fieldJson(value: FieldValue | undefined): unknown {
  if (value === undefined) return null;
  return typeof value === 'number' ? value : jsonBytes(value);
}

/** Where two images part, in words; what lies there is said once where it is the same in both. */
export function placeText(offset: number, a: Place, b: Place): string {
  const [one, other] = [describePlace(a), describePlace(b)];
  return `offset ${offset}: ${one}${one === other ? '' : ` against ${other}`}`;
}

function describePlace({ part, field, path, nid }: Place): string {
  const whose = path === undefined ? '' : ` of ${displayBytes(path)} (inode ${nid})`;
  return `${field === undefined ? '' : `${field} in `}${part}${whose}`;
}

export function placeJson({ part, field, path, nid }: Place): Record<string, unknown> {
  return { part, field: field ?? null, path: path === undefined ? null : jsonBytes(path), nid: nid ?? null };
}
