/**
 * The files in `boot/loader/entries`, all of them, in the order in which a boot menu that follows the Boot Loader
 * Specification shows them: whose they are, which deployment they boot, and what their seal pin is worth.
 */
import { basename, join } from 'node:path';
import { type ByteString, bytesToText, displayBytes, isText } from '../base/bytes.ts';
import { FormatError, isMissing, SealtreeError } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import {
  type BlsEntry,
  type BlsName,
  blsOptions,
  blsValue,
  blsValues,
  compareBlsEntries,
  isBadBlsName,
  parseBlsEntry,
  parseBlsName,
} from '../formats/bls.ts';
import type { Finding, Severity } from '../image/findings.ts';
import { recordedImage } from '../image/records.ts';
import { parseSealPin, type SealPin, sealPinOf, sealPinValues } from './pin.ts';

/**
 * - `none`: the entry has no seal pin;
 * - `right`: it demands the image that was sealed for the deployment's commit;
 * - `stale`: it is of another commit, as ostree's copying of kernel arguments makes them;
 * - `wrong`: of this commit, but of another image than the one sealed;
 * - `unknown`: of this commit, and nothing is recorded to compare the image with, or no deployment is known;
 * - `malformed`: not a pin, or several.
 */
export type PinKind = 'none' | 'right' | 'stale' | 'wrong' | 'unknown' | 'malformed';

export interface EntryState {
  /** Absolute path of the file. */
  readonly path: string;
  /** The file's name. */
  readonly name: string;
  /** Empty when the file cannot be read. */
  readonly bytes: Buffer;
  /** Undefined when the file is none that a loader would read. */
  readonly entry: BlsEntry | undefined;
  /** The name and its boot counters; undefined for a name that loaders pass over. */
  readonly blsName: BlsName | undefined;
  /** Whether boot counting has given up on it. */
  readonly isBad: boolean;
  /** ostree's are named `ostree-…` and have `ostree=`; only those are ever changed. */
  readonly owner: 'ostree' | 'foreign';
  /** The deployment it boots. */
  readonly deployment: Deployment | undefined;
  /** The kernel command line; '' without one. */
  readonly options: ByteString;
  /** Path of the kernel as written: from the root of the file system /boot is on. */
  readonly linux: ByteString | undefined;
  /** Paths of the initrds as written, in order: the first is the initramfs, for ostree the rest are overlays. */
  readonly initrds: readonly ByteString[];
  readonly pin: PinKind;
  /** The pin as found, when it is one. */
  readonly sealPin: SealPin | undefined;
  /** The pin it should have; undefined where nothing was sealed. */
  readonly expectedPin: SealPin | undefined;
  readonly problems: readonly Finding[];
}

/** The folder the entries lie in, through ostree's `loader` link. */
export function entriesFolder(sysroot: Sysroot): string {
  return join(sysroot.path, `boot/loader.${sysroot.bootVersion}/entries`);
}

/** Reads all of them; first what boots by default, last what no loader reads. */
export function readBootEntries(sysroot: Sysroot, system: SystemReads): EntryState[] {
  const folder = entriesFolder(sysroot);
  const entries = list(folder, system)
    .sort()
    .map((name) =>
      isText(name)
        ? readEntry(join(folder, bytesToText(name)), sysroot, system)
        : unnamedEntry(join(folder, displayBytes(name))),
    );
  return entries.sort(inMenuOrder);
}

/** No name that ostree or a loader knows: nothing is read of it. */
const unnamedEntry = (path: string): EntryState => ({
  path,
  name: basename(path),
  bytes: Buffer.alloc(0),
  entry: undefined,
  blsName: undefined,
  isBad: false,
  owner: 'foreign',
  deployment: undefined,
  options: '' as ByteString,
  linux: undefined,
  initrds: [],
  pin: 'none',
  sealPin: undefined,
  expectedPin: undefined,
  problems: [
    {
      severity: 'warning',
      code: 'entry-name',
      where: path,
      message: 'its name is not UTF-8: no loader reads it, and it is left alone',
    },
  ],
});

