/**
 * Static deltas: what a repository holds ready for those who go from one commit to another, or start with none. Each
 * is a folder `deltas/XX/REST`, the name of which is the commit's checksum, or both, as base64 without padding and with
 * `_` for `/` (libostree's ostree-core.c, _ostree_get_relative_static_delta_path). Only names and sizes are read.
 */
import { type Checksum, checksumOf } from '../base/digest.ts';
import { isDirectory, isRegular } from '../base/mode.ts';
import { readdirIfExists } from './objects.ts';
import type { RefSource } from './refs.ts';

export interface StaticDelta {
  /** Undefined for a delta that needs nothing. */
  readonly from: Checksum | undefined;
  readonly to: Checksum;
  /** Of all its files. */
  readonly sizeBytes: number;
}

/** All of them, in the order of their names; what else lies there is passed over. @throws IoError, PermissionError */
export function listDeltas({ path, system }: RefSource): StaticDelta[] {
  const deltas: StaticDelta[] = [];
  const foldersIn = (folder: string): string[] =>
    readdirIfExists(system, folder)
      .filter((name) => isDirectory(system.lstatIfExists(`${folder}/${name}`)?.mode ?? 0))
      .sort();
  const top = `${path}/deltas`;
  for (const prefix of foldersIn(top))
    for (const rest of foldersIn(`${top}/${prefix}`)) {
      const commits = commitsOf(`${prefix}${rest}`);
      const folder = `${top}/${prefix}/${rest}`;
      const files = readdirIfExists(system, folder);
      if (commits === undefined || !files.includes('superblock')) continue;
      let sizeBytes = 0;
      for (const file of files) {
        const stats = system.lstatIfExists(`${folder}/${file}`);
        if (stats !== undefined && isRegular(stats.mode)) sizeBytes += stats.size;
      }
      deltas.push({ ...commits, sizeBytes });
    }
  return deltas;
}

/** 32 bytes are 43 characters. */
const NAME = /^(?:([A-Za-z0-9+_]{43})-)?([A-Za-z0-9+_]{43})$/;

function commitsOf(name: string): Pick<StaticDelta, 'from' | 'to'> | undefined {
  const [, from, to] = NAME.exec(name) ?? [];
  if (to === undefined) return undefined;
  return { from: from === undefined ? undefined : decode(from), to: decode(to) };
}

const decode = (text: string): Checksum => checksumOf(Buffer.from(text.replaceAll('_', '/'), 'base64'));
