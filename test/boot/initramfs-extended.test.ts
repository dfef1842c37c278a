import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError } from '../../src/base/errors.ts';
import { S_IFREG } from '../../src/base/mode.ts';
import {
  ADDITION_NAME,
  extendInitramfs,
  packAddition,
  splitAddition,
} from '../../src/boot/initramfs/extended.ts';
import { readCpio, writeCpio } from '../../src/formats/cpio.ts';
import fc from '../support/fast-check.ts';
import { Random } from '../support/random.ts';

const archive = writeCpio([
  {
    name: 'usr/lib/sealtree/seal-root' as ByteString,
    mode: S_IFREG | 0o755,
    content: Buffer.from('#!/bin/sh\n'),
  },
]);
const addition = packAddition(archive);
const extend = (original: Uint8Array): Buffer => Buffer.concat(extendInitramfs(original, addition));

describe('extended initramfs files', () => {
  it('are the original, zeros, the addition and the end mark', () => {
    const original = Buffer.from('some initramfs');
    const bytes = extend(original);
    const parts = splitAddition(bytes, 'initramfs');
    assert(parts !== undefined);
    assert(bytes.subarray(0, parts.originalEnd).equals(original));
    assert(bytes.subarray(parts.originalEnd, parts.additionStart).every((byte) => byte === 0));
    assert(bytes.subarray(parts.additionStart, parts.additionEnd).equals(addition));
    assert.deepEqual(readCpio(gunzipSync(bytes.subarray(parts.additionEnd)), 'mark').entries, []);
  });

  it('have the addition at a multiple of 4, behind at least 4 zeros', () => {
    for (let length = 0; length < 9; length++) {
      const { originalEnd = 0, additionStart = 0 } =
        splitAddition(extend(Buffer.alloc(length, 1)), 'x') ?? {};
      assert.equal(originalEnd, length);
      assert.equal(additionStart % 4, 0);
      assert(additionStart - originalEnd >= 4 && additionStart - originalEnd < 8);
    }
  });

  it('give the original back, whatever it ends in', () => {
    const ends = [
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(513),
      addition,
      gzipSync(archive),
      extend(Buffer.from('a')),
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...ends), (start, end) => {
        const original = Buffer.concat([start, end]);
        const bytes = extend(original);
        const parts = splitAddition(bytes, 'initramfs');
        assert(bytes.subarray(0, parts?.originalEnd).equals(original));
        assert(bytes.subarray(parts?.additionStart, parts?.additionEnd).equals(addition));
      }),
    );
  });

  it('are told from others', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(4096),
      archive,
      gzipSync(archive),
      new Random(1).bytes(4096),
    ])
      assert.equal(splitAddition(bytes, 'initramfs'), undefined);
    // An overlay initrd is an addition and nothing else.
    assert.equal(splitAddition(addition, 'overlay'), undefined);
  });

  const whole = extend(new Random(2).bytes(1001));
  const { additionStart, additionEnd } = splitAddition(whole, 'initramfs') ?? assert.fail('it is extended');

  it('are refused when anything of the original, the zeros or the end mark has changed', () => {
    const places = [...whole.keys()].filter((at) => at < additionStart || at >= additionEnd);
    for (const at of places) {
      const changed = Buffer.from(whole);
      changed.writeUInt8((changed[at] as number) ^ 0x20, at);
      assert.throws(() => splitAddition(changed, 'initramfs'), FormatError, `byte ${at}`);
    }
  });

  it('are refused when they are cut off behind the start of the addition', () => {
    for (let length = additionStart + ADDITION_NAME.length + 11; length < whole.length; length++)
      assert.throws(
        () => splitAddition(whole.subarray(0, length), 'initramfs'),
        FormatError,
        `cut to ${length}`,
      );
  });

  it('are refused when something follows', () => {
    for (const more of [Buffer.alloc(1), Buffer.alloc(512), gzipSync(archive)])
      assert.throws(
        () => splitAddition(Buffer.concat([whole, more]), 'initramfs'),
        /end mark .* is not at its end/,
      );
  });

  it('are refused when the addition is another one than the mark says', () => {
    const other = packAddition(writeCpio([]));
    const changed = Buffer.concat([whole.subarray(0, additionStart), other, whole.subarray(additionEnd)]);
    assert.throws(() => splitAddition(changed, 'initramfs'), FormatError);
  });

  it('have additions that are the same for the same archive', () => {
    assert(packAddition(Buffer.from(archive)).equals(addition));
    assert(gunzipSync(addition).equals(archive));
  });

  it('have no gzip header field but the name: the kernel skips no other', () => {
    for (const at of [additionStart, additionEnd]) assert.equal(whole[at + 3], 0x08);
  });
});
