/** Names nobody else has, for temporary files; and what nobody can foresee, for hash tables. */

/** Random hex digits, two for each byte. Needs no import, so a run that makes no name pays nothing for it. */
export function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');
}

/**
 * A whole number from 0 up to `limit`, for a hash table to begin with: another one in each process, so that nobody can
 * prepare keys that all meet. Good for nothing that must stay secret; for this, loading node:crypto would be dear.
 */
export function randomSeed(limit: number): number {
  return Math.floor(Math.random() * limit);
}
