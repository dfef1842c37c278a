/**
 * What ostree keeps about the running system in /run/ostree: which deployment is booted, which one is staged, which
 * one a soft reboot goes to. All three files are `a{sv}` (ostree-sysroot.c, ostree-sysroot-deploy.c, otcore.h).
 */
import { join } from 'node:path';
import { type ByteString, bytesToText } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';
import { readVariant, type Value, type Variant, writeVariant } from '../formats/gvariant.ts';
import { type DeploymentName, isDots, parseDeploymentName } from './deployment.ts';
import { readIfExists } from './read-if-exists.ts';

type VariantMap = ReadonlyMap<ByteString, Variant>;

/** Device and inode of a deployment's folder, as stat(2) gives them, rounded as Node's numbers are. */
export interface DeviceInode {
  readonly device: number;
  readonly inode: number;
}

/** `staged-deployment`: a deployment whose boot entry is written at shutdown. */
export interface StagedDeployment {
  readonly name: DeploymentName;
  readonly stateroot: string;
  readonly bootcsum: string;
  /** Undefined: finalizing takes those of the merge deployment. */
  readonly kargs: readonly ByteString[] | undefined;
  /** The deployment whose /etc, and if need be kernel arguments, it gets: `STATEROOT/CHECKSUM.SERIAL`. */
  readonly mergeId: string | undefined;
  /** SHA-256 of each overlay initrd. */
  readonly overlayInitrds: readonly string[];
  /** Whether finalizing is locked, by the flag or by the lock file. */
  readonly locked: boolean;
}

/** The file's `a{sv}`, an empty map for an empty file, undefined when there is no such file. @throws FormatError */
export function readRunState(path: string, system: SystemReads): VariantMap | undefined {
  const bytes = readIfExists(path, system);
  return bytes && (readVariant('a{sv}', bytes, path) as VariantMap);
}

/**
 * Whether this system was booted from a deployment, and from which folder. `folder` is undefined where
 * `ostree-booted` does not say it (before ostree 2022.7 the file was empty): then it is the root folder itself.
 * @throws FormatError
 */
export function readBooted(
  runDirectory: string,
  system: SystemReads,
): { readonly folder: DeviceInode | undefined } | undefined {
  const path = join(runDirectory, 'ostree-booted');
  const state = readRunState(path, system);
  return state && { folder: backingFolder(state, path) };
}

/** The folder a soft reboot leads to, when one is prepared. @throws FormatError */
export function readNextRoot(runDirectory: string, system: SystemReads): DeviceInode | undefined {
  const path = join(runDirectory, 'ostree/nextroot-booted');
  const state = readRunState(path, system);
  return state && backingFolder(state, path);
}

function backingFolder(state: VariantMap, where: string): DeviceInode | undefined {
  const pair = lookup(state, 'backing-root-device-inode', '(tt)', where) as [bigint, bigint] | undefined;
  return pair && { device: Number(pair[0]), inode: Number(pair[1]) };
}

/** Where ostree keeps the staged deployment's state. */
export const stagedPath = (runDirectory: string): string => join(runDirectory, 'ostree/staged-deployment');

/** Where the overlay initrds of the staged deployment wait, each named by its SHA-256. */
export const stagedInitrdsFolder = (runDirectory: string): string =>
  join(runDirectory, 'ostree/staged-initrds');

/** The staged deployment, when there is one. @throws FormatError */
export function readStaged(runDirectory: string, system: SystemReads): StagedDeployment | undefined {
  const path = stagedPath(runDirectory);
  const state = readRunState(path, system);
  if (state === undefined) return undefined;
  const target = lookup(state, 'target', 'a{sv}', path) as VariantMap | undefined;
  if (target === undefined) return undefined;
  const stateroot = text(target, 'osname', path);
  const name = parseDeploymentName(text(target, 'name', path));
  if (name === undefined || stateroot === '' || stateroot.includes('/') || isDots(stateroot))
    throw new FormatError(path, 'target is not a deployment', {
      got: `${stateroot}/${text(target, 'name', path)}`,
      want: 'STATEROOT/CHECKSUM.SERIAL',
    });
  const strings = (key: string) => lookup(state, key, 'as', path) as readonly ByteString[] | undefined;
  return {
    name,
    stateroot,
    bootcsum: text(target, 'bootcsum', path),
    kargs: strings('kargs'),
    mergeId: mergeId(state, path),
    overlayInitrds: strings('overlay-initrds') ?? [],
    locked:
      lookup(state, 'locked', 'b', path) === true || system.lstatIfExists(`${path}-locked`) !== undefined,
  };
}

function mergeId(state: VariantMap, where: string): string | undefined {
  const merge = lookup(state, 'merge-deployment', 'a{sv}', where) as VariantMap | undefined;
  return merge && `${text(merge, 'osname', where)}/${text(merge, 'name', where)}`;
}

/** What finalizing is to write into the boot entry. */
export interface StagedBoot {
  readonly kargs: readonly ByteString[];
  /** SHA-256 of each overlay initrd, in order. */
  readonly overlayInitrds: readonly string[];
}

/** The state of a staged deployment with other kernel arguments and overlay initrds; all else stays. @throws FormatError */
export function amendStaged(bytes: Uint8Array, where: string, { kargs, overlayInitrds }: StagedBoot): Buffer {
  const state = new Map(readVariant('a{sv}', bytes, where) as VariantMap);
  state.set('kargs' as ByteString, { type: 'as', value: kargs });
  if (overlayInitrds.length === 0) state.delete('overlay-initrds' as ByteString);
  else
    state.set('overlay-initrds' as ByteString, {
      type: 'as',
      value: overlayInitrds as readonly ByteString[],
    });
  return writeVariant('a{sv}', state);
}

function text(map: VariantMap, key: string, where: string): string {
  const value = lookup(map, key, 's', where);
  if (value === undefined) throw new FormatError(where, `key '${key}' is missing`);
  return bytesToText(value as ByteString);
}

/** The value of a key; undefined when it is missing. A value of another type is refused: ostree never writes one. */
function lookup(map: VariantMap, key: string, type: string, where: string): Value | undefined {
  const variant = map.get(key as ByteString);
  if (variant === undefined) return undefined;
  if (variant.type !== type)
    throw new FormatError(where, `key '${key}' has another type`, { got: variant.type, want: type });
  return variant.value;
}
