/**
 * The mutations of the fuzzer: what damage, version skew and malice do to bytes. Pure and seeded.
 */
import type { Random } from './random.ts';

export interface Mutant {
  readonly bytes: Buffer;
  /** What was done, in order, to be shown with a failure. */
  readonly steps: readonly string[];
}

type Mutation = (random: Random, bytes: Buffer, other: Uint8Array) => readonly [Buffer, string];

/**
 * One to four mutations of `bytes`. `other` is where splices come from; `text` adds mutations of lines and words.
 */
export function mutate(random: Random, bytes: Uint8Array, other: Uint8Array, text: boolean): Mutant {
  const mutations = text && random.chance(0.7) ? TEXT : BYTES;
  let out: Buffer = Buffer.from(bytes);
  const steps: string[] = [];
  for (let i = random.pick([1, 1, 1, 2, 2, 3, 4]); i > 0; i--) {
    const [next, step] = random.pick(mutations)(random, out, other);
    out = next;
    steps.push(step);
  }
  return { bytes: out, steps };
}

/** An offset, rather of a byte that means something: images are full of zero padding. */
function offsetIn(random: Random, bytes: Buffer): number {
  let at = 0;
  for (let tries = 0; tries < 6; tries++) {
    at = random.below(bytes.length);
    if (bytes[at] !== 0) break;
  }
  return at;
}

function rangeIn(random: Random, bytes: Uint8Array): readonly [start: number, end: number] {
  const start = random.below(bytes.length + 1);
  const longest = Math.min(bytes.length - start, random.pick([1, 4, 16, 64, 4096]));
  return [start, start + random.between(0, longest)];
}

const flipBits: Mutation = (random, bytes) => {
  if (bytes.length === 0) return [bytes, 'empty'];
  const at = offsetIn(random, bytes);
  const mask = random.chance(0.7) ? 1 << random.below(8) : random.between(1, 255);
  bytes[at] = (bytes[at] as number) ^ mask;
  return [bytes, `flip 0x${mask.toString(16)} at ${at}`];
};

const setByte: Mutation = (random, bytes) => {
  if (bytes.length === 0) return [bytes, 'empty'];
  const at = offsetIn(random, bytes);
  const value = random.pick([0, 1, 0x2f, 0x7f, 0x80, 0xff, random.below(256)]);
  bytes[at] = value;
  return [bytes, `byte ${at} = ${value}`];
};

/** An integer field of 2, 4 or 8 bytes gets a value near a border, near the old one, or near the length. */
const setInteger: Mutation = (random, bytes) => {
  const width = random.pick([2, 4, 8]);
  if (bytes.length < width) return [bytes, 'too short'];
  const aligned = random.chance(0.8);
  let at = Math.min(offsetIn(random, bytes), bytes.length - width);
  if (aligned) at -= at % Math.min(width, 4);
  const little = random.chance(0.7);
  const old = readInteger(bytes, at, width, little);
  const top = 1n << BigInt(8 * width);
  const length = BigInt(bytes.length);
  const value = random.pick([
    0n,
    1n,
    top - 1n,
    top >> 1n,
    (top >> 1n) - 1n,
    old + 1n,
    old - 1n,
    old * 2n,
    old + 4096n,
    length,
    length - 1n,
    length + 1n,
    length / 32n,
  ]);
  const wrapped = ((value % top) + top) % top;
  for (let i = 0; i < width; i++) {
    const shift = BigInt(8 * (little ? i : width - 1 - i));
    bytes[at + i] = Number((wrapped >> shift) & 0xffn);
  }
  return [bytes, `u${8 * width}${little ? 'le' : 'be'} at ${at} = ${wrapped}`];
};

function readInteger(bytes: Buffer, at: number, width: number, little: boolean): bigint {
  let value = 0n;
  for (let i = 0; i < width; i++)
    value = (value << 8n) | BigInt(bytes[at + (little ? width - 1 - i : i)] as number);
  return value;
}

