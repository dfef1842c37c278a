/** A file in pieces, for what is too large to be held as a whole. */
import type { Path, SystemReads } from './system.ts';

const CHUNK_BYTES = 256 * 1024;

/** How many pieces of {@link fileStream} are good at a time. */
const RING = 8;

/**
 * The whole file for a reader that goes along: the memory of a piece is used again for the eighth after it. Fresh memory
 * for each costs as much as reading does.
 */
export async function* fileStream(path: Path, system: SystemReads): AsyncGenerator<Buffer, void, undefined> {
  const fd = system.openRead(path);
  try {
    const ring = Array.from({ length: RING }, () => Buffer.allocUnsafeSlow(CHUNK_BYTES));
    for (let i = 0; ; i = (i + 1) % RING) {
      const chunk = ring[i] as Buffer;
      const count = system.read(fd, chunk, null);
      if (count === 0) return;
      yield chunk.subarray(0, count);
    }
  } finally {
    system.close(fd);
  }
}

/** Hands over the whole file, a piece at a time in memory that is used again for the next. */
export function eachChunk(path: Path, system: SystemReads, onChunk: (chunk: Buffer) => void): void {
  const fd = system.openRead(path);
  try {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (let count = system.read(fd, chunk, null); count > 0; count = system.read(fd, chunk, null))
      onChunk(chunk.subarray(0, count));
  } finally {
    system.close(fd);
  }
}

/** The bytes from `start` on, `length` of them or all; each piece has memory of its own. */
export async function* fileChunks(
  path: Path,
  system: SystemReads,
  start = 0,
  length = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer, void, undefined> {
  const fd = system.openRead(path);
  try {
    for (let done = 0; done < length; ) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, length - done));
      const count = system.read(
        fd,
        chunk,
        start === 0 && length === Number.POSITIVE_INFINITY ? null : start + done,
      );
      if (count === 0) return;
      yield chunk.subarray(0, count);
      done += count;
    }
  } finally {
    system.close(fd);
  }
}
