/**
 * Refs whose images are kept: one small file a ref in `REPO/extensions/sealtree/refs`, named by the refspec
 * (percent-encoded) and holding the commit and the digest of its image. `gc` keeps these images as long as the ref
 * exists.
 */
import type { ByteString } from '../base/bytes.ts';
import { type Checksum, type Digest, isHex64 } from '../base/digest.ts';
import { errnoOf } from '../base/errors.ts';
import type { System, SystemReads } from '../base/system.ts';
import {
  existingStoreFolder,
  isTemporaryName,
  makeStoreFolder,
  storeFolder,
  temporaryName,
  writeSynced,
} from './store.ts';

export interface SealedRef {
  /** The refspec, `[REMOTE:]REF`. */
  readonly ref: string;
  readonly commit: Checksum;
  /** Of its image. */
  readonly digest: Digest;
  /** The file that says so. */
  readonly path: string;
}

/** All of them, sorted; files that are not ours or damaged are left out. */
export function sealedRefs(repositoryPath: string, system: SystemReads): SealedRef[] {
  const folder = existingStoreFolder(repositoryPath, 'refs', system);
  if (folder === undefined) return [];
  return system
    .readdir(folder)
    .sort()
    .flatMap((name) => readSealedRef(folder, name, system) ?? []);
}

/** What a ref was last sealed as; undefined where it was not. */
export function sealedRef(repositoryPath: string, ref: string, system: SystemReads): SealedRef | undefined {
  const folder = existingStoreFolder(repositoryPath, 'refs', system);
  return folder === undefined ? undefined : readSealedRef(folder, fileName(ref) as ByteString, system);
}

function readSealedRef(folder: string, name: ByteString, system: SystemReads): SealedRef | undefined {
  const path = `${folder}/${name}`;
  const ref = refOf(name);
  if (ref === undefined || system.lstatIfExists(path) === undefined) return undefined;
  try {
    const [commit = '', digest = ''] = system.readFile(path).toString('latin1').trimEnd().split(' ');
    if (!isHex64(commit) || !isHex64(digest)) return undefined;
    return { ref, commit: commit as Checksum, digest: digest as Digest, path };
  } catch (error) {
    // What cannot be read says nothing: the next seal writes it again.
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Notes durably what a ref was sealed as; the caller holds the lock. */
export function recordSealedRef(
  repositoryPath: string,
  ref: string,
  { commit, digest }: Pick<SealedRef, 'commit' | 'digest'>,
  system: System,
): void {
  const before = sealedRef(repositoryPath, ref, system);
  if (before?.commit === commit && before.digest === digest) return;
  const folder = makeStoreFolder(repositoryPath, 'refs', system);
  const temporary = `${folder}/${temporaryName()}`;
  writeSynced(temporary, Buffer.from(`${commit} ${digest}\n`, 'latin1'), 0o644, system);
  system.rename(temporary, `${folder}/${fileName(ref)}`);
  system.fsyncDirectory(folder);
}

/** Forgets durably what a ref was sealed as; the caller holds the lock. */
export function forgetSealedRef(repositoryPath: string, { path }: SealedRef, system: System): void {
  system.unlink(path);
  system.fsyncDirectory(storeFolder(repositoryPath, 'refs'));
}

/** What killed runs left in the folder. */
export function refLeftovers(repositoryPath: string, system: SystemReads): string[] {
  const folder = existingStoreFolder(repositoryPath, 'refs', system);
  if (folder === undefined) return [];
  return system
    .readdir(folder)
    .filter(isTemporaryName)
    .map((name) => `${folder}/${name}`);
}

/** Refs have ASCII names, but for letters and digits of other scripts. */
const fileName = (ref: string): string => encodeURIComponent(ref);

function refOf(name: ByteString): string | undefined {
  if (isTemporaryName(name) || !/^[\w%.~-]+$/.test(name)) return undefined;
  try {
    return decodeURIComponent(name);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
