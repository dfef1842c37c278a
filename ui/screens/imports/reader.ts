/** Looks for what can be imported in a folder. */
import { dirname, join } from 'node:path';
import { bytesToText, textToBytes } from '../../../src/base/bytes.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import { isDirectory, isRegular } from '../../../src/base/mode.ts';
import { silent } from '../../../src/base/progress.ts';
import { Layout } from '../../../src/container/layout.ts';
import type { Reader, Source } from '../../reader.ts';
import { Turns } from '../../turns.ts';
import { ARCHIVE, type ImportRow, type ImportsRequest } from './state.ts';

export class ImportsReader implements Reader<ImportsRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  async answer({ reading, path = process.cwd() }: ImportsRequest, isStale: () => boolean): Promise<void> {
    const { dispatch } = this.#source;
    try {
      const rows = await this.#rows(path, isStale);
      if (rows !== undefined) dispatch({ type: 'imports-read', reading, path, rows });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      const failure = { message: error.message, advice: [], commands: [] };
      dispatch({ type: 'imports-failed', reading, failure });
    }
  }

  /** The folder above, layouts and folders, then archives, each by name. Undefined once it is stale. */
  async #rows(folder: string, isStale: () => boolean): Promise<ImportRow[] | undefined> {
    const { system } = this.#source;
    const turns = new Turns();
    const folders: ImportRow[] = [];
    const archives: ImportRow[] = [];
    for (const bytes of system.readdir(textToBytes(folder)).sort()) {
      const name = bytesToText(bytes);
      // What is hidden stays so; a name that is no text cannot be typed either.
      if (name.startsWith('.') || textToBytes(name) !== bytes) continue;
      const path = join(folder, name);
      const stats = system.lstatIfExists(path);
      if (stats === undefined) continue;
      if (isDirectory(stats.mode)) folders.push(...(await this.#folder(path, name)));
      else if (isRegular(stats.mode) && ARCHIVE.test(name))
        archives.push({ kind: 'archive', name, path, sizeBytes: stats.size });
      if (!turns.isOver) continue;
      await turns.next();
      if (isStale()) return undefined;
    }
    const above: ImportRow[] = folder === '/' ? [] : [{ kind: 'folder', name: '..', path: dirname(folder) }];
    return [...above, ...folders, ...archives];
  }

  /** The images of a layout, or a folder like any other. */
  async #folder(path: string, name: string): Promise<ImportRow[]> {
    const { system } = this.#source;
    if (system.lstatIfExists(join(path, 'oci-layout')) === undefined) return [{ kind: 'folder', name, path }];
    try {
      const tags = await (await Layout.open(path, system, silent())).tags();
      if (tags.length === 0) return [{ kind: 'image', name, path, tag: undefined }];
      return tags.map((tag) => ({ kind: 'image', name, path, tag }));
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      return [{ kind: 'broken', name, path, message: error.message }];
    }
  }
}
