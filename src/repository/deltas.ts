/**
 * Static deltas: prepared differences between commits below `deltas/`, and the indexes below `delta-indexes/`.
 * Only their names are read. Layout: libostree's ostree-core.c (`static_delta_path_base`) and
 * ostree-repo-static-delta-core.c.
 */
import { type Checksum, checksumOf } from '../base/digest.ts';
import type { System } from '../base/system.ts';
import { readdirIfExists } from './objects.ts';

export interface StaticDelta {
  /** Undefined when the delta starts from nothing. */
  readonly from: Checksum | undefined;
  readonly to: Checksum;
  /** Absolute path of its folder. */
  readonly path: string;
}

/** What deltas need of a repository. */
export interface DeltaSource {
  readonly path: string;
  readonly system: System;
}

/** 32 bytes in base64 with `_` for `/` and without padding. */
const CHECKSUM = '[A-Za-z0-9+_]{43}';
const DELTA = new RegExp(`^(?:(${CHECKSUM})-)?(${CHECKSUM})$`);

/** All deltas that have a superblock, in the order of their names. */
export function listDeltas({ path, system }: DeltaSource): StaticDelta[] {
  const deltas: StaticDelta[] = [];
  for (const [name, folder] of names(system, `${path}/deltas`)) {
    const match = DELTA.exec(name);
    if (match === null || system.lstatIfExists(`${folder}/superblock`) === undefined) continue;
    const [, from, to] = match;
    deltas.push({ from: from === undefined ? undefined : decode(from), to: decode(to!), path: folder });
  }
  return deltas;
}

/** Commits that have an index of the deltas leading to them. */
export function listDeltaIndexes({ path, system }: DeltaSource): Checksum[] {
  const pattern = new RegExp(`^(${CHECKSUM})\\.index$`);
  const commits: Checksum[] = [];
  for (const [name] of names(system, `${path}/delta-indexes`)) {
    const match = pattern.exec(name);
    if (match !== null) commits.push(decode(match[1]!));
  }
  return commits;
}

/** `XX/REST` below a folder as the joined name and the path. */
function* names(system: System, base: string): Generator<readonly [name: string, path: string]> {
  for (const first of readdirIfExists(system, base).sort()) {
    if (!(system.lstatIfExists(`${base}/${first}`)?.isDirectory() ?? false)) continue;
    for (const rest of readdirIfExists(system, `${base}/${first}`).sort())
      yield [first + rest, `${base}/${first}/${rest}`];
  }
}

function decode(base64: string): Checksum {
  return checksumOf(Buffer.from(base64.replaceAll('_', '/'), 'base64'));
}
