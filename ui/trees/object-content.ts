/** The start of an object's content. */
import type { Checksum } from '../../src/base/digest.ts';
import type { Repository } from '../../src/repository/repository.ts';
import type { Content } from './file-tree.ts';

/** Ends the reading of a content that is larger than wanted. */
class Enough extends Error {}

/** At most `limit` bytes. @throws SealtreeError */
export async function objectContent(
  repository: Repository,
  checksum: Checksum,
  limit: number,
): Promise<Content> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    await repository.readContent(checksum, (chunk) => {
      if (length + chunk.length > limit) {
        chunks.push(Buffer.from(chunk.subarray(0, limit - length)));
        throw new Enough();
      }
      chunks.push(Buffer.from(chunk));
      length += chunk.length;
    });
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
    return { bytes: Buffer.concat(chunks), isCut: true };
  }
  return { bytes: Buffer.concat(chunks), isCut: false };
}
