/** A history that is gone with the test: for what is not about how it is kept. */
import type { HistoryStore, NewRevision, Revision } from '../../src/boot/history/store.ts';

export class MemoryHistory implements HistoryStore {
  readonly where = 'memory';
  readonly #revisions: NewRevision[] = [];

  async list(): Promise<Revision[]> {
    return this.#revisions.map(({ seconds }, i) => ({ id: String(i), seconds }));
  }

  async read(files: readonly { id: string; path: string }[]): Promise<(Buffer | undefined)[]> {
    return files.map(({ id, path }) => {
      const bytes = this.#revisions[Number(id)]?.files.get(path);
      return bytes && Buffer.from(bytes);
    });
  }

  async append(revision: NewRevision): Promise<void> {
    this.#revisions.push(revision);
  }

  async setAside(): Promise<string> {
    this.#revisions.length = 0;
    return 'nowhere';
  }
}
