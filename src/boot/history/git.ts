/**
 * The history in a bare git repository, so that git itself can be asked as well: one branch, a commit for each
 * revision. It is git's program that does it, which a host may lack: then there is no history.
 *
 * Nobody else's configuration, hooks or templates have a say, and kernel arguments may hold secrets: the folder is
 * root's alone. A revision is one run of git-fast-import(1), which is given all of it on its standard input; commit,
 * trees and files are flushed to the disk before the branch leads to them.
 */
import { basename, dirname, join } from 'node:path';
import type { SimpleGit } from 'simple-git';
import { FormatError, OperationError, PermissionError, UnsupportedError } from '../../base/errors.ts';
import { makeFolders } from '../../base/folders.ts';
import { isDirectory } from '../../base/mode.ts';
import type { System } from '../../base/system.ts';
import type { HistoryStore, NewRevision, Revision } from './store.ts';

const BRANCH = 'refs/heads/main';
const FOLDER_MODE = 0o700;

/** Longer than any of its calls takes on a slow disk. */
const TIMEOUT_MS = 30_000;

/** The variables that git is given beyond PATH and the language of its messages. */
const ENVIRONMENT = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' } as const;

export class GitHistory implements HistoryStore {
  readonly where: string;
  readonly #system: System;

  /** @param folder - absolute path of the repository, whether it is there or not */
  constructor(folder: string, system: System) {
    this.where = folder;
    this.#system = system;
  }

  async list(): Promise<Revision[]> {
    if (!this.#isThere()) return [];
    // git init may have been stopped.
    if (!this.#has('HEAD')) return [];
    const tip = (await this.#run(['for-each-ref', '--format=%(objectname)', BRANCH])).trim();
    if (tip === '') {
      // git passes over a branch that leads nowhere; one that nothing was written to has no file yet.
      if (this.#has(BRANCH) || this.#has('packed-refs'))
        throw new FormatError(join(this.where, BRANCH), 'leads to no commit');
      return [];
    }
    const text = await this.#run(['log', '--reverse', '--first-parent', '--format=%H %ct', tip, '--']);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [, id, seconds] = /^([0-9a-f]{40,64}) ([0-9]{1,12})$/.exec(line) ?? [];
        if (id === undefined) throw new FormatError(this.where, 'a line of git log', { got: line });
        return { id, seconds: Number(seconds) };
      });
  }

  async read(
    files: readonly { readonly id: string; readonly path: string }[],
  ): Promise<(Buffer | undefined)[]> {
    if (files.length === 0) return [];
    const wanted = files.map(({ id, path }) => `${id}:${safe(path)}\n`).join('');
    const git = await this.#git(Buffer.from(wanted));
    const answer: unknown = await this.#attempt(() => git.binaryCatFile(['--batch']));
    if (!Buffer.isBuffer(answer)) throw new FormatError(this.where, 'the answer of git cat-file');
    return splitBatch(answer, files.length, this.where);
  }

  async append({ message, author, seconds, files }: NewRevision): Promise<void> {
    await this.#make();
    const [tip] = (await this.list()).slice(-1);
    const parts: (string | Uint8Array)[] = [`commit ${BRANCH}\n`];
    for (const role of ['author', 'committer'])
      parts.push(`${role} ${author.replace(/[<>\p{Cc}]/gu, '')} <> ${seconds} +0000\n`);
    const text = Buffer.from(`${message}\n`);
    parts.push(`data ${text.length}\n`, text, '\n');
    if (tip !== undefined) parts.push(`from ${tip.id}\n`);
    parts.push('deleteall\n');
    for (const [path, bytes] of files)
      parts.push(`M 100644 inline ${safe(path)}\n`, `data ${bytes.length}\n`, bytes, '\n');
    parts.push('done\n');
    const input = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
    const git = await this.#git(input);
    // `done`: input that was cut off is then no revision.
    await this.#attempt(() => git.raw(['fast-import', '--quiet', '--done', '--date-format=raw']), 'write');
  }

  async setAside(seconds: number): Promise<string> {
    const stamp = new Date(seconds * 1000).toISOString().replace(/[-:]|\.000/g, '');
    let aside = join(dirname(this.where), `${basename(this.where, '.git')}-${stamp}.git`);
    for (let i = 2; this.#system.lstatIfExists(aside) !== undefined; i++)
      aside = join(dirname(this.where), `${basename(this.where, '.git')}-${stamp}-${i}.git`);
    this.#system.rename(this.where, aside);
    this.#system.fsyncDirectory(dirname(this.where));
    return aside;
  }

  /** Whether it is there; and nobody's but the caller's. */
  #isThere(): boolean {
    const stats = this.#system.lstatIfExists(this.where);
    if (stats === undefined) return false;
    // Asked as root, in a system that somebody else runs: nothing of theirs may lead elsewhere.
    if (!isDirectory(stats.mode)) throw new FormatError(this.where, 'not a folder');
    if (process.geteuid?.() !== stats.uid)
      throw new PermissionError(`${this.where}: only its owner may read the boot history`, {
        hint: 'run it as root',
      });
    return true;
  }

  #has(name: string): boolean {
    return this.#system.lstatIfExists(join(this.where, name)) !== undefined;
  }

  async #make(): Promise<void> {
    if (!this.#isThere()) {
      makeFolders(dirname(this.where), this.#system, { durable: true });
      this.#system.mkdir(this.where, FOLDER_MODE);
    }
    if (this.#has('HEAD')) return;
    await this.#run(
      ['init', '--quiet', '--bare', '--template=', `--initial-branch=${basename(BRANCH)}`],
      'write',
    );
    for (const name of ['HEAD', 'config']) {
      const fd = this.#system.openRead(join(this.where, name));
      try {
        this.#system.fsync(fd);
      } finally {
        this.#system.close(fd);
      }
    }
    this.#system.fsyncDirectory(this.where);
    this.#system.fsyncDirectory(dirname(this.where));
  }

  async #run(args: string[], verb?: 'write'): Promise<string> {
    const git = await this.#git(undefined);
    return await this.#attempt(() => git.raw(args), verb);
  }

