import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Variant } from '../../src/formats/gvariant.ts';
import { signaturesIn } from '../../src/repository/signatures.ts';
import fc from '../support/fast-check.ts';

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const gpg = (bytes: Buffer) =>
  signaturesIn(new Map<string, Variant>([['ostree.gpgsigs', { type: 'aay', value: [bytes] }]]))[0];

describe('signatures', () => {
  it('are none where there is no detached metadata', () => {
    assert.deepEqual(signaturesIn(undefined), []);
    assert.deepEqual(signaturesIn(new Map()), []);
  });

  it('are listed by type, and only where the type is right', () => {
    const found = signaturesIn(
      new Map<string, Variant>([
        ['ostree.sign.ed25519', { type: 'aay', value: [Buffer.alloc(64, 1), Buffer.alloc(64, 2)] }],
        ['ostree.sign.spki', { type: 'ay', value: Buffer.alloc(64) }],
        ['ostree.gpgsigs', { type: 'aay', value: [] }],
      ]),
    );
    assert.deepEqual(
      found.map(({ type, bytes, keyId }) => [type, bytes[0], keyId]),
      [
        ['ed25519', 1, undefined],
        ['ed25519', 2, undefined],
      ],
    );
  });

  // Hashed: creation time 0x5e000000; unhashed: issuer, in old and new packet framing, and a version 3 packet.
  const v4 = '04 00 01 08 0006 05 02 5e000000 000a 09 10 0123456789abcdef abcd';
  for (const [what, packet] of [
    ['an old packet header', `88 1a ${v4}`],
    ['an old header with two bytes of length', `89 001a ${v4}`],
    ['a new packet header', `c2 1a ${v4}`],
    ['a new header with five bytes of length', `c2 ff 0000001a ${v4}`],
    ['version 3', '88 11 03 05 00 5e000000 0123456789abcdef 01 08'],
  ] as const)
    it(`tell issuer and time from ${what}`, () => {
      const signature = gpg(hex(packet));
      assert.equal(signature?.keyId, '0123456789ABCDEF');
      assert.equal(signature?.createdSec, 0x5e00_0000);
    });

  it('prefer a fingerprint to a key id', () => {
    const fingerprint = '00112233445566778899aabbccddeeff00112233';
    const packet = hex(
      `c2 2c 04 00 16 08 0017 16 21 04 ${fingerprint} 000a 09 10 0123456789abcdef abcd 0000000000`,
    );
    assert.equal(gpg(packet)?.keyId, fingerprint.toUpperCase());
  });

  it('of any bytes are listed without facts', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom('', '88 1c', 'c2 1c', `c2 1c ${v4.slice(0, 20)}`),
        (tail, head) => {
          const bytes = Buffer.concat([hex(head), tail]);
          assert.deepEqual(gpg(bytes)?.bytes, bytes);
        },
      ),
    );
  });
});
