/** Which of many objects are there: by the names in the folders of a repository, which costs less than looking at each. */
import { CHECKSUM_BYTES, ContentTable } from './content-table.ts';
import type { Repository } from './repository.ts';

/** For each of `count` checksums, 32 bytes each, 1 where there is a content object or dirtree of that name, else 0. */
export function checksumsPresent(repository: Repository, checksums: Uint8Array, count: number): Uint8Array {
  const isPresent = new Uint8Array(count);
  if (count === 0) return isPresent;
  const places = ContentTable.restore(count, [], [], (columns) => {
    columns.checksums.set(checksums.subarray(0, count * CHECKSUM_BYTES));
  });
  repository.visitTreeObjects((checksum) => {
    const place = places.rowOf(checksum);
    if (place !== -1) isPresent[place] = 1;
  });
  return isPresent;
}
