/**
 * The kernel and the initrds of a boot entry: there, whole, and of the deployment. A file is read as the loader and
 * the kernel will read it, not only looked at: fs-verity and the disk show their damage to readers alone.
 */
import { basename, join } from 'node:path';
import { type ByteString, bytesEqual, bytesToText } from '../../base/bytes.ts';
import { nativeEngine } from '../../base/digest.ts';
import { errnoOf, FormatError, NotFoundError, SealtreeError } from '../../base/errors.ts';
import { shellWord } from '../../base/shell.ts';
import type { SystemReads } from '../../base/system.ts';
import { blsValues } from '../../formats/bls.ts';
import type { Finding, Severity } from '../../image/findings.ts';
import type { EntryState } from '../entries.ts';
import { decompress } from '../initramfs/decompress.ts';
import { splitAddition } from '../initramfs/extended.ts';
import { keepForFacts } from '../initramfs/facts.ts';
import { type InitramfsArchive, readInitramfs } from '../initramfs/read.ts';
import type { DeploymentKernel } from '../kernel.ts';
import { bootCommand } from './context.ts';
import { checkKernelImage } from './kernel-image.ts';

export interface ReadInitrd {
  readonly path: string;
  readonly sizeBytes: number;
  /** Undefined when it could not be read to its end. */
  readonly archives: readonly InitramfsArchive[] | undefined;
}

export interface BootFiles {
  readonly findings: readonly Finding[];
  /** 0 when it could not be read. */
  readonly kernelBytes: number;
  /** In the order of the entry. */
  readonly initrds: readonly ReadInitrd[];
}

type Report = (
  severity: Severity,
  code: string,
  where: string,
  message: string,
  remedy?: readonly string[],
) => void;

/** Puts the deployment's own file there. Never into the file that is there: it may be a hard link of an object. */
const copyCommand = (from: string, to: string): string =>
  `cp --remove-destination ${shellWord(from)} ${shellWord(to)}`;

/**
 * Where a path of an entry leads. It counts from the root of the file system that /boot is on; where that is also the
 * root file system, paths begin with /boot, and ostree's link `boot` in that folder makes both forms work.
 */
export const bootFilePath = (sysrootPath: string, path: ByteString): string =>
  join(sysrootPath, 'boot', bytesToText(path));

/** Reads what entries name; a file that several name once. */
export class BootFileChecker {
  readonly #sysrootPath: string;
  readonly #installCommand: string;
  readonly #system: SystemReads;
  readonly #read = new Map<string, Promise<{ initrd: ReadInitrd; findings: Finding[] }>>();

  constructor(sysrootPath: string, system: SystemReads) {
    this.#sysrootPath = sysrootPath;
    this.#installCommand = bootCommand(sysrootPath, 'install');
    this.#system = system;
  }

  /**
   * @param kernel the deployment's own, where the entry is of a deployment that has one
   * @param failure how bad it is that the entry does not boot
   */
  async check(
    entry: EntryState,
    kernel: DeploymentKernel | undefined,
    failure: Severity,
  ): Promise<BootFiles> {
    const findings: Finding[] = [];
    const about = entry.deployment === undefined ? {} : { deployments: [entry.deployment.id] };
    const report: Report = (severity, code, where, message, remedy) =>
      void findings.push({
        // What is wrong is as bad as the entry matters.
        severity: severity === 'error' ? failure : severity,
        code,
        where,
        message,
        ...about,
        ...(remedy === undefined ? {} : { remedy }),
      });
    const kernelBytes = this.#checkKernel(entry, kernel, report);
    const initrds: ReadInitrd[] = [];
    for (const [i, name] of entry.initrds.entries()) {
      const original = i === 0 ? kernel?.initramfs : undefined;
      const found = await this.#initrd(bootFilePath(this.#sysrootPath, name), original);
      initrds.push(found.initrd);
      for (const { severity, code, where, message, remedy } of found.findings)
        report(severity, code, where, message, remedy);
    }
    this.#checkDeviceTrees(entry, report);
    if (entry.initrds.length === 0 && kernel?.initramfs !== undefined)
      report(
        'error',
        'initrd-missing',
        entry.path,
        'the entry names no initramfs, and the deployment has one',
      );
    return { findings, kernelBytes, initrds };
  }

