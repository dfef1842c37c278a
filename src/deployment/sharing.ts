/**
 * How the deployments and images of a sysroot share the disk: they are hard links of the repository's objects, so the
 * sizes of their folders say little. Counted is what du(1) counts, blocks of inodes, in the folders as they are and in
 * the objects of their commits.
 */
import type { Stats } from 'node:fs';
import { type ByteString, stringToBytes } from '../base/bytes.ts';
import type { Checksum, Digest } from '../base/digest.ts';
import { errnoOf, SealtreeError } from '../base/errors.ts';
import { isDirectory } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import { ErofsImage } from '../formats/erofs/read.ts';
import type { Finding } from '../image/findings.ts';
import { listImages } from '../image/store.ts';
import { expectedObjects } from '../image/verify-objects.ts';
import { type ObjectType, Repository } from '../repository/repository.ts';
import type { Deployment } from './deployment.ts';
import { type Amount, amountOf, type DiskFile, type SharedSet, Shares } from './shares.ts';
import type { Sysroot } from './sysroot.ts';

/** Who has files. A ref is not shown: it keeps what the removal of a deployment would free otherwise. */
export type Holder =
  | { readonly kind: 'deployment'; readonly name: string; readonly deployment: Deployment }
  | { readonly kind: 'image'; readonly name: Digest; readonly path: string }
  | { readonly kind: 'ref'; readonly name: string; readonly checksum: Checksum };

export interface Share {
  readonly holder: Holder;
  /** The folder and the objects of its commit; of an image its file and the objects it points to. */
  readonly total: Amount;
  /** What no other of its kind has. */
  readonly unique: Amount;
  /** The rest. */
  readonly shared: Amount;
  /**
   * What the disk has back once it is gone: a deployment after `ostree admin undeploy`, which also prunes what neither a
   * deployment nor the head of a ref has, and `sealtree gc`; an image after the latter.
   */
  readonly freed: Amount;
  /** Refs that keep something which only this one of its kind has. */
  readonly keptBy: readonly string[];
  /** With which others of its kind it shares, those with the most first. */
  readonly partners: readonly (Amount & { readonly name: string })[];
  /** What `du` says of a deployment's folder; of an image its file. */
  readonly folder: Amount;
}

export interface SharingReport {
  /** Deployments, then images. */
  readonly shares: readonly Share[];
  /** All of them together, each file once. */
  readonly total: Amount;
  /** What could not be looked at: the figures are lower limits then. */
  readonly problems: readonly Finding[];
}

/** @throws IoError where the sysroot cannot be looked at; InterruptedError */
export async function readSharing(
  sysroot: Sysroot,
  progress: Progress,
  system: System,
): Promise<SharingReport> {
  return await new SharingReader(sysroot, progress, system).read();
}

class SharingReader {
  readonly #sysroot: Sysroot;
  readonly #repository: Repository;
  readonly #progress: Progress;
  readonly #system: System;
  readonly #shares = new Shares<Holder>();
  /** What is shown, with the folder or file that it is by itself. */
  readonly #shown = new Map<Holder, Amount>();
  readonly #problems: Finding[] = [];
  /** By path; null where there is none. */
  readonly #objects = new Map<string, DiskFile | null>();

  constructor(sysroot: Sysroot, progress: Progress, system: System) {
    this.#sysroot = sysroot;
    this.#repository = Repository.open(sysroot.repositoryPath, system);
    this.#progress = progress;
    this.#system = system;
  }

  async read(): Promise<SharingReport> {
    const { path: repositoryPath } = this.#repository;
    for (const deployment of this.#sysroot.deployments) {
      this.#progress.begin(`looking at deployment ${deployment.index}`);
      const holder: Holder = { kind: 'deployment', name: deployment.id, deployment };
      this.#shown.set(holder, await this.#hold(holder, this.#folder(deployment.path)));
      await this.#hold(holder, this.#file(`${deployment.path}.origin`));
      await this.#hold(holder, this.#commit(deployment.checksum));
    }
    for (const { path, digest } of listImages(repositoryPath, this.#system)) {
      this.#progress.begin('looking at images');
      const holder: Holder = { kind: 'image', name: digest, path };
      this.#shown.set(holder, await this.#hold(holder, this.#file(path)));
      await this.#hold(holder, this.#imageObjects(path));
    }
    for (const { refspec, checksum } of this.#repository.listRefs()) {
      // ostree's own refs to deployments go with these.
      if (/^ostree\/[01]\/[01]\/\d+$/.test(refspec)) continue;
      this.#progress.begin('looking at refs');
      await this.#hold({ kind: 'ref', name: refspec, checksum }, this.#commit(checksum));
    }
    this.#progress.end();
    const sets = this.#shares.sets();
    return {
      shares: [...this.#shown].map(([holder, folder]) => this.#share(holder, folder, sets)),
      total: amountOf(sets, (holders) => holders.some(({ kind }) => kind !== 'ref')),
      problems: this.#problems,
    };
  }

  /** Counts files for a holder; what could not be read is a problem, and the rest counts. */
  async #hold(holder: Holder, files: Iterable<DiskFile>): Promise<Amount> {
    const found = new Map<string, DiskFile>();
    let bytes = 0;
    try {
      for (const file of files) {
        this.#progress.advance(1);
        await this.#progress.breathe();
        if (found.has(file.inode)) continue;
        found.set(file.inode, file);
        bytes += file.bytes;
      }
    } catch (error) {
      if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
      this.#unreadable(holder.name, error);
    }
    this.#shares.add(holder, found.values());
    return { bytes, files: found.size };
  }

  #unreadable(where: string, error: SealtreeError): void {
    this.#problems.push({ severity: 'unchecked', code: 'not-counted', where, message: error.message });
  }