  /** simple-git takes a tenth of a second to load, so only whoever needs it does. */
  async #git(input: Buffer | undefined): Promise<SimpleGit> {
    const { simpleGit } = await import('simple-git');
    return simpleGit({
      baseDir: this.where,
      config: ['core.hooksPath=/dev/null', 'core.fsync=all', 'gc.auto=0', 'fastimport.unpackLimit=1000000'],
      // All three guard against values that come from elsewhere; these are the constants above.
      unsafe: { allowUnsafeHooksPath: true, allowUnsafeConfigPaths: true, allowUnsafeTemplateDir: true },
      allowEnvironment: ['GIT_DIR', ...Object.keys(ENVIRONMENT)],
      timeout: { block: TIMEOUT_MS },
      ...(input === undefined ? {} : { input: () => input }),
    }).env({
      ...ENVIRONMENT,
      // Named, not looked for: git then asks nobody whether the folder is safe.
      GIT_DIR: this.where,
      HOME: '/nonexistent',
      LC_ALL: 'C',
      PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    });
  }

  /** What git says becomes one of our errors. */
  async #attempt<T>(work: () => Promise<T>, verb: 'read' | 'write' = 'read'): Promise<T> {
    const { GitError } = await import('simple-git');
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof Error && /\bENOENT\b/.test(cause.message))
        throw new UnsupportedError('git is not installed', { cause });
      if (!(cause instanceof GitError)) throw cause;
      const said = cause.message.trim().split('\n')[0] ?? '';
      if (verb === 'write')
        throw new OperationError('history', `${this.where}: git could not write: ${said}`, { cause });
      throw new FormatError(this.where, `git cannot read it: ${said}`, { cause });
    }
  }
}

/** A path that means the same to git's formats and to a person. */
function safe(path: string): string {
  if (!/^[A-Za-z0-9._+-]+(\/[A-Za-z0-9._+-]+)*$/.test(path) || /(^|\/)\.\.?(\/|$)/.test(path))
    throw new FormatError(path, 'not a path of a revision');
  return path;
}

/** The output of `git cat-file --batch`: for each name `OID TYPE SIZE\n`, that many bytes and a newline, or `NAME missing\n`. */
function splitBatch(bytes: Buffer, count: number, where: string): (Buffer | undefined)[] {
  const found: (Buffer | undefined)[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = bytes.indexOf(10, at);
    const line = end < 0 ? '' : bytes.toString('latin1', at, end);
    if (line.endsWith(' missing')) {
      found.push(undefined);
      at = end + 1;
      continue;
    }
    const [, size] = /^[0-9a-f]{40,64} blob ([0-9]{1,12})$/.exec(line) ?? [];
    const start = end + 1;
    const stop = start + Number(size);
    if (size === undefined || stop + 1 > bytes.length)
      throw new FormatError(where, 'the answer of git cat-file', {
        offset: at,
        got: JSON.stringify(line.slice(0, 120)),
      });
    found.push(bytes.subarray(start, stop));
    at = stop + 1;
  }
  return found;
}
