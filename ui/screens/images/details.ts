/** The header of an image, what is in it, and whether it is what its name says. */
import prettyBytes from 'pretty-bytes';
import type { ImageSurvey } from '../../../src/image/inspect.ts';
import { commandLine } from '../../models/command-line.ts';
import { timeOf } from '../../models/dates.ts';
import { sizeText } from '../../models/entry.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { displayText } from '../../models/text.ts';
import type { Verdict } from '../../models/verdict.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { usedText } from './list.ts';
import type { ImageOverview } from './overview.ts';
import { type ImageFile, selectedImage } from './state.ts';

export function imageTitle(state: State): string {
  const file = selectedImage(state);
  return file === undefined ? '' : `image ${file.digest?.slice(0, 12) ?? displayText(file.path)}`;
}

/** The details of the selected image in lines of at most `width` columns. */
export function imageDetails(state: State, width: number, theme: Theme): string[] {
  const file = selectedImage(state);
  const lines = new FactLines(width - 1, theme);
  if (file === undefined) return lines.lines;
  const { overview } = state.imageFiles;
  const known = overview?.path === file.path ? overview : undefined;
  lines.field('file', file.path);
  lines.field('size', sizeText(file.sizeBytes));
  lines.field('used by', usedText(file));
  lines.blank();
  if (known === undefined) lines.text('reading', theme.dim);
  else {
    describeDigest(file, known, lines);
    if (known.problem !== undefined) lines.text(known.problem, theme.tone.bad);
    if (known.survey !== undefined) describeSurvey(known.survey, lines);
  }
  lines.blank();
  lines.text('the same as commands:', theme.dim);
  lines.command(commandLine(state, 'image', 'info', file.path));
  lines.command(commandLine(state, 'image', 'objects', file.path));
  return lines.lines;
}

function describeDigest(file: ImageFile, known: ImageOverview, lines: FactLines): void {
  const { digest, verity, measured } = known;
  if (digest === undefined) return;
  lines.field('digest', digest);
  if (file.digest !== undefined)
    lines.verdict(
      'name',
      file.digest === digest
        ? { tone: 'good', sentence: 'is its digest, computed just now' }
        : { tone: 'bad', sentence: `says ${file.digest}: the image was changed` },
    );
  lines.verdict('fs-verity', verityVerdict(digest, verity, measured));
}

function verityVerdict(
  digest: string,
  verity: ImageOverview['verity'],
  measured: string | undefined,
): Pick<Verdict, 'tone' | 'sentence'> {
  switch (verity) {
    case 'enabled':
      return measured === digest
        ? { tone: 'good', sentence: 'on, the kernel measures the same' }
        : { tone: 'bad', sentence: `on, but the kernel measures ${measured}` };
    case 'disabled':
      return { tone: 'warning', sentence: 'off' };
    case 'unsupported':
      return { tone: 'unknown', sentence: 'cannot be had where it lies' };
    case undefined:
      return { tone: 'unknown', sentence: 'unknown' };
  }
}

function describeSurvey(survey: ImageSurvey, lines: FactLines): void {
  const { counts, objects, withoutPayload } = survey;
  const unlisted = objects.filter(({ digest }) => digest === undefined).length;
  lines.blank();
  lines.field('format', `EROFS, composefs version ${survey.composefsVersion}`);
  lines.field('POSIX ACLs', survey.hasAcl ? 'some' : 'none');
  lines.field('oldest', `${timeOf(Number(survey.buildTimeSec))} UTC`);
  lines.field('inodes', `${survey.inodes} (256 of them hide the object folders)`);
  lines.field('blocks', String(survey.blocks));
  lines.blank();
  lines.field('folders', String(counts.directories));
  lines.field('files', `${counts.backedFiles} backed by objects, ${counts.inlineFiles} in the image`);
  lines.field(
    'content',
    `${prettyBytes(survey.inlineBytes)} in the image, ${prettyBytes(survey.fileBytes)} in all`,
  );
  lines.field('links', `${counts.symlinks} symlinks, ${survey.hardLinks} hard links`);
  const special = counts.devices + counts.whiteouts + counts.fifos + counts.sockets;
  if (special > 0)
    lines.field(
      'special',
      `${counts.devices} devices, ${counts.whiteouts} whiteouts, ${counts.fifos} fifos, ${counts.sockets} sockets`,
    );
  lines.field('objects', String(objects.length));
  if (unlisted > 0)
    lines.verdict('unprotected', {
      tone: 'warning',
      sentence: `${unlisted} objects are listed without a digest`,
    });
  if (withoutPayload.length > 0)
    lines.verdict('broken', {
      tone: 'bad',
      sentence: `${withoutPayload.length} files should have an object and name none`,
    });
}
