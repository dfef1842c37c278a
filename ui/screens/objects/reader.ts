/** Reads the objects of an image, looks at each of them, and finds who needs one. Nothing is read of their content. */
import type { Checksum } from '../../../src/base/digest.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import { silent } from '../../../src/base/progress.ts';
import { ErofsImage } from '../../../src/formats/erofs/read.ts';
import {
  type ExpectedObject,
  type ObjectFinding,
  ObjectVerifier,
  payloadObject,
} from '../../../src/image/verify-objects.ts';
import { subjectKey } from '../../models/subject.ts';
import type { Reader, Source } from '../../reader.ts';
import { findUses } from '../../trees/object-uses.ts';
import { rest, Turns } from '../../turns.ts';
import { objectsInTurns } from '../images/overview.ts';
import type { ObjectsRequest } from './state.ts';

type Of<T extends ObjectsRequest['type']> = Extract<ObjectsRequest, { type: T }>;

/** So many objects are looked at between two looks at the clock. */
const BATCH = 16;

export class ObjectsReader implements Reader<ObjectsRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  answer(request: ObjectsRequest, isStale: () => boolean): Promise<void> {
    return request.type === 'read-objects'
      ? this.#readObjects(request, isStale)
      : this.#readUses(request, isStale);
  }

  async #readObjects({ image: subject }: Of<'read-objects'>, isStale: () => boolean): Promise<void> {
    const { dispatch, system } = this.#source;
    const of = subjectKey(subject);
    try {
      const image = new ErofsImage(system.readFile(subject.path), subject.path);
      const objects = await objectsInTurns(image, isStale);
      if (objects === undefined) return;
      dispatch({ type: 'objects-listed', of, objects });
      const expected = new Map<Checksum, ExpectedObject>();
      for (const { payload, sizeBytes, digest } of objects) {
        const checksum = payloadObject(payload);
        if (checksum !== undefined)
          expected.set(checksum, { sizeBytes, digest: digest && Buffer.from(digest, 'hex') });
      }
      await this.#check(of, expected, isStale);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'objects-failed', of, message: error.message });
    }
  }

  async #check(
    of: string,
    expected: ReadonlyMap<Checksum, ExpectedObject>,
    isStale: () => boolean,
  ): Promise<void> {
    const { dispatch, repository } = this.#source;
    const verifier = new ObjectVerifier(repository(), 'metadata');
    const turns = new Turns();
    const objects = [...expected];
    let findings: ObjectFinding[] = [];
    let told = 0;
    for (let at = 0; ; at += BATCH) {
      const isDone = at >= objects.length;
      if (isDone || turns.isOver) {
        const unprotected = verifier.withoutVerity.slice(told);
        told = verifier.withoutVerity.length;
        const { unsupported } = verifier.verity;
        const checked = Math.min(at, objects.length);
        dispatch({ type: 'objects-checked', of, findings, unprotected, unsupported, checked, isDone });
        if (isDone) return;
        findings = [];
        await turns.next();
        if (isStale()) return;
      }
      const batch = new Map(objects.slice(at, at + BATCH));
      for await (const finding of verifier.verify(batch, silent())) findings.push(finding);
    }
  }

  async #readUses({ image, payload, subjects }: Of<'read-uses'>, isStale: () => boolean): Promise<void> {
    const { dispatch, repository } = this.#source;
    const of = subjectKey(image);
    const tell = (uses: Awaited<ReturnType<typeof findUses>>, problem: string | undefined): void =>
      dispatch({ type: 'uses-read', of, uses: { payload, uses: uses ?? [], problem } });
    const checksum = payloadObject(payload);
    await rest();
    if (isStale()) return;
    if (checksum === undefined) return tell([], undefined);
    try {
      const uses = await findUses(repository(), checksum, subjects, isStale);
      if (uses !== undefined && !isStale()) tell(uses, undefined);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      tell([], error.message);
    }
  }
}
