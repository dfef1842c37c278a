/** Files that ostree writes only where there is something to say. */
import { isMissing } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';

/** The whole file, or undefined where nothing has that name. @throws IoError */
export function readIfExists(path: string, system: SystemReads): Buffer | undefined {
  try {
    return system.readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
