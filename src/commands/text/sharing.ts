/** How deployments, refs and images share the disk, as tables that end before column 80. */
import prettyBytes from 'pretty-bytes';
import { displayBytes } from '../../base/bytes.ts';
import type { Division } from '../../deployment/sharing/divide.ts';
import type { FolderShare } from '../../deployment/sharing/folders.ts';
import type { Holder, HolderKind } from '../../deployment/sharing/holders.ts';
import type { Share, SharingReport } from '../../deployment/sharing/report.ts';
import type { Size } from '../../deployment/sharing/shares.ts';
import { jsonBytes, type Style, textWidth } from '../output.ts';
import { renderFindings } from './findings.ts';
import { wrap } from './wrap.ts';

const HEADINGS: readonly (readonly [HolderKind, string, string])[] = [
  ['deployment', 'deployment', 'Deployments'],
  ['ref', 'ref', 'Refs'],
  ['image', 'image, with its objects', 'Images'],
];

/** Folders that are shown, and contents that are there more than once. */
const SHOWN = 5;

/** `isChosen`: what is shown was asked for by name, and is compared one with another. */
export function renderSharing(report: SharingReport, isChosen: boolean, style: Style): string[] {
  const { shares, total, totalObjects, problems } = report;
  const lines: string[] = [];
  const groups: readonly (readonly [string, string, readonly Share[]])[] = isChosen
    ? [['compared', 'They', shares]]
    : HEADINGS.map(
        ([kind, heading, plural]) =>
          [heading, plural, shares.filter(({ holder }) => holder.kind === kind)] as const,
      );
  for (const [heading, , group] of groups)
    if (group.length > 0) lines.push(...sharesTable(heading, group, style), '');
  if (shares.length === 0) return ['There are no deployments, refs and images.'];
  lines.push(`Together ${sizeText(total)} on the disk in ${countText(totalObjects.count)} objects.`);
  for (const [, plural, group] of groups) {
    if (group.length < 2) continue;
    const apart = group.reduce((sum, { files }) => sum + files.total.bytes, 0);
    lines.push(`${plural} would take ${prettyBytes(apart)} if they shared nothing.`);
  }
  for (const share of shares) lines.push(...keptLines(share));
  lines.push(...contentLines(report, style), ...folderLines(report.folders, style));
  if (problems.length > 0)
    lines.push(
      '',
      'Not all of it could be looked at; the figures are lower limits.',
      ...renderFindings(problems, style),
    );
  return lines;
}

const sizeText = ({ bytes }: Size): string => prettyBytes(bytes);
const countText = (count: number): string => count.toLocaleString('en');

function sharesTable(heading: string, shares: readonly Share[], style: Style): string[] {
  const rows = shares.map(({ holder, files, objects }) => [
    nameOf(holder),
    countText(objects.total.count),
    ...[files.total, files.unique, files.shared, files.freed].map(sizeText),
  ]);
  return table([heading, 'objects', 'total', 'unique', 'shared', 'frees'], rows, style);
}

/** What is left of 80 columns for the first one, where the others are as wide as they get. */
const NAME_COLUMNS = 30;

function table(headings: readonly string[], rows: readonly (readonly string[])[], style: Style): string[] {
  const all = [headings, ...rows.map(([name = '', ...cells]) => [shortened(name), ...cells])];
  const widths = headings.map((_, i) => Math.max(...all.map((row) => textWidth(row[i] ?? ''))));
  return all.map((row, i) => {
    const cells = row.map((cell, column) => {
      const gap = ' '.repeat((widths[column] ?? 0) - textWidth(cell));
      return column === 0 ? cell + gap : gap + cell;
    });
    const line = cells.join('  ');
    return i === 0 ? style.dim(line) : line;
  });
}

/** The beginning and the end: names of one family differ there. */
function shortened(name: string): string {
  const characters = [...name];
  if (characters.length <= NAME_COLUMNS) return name;
  const half = (NAME_COLUMNS - 1) / 2;
  return `${characters.slice(0, Math.ceil(half)).join('')}…${characters.slice(-Math.floor(half)).join('')}`;
}

/** Short enough for a table; what is cut off tells nothing apart. */
function nameOf(holder: Holder): string {
  switch (holder.kind) {
    case 'deployment': {
      const { index, stateroot, checksum, serial } = holder.deployment;
      return `${index} ${stateroot}/${checksum.slice(0, 12)}.${serial}`;
    }
    case 'image':
      return holder.digest?.slice(0, 16) ?? holder.path;
    case 'commit':
      return /^[0-9a-f]{64}$/.test(holder.name) ? holder.name.slice(0, 16) : holder.name;
    case 'ref':
      return holder.name;
  }
}

/** Others that are named; the rest is counted. */
const KEEPERS = 3;

