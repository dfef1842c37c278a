/** The thread that {@link ./batch-writer.ts} hands batches to. */
import { linuxSystem } from '../base/system-linux.ts';
import { serve } from '../base/threads.ts';
import { type Batch, type BatchResult, type BatchTarget, writeBatch } from './write-batch.ts';

export interface BatchRequest {
  readonly target: BatchTarget;
  readonly batch: Batch;
}

export interface BatchAnswer extends BatchResult {
  /** The batch's memory, back again. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

serve<BatchRequest, BatchAnswer>(({ target, batch }) => {
  const { bytes } = batch;
  return { value: { ...writeBatch(linuxSystem, target, batch), bytes }, transfer: [bytes.buffer] };
});
