/** Finds images, and reads what is in one. */
import { SealtreeError } from '../../../src/base/errors.ts';
import { isRegular } from '../../../src/base/mode.ts';
import { listImages } from '../../../src/image/store.ts';
import { repositoryOf } from '../../models/command-line.ts';
import { repositoryFailure } from '../../models/failure.ts';
import type { Reader, Source } from '../../readers.ts';
import { rest } from '../../turns.ts';
import { readOverview } from './overview.ts';
import type { ImageFile, ImagePlace, ImagesRequest } from './state.ts';

export class ImagesReader implements Reader<ImagesRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  answer(request: ImagesRequest, isStale: () => boolean): Promise<void> | void {
    if (request.type === 'survey-image') return this.#survey(request.path, isStale);
    if (!isStale()) this.#list(request.reading, request.places);
  }

  #list(reading: number, places: readonly ImagePlace[]): void {
    const { dispatch } = this.#source;
    try {
      dispatch({ type: 'images-read', reading, files: this.#files(places) });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'images-failed', reading, failure: repositoryFailure(error, this.#source) });
    }
  }

  /** By inode: a deployment's image is a hard link to the published one, unless it was copied or made by ostree. */
  #files(places: readonly ImagePlace[]): ImageFile[] {
    const { system } = this.#source;
    const found = new Map<string, { file: Omit<ImageFile, 'usedBy'>; usedBy: string[] }>();
    const published = listImages(repositoryOf(this.#source), system);
    for (const { path, digest, title } of [
      ...published.map((image) => ({ ...image, title: undefined })),
      ...places.map((place) => ({ ...place, digest: undefined })),
    ]) {
      const stats = system.lstatIfExists(path);
      if (stats === undefined || !isRegular(stats.mode)) continue;
      const key = `${stats.dev} ${stats.ino}`;
      const known = found.get(key) ?? {
        file: { path, digest, sizeBytes: stats.size, madeAt: stats.mtimeMs / 1000 },
        usedBy: [],
      };
      if (title !== undefined) known.usedBy.push(title);
      found.set(key, known);
    }
    const files = Array.from(found.values(), ({ file, usedBy }) => ({ ...file, usedBy }));
    return files.sort((a, b) => b.madeAt - a.madeAt || (a.path < b.path ? -1 : 1));
  }

  async #survey(path: string, isStale: () => boolean): Promise<void> {
    const { dispatch, system } = this.#source;
    await rest();
    if (isStale()) return;
    const overview = await readOverview(path, system, isStale);
    if (overview !== undefined && !isStale()) dispatch({ type: 'image-surveyed', overview });
  }
}
