import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { isElf, readElf } from '../../src/formats/elf.ts';
import { makeElf } from '../support/elf.ts';

describe('ELF files', () => {
  for (const bits of [32, 64] as const) {
    for (const isLittleEndian of [true, false]) {
      it(`reads one of ${bits} bits, ${isLittleEndian ? 'little' : 'big'}-endian`, () => {
        const elf = readElf(
          makeElf({
            bits,
            isLittleEndian,
            machine: 183,
            interpreter: '/lib/ld-linux-aarch64.so.1',
            needed: ['libone.so.1', 'libtwo.so'],
            rpath: '/opt/a:$ORIGIN/../lib',
            runpath: '/usr/lib/private',
          }),
          'program',
        );
        assert.deepEqual(elf, {
          bits,
          isLittleEndian,
          machine: 183,
          interpreter: '/lib/ld-linux-aarch64.so.1',
          needed: ['libone.so.1', 'libtwo.so'],
          rpath: ['/opt/a', '$ORIGIN/../lib'],
          runpath: ['/usr/lib/private'],
        });
      });
    }
  }

  it('reads a static program, which needs nothing', () => {
    const elf = readElf(makeElf({ isStatic: true }), 'program');
    assert.deepEqual([elf.interpreter, elf.needed, elf.rpath, elf.runpath], [undefined, [], [], []]);
  });

  it('reads the program that runs this', () => {
    const { bits, interpreter, needed } = readElf(readFileSync(process.execPath), process.execPath);
    assert.equal(bits, /64|s390x/.test(process.arch) ? 64 : 32);
    assert.match(interpreter ?? '', /^\//);
    assert(needed.some((name) => name.startsWith('libc.')));
  });

  it('tells what is no ELF file', () => {
    assert(!isElf(Buffer.from('#!/bin/sh\n')));
    assert(!isElf(Buffer.alloc(0)));
    assert(isElf(makeElf({})));
    assert.throws(() => readElf(Buffer.from('#!/bin/sh\n'), 'script'), FormatError);
  });

  it('refuses one that is cut off in what it needs', () => {
    const whole = makeElf({ interpreter: '/lib/ld.so', needed: ['libone.so.1'], runpath: '/a' });
    for (let length = 0; length < whole.length; length++)
      assert.throws(() => readElf(whole.subarray(0, length), 'program'), FormatError, `cut to ${length}`);
  });

  const BROKEN: readonly (readonly [what: string, (elf: Buffer) => void, message: RegExp])[] = [
    ['an unknown class', (elf) => elf.writeUInt8(3, 4), /EI_CLASS/],
    ['an unknown byte order', (elf) => elf.writeUInt8(0, 5), /EI_DATA/],
    ['program headers of another size', (elf) => elf.writeUInt16LE(55, 54), /size of a program header/],
    ['program headers behind the end', (elf) => elf.writeBigUInt64LE(1n << 40n, 32), /past the end/],
    ['an offset beyond 2^53', (elf) => elf.writeBigUInt64LE(1n << 60n, 32), /e_phoff/],
    [
      'a table of names that is not loaded',
      (elf) => elf.writeBigUInt64LE(1n << 40n, 64 + 16),
      /not in the file/,
    ],
  ];
  for (const [what, damage, message] of BROKEN) {
    it(`refuses ${what}`, () => {
      const elf = makeElf({ needed: ['libone.so.1'] });
      damage(elf);
      assert.throws(
        () => readElf(elf, 'program'),
        (error: unknown) => error instanceof FormatError && message.test(error.message),
      );
    });
  }
});