function list(folder: string, system: SystemReads): ByteString[] {
  try {
    return system.readdir(folder).filter((name) => name !== '.' && name !== '..');
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function readEntry(path: string, sysroot: Sysroot, system: SystemReads): EntryState {
  const problems: Finding[] = [];
  const problem = (severity: Severity, code: string, message: string): void =>
    void problems.push({ severity, code, where: path, message });
  const name = basename(path);
  const blsName = parseBlsName(name);
  const { bytes, entry } = load(path, system, (message) => problem('error', 'entry-unreadable', message));
  const options = entry === undefined ? ('' as ByteString) : blsOptions(entry);
  const isOstree = blsName?.stem.startsWith('ostree-') === true && /(?:^| )ostree=/.test(options);
  const deployment = sysroot.deployments.find((one) => one.entry?.path === path);
  const isBad = blsName !== undefined && isBadBlsName(blsName);
  if (isBad)
    problem('warning', 'entry-bad', 'boot counting has given up on this entry: it has no tries left');
  if (isOstree && deployment === undefined)
    problem('error', 'entry-without-deployment', 'leads to no deployment');
  return {
    path,
    name,
    bytes,
    entry,
    blsName,
    isBad,
    owner: isOstree ? 'ostree' : 'foreign',
    deployment,
    options,
    linux: entry === undefined ? undefined : blsValue(entry, 'linux'),
    initrds: entry === undefined ? [] : blsValues(entry, 'initrd'),
    ...judgePin(options, path, deployment, sysroot, system, problem),
    problems,
  };
}

/** What cannot be read or is no entry is reported, and kept as what it is. */
function load(
  path: string,
  system: SystemReads,
  report: (message: string) => void,
): { bytes: Buffer; entry: BlsEntry | undefined } {
  let bytes: Buffer = Buffer.alloc(0);
  try {
    bytes = system.readFile(path);
    return { bytes, entry: parseBlsEntry(bytes, path) };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    report(error.message);
    return { bytes, entry: undefined };
  }
}

/** What the seal pin in a command line is worth to a deployment; what is wrong with it is handed to `problem`. */
export function judgePin(
  options: ByteString,
  where: string,
  deployment: Deployment | undefined,
  sysroot: Sysroot,
  system: SystemReads,
  problem: (severity: Severity, code: string, message: string) => void,
): Pick<EntryState, 'pin' | 'sealPin' | 'expectedPin'> {
  const recorded = deployment && recordedImage(sysroot.repositoryPath, deployment.checksum, system);
  const expectedPin =
    deployment === undefined || recorded === undefined ? undefined : sealPinOf(deployment.checksum, recorded);
  const [value, ...others] = sealPinValues(options);
  if (value === undefined) return { pin: 'none', sealPin: undefined, expectedPin };
  if (others.length > 0) {
    problem('error', 'pin-repeated', `has ${others.length + 1} seal pins`);
    return { pin: 'malformed', sealPin: undefined, expectedPin };
  }
  try {
    const sealPin = parseSealPin(value, where);
    return { pin: compare(sealPin, deployment, expectedPin), sealPin, expectedPin };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    problem('error', 'pin-malformed', error.message);
    return { pin: 'malformed', sealPin: undefined, expectedPin };
  }
}

function compare(pin: SealPin, deployment: Deployment | undefined, expected: SealPin | undefined): PinKind {
  if (deployment === undefined) return 'unknown';
  if (!deployment.checksum.startsWith(pin.commitPrefix)) return 'stale';
  if (expected === undefined) return 'unknown';
  return pin.imageDigest === expected.imageDigest ? 'right' : 'wrong';
}

/** What loaders read first, in their order; the rest by name. */
function inMenuOrder(a: EntryState, b: EntryState): number {
  const [x, y] = [sortable(a), sortable(b)];
  if (x !== undefined && y !== undefined) return compareBlsEntries(x, y);
  if (x === undefined && y === undefined) return a.name < b.name ? -1 : 1;
  return x === undefined ? 1 : -1;
}

const sortable = ({ blsName, entry }: EntryState) =>
  blsName === undefined || entry === undefined ? undefined : { name: blsName, entry };
