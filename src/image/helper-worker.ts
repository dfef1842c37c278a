/** The thread of {@link ./helper-threads.ts}. It loads what it is asked for: somebody waits for its first answer. */
import { nobleEngine } from '../base/digest-noble.ts';
import { serve } from '../base/threads.ts';
import { hashLeaves } from '../formats/verity-leaves.ts';
import type { Repository } from '../repository/repository.ts';
import type { HelperAnswer, HelperRequest } from './helper-threads.ts';

async function help(request: HelperRequest): Promise<HelperAnswer> {
  switch (request.kind) {
    case 'present': {
      const { checksumsPresent } = await import('../repository/presence.ts');
      const repository = await openRepository(request.repositoryPath);
      return checksumsPresent(repository, request.checksums, request.count);
    }
    case 'learn': {
      const { learnRows } = await import('./learn-rows.ts');
      return await learnRows(await openRepository(request.repositoryPath), request.work, request.learner);
    }
    case 'reread': {
      const { rereadObjects } = await import('./reread-objects.ts');
      const steps = rereadObjects(await openRepository(request.repositoryPath), request.objects);
      for (;;) {
        const step = steps.next();
        if (step.done) return step.value;
      }
    }
    case 'sample': {
      const { checkDigests } = await import('./sample-objects.ts');
      const { silent } = await import('../base/progress.ts');
      return await checkDigests(await openRepository(request.repositoryPath), request.objects, silent());
    }
    case 'second-digest':
      while (hashLeaves(request.leaves, nobleEngine));
      return undefined;
  }
}

async function openRepository(path: string): Promise<Repository> {
  const { linuxSystem } = await import('../base/system-linux.ts');
  const { Repository } = await import('../repository/repository.ts');
  return Repository.open(path, linuxSystem);
}

serve(async (request: HelperRequest) => ({ value: await help(request) }));
