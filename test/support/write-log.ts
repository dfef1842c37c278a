/**
 * What a virtual machine wrote to a disk, write by write: QEMU's filter `blklogwrites` records it, and the disk of any
 * moment in between can be made again.
 *
 * The log is the one of the kernel's dm-log-writes target (Documentation/admin-guide/device-mapper/log-writes.rst,
 * drivers/md/dm-log-writes.c), little-endian: a sector with the superblock, then one for each entry, and after it
 * what the entry wrote.
 */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';

/** Of the superblock: magic, version, entries (64 bits each), bytes in a sector (32 bits). */
const MAGIC = 0x6a_7366_7773_6872n;
const VERSION = 1n;
const SUPERBLOCK_BYTES = 28;

/** Of an entry: first sector and sectors on the disk, flags, length of a mark's text (64 bits each). */
const ENTRY_BYTES = 32;

const Flag = { flush: 1n, fua: 2n, discard: 4n, mark: 8n } as const;

/** One entry of the log, in the order in which the disk carried them out. */
export interface LoggedWrite {
  /** Where it went on the disk, in bytes. */
  readonly offset: number;
  /** What it wrote; nothing for a mere flush. */
  readonly data: Buffer;
  /** What was written before is on the disk, whatever happens. */
  readonly isFlush: boolean;
}

/** QEMU's arguments for a disk that records every write. The log's file is made, or emptied. */
export function recordedDisk(path: string, logPath: string): string[] {
  writeFileSync(logPath, '');
  // The host has no power cut: its caches need no flush, while the guest's are the point of it all.
  const file = (node: string, name: string) => ['driver=file', `node-name=${node}`, `filename=${name}`];
  return [
    ...['-blockdev', [...file('disk', path), 'cache.no-flush=on'].join()],
    ...['-blockdev', [...file('log', logPath), 'cache.no-flush=on'].join()],
    ...['-blockdev', 'driver=blklogwrites,node-name=recorded,file=disk,log=log'],
    // The filter writes two pieces more than it is given, which is too many (IOV_MAX) for what QEMU merges of large
    // writes; discards and write-zeroes are no writes whose bytes the log would have.
    ...['-device', 'virtio-blk-pci,drive=recorded,request-merging=off,discard=off,write-zeroes=off'],
  ];
}

/** @throws Error for what is no such log, or one that ends within an entry, or has entries QEMU does not make */
export function readWriteLog(path: string): LoggedWrite[] {
  const bytes = readFileSync(path);
  const fail = (what: string): never => {
    throw new Error(`${path}: ${what}`);
  };
  if (bytes.length < SUPERBLOCK_BYTES || bytes.readBigUInt64LE(0) !== MAGIC) fail('no log of writes');
  if (bytes.readBigUInt64LE(8) !== VERSION) fail(`version ${bytes.readBigUInt64LE(8)}, not ${VERSION}`);
  const count = Number(bytes.readBigUInt64LE(16));
  const sectorBytes = bytes.readUInt32LE(24);
  if (sectorBytes < ENTRY_BYTES) fail(`sectors of ${sectorBytes} bytes`);

  const writes: LoggedWrite[] = [];
  let at = sectorBytes;
  for (let i = 0; i < count; i++) {
    if (at + sectorBytes > bytes.length) fail(`ends before entry ${i} of ${count}`);
    const offset = Number(bytes.readBigUInt64LE(at)) * sectorBytes;
    const length = Number(bytes.readBigUInt64LE(at + 8)) * sectorBytes;
    const flags = bytes.readBigUInt64LE(at + 16);
    if ((flags & ~Flag.flush) !== 0n)
      fail(`entry ${i} has the flags ${flags}: only writes and flushes are expected`);
    at += sectorBytes;
    if (at + length > bytes.length) fail(`ends within entry ${i} of ${count}`);
    writes.push({ offset, data: bytes.subarray(at, at + length), isFlush: flags === Flag.flush });
    at += length;
  }
  return writes;
}

/** Writes to the image of a disk what these entries wrote. */
export function replayWrites(path: string, writes: readonly LoggedWrite[]): void {
  const fd = openSync(path, 'r+');
  try {
    for (const { offset, data } of writes) writeSync(fd, data, 0, data.length, offset);
  } finally {
    closeSync(fd);
  }
}
