/** What is in an image, read in turns with others. */
import { type Digest, digestOf } from '../../../src/base/digest.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import type { System, VerityMeasurement } from '../../../src/base/system.ts';
import { ErofsImage } from '../../../src/formats/erofs/read.ts';
import { VerityHasher } from '../../../src/formats/verity.ts';
import { type ImageObject, type ImageSurvey, ImageSurveyor } from '../../../src/image/inspect.ts';
import { Turns } from '../../turns.ts';

export interface ImageOverview {
  readonly path: string;
  /** Undefined where it is damaged: `problem` says how. */
  readonly survey: ImageSurvey | undefined;
  /** Of the bytes, whatever they are; undefined where they could not be read. */
  readonly digest: Digest | undefined;
  readonly verity: VerityMeasurement['state'] | undefined;
  /** What the kernel measures, where it has fs-verity. */
  readonly measured: string | undefined;
  readonly problem: string | undefined;
}

/** Undefined once it is stale. */
export async function readOverview(
  path: string,
  system: System,
  isStale: () => boolean,
): Promise<ImageOverview | undefined> {
  let known: Omit<ImageOverview, 'problem'> = {
    path,
    survey: undefined,
    digest: undefined,
    verity: undefined,
    measured: undefined,
  };
  try {
    known = { ...known, ...verityOf(path, system) };
    const bytes = system.readFile(path);
    const digest = await digestInTurns(bytes, isStale);
    if (digest === undefined) return undefined;
    known = { ...known, digest };
    const surveyor = await surveyorInTurns(new ErofsImage(bytes, path), isStale);
    return surveyor && { ...known, survey: surveyor.survey(digest), problem: undefined };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return { ...known, problem: error.message };
  }
}

function verityOf(path: string, system: System): Pick<ImageOverview, 'verity' | 'measured'> {
  const fd = system.openRead(path, { noFollow: true });
  try {
    const verity = system.measureVerity(fd);
    const measured = verity.state === 'enabled' ? verity.digest.toString('hex') : undefined;
    return { verity: verity.state, measured };
  } finally {
    system.close(fd);
  }
}

const CHUNK = 1024 * 1024;

async function digestInTurns(bytes: Buffer, isStale: () => boolean): Promise<Digest | undefined> {
  const hasher = new VerityHasher();
  const turns = new Turns();
  for (let at = 0; at < bytes.length; at += CHUNK) {
    hasher.update(bytes.subarray(at, at + CHUNK));
    if (!turns.isOver) continue;
    await turns.next();
    if (isStale()) return undefined;
  }
  return digestOf(hasher.digest());
}

/** The objects an image points to. Undefined once it is stale. @throws FormatError */
export async function objectsInTurns(
  image: ErofsImage,
  isStale: () => boolean,
): Promise<readonly ImageObject[] | undefined> {
  return (await surveyorInTurns(image, isStale))?.objects;
}

async function surveyorInTurns(
  image: ErofsImage,
  isStale: () => boolean,
): Promise<ImageSurveyor | undefined> {
  const surveyor = new ImageSurveyor(image);
  const turns = new Turns();
  let count = 0;
  for (const entry of image.walk()) {
    surveyor.add(entry);
    if (++count % 64 !== 0 || !turns.isOver) continue;
    await turns.next();
    if (isStale()) return undefined;
  }
  return surveyor;
}
