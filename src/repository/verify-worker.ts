/** The thread of {@link ./verify.ts}: recomputes checksums of a list of objects. */
import { linuxSystem } from '../base/system-linux.ts';
import { serve } from '../base/threads.ts';
import { type ObjectName, Repository } from './repository.ts';
import { type CheckedObjects, type Depth, ObjectChecker } from './verify-content.ts';

export interface CheckRequest {
  readonly repositoryPath: string;
  readonly depth: Depth;
  readonly names: readonly ObjectName[];
}

/** One repository is all that a thread is asked of. */
let checker: ObjectChecker | undefined;

serve(async ({ repositoryPath, depth, names }: CheckRequest) => {
  checker ??= new ObjectChecker(Repository.open(repositoryPath, linuxSystem), depth);
  return { value: (await checker.check(names)) satisfies CheckedObjects };
});
