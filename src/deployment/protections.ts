/** What protects a sealed image and its objects: fs-verity, where the kernel has it and it is wanted. */
import type { Checksum, Digest } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import type { SystemReads } from '../base/system.ts';
import { areProtected, type ListedDigests, type ObjectProtection } from '../image/protect-objects.ts';
import type { ImageVerity, VerityPolicy } from '../image/publish.ts';
import type { Repository } from '../repository/repository.ts';

export interface Protection {
  readonly imageVerity: ImageVerity;
  /** Only where the image has fs-verity: then they have it too. */
  readonly objects?: ObjectProtection;
}

interface Options {
  readonly verity: VerityPolicy;
  readonly progress: Progress;
}

export class Protections {
  readonly #repository: Repository;
  readonly #options: Options;
  /** How many objects an image lists, where all of them were seen to have fs-verity: deployments of one commit share them. */
  readonly #protected = new Map<Digest, number>();

  constructor(repository: Repository, options: Options) {
    this.#repository = repository;
    this.#options = options;
  }

  /**
   * What protects an image and its objects; undefined where something could still be done.
   * @param listed the objects of that image; asked for only where it has fs-verity itself
   */
  async of(
    path: string,
    image: Digest,
    listed: () => ListedDigests | Promise<ListedDigests>,
  ): Promise<Protection | undefined> {
    const imageVerity = this.#verityOf(path);
    if (imageVerity?.state !== 'enabled') return imageVerity && { imageVerity };
    let enabledBefore = this.#protected.get(image);
    if (enabledBefore === undefined) {
      const objects = await listed();
      if (!(await areProtected(this.#repository, objects, this.#options.progress))) return undefined;
      enabledBefore = objects.size;
      this.#protected.set(image, enabledBefore);
    }
    return { imageVerity, objects: { state: 'enabled', enabledNow: 0, enabledBefore } };
  }

  #verityOf(path: string): ImageVerity | undefined {
    if (this.#options.verity === 'off') return { state: 'off' };
    const { system } = this.#repository;
    const fd = system.openRead(path, { noFollow: true });
    try {
      const verity = system.measureVerity(fd);
      if (verity.state === 'enabled') return { state: 'enabled' };
      if (verity.state === 'unsupported' && this.#options.verity === 'auto')
        return {
          state: 'unsupported',
          reason: `kernel or file system has no fs-verity (${verity.errno})`,
        };
      return undefined;
    } finally {
      system.close(fd);
    }
  }
}

/** The objects that an image file lists. */
export async function digestsListedIn(path: string, system: SystemReads): Promise<ListedDigests> {
  // Loaded here: most kernels have fs-verity for nothing that lies under a root, and then nobody asks.
  const [{ ErofsImage }, { expectedObjects }] = await Promise.all([
    import('../formats/erofs/read.ts'),
    import('../image/verify-objects.ts'),
  ]);
  const objects = expectedObjects(new ErofsImage(system.readFile(path), path));
  return new Map<Checksum, Uint8Array | undefined>(
    [...objects].map(([checksum, { digest }]) => [checksum, digest]),
  );
}