const truncate: Mutation = (random, bytes) => {
  const length = random.chance(0.5)
    ? random.below(bytes.length + 1)
    : Math.max(0, bytes.length - random.between(1, 64));
  return [bytes.subarray(0, length), `cut to ${length}`];
};

const extend: Mutation = (random, bytes) => {
  const count = random.pick([1, 2, 31, 32, 4096]);
  const tail = random.chance(0.5) ? Buffer.alloc(count) : random.bytes(count);
  return [Buffer.concat([bytes, tail]), `${count} more`];
};

/** A part of the other input over this one's bytes, the length staying as it is. */
const overwrite: Mutation = (random, bytes, other) => {
  const [start, end] = rangeIn(random, other);
  const at = random.below(bytes.length + 1);
  const part = other.subarray(start, Math.min(end, start + bytes.length - at));
  bytes.set(part, at);
  return [bytes, `other ${start}..${start + part.length} over ${at}`];
};

const insert: Mutation = (random, bytes, other) => {
  const [start, end] = rangeIn(random, other);
  const at = random.below(bytes.length + 1);
  const out = Buffer.concat([bytes.subarray(0, at), other.subarray(start, end), bytes.subarray(at)]);
  return [out, `other ${start}..${end} into ${at}`];
};

const cutOut: Mutation = (random, bytes) => {
  const [start, end] = rangeIn(random, bytes);
  return [Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]), `without ${start}..${end}`];
};

/** A part of the bytes again elsewhere in them: cycles and duplicates come from this. */
const copyWithin: Mutation = (random, bytes) => {
  const [start, end] = rangeIn(random, bytes);
  const at = random.below(bytes.length + 1);
  bytes.copyWithin(at, start, end);
  return [bytes, `${start}..${end} over ${at}`];
};

const BYTES: readonly Mutation[] = [
  flipBits,
  flipBits,
  setByte,
  setByte,
  setInteger,
  setInteger,
  setInteger,
  truncate,
  extend,
  overwrite,
  insert,
  cutOut,
  copyWithin,
  copyWithin,
];

const editLines =
  (name: string, edit: (random: Random, lines: string[], at: number, other: string) => void): Mutation =>
  (random, bytes, other) => {
    const lines = bytes.toString('latin1').split('\n');
    const at = random.below(lines.length);
    edit(random, lines, at, random.pick(Buffer.from(other).toString('latin1').split('\n')));
    return [Buffer.from(lines.join('\n'), 'latin1'), `${name} line ${at}`];
  };

const WORDS = [
  '',
  '-',
  '/',
  '.',
  '..',
  '=',
  '0',
  '-1',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '18446744073709551616',
  '1e9',
  '0x10',
  'NaN',
  '\\',
  '\\x',
  '\\x0',
  '\\x00',
  '\\xff',
  '\\n',
  '[',
  '[]',
  '@',
  '#',
  ';',
  '\0',
  '\r',
  '\t',
  'é',
  '\xff',
  'a'.repeat(5001),
  '%',
  '777',
  '177777',
];

const editWord: Mutation = (random, bytes) => {
  const parts = bytes.toString('latin1').split(/([ \n=.])/);
  const at = random.below(parts.length);
  const word = random.pick(WORDS);
  parts[at] = random.chance(0.3) ? `${parts[at]}${word}` : word;
  return [Buffer.from(parts.join(''), 'latin1'), `word ${at} = ${JSON.stringify(word.slice(0, 20))}`];
};

const TEXT: readonly Mutation[] = [
  editWord,
  editWord,
  editWord,
  editLines('without', (_, lines, at) => lines.splice(at, 1)),
  editLines('twice', (_, lines, at) => lines.splice(at, 0, lines[at] as string)),
  editLines('other over', (_, lines, at, other) => lines.splice(at, 1, other)),
  editLines('swap', (random, lines, at) => {
    const with_ = random.below(lines.length);
    [lines[at], lines[with_]] = [lines[with_] as string, lines[at] as string];
  }),
  editLines('cut', (random, lines, at) =>
    lines.splice(at, 1, (lines[at] as string).slice(0, random.below((lines[at] as string).length + 1))),
  ),
];
