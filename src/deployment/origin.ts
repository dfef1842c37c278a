/**
 * The `.origin` file beside a deployment's folder: what it was deployed from, and what was decided about it since
 * (ostree-deployment.c; ostree(1), rpm-ostree and bootc each keep keys of their own there, which stay untouched).
 */
import type { SystemReads } from '../base/system.ts';
import { Keyfile } from '../formats/keyfile.ts';
import { readIfExists } from './read-if-exists.ts';

export interface Origin {
  readonly path: string;
  /** `[REMOTE:]REF` that upgrades follow. rpm-ostree with layered packages keeps it as `baserefspec`. */
  readonly refspec: string | undefined;
  /** Set by bootc and rpm-ostree for systems that follow a container image. */
  readonly containerImage: string | undefined;
  /** As written; ostree knows `hotfix`. */
  readonly unlocked: string | undefined;
  /** Whether new deployments may not push this one out. */
  readonly pinned: boolean;
  readonly keyfile: Keyfile;
}

/** Reads the file; undefined when there is none. @throws FormatError when it is no keyfile */
export function readOrigin(path: string, system: SystemReads): Origin | undefined {
  const bytes = readIfExists(path, system);
  if (bytes === undefined) return undefined;
  const keyfile = Keyfile.parse(bytes, path);
  // GLib takes a value that is no boolean for false, and so does ostree here.
  const pinned = keyfile.getRaw('libostree-transient', 'pinned')?.trim();
  return {
    path,
    refspec: keyfile.getString('origin', 'refspec') ?? keyfile.getString('origin', 'baserefspec'),
    containerImage: keyfile.getString('origin', 'container-image-reference'),
    unlocked: keyfile.getString('origin', 'unlocked'),
    pinned: pinned === 'true' || pinned === '1',
    keyfile,
  };
}
