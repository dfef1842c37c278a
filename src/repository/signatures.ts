/**
 * Signatures in a commit's detached metadata: which there are and who made them, as far as that can be read
 * without checking them. Checking needs keys and is the caller's business; nothing here says "valid".
 */
import type { VariantMap } from '../formats/objects.ts';

export type SignatureType = 'gpg' | 'ed25519' | 'spki';

export interface Signature {
  readonly type: SignatureType;
  /** The signature as stored, over the commit's bytes. */
  readonly bytes: Buffer;
  /** For gpg: key id (16 hex digits, upper case) or fingerprint of the issuer, when the packet names it. */
  readonly keyId: string | undefined;
  /** For gpg: seconds since 1970, when the packet says so. */
  readonly createdSec: number | undefined;
}

/** Keys of detached metadata, each an `aay` (libostree's ostree-core.h and ostree-sign-*.c). */
const METADATA_KEYS: ReadonlyMap<SignatureType, string> = new Map([
  ['gpg', 'ostree.gpgsigs'],
  ['ed25519', 'ostree.sign.ed25519'],
  ['spki', 'ostree.sign.spki'],
]);

/** The signatures of a commit, from its detached metadata; entries of another type than `aay` are ignored. */
export function signaturesIn(detached: VariantMap | undefined): Signature[] {
  const signatures: Signature[] = [];
  for (const [type, key] of METADATA_KEYS) {
    const variant = detached?.get(key);
    if (variant?.type !== 'aay') continue;
    for (const bytes of variant.value as readonly Buffer[]) {
      const facts = type === 'gpg' ? openPgpFacts(bytes) : undefined;
      signatures.push({ type, bytes, keyId: facts?.keyId, createdSec: facts?.createdSec });
    }
  }
  return signatures;
}

interface OpenPgpFacts {
  keyId: string | undefined;
  createdSec: number | undefined;
}

const SIGNATURE_PACKET = 2;
/** Signature subpackets of RFC 9580, section 5.2.3.7. */
const SUBPACKET_CREATED = 2;
const SUBPACKET_ISSUER = 16;
const SUBPACKET_ISSUER_FINGERPRINT = 33;

/** Issuer and time of the first OpenPGP signature packet; what cannot be read stays undefined. */
function openPgpFacts(bytes: Buffer): OpenPgpFacts {
  const facts: OpenPgpFacts = { keyId: undefined, createdSec: undefined };
  const body = packetBody(bytes);
  if (body === undefined) return facts;
  if (body[0] === 3 && body.length >= 15) {
    facts.createdSec = body.readUInt32BE(3);
    facts.keyId = hex(body.subarray(7, 15));
    return facts;
  }
  // Version 4: type, two algorithms, then hashed and unhashed subpackets, each with a 2-byte length.
  if (body[0] !== 4) return facts;
  let at = 4;
  for (let area = 0; area < 2 && at + 2 <= body.length; area++) {
    const end = at + 2 + body.readUInt16BE(at);
    if (end > body.length) return facts;
    readSubpackets(body.subarray(at + 2, end), facts);
    at = end;
  }
  return facts;
}

/** Body of the first packet when it is a signature (RFC 9580, section 4.2). */
function packetBody(bytes: Buffer): Buffer | undefined {
  const tag = bytes[0];
  if (tag === undefined || (tag & 0x80) === 0) return undefined;
  let header: number;
  let length: number;
  if ((tag & 0x40) !== 0) {
    if ((tag & 0x3f) !== SIGNATURE_PACKET) return undefined;
    const size = newLength(bytes, 1);
    if (size === undefined) return undefined;
    [length, header] = size;
    header += 1;
  } else {
    const width = [1, 2, 4][tag & 3];
    if (((tag >> 2) & 0xf) !== SIGNATURE_PACKET || width === undefined || bytes.length < 1 + width)
      return undefined;
    length = bytes.readUIntBE(1, width);
    header = 1 + width;
  }
  return header + length > bytes.length ? undefined : bytes.subarray(header, header + length);
}

function readSubpackets(area: Buffer, facts: OpenPgpFacts): void {
  for (let at = 0; at < area.length; ) {
    const size = newLength(area, at);
    if (size === undefined) return;
    const [length, width] = size;
    const start = at + width;
    const end = start + length;
    if (length === 0 || end > area.length) return;
    // The highest bit marks a critical subpacket.
    const type = area[start]! & 0x7f;
    const data = area.subarray(start + 1, end);
    if (type === SUBPACKET_CREATED && data.length === 4) facts.createdSec ??= data.readUInt32BE(0);
    else if (type === SUBPACKET_ISSUER && data.length === 8) facts.keyId ??= hex(data);
    else if (type === SUBPACKET_ISSUER_FINGERPRINT && data.length > 1) facts.keyId = hex(data.subarray(1));
    at = end;
  }
}

/** A length of one, two or five bytes: its value and its width. */
function newLength(bytes: Buffer, at: number): [value: number, width: number] | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 192) return [first, 1];
  if (first < 224)
    return at + 2 > bytes.length ? undefined : [((first - 192) << 8) + bytes[at + 1]! + 192, 2];
  if (first === 255) return at + 5 > bytes.length ? undefined : [bytes.readUInt32BE(at + 1), 5];
  return undefined;
}

const hex = (bytes: Buffer): string => bytes.toString('hex').toUpperCase();
