/** The thread that {@link ./batch-writer.ts} hands files to. */
import { linuxSystem } from '../base/system-linux.ts';
import { serve } from '../base/threads.ts';
import {
  type Batch,
  type BatchTarget,
  type DiskFiles,
  type Piece,
  StagingFolder,
  type Written,
} from './write-batch.ts';

export interface BatchRequest {
  readonly target: BatchTarget;
  readonly work: Batch | DiskFiles | Piece;
}

export interface BatchAnswer {
  /** The memory of the request, if it had some, back again. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** Of a batch all its files in order, of a large file's last piece that file. */
  readonly written: readonly Written[];
}

let folder: StagingFolder | undefined;

serve<BatchRequest, BatchAnswer>(({ target, work }) => {
  if (folder?.target.folder !== target.folder) folder = new StagingFolder(linuxSystem, target);
  if ('paths' in work) return { value: { written: folder.copy(work) } };
  const written = 'files' in work ? folder.write(work) : folder.writePiece(work);
  const { bytes } = work;
  return { value: { bytes, written: [written ?? []].flat() }, transfer: [bytes.buffer] };
});
