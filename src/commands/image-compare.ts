/** `sealtree image verify` and `sealtree image diff`. */
import { displayBytes } from '../base/bytes.ts';
import { type Digest, digestOf, isHex64 } from '../base/digest.ts';
import { ExitCode, UsageError } from '../base/errors.ts';
import { readTree } from '../formats/erofs/read.ts';
import { verityDigest } from '../formats/verity.ts';
import { diffObjects, diffTrees, firstDifference } from '../image/diff.ts';
import { surveyImage } from '../image/inspect.ts';
import { locate } from '../image/locate.ts';
import { type ImageVerification, verifyImage } from '../image/verify-image.ts';
import type { Context } from './context.ts';
import { openImage } from './image-inspect.ts';
import { countFindings, renderFindings } from './text/findings.ts';
import { changeJson, changeLines, objectJson, placeJson, placeText } from './text/image.ts';

export interface VerifyOptions {
  readonly digest?: string;
  readonly objects?: string;
  readonly requireVerity?: boolean;
}

export function parseDigestOption(text: string | undefined): { digest?: Digest } {
  if (text === undefined) return {};
  if (!isHex64(text))
    throw new UsageError(`--digest takes 64 hexadecimal digits, not ${JSON.stringify(text)}`);
  return { digest: text as Digest };
}

export async function verify(context: Context, file: string, options: VerifyOptions): Promise<number> {
  const result = await verifyImage(context.path(file), context.system, {
    ...parseDigestOption(options.digest),
    ...(options.objects === undefined ? {} : { objects: context.path(options.objects) }),
    requireVerity: options.requireVerity ?? false,
    progress: context.progress(),
  });
  const { findings, digest, objects, objectsRead } = result;
  if (context.options.json) {
    context.printJson('image-verify', { imageDigest: digest, objects, objectsRead, findings });
  } else {
    for (const line of renderFindings(findings, context.style)) context.print(line);
    if (!context.options.quiet || findings.length > 0) context.print(verifySummary(result));
  }
  return findings.some(({ severity }) => severity === 'error') ? ExitCode.findings : ExitCode.ok;
}

/** One line that says what was looked at, and never more than that. */
function verifySummary({ inodes, digest, objects, objectsRead, findings }: ImageVerification): string {
  const seen = inodes === undefined ? 'not readable as an image' : `${inodes} inodes read`;
  const looked =
    objects === 0 ? '' : `, ${objects} objects looked at, ${objectsRead} of them read and hashed`;
  return `${digest}: ${seen}${looked}: ${countFindings(findings)}`;
}

export async function diff(
  context: Context,
  fileA: string,
  fileB: string,
  options: { readonly exitCode?: boolean },
): Promise<number> {
  const a = openImage(context, fileA);
  const b = openImage(context, fileB);
  const digests = { a: digestOf(verityDigest(a.bytes)), b: digestOf(verityDigest(b.bytes)) };
  const changes = diffTrees(readTree(a), readTree(b));
  const objects = diffObjects(surveyImage(a).objects, surveyImage(b).objects);
  const offset = firstDifference(a, b);
  const parting = offset === undefined ? undefined : { offset, a: locate(a, offset), b: locate(b, offset) };
  const code = options.exitCode && parting !== undefined ? ExitCode.failed : ExitCode.ok;

  if (context.options.json) {
    context.printJson('image-diff', {
      identical: parting === undefined,
      imageDigests: digests,
      firstDifference:
        parting === undefined
          ? null
          : { offset: parting.offset, a: placeJson(parting.a), b: placeJson(parting.b) },
      changes: Array.from(changes, changeJson),
      objects: {
        shared: objects.shared,
        onlyInA: objects.onlyInA.map(objectJson),
        onlyInB: objects.onlyInB.map(objectJson),
        changed: objects.changed.map((pair) => ({ a: objectJson(pair.a), b: objectJson(pair.b) })),
      },
    });
    return code;
  }
  if (parting === undefined) {
    context.print(`identical: ${digests.a}`);
    return code;
  }
  for (const change of changes) for (const line of changeLines(change)) context.print(line);
  for (const { payload } of objects.onlyInA) context.print(`D object ${displayBytes(payload)}`);
  for (const { payload } of objects.onlyInB) context.print(`A object ${displayBytes(payload)}`);
  for (const pair of objects.changed) context.print(`M object ${displayBytes(pair.a.payload)}`);
  context.print(`digests: ${digests.a} ${digests.b}`);
  context.print(`first different byte: ${placeText(parting.offset, parting.a, parting.b)}`);
  return code;
}
