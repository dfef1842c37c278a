/** Finds images, and reads what is in one. */
import type { Digest } from '../../../src/base/digest.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import { isRegular } from '../../../src/base/mode.ts';
import { sealedRefs } from '../../../src/image/sealed-refs.ts';
import { listImages } from '../../../src/image/store.ts';
import { repositoryOf } from '../../models/command-line.ts';
import { repositoryFailure } from '../../models/failure.ts';
import type { Reader, Source } from '../../reader.ts';
import { rest } from '../../turns.ts';
import { readOverview } from './overview.ts';
import type { ImageFile, ImagePlace, ImageRef, ImagesRequest } from './state.ts';

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
    const found = new Map<string, { file: Omit<ImageFile, 'usedBy' | 'refs'>; usedBy: string[] }>();
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
    const refs = this.#refs();
    const files = Array.from(found.values(), ({ file, usedBy }) => ({
      ...file,
      usedBy,
      refs: refs.get(file.digest) ?? [],
    }));
    return files.sort((a, b) => b.madeAt - a.madeAt || (a.path < b.path ? -1 : 1));
  }

  /** By the digest of their image. */
  #refs(): ReadonlyMap<Digest | undefined, readonly ImageRef[]> {
    const repository = this.#source.repository();
    const now = new Map(repository.listRefs().map(({ refspec, checksum }) => [refspec, checksum]));
    const found = new Map<Digest, ImageRef[]>();
    for (const { ref, commit, digest } of sealedRefs(repository.path, repository.system)) {
      const state = !now.has(ref) ? 'gone' : now.get(ref) === commit ? 'current' : 'moved';
      found.set(digest, [...(found.get(digest) ?? []), { name: ref, state }]);
    }
    return found;
  }

  async #survey(path: string, isStale: () => boolean): Promise<void> {
    const { dispatch, system } = this.#source;
    await rest();
    if (isStale()) return;
    const overview = await readOverview(path, system, isStale);
    if (overview !== undefined && !isStale()) dispatch({ type: 'image-surveyed', overview });
  }
}