  /** A folder and all below it on its file system. */
  *#folder(path: string): Generator<DiskFile> {
    const top = this.#system.lstatIfExists(path);
    if (top === undefined) return;
    const pending: Buffer[] = [Buffer.from(path)];
    yield diskFile(top);
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const name of this.#names(next)) {
        const child = Buffer.concat([next, SLASH, stringToBytes(name)]);
        // Somebody may be at work in it.
        const stats = this.#system.lstatIfExists(child);
        if (stats === undefined || stats.dev !== top.dev) continue;
        yield diskFile(stats);
        if (isDirectory(stats.mode)) pending.push(child);
      }
    }
  }

  #names(folder: Buffer): ByteString[] {
    try {
      return this.#system.readdir(folder).filter((name) => name !== '.' && name !== '..');
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') this.#unreadable(folder.toString(), error as SealtreeError);
      return [];
    }
  }

  /** The objects of a commit, those that are there. */
  *#commit(checksum: Checksum): Generator<DiskFile> {
    yield* this.#object(checksum, 'commit');
    yield* this.#object(checksum, 'commitmeta');
    const { rootTree, rootMeta } = this.#repository.commit(checksum);
    const pending = [{ tree: rootTree, meta: rootMeta }];
    const seen = new Set<Checksum>();
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      yield* this.#object(next.meta, 'dirmeta');
      if (seen.has(next.tree)) continue;
      seen.add(next.tree);
      yield* this.#object(next.tree, 'dirtree');
      const { files, dirs } = this.#repository.dirtree(next.tree);
      for (const { checksum: content } of files) yield* this.#object(content, 'file');
      pending.push(...dirs);
    }
  }

  #object(checksum: Checksum, type: ObjectType): DiskFile[] {
    const path = this.#repository.objectPath(checksum, type);
    let file = this.#objects.get(path);
    if (file === undefined) {
      file = this.#file(path)[0] ?? null;
      this.#objects.set(path, file);
    }
    return file === null ? [] : [file];
  }

  *#imageObjects(path: string): Generator<DiskFile> {
    const image = new ErofsImage(this.#system.readFile(path), path);
    for (const checksum of expectedObjects(image).keys()) yield* this.#object(checksum, 'file');
  }

  #file(path: string): DiskFile[] {
    const stats = this.#system.lstatIfExists(path);
    return stats === undefined ? [] : [diskFile(stats)];
  }

  #share(holder: Holder, folder: Amount, sets: readonly SharedSet<Holder>[]): Share {
    const { kind } = holder;
    const mine = sets.filter(({ holders }) => holders.includes(holder));
    const isUnique = (holders: readonly Holder[]): boolean =>
      holders.every((one) => one === holder || one.kind !== kind);
    // An image keeps no object, and one that is not in use goes with its last deployment.
    const isFreed = (holders: readonly Holder[]): boolean =>
      kind === 'deployment'
        ? holders.every((one) => one === holder || one.kind === 'image')
        : holders.length === 1;
    const others = [...this.#shown.keys()].filter((one) => one !== holder && one.kind === kind);
    const keepers = mine.filter(({ holders }) => isUnique(holders)).flatMap(({ holders }) => holders);
    return {
      holder,
      total: amountOf(mine, () => true),
      unique: amountOf(mine, isUnique),
      shared: amountOf(mine, (holders) => !isUnique(holders)),
      freed: amountOf(mine, isFreed),
      keptBy: [...new Set(keepers.flatMap((one) => (one.kind === 'ref' ? [one.name] : [])))],
      partners: others
        .map(({ name }, i) => ({ name, ...amountOf(mine, (holders) => holders.includes(others[i]!)) }))
        .filter(({ files }) => files > 0)
        .sort((a, b) => b.bytes - a.bytes),
      folder,
    };
  }
}

const SLASH = Buffer.from('/');

/** st_blocks counts 512 bytes each, whatever the file system's blocks are (stat(2)). */
const diskFile = ({ dev, ino, blocks }: Stats): DiskFile => ({ inode: `${dev}:${ino}`, bytes: blocks * 512 });
