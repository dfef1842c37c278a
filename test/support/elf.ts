/** Makes ELF files that have nothing but what a dynamic loader looks for. */

export interface ElfParts {
  /** Default 64. */
  readonly bits?: 32 | 64;
  /** Default true. */
  readonly isLittleEndian?: boolean;
  /** e_machine; default 62, x86-64. */
  readonly machine?: number;
  /** Without a dynamic section. */
  readonly isStatic?: boolean;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  /** Folders, with `:` between them. */
  readonly rpath?: string;
  readonly runpath?: string;
}

/** Loaded at this address, so that addresses and offsets differ. */
const BASE = 0x400000;

export function makeElf(parts: ElfParts): Buffer {
  const { bits = 64, isLittleEndian = true, machine = 62, needed = [] } = parts;
  const is64 = bits === 64;
  const width = bits / 8;
  const headerSize = is64 ? 64 : 52;
  const entrySize = is64 ? 56 : 32;

  const number = (value: number, size: number): Buffer => {
    const bytes = Buffer.alloc(size);
    bytes.writeUIntLE(value, 0, Math.min(size, 6));
    return isLittleEndian ? bytes : bytes.reverse();
  };
  const word = (value: number): Buffer => number(value, width);

  const segmentCount = 1 + (parts.isStatic ? 0 : 1) + (parts.interpreter === undefined ? 0 : 1);
  const interpreter = Buffer.from(parts.interpreter === undefined ? '' : `${parts.interpreter}\0`);
  const interpreterAt = headerSize + segmentCount * entrySize;
  const names = ['', ...needed, parts.rpath ?? '', parts.runpath ?? ''];
  const table = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
  const nameAt = (index: number): number =>
    names.slice(0, index).reduce((sum, name) => sum + name.length + 1, 0);

  const tags: (readonly [tag: number, value: number])[] = [
    ...needed.map((_, i) => [1, nameAt(i + 1)] as const),
    ...(parts.rpath === undefined ? [] : [[15, nameAt(needed.length + 1)] as const]),
    ...(parts.runpath === undefined ? [] : [[29, nameAt(needed.length + 2)] as const]),
  ];
  const dynamicAt = interpreterAt + interpreter.length;
  const dynamicSize = (tags.length + 3) * 2 * width;
  const tableAt = dynamicAt + dynamicSize;
  tags.push([5, BASE + tableAt], [10, table.length], [0, 0]);
  const dynamic = tags.flatMap(([tag, value]) => [word(tag), word(value)]);
  const size = parts.isStatic ? interpreterAt : tableAt + table.length;

  const segment = (type: number, offset: number, length: number): Buffer =>
    Buffer.concat(
      is64
        ? [
            number(type, 4),
            number(5, 4),
            word(offset),
            word(BASE + offset),
            word(0),
            word(length),
            word(length),
            word(8),
          ]
        : [
            number(type, 4),
            word(offset),
            word(BASE + offset),
            word(0),
            word(length),
            word(length),
            word(5),
            word(8),
          ],
    );
  const ident = Buffer.from([
    0x7f,
    0x45,
    0x4c,
    0x46,
    is64 ? 2 : 1,
    isLittleEndian ? 1 : 2,
    1,
    ...Array(9).fill(0),
  ]);
  return Buffer.concat([
    ident,
    ...[number(3, 2), number(machine, 2), number(1, 4), word(0), word(headerSize), word(0), number(0, 4)],
    ...[
      number(headerSize, 2),
      number(entrySize, 2),
      number(segmentCount, 2),
      number(0, 2),
      number(0, 2),
      number(0, 2),
    ],
    segment(1, 0, size),
    ...(parts.isStatic ? [] : [segment(2, dynamicAt, dynamicSize)]),
    ...(parts.interpreter === undefined ? [] : [segment(3, interpreterAt, interpreter.length)]),
    ...(parts.isStatic ? [interpreter] : [interpreter, ...dynamic, table]),
  ]);
}
