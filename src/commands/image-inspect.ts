/** `sealtree image info|ls|dump|objects|missing-objects`: looking into an image. */
import { type ByteString, textToBytes } from '../base/bytes.ts';
import { ExitCode, NotFoundError } from '../base/errors.ts';
import { formatDump, walkOnly } from '../formats/erofs/dump.ts';
import { dumpImage } from '../formats/erofs/dump-image.ts';
import { ErofsImage, type WalkedEntry } from '../formats/erofs/read.ts';
import { surveyImage } from '../image/inspect.ts';
import { findMissingObjects } from '../image/verify-image.ts';
import type { Context } from './context.ts';
import { nameBytes, writeAll } from './output.ts';
import {
  imageEntryJson,
  imageEntryLine,
  objectJson,
  objectLine,
  surveyJson,
  surveyLines,
} from './text/image.ts';

export function openImage(context: Context, file: string): ErofsImage {
  return new ErofsImage(context.system.readFile(context.path(file)), file);
}

export async function info(context: Context, file: string): Promise<number> {
  const survey = surveyImage(openImage(context, file));
  if (context.options.json) context.printJson('image-info', surveyJson(survey));
  else for (const line of surveyLines(survey)) context.print(line);
  return ExitCode.ok;
}

export async function ls(context: Context, file: string, path = '/'): Promise<number> {
  const image = openImage(context, file);
  const entries = below(image.walk(), textToBytes(path), path);
  if (context.options.json) {
    context.printJsonList(
      'image-ls',
      'entries',
      entries.map((entry) => imageEntryJson(image, entry, false)),
    );
    return ExitCode.ok;
  }
  writeAll(
    entries.map((entry) => imageEntryLine(image, entry, (name) => nameBytes(name, context.stdout))),
    context.stdout,
  );
  return ExitCode.ok;
}

export async function dump(
  context: Context,
  file: string,
  { filter = [] }: { filter?: string[] },
): Promise<number> {
  const image = openImage(context, file);
  const only = new Set<ByteString>(filter.map(textToBytes));
  if (context.options.json) {
    const entries = only.size === 0 ? image.walk() : walkOnly(image, only);
    context.printJsonList(
      'image-dump',
      'entries',
      entries.map((entry) => imageEntryJson(image, entry, true)),
    );
  } else if (only.size === 0) {
    for (const piece of dumpImage(image)) context.write(piece);
  } else {
    writeAll(formatDump(image, { only }), context.stdout);
  }
  return ExitCode.ok;
}

export async function objects(context: Context, file: string): Promise<number> {
  const { objects } = surveyImage(openImage(context, file));
  if (context.options.json) context.printJsonList('image-objects', 'objects', objects.map(objectJson));
  else
    writeAll(
      objects.map((object) => objectLine(object, (name) => nameBytes(name, context.stdout))),
      context.stdout,
    );
  return ExitCode.ok;
}

export async function missingObjects(
  context: Context,
  file: string,
  options: { readonly objects: string },
): Promise<number> {
  const { objects } = surveyImage(openImage(context, file));
  const missing = findMissingObjects(objects, context.path(options.objects), context.system);
  if (context.options.json)
    context.printJsonList('image-missing-objects', 'objects', missing.map(objectJson));
  else
    writeAll(
      missing.map(({ payload }) => `${nameBytes(payload, context.stdout)}\n` as ByteString),
      context.stdout,
    );
  return ExitCode.ok;
}

/** The entry at `path` and all below it. */
function* below(entries: Iterable<WalkedEntry>, path: ByteString, shown: string): Generator<WalkedEntry> {
  const top = `/${path.split('/').filter(Boolean).join('/')}` as ByteString;
  const prefix = top === '/' ? top : `${top}/`;
  let found = false;
  for (const entry of entries) {
    if (entry.path !== top && !entry.path.startsWith(prefix)) continue;
    found = true;
    yield entry;
  }
  if (!found) throw new NotFoundError(`${shown}: not in the image`);
}
