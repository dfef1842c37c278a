/**
 * Dirtrees in one file, `REPO/extensions/sealtree/dirtrees`, beside what is known of content objects: a commit has
 * thousands of them, and reading one file takes a tenth of the time that opening thousands takes; where the disk is waited
 * for, far less. Nothing is believed: each is hashed again when it is asked for, and where it is not what its name says
 * the object itself is read. It is a cache: whoever verifies does not ask it, and it may be removed at any time.
 *
 * First {@link MAGIC}, then how many there are (32 bits), their checksums, their lengths in bytes (32 bits each), and all of
 * them one after the other; numbers are little-endian.
 */
import { bytesEqual } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { metadataChecksum } from '../formats/objects.ts';
import { readCacheFile, writeCacheFile } from './cache-file.ts';
import { checksumsPresent } from './presence.ts';
import type { Repository } from './repository.ts';

const NAME = 'dirtrees';

/** With the version of all this. */
const MAGIC = Buffer.from('sealtree dirtrees 1\n', 'latin1');
const CHECKSUMS_AT = MAGIC.length + 4;
const CHECKSUM_BYTES = 32;
const LENGTH_BYTES = 4;

/** All of it is in memory at once: trees of 300,000 entries fit, larger ones are not packed. */
const MOST_BYTES = 32 * 1024 * 1024;

/** What was not asked for goes when it is more than that of all. */
const MOST_UNUSED = 0.5;

export class DirtreePack {
  /** How many were packed by earlier runs. */
  readonly count: number;
  /** Of those, 32 bytes each. */
  readonly checksums: Uint8Array;
  readonly #file: Buffer;
  /** Where each begins in the file, and where the last one ends. */
  readonly #starts: Float64Array;
  readonly #places = new Map<Checksum, number>();
  readonly #isUsed: Uint8Array;
  readonly #added = new Map<Checksum, Buffer>();
  #addedBytes = 0;

  private constructor(file: Buffer, count: number, starts: Float64Array) {
    this.#file = file;
    this.count = count;
    this.checksums = file.subarray(CHECKSUMS_AT, CHECKSUMS_AT + count * CHECKSUM_BYTES);
    this.#starts = starts;
    this.#isUsed = new Uint8Array(count);
    for (let place = 0; place < count; place++) this.#places.set(this.checksum(place), place);
  }

  /** What earlier runs packed; nothing where that makes no sense. */
  static read(repository: Repository): DirtreePack {
    const file = readCacheFile(repository, NAME);
    return (file && DirtreePack.#parse(file)) ?? new DirtreePack(Buffer.alloc(0), 0, new Float64Array(1));
  }

  /** Undefined where it is cut short, of another version, or no such file. */
  static #parse(file: Buffer): DirtreePack | undefined {
    if (file.length < CHECKSUMS_AT || !bytesEqual(file.subarray(0, MAGIC.length), MAGIC)) return undefined;
    const count = file.readUInt32LE(MAGIC.length);
    const lengthsAt = CHECKSUMS_AT + count * CHECKSUM_BYTES;
    let start = lengthsAt + count * LENGTH_BYTES;
    if (start > file.length) return undefined;
    const starts = new Float64Array(count + 1);
    for (let place = 0; place < count; place++) {
      starts[place] = start;
      start += file.readUInt32LE(lengthsAt + place * LENGTH_BYTES);
    }
    starts[count] = start;
    return start === file.length ? new DirtreePack(file, count, starts) : undefined;
  }

  checksum(place: number): Checksum {
    const at = CHECKSUMS_AT + place * CHECKSUM_BYTES;
    return this.#file.toString('hex', at, at + CHECKSUM_BYTES) as Checksum;
  }

  /** Whether the one at a place was asked for. */
  isUsed(place: number): boolean {
    return this.#isUsed[place] === 1;
  }

  /** The bytes of a dirtree, hashed again; they stay the pack's. Undefined where there is none of that checksum. */
  get(checksum: Checksum): Buffer | undefined {
    const added = this.#added.get(checksum);
    if (added !== undefined) return added;
    const place = this.#places.get(checksum);
    const bytes = place === undefined ? undefined : this.#at(place);
    if (place === undefined || bytes === undefined || metadataChecksum(bytes) !== checksum) return undefined;
    this.#isUsed[place] = 1;
    return bytes;
  }

  /** Takes one in that it could not give: bytes of that checksum, which are copied. */
  add(checksum: Checksum, bytes: Uint8Array): void {
    this.#addedBytes += bytes.length;
    if (this.#addedBytes <= MOST_BYTES) this.#added.set(checksum, Buffer.from(bytes));
    else this.#added.clear();
  }

  /** Keeps it for the next run if there is something new in it, the caller holding the lock. */
  save(repository: Repository): void {
    if (this.#added.size === 0) return;
    const packed = this.#placesWhere((checksum) => !this.#added.has(checksum));
    const used = packed.filter((place) => this.isUsed(place));
    const all = this.#bytesOf(packed) + this.#addedBytes;
    const needed = this.#bytesOf(used) + this.#addedBytes;
    if (needed > MOST_BYTES) return;
    const kept = all <= MOST_BYTES && all - needed <= all * MOST_UNUSED ? packed : used;
    const dirtrees = this.#dirtrees(kept);
    for (const [checksum, bytes] of this.#added) dirtrees.set(checksum, bytes);
    writeCacheFile(repository, NAME, serialize(dirtrees));
  }

  /** How many dirtrees are gone that are packed. */
  static countGone(repository: Repository): number {
    const pack = DirtreePack.read(repository);
    return pack.count - pack.#present(repository).length;
  }

  /** Keeps nothing of dirtrees that are gone, the caller holding the lock. */
  static prune(repository: Repository): void {
    const pack = DirtreePack.read(repository);
    const places = pack.#present(repository);
    if (places.length < pack.count) writeCacheFile(repository, NAME, serialize(pack.#dirtrees(places)));
  }

  /** Places of those that are in the repository. */
  #present(repository: Repository): number[] {
    const isPresent = checksumsPresent(repository, this.checksums, this.count);
    return this.#placesWhere((_, place) => isPresent[place] === 1);
  }

  #placesWhere(isWanted: (checksum: Checksum, place: number) => boolean): number[] {
    const places: number[] = [];
    for (const [checksum, place] of this.#places) if (isWanted(checksum, place)) places.push(place);
    return places;
  }

  #dirtrees(places: readonly number[]): Map<Checksum, Buffer> {
    return new Map(places.map((place) => [this.checksum(place), this.#at(place)]));
  }

  #at(place: number): Buffer {
    return this.#file.subarray(this.#starts[place], this.#starts[place + 1]);
  }

  #bytesOf(places: readonly number[]): number {
    const starts = this.#starts;
    return places.reduce((sum, place) => sum + (starts[place + 1] as number) - (starts[place] as number), 0);
  }
}

/** The file in pieces. */
function serialize(dirtrees: ReadonlyMap<Checksum, Buffer>): Buffer[] {
  const count = Buffer.alloc(4);
  count.writeUInt32LE(dirtrees.size);
  const lengths = Buffer.alloc(dirtrees.size * LENGTH_BYTES);
  let at = 0;
  for (const { length } of dirtrees.values()) at = lengths.writeUInt32LE(length, at);
  const checksums = Buffer.from([...dirtrees.keys()].join(''), 'hex');
  return [MAGIC, count, checksums, lengths, ...dirtrees.values()];
}
