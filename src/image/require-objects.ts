/** Which repositories can be sealed: those whose objects the kernel can read as they lie there. */
import { UnsupportedError } from '../base/errors.ts';
import type { Repository } from '../repository/repository.ts';

/** @throws UnsupportedError for a repository whose objects cannot back a mounted image */
export function requireObjects(repository: Repository): void {
  if (repository.mode === 'archive')
    throw new UnsupportedError(
      `${repository.path}: objects of an archive repository are compressed and cannot back a root`,
      {
        hint: 'sealtree digest REV and sealtree image create REV work on archive repositories',
      },
    );
  if (repository.parent !== undefined)
    throw new UnsupportedError(
      `${repository.path}: its objects may lie in the parent ${repository.parent.path}, where a root cannot reach them`,
    );
}
