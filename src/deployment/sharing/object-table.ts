/** The objects that were looked at: where each is on the disk, asked once, however many trees have it. */
import type { Checksum } from '../../base/digest.ts';
import { isRegular } from '../../base/mode.ts';
import type { ObjectType, Repository } from '../../repository/repository.ts';
import { DigestTable, grownLength } from './digest-table.ts';
import { diskFile } from './disk-file.ts';
import type { Shares } from './shares.ts';

/** In the place of a file's number: there is no such object. */
const MISSING = -1;
export class ObjectTable {
  readonly #table = new DigestTable();
  readonly #repository: Repository;
  readonly #shares: Shares;
  /** By the number of the object, that of its file. */
  #file = new Int32Array(1024);
  #isContent = new Uint8Array(1024);

  constructor(repository: Repository, shares: Shares) {
    this.#repository = repository;
    this.#shares = shares;
  }

  get count(): number {
    return this.#table.count;
  }

  /** The present holder of the shares has this object, where it is there. */
  hold(type: ObjectType, checksum: Checksum): void {
    // They have the checksum of their commit.
    if (type === 'commit' || type === 'commitmeta') {
      const stats = this.#lstat(type, checksum);
      if (stats !== undefined) this.#shares.add(diskFile(stats));
      return;
    }
    const before = this.#table.count;
    const number = this.#table.add(checksum);
    if (number === before) this.#look(number, type, checksum);
    else if (this.#file[number] !== MISSING) this.#shares.hold(this.#file[number] as number);
  }

  /** The number of a content object that is there; undefined for any other. */
  contentNumber(checksum: Checksum): number | undefined {
    const number = this.#table.find(checksum);
    return number !== -1 && this.#isContent[number] === 1 ? number : undefined;
  }

  /** Numbers of the content objects that are there. */
  *contents(): Generator<number> {
    for (let number = 0; number < this.#table.count; number++)
      if (this.#isContent[number] === 1) yield number;
  }

  checksum(number: number): Checksum {
    return this.#table.hex(number) as Checksum;
  }

  /** Bytes on the disk of an object that is there. */
  bytes(number: number): number {
    return this.#shares.bytesOf(this.#file[number] as number);
  }

  /** The set its file is in. */
  setOf(number: number): number {
    return this.#shares.setOf(this.#file[number] as number);
  }

  /**
   * Bytes of content, asked anew; undefined for a symlink, as far as its file tells.
   * @throws NotFoundError, FormatError where the object itself is asked
   */
  contentSize(number: number): number | undefined {
    const checksum = this.checksum(number);
    const { mode, size } =
      this.#repository.mode === 'archive'
        ? this.#repository.content(checksum)
        : (this.#lstat('file', checksum) ?? this.#repository.content(checksum));
    return isRegular(mode) ? size : undefined;
  }

  #lstat(type: ObjectType, checksum: Checksum): ReturnType<Repository['system']['lstatIfExists']> {
    return this.#repository.system.lstatIfExists(this.#repository.objectPath(checksum, type));
  }

  #look(number: number, type: ObjectType, checksum: Checksum): void {
    if (number === this.#file.length) this.#grow();
    const stats = this.#lstat(type, checksum);
    const isContent = stats !== undefined && type === 'file';
    this.#file[number] = stats === undefined ? MISSING : this.#shares.add(diskFile(stats));
    this.#isContent[number] = isContent ? 1 : 0;
  }

  #grow(): void {
    const length = grownLength(this.#file.length);
    const [file, isContent] = [new Int32Array(length), new Uint8Array(length)];
    file.set(this.#file);
    isContent.set(this.#isContent);
    this.#file = file;
    this.#isContent = isContent;
  }
}
