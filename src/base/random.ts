/** Names nobody else has: for temporary files. */

/** Random hex digits, two for each byte. Needs no import, so a run that makes no name pays nothing for it. */
export function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');
}