function keptLines({ holder, files, keptBy }: Share): string[] {
  const kept = files.unique.bytes - files.freed.bytes;
  if (holder.kind === 'image' || keptBy.length === 0 || kept <= 0) return [];
  const more = keptBy.length > KEEPERS ? ` and ${keptBy.length - KEEPERS} more` : '';
  const keepers = `${keptBy.slice(0, KEEPERS).map(shortKeeper).join(', ')}${more}`;
  return wrap(`${nameOf(holder)}: ${prettyBytes(kept)} of what only it has stay for ${keepers}`, '  ');
}

const shortKeeper = (name: string): string => name.replace(/([0-9a-f]{12})[0-9a-f]{52}/, '$1');

function contentLines({ shares, contents }: SharingReport, style: Style): string[] {
  if (contents === undefined) return [];
  const { total, again, same } = contents;
  const rows = shares.flatMap(({ holder, contents: own }) =>
    own === undefined
      ? []
      : [
          [
            nameOf(holder),
            countText(own.total.count),
            sizeText(own.total),
            sizeText(own.unique),
            sizeText(own.shared),
          ],
        ],
  );
  const lines = [
    '',
    ...table(['by content', 'contents', 'total', 'unique', 'shared'], rows, style),
    '',
    ...wrap(
      again.count === 0
        ? `Together ${countText(total.count)} contents: no two objects have the same bytes.`
        : `Together ${countText(total.count)} contents in ${sizeText(total)}: ${more(again)} the bytes of another and other metadata. Their object digest, which is fs-verity's, is that of the other; on the disk they take ${sizeText(again)} more.`,
    ),
  ];
  for (const { digest, objects, bytes } of same.slice(0, SHOWN)) {
    const [first = '', second = ''] = objects.map((checksum) => `${checksum.slice(0, 12)}.file`);
    const others = objects.length > 2 ? `, ${second} and ${objects.length - 2} more` : ` and ${second}`;
    lines.push(`  digest ${digest.slice(0, 12)}, ${prettyBytes(bytes)}: ${first}${others}`);
  }
  return lines;
}

const more = ({ count }: Size): string =>
  count === 1 ? '1 object more has' : `${countText(count)} objects more have`;

function folderLines(folders: readonly FolderShare[], style: Style): string[] {
  if (folders.length === 0) return [];
  const rows = folders
    .slice(0, SHOWN)
    .map(({ path, total, shared }) => [
      displayBytes(path),
      countText(total.count),
      sizeText(total),
      sizeText(shared),
    ]);
  return ['', ...table(['folder', 'objects', 'total', 'shared'], rows, style)];
}

/** For `--json`. */
export function sharingJson({
  shares,
  total,
  totalObjects,
  contents,
  folders,
  problems,
}: SharingReport): Record<string, unknown> {
  const of = (kind: HolderKind, name: (holder: Holder) => Record<string, unknown>): unknown[] =>
    shares
      .filter(({ holder }) => holder.kind === kind)
      .map((share) => ({ ...name(share.holder), ...shareJson(share) }));
  return {
    deployments: of('deployment', (holder) =>
      holder.kind === 'deployment' ? { index: holder.deployment.index, id: holder.name } : {},
    ),
    refs: of('ref', (holder) =>
      holder.kind === 'ref'
        ? { ref: holder.name, checksum: holder.checksum, imageDigest: holder.image ?? null }
        : {},
    ),
    commits: of('commit', (holder) =>
      holder.kind === 'commit' ? { rev: holder.name, checksum: holder.checksum } : {},
    ),
    images: of('image', (holder) =>
      holder.kind === 'image' ? { imageDigest: holder.digest ?? null, path: holder.path } : {},
    ),
    total: sizeJson(total, totalObjects, contents?.total),
    sameContent:
      contents === undefined
        ? null
        : {
            objectsMore: contents.again.count,
            bytesMore: contents.again.bytes,
            contents: contents.same.map(({ digest, objects, bytes }) => ({
              objectDigest: digest,
              objects,
              bytes,
            })),
          },
    folders: folders.map(folderJson),
    problems,
  };
}

const sizeJson = (files: Size, objects: Size, contents: Size | undefined) => ({
  bytes: files.bytes,
  inodes: files.count,
  objects: objects.count,
  objectBytes: objects.bytes,
  contents: contents?.count ?? null,
  contentBytes: contents?.bytes ?? null,
});

const folderJson = ({ path, total, shared }: FolderShare) => ({
  path: jsonBytes(path),
  objects: total.count,
  bytes: total.bytes,
  sharedObjects: shared.count,
  sharedBytes: shared.bytes,
});

function shareJson({ files, objects, contents, folder, keptBy, partners, folders }: Share) {
  const part = (name: keyof Division) => sizeJson(files[name], objects[name], contents?.[name]);
  return {
    total: part('total'),
    unique: part('unique'),
    shared: part('shared'),
    freed: part('freed'),
    folderBytes: folder.bytes,
    keptBy,
    sharesWith: partners.map(({ name, bytes, count }) => ({ name, bytes, inodes: count })),
    folders: folders.map(folderJson),
  };
}
