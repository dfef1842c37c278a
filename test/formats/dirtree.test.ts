import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type ByteString, bytesToString, textToBytes } from '../../src/base/bytes.ts';
import { FormatError } from '../../src/base/errors.ts';
import { finish } from '../../src/base/steps.ts';
import { type DirtreeSink, readDirtree, readDirtreeSteps } from '../../src/formats/dirtree.ts';
import { readVariant, writeVariant } from '../../src/formats/gvariant.ts';
import fc from '../support/fast-check.ts';
import { mutate } from '../support/mutate.ts';
import { Random } from '../support/random.ts';

const TYPE = '(a(say)a(sayay))';

/** Entries as lines, or undefined when the bytes are refused; read in one go, and in steps. */
function direct(bytes: Buffer): string[] | undefined {
  const whole = linesOf(bytes, readDirtree);
  const inSteps = linesOf(bytes, (...args) => finish(readDirtreeSteps(...args)));
  assert.deepEqual(inSteps, whole);
  return whole;
}

function linesOf(
  bytes: Buffer,
  read: (bytes: Buffer, where: string, sink: DirtreeSink) => void,
): string[] | undefined {
  const entries: string[] = [];
  try {
    read(bytes, 'dirtree', {
      file: (name, checksum) => entries.push(`${name} ${checksum}`),
      directory: (name, tree, meta) => entries.push(`${name} ${tree} ${meta}`),
    });
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error));
    return undefined;
  }
  return entries;
}

/** The same by way of the general reader. */
function general(bytes: Buffer): string[] | undefined {
  let lists: readonly (readonly (readonly [ByteString, ...Buffer[]])[])[];
  try {
    lists = readVariant(TYPE, bytes, 'dirtree') as typeof lists;
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error));
    return undefined;
  }
  const entries = lists.flat();
  if (entries.some(([, ...checksums]) => checksums.some(({ length }) => length !== 32))) return undefined;
  return entries.map(([name, ...checksums]) =>
    [name, ...checksums.map((bytes) => bytes.toString('hex'))].join(' '),
  );
}

const name = fc
  .oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom('x'.repeat(255), 'é'.repeat(127)))
  .map((text) => textToBytes(text.replaceAll('\0', '')));
const checksum = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const dirtree = fc
  .tuple(
    fc.array(fc.tuple(name, checksum), { maxLength: 12 }),
    fc.array(fc.tuple(name, checksum, checksum), { maxLength: 12 }),
  )
  .map((lists) => writeVariant(TYPE, lists));

it('reads what the general reader reads', () => {
  fc.assert(
    fc.property(dirtree, (bytes) => {
      assert.ok(direct(bytes) !== undefined);
      assert.deepEqual(direct(bytes), general(bytes));
    }),
    { numRuns: 500 },
  );
});

it('reads large dirtrees, whose offsets are wider', () => {
  for (const count of [5, 6, 7, 1000, 1700, 40_000]) {
    const files = Array.from({ length: count }, (_, i) => [
      bytesToString(Buffer.from(`${i}`)),
      Buffer.alloc(32, i),
    ]);
    const bytes = writeVariant(TYPE, [files, files.slice(0, 1000).map(([name, sum]) => [name!, sum!, sum!])]);
    assert.deepEqual(direct(bytes), general(bytes), `${count} files`);
  }
});

it('refuses what the general reader refuses', () => {
  const random = new Random(1);
  let accepted = 0;
  const [other] = fc.sample(dirtree, { seed: 7, numRuns: 1 });
  for (const bytes of fc.sample(dirtree, { seed: 1, numRuns: 200 })) {
    for (let i = 0; i < 100; i++) {
      const mutant = Buffer.from(mutate(random, bytes, other!, false).bytes);
      const result = direct(mutant);
      assert.deepEqual(result, general(mutant), mutant.toString('hex'));
      if (result !== undefined) accepted++;
    }
  }
  assert.ok(accepted > 1000, `only ${accepted} of 20,000 mutants are dirtrees`);
});

it('reads a huge one in many steps', () => {
  const checksum = Buffer.alloc(32, 1);
  const files = Array.from({ length: 10_000 }, (_, i) => [textToBytes(`name-${i}`), checksum]);
  const dirs = Array.from({ length: 5000 }, (_, i) => [textToBytes(`folder-${i}`), checksum, checksum]);
  const sink = { file: () => count++, directory: () => count++ };
  let count = 0;
  let steps = 0;
  for (const _ of readDirtreeSteps(writeVariant(TYPE, [files, dirs]), 'dirtree', sink)) steps++;
  assert.deepEqual([count, steps], [15_000, 6]);
});
