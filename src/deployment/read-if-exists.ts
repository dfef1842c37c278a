/** Files that ostree writes only where there is something to say. */
import { errnoOf } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';

/** The whole file, or undefined where nothing has that name. @throws IoError */
export function readIfExists(path: string, system: SystemReads): Buffer | undefined {
  try {
    return system.readFile(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}