  #checkKernel(entry: EntryState, kernel: DeploymentKernel | undefined, report: Report): number {
    if (entry.linux === undefined) {
      // UAPI.1: without a kernel an entry starts an EFI program, and what that does cannot be told.
      const severity = entry.owner === 'ostree' ? 'error' : 'unchecked';
      report(severity, 'kernel-missing', entry.path, 'the entry names no kernel');
      return 0;
    }
    const path = bootFilePath(this.#sysrootPath, entry.linux);
    const remedy = kernel === undefined ? undefined : [copyCommand(kernel.vmlinuz, path)];
    const bytes = this.#readFile(path, 'kernel', remedy, report);
    if (bytes === undefined) return 0;
    try {
      if (checkKernelImage(bytes, path) === undefined)
        report(
          'unchecked',
          'kernel-form',
          path,
          'a kernel of a form that is not known here: whether it is whole cannot be told',
        );
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      report('error', 'kernel-damaged', path, error.message, remedy);
      return bytes.length;
    }
    const own = kernel && this.#compared(kernel.vmlinuz, report);
    if (own !== undefined && !bytesEqual(own, bytes))
      report('error', 'kernel-differs', path, "differs from the deployment's own kernel", remedy);
    return bytes.length;
  }

  #checkDeviceTrees(entry: EntryState, report: Report): void {
    for (const name of entry.entry === undefined ? [] : blsValues(entry.entry, 'devicetree')) {
      const path = bootFilePath(this.#sysrootPath, name);
      const size = this.#system.lstatIfExists(path)?.size;
      if (size === undefined) report('error', 'devicetree-missing', path, 'there is no such file');
      else if (size === 0) report('error', 'devicetree-damaged', path, 'the device tree is empty');
    }
  }

  #initrd(path: string, original: string | undefined): Promise<{ initrd: ReadInitrd; findings: Finding[] }> {
    const known = this.#read.get(path);
    if (known !== undefined) return known;
    const read = this.#readInitrd(path, original);
    this.#read.set(path, read);
    return read;
  }

  async #readInitrd(
    path: string,
    originalPath: string | undefined,
  ): Promise<{ initrd: ReadInitrd; findings: Finding[] }> {
    const findings: Finding[] = [];
    const remedy =
      originalPath === undefined ? undefined : [copyCommand(originalPath, path), this.#installCommand];
    const report: Report = (severity, code, where, message) =>
      void findings.push({ severity, code, where, message, ...(remedy === undefined ? {} : { remedy }) });
    const bytes = this.#readFile(path, 'initrd', remedy, report);
    if (bytes === undefined) return { initrd: { path, sizeBytes: 0, archives: undefined }, findings };
    let archives: InitramfsArchive[] | undefined;
    try {
      archives = await readInitramfs(bytes, path, decompress, keepForFacts);
    } catch (error) {
      // Without the program that decompresses it here, it may well be whole.
      if (error instanceof NotFoundError) report('unchecked', 'initrd-unreadable', path, error.message);
      else if (error instanceof FormatError) report('error', 'initrd-damaged', path, error.message);
      else throw error;
    }
    checkName(bytes, path, report);
    this.#compareInitrd(bytes, path, originalPath, report);
    return { initrd: { path, sizeBytes: bytes.length, archives }, findings };
  }

  /** The initramfs without our addition is the deployment's. */
  #compareInitrd(bytes: Buffer, path: string, originalPath: string | undefined, report: Report): void {
    let end = bytes.length;
    try {
      end = splitAddition(bytes, path)?.originalEnd ?? bytes.length;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      report('error', 'initrd-damaged', path, error.message);
      return;
    }
    const own = originalPath === undefined ? undefined : this.#compared(originalPath, report);
    if (own !== undefined && !bytesEqual(own, bytes.subarray(0, end)))
      // Whoever made it anew in its place meant that; damage that the formats do not show looks the same.
      report(
        'warning',
        'initrd-differs',
        path,
        "differs from the deployment's own initramfs: made anew in its place, or damaged",
      );
  }

  #compared(path: string, report: Report): Buffer | undefined {
    try {
      return this.#system.readFile(path);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      report('unchecked', 'not-compared', path, `cannot be read to be compared: ${error.message}`);
      return undefined;
    }
  }

  #readFile(
    path: string,
    what: 'kernel' | 'initrd',
    remedy: readonly string[] | undefined,
    report: Report,
  ): Buffer | undefined {
    try {
      return this.#system.readFile(path);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR')
        report('error', `${what}-missing`, path, 'there is no such file', remedy);
      else if (errno === 'EACCES') report('unchecked', `${what}-unreadable`, path, error.message);
      else report('error', `${what}-unreadable`, path, error.message, remedy);
      return undefined;
    }
  }
}

/** ostree names overlay initrds by their SHA-256. */
function checkName(bytes: Buffer, path: string, report: Report): void {
  const named = /^([0-9a-f]{64})\.img$/.exec(basename(path))?.[1];
  if (named === undefined) return;
  const got = nativeEngine.sha256(bytes).toString('hex');
  if (got !== named)
    report('error', 'initrd-damaged', path, `named by a SHA-256 that it does not have: it has ${got}`);
}
