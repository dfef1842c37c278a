/** `--owner-uid` and `--owner-gid`: whose files on disk are taken to be. */
import { UsageError } from '../base/errors.ts';
import type { DirectoryOptions } from '../repository/source-directory.ts';

export interface OwnerOptions {
  readonly ownerUid?: string;
  readonly ownerGid?: string;
}

/** @throws UsageError */
export function ownerOptions({ ownerUid, ownerGid }: OwnerOptions): Pick<DirectoryOptions, 'uid' | 'gid'> {
  return {
    ...(ownerUid === undefined ? {} : { uid: parseId('--owner-uid', ownerUid) }),
    ...(ownerGid === undefined ? {} : { gid: parseId('--owner-gid', ownerGid) }),
  };
}

function parseId(option: string, text: string): number {
  const id = Number(text);
  if (!/^\d+$/.test(text) || id > 0xffffffff) throw new UsageError(`${option} needs a number, not ${text}`);
  return id;
}
