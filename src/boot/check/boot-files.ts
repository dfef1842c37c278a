/**
 * The kernel and the initrds of a boot entry: there, whole, and of the deployment. A file is read as the loader and
 * the kernel will read it, not only looked at: fs-verity and the disk show their damage to readers alone.
 */
import { join } from 'node:path';
import { type ByteString, bytesEqual, bytesToText } from '../../base/bytes.ts';
import { FormatError, NotFoundError, SealtreeError } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import type { Finding, Severity } from '../../image/findings.ts';
import type { EntryState } from '../entries.ts';
import { decompress } from '../initramfs/decompress.ts';
import { type InitramfsArchive, readInitramfs } from '../initramfs/read.ts';
import type { DeploymentKernel } from '../kernel.ts';
import { isLookedAt } from './initramfs.ts';
import { checkKernelImage } from './kernel-image.ts';

/** A boot file as read; bytes are dropped once they have been looked at. */
export interface ReadInitrd {
  readonly path: string;
  readonly sizeBytes: number;
  /** Undefined when it could not be read to its end. */
  readonly archives: readonly InitramfsArchive[] | undefined;
}

export interface BootFiles {
  readonly findings: readonly Finding[];
  readonly kernelBytes: number;
  /** In the order of the entry. */
  readonly initrds: readonly ReadInitrd[];
}

/** Where a path of an entry leads: from the root of the file system /boot is on, or, by ostree's link `boot`, from /. */
export const bootFilePath = (sysrootPath: string, path: ByteString): string =>
  join(sysrootPath, 'boot', bytesToText(path));

/** Reads what entries name, a file that several name once. */
export class BootFileChecker {
  readonly #sysrootPath: string;
  readonly #system: SystemReads;
  readonly #initrds = new Map<string, Promise<{ initrd: ReadInitrd; findings: Finding[] }>>();

  constructor(sysrootPath: string, system: SystemReads) {
    this.#sysrootPath = sysrootPath;
    this.#system = system;
  }

  /**
   * @param kernel the deployment's own, where the entry is of a deployment
   * @param severity of what keeps the entry from booting: a foreign one is none of ours
   */
  async check(
    entry: EntryState,
    kernel: DeploymentKernel | undefined,
    severity: Severity,
    remedy: readonly string[],
  ): Promise<BootFiles> {
    const findings: Finding[] = [];
    const about = entry.deployment === undefined ? {} : { deployments: [entry.deployment.id] };
    const add = (level: Severity, code: string, where: string, message: string): void =>
      void findings.push({ severity: level, code, where, message, ...about, remedy });
    let kernelBytes = 0;
    if (entry.linux === undefined) {
      // UAPI.1: an entry has a kernel or an EFI program; what that does cannot be told.
      add(
        entry.owner === 'ostree' ? severity : 'unchecked',
        'kernel-missing',
        entry.path,
        'the entry names no kernel',
      );
    } else {
      const path = bootFilePath(this.#sysrootPath, entry.linux);
      const bytes = this.#read(path, (code, message) => add(severity, `kernel-${code}`, path, message));
      kernelBytes = bytes?.length ?? 0;
      if (bytes !== undefined) this.#checkKernel(bytes, path, kernel, severity, add);
    }
    const initrds: ReadInitrd[] = [];
    for (const name of entry.initrds) {
      const found = await this.#initrd(bootFilePath(this.#sysrootPath, name));
      initrds.push(found.initrd);
      for (const { severity: level, code, where, message } of found.findings)
        add(level === 'error' ? severity : level, code, where, message);
    }
    if (entry.initrds.length === 0 && kernel?.initramfs !== undefined)
      add(severity, 'initrd-missing', entry.path, 'the entry names no initramfs, and the deployment has one');
    return { findings, kernelBytes, initrds };
  }

  #checkKernel(
    bytes: Buffer,
    path: string,
    kernel: DeploymentKernel | undefined,
    severity: Severity,
    add: (level: Severity, code: string, where: string, message: string) => void,
  ): void {
    try {
      if (checkKernelImage(bytes, path) === undefined)
        add(
          'unchecked',
          'kernel-form',
          path,
          'a kernel of a form that is not known here: whether it is whole cannot be told',
        );
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      add(severity, 'kernel-damaged', path, error.message);
    }
    if (kernel === undefined) return;
    const own = this.#read(kernel.vmlinuz, (_, message) =>
      add('unchecked', 'kernel-compared', kernel.vmlinuz, message),
    );
    if (own !== undefined && !bytesEqual(own, bytes))
      add(severity, 'kernel-differs', path, `differs from the deployment's kernel (${kernel.vmlinuz})`);
  }

  #initrd(path: string): Promise<{ initrd: ReadInitrd; findings: Finding[] }> {
    const known = this.#initrds.get(path);
    if (known !== undefined) return known;
    const read = this.#readInitrd(path);
    this.#initrds.set(path, read);
    return read;
  }

  async #readInitrd(path: string): Promise<{ initrd: ReadInitrd; findings: Finding[] }> {
    const findings: Finding[] = [];
    const add = (severity: Severity, code: string, message: string): void =>
      void findings.push({ severity, code, where: path, message });
    const bytes = this.#read(path, (code, message) => add('error', `initrd-${code}`, message));
    if (bytes === undefined) return { initrd: { path, sizeBytes: 0, archives: undefined }, findings };
    let archives: InitramfsArchive[] | undefined;
    try {
      archives = await readInitramfs(bytes, path, decompress, isLookedAt);
    } catch (error) {
      // Without the program that decompresses it here, it may well be whole.
      if (error instanceof NotFoundError) add('unchecked', 'initrd-unreadable', error.message);
      else if (error instanceof SealtreeError && error.code !== 'interrupted')
        add('error', 'initrd-damaged', error.message);
      else throw error;
    }
    return { initrd: { path, sizeBytes: bytes.length, archives }, findings };
  }

  #read(path: string, report: (code: string, message: string) => void): Buffer | undefined {
    try {
      return this.#system.readFile(path);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      const isMissing = /: (ENOENT|ENOTDIR)/.test(error.message);
      report(isMissing ? 'missing' : 'unreadable', isMissing ? 'there is no such file' : error.message);
      return undefined;
    }
  }
}
