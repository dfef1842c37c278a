/** The thread that {@link ./object-threads.ts} starts: takes rows of a table until none is left, and fills them in. */
import type { ByteString } from '../base/bytes.ts';
import { checksumOf } from '../base/digest.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { type Answer, serve } from '../base/threads.ts';
import { InternedXattrs } from '../base/xattrs.ts';
import { CHECKSUM_BYTES, writeDigest, writeInfo } from '../repository/content-table.ts';
import { Repository } from '../repository/repository.ts';
import { ObjectLearner } from './digests.ts';
import { type LearnAnswer, type LearnRequest, Shared } from './object-request.ts';

/** Rows taken at a time. */
const ROWS = 64;

async function learnRows(request: LearnRequest): Promise<Answer<LearnAnswer>> {
  const { columns, rows, shared, thread, threads } = request;
  const xattrs = new InternedXattrs();
  const targets = new Map<number, ByteString>();
  const learner = new ObjectLearner(Repository.open(request.repositoryPath, linuxSystem), request.mode, {
    info(row, info) {
      writeInfo(columns, row, info, xattrs.id(info.xattrs) * threads + thread);
      if (info.target !== '') targets.set(row, info.target);
    },
    digest: (row, bytes, offset) => writeDigest(columns, row, bytes, offset),
  });
  let told = 0;
  for (;;) {
    const from = Atomics.add(shared, Shared.next, ROWS);
    if (from >= rows.length) break;
    const to = Math.min(from + ROWS, rows.length);
    for (let i = from; i < to; i++) {
      const row = rows[i] as number;
      const at = row * CHECKSUM_BYTES;
      const learning = learner.learn(row, checksumOf(columns.checksums.subarray(at, at + CHECKSUM_BYTES)));
      if (learning !== undefined) await learning;
    }
    const kibibytes = Math.floor(learner.bytesRead / 1024);
    Atomics.add(shared, Shared.kibibytes, kibibytes - told);
    Atomics.add(shared, Shared.done, to - from);
    told = kibibytes;
  }
  learner.flush();
  return { value: { xattrSets: xattrs.sets, targets } };
}

serve(learnRows);
