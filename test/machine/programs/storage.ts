/**
 * The storage part of `boot install` by itself, for a guest: each word of the command line is done in turn, and what
 * came of it printed as JSON, a line each. `/PATH` is the sysroot from there on; `protect:N` is killed at the Nth file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { SealtreeError } from '../../../src/base/errors.ts';
import { silent } from '../../../src/base/progress.ts';
import type { System } from '../../../src/base/system.ts';
import { linuxSystem } from '../../../src/base/system-linux.ts';
import { protectRepository, readProtection } from '../../../src/boot/protect.ts';
import { withIntegrity } from '../../../src/boot/repo-config.ts';
import { enableFeature, readStorage } from '../../../src/boot/storage.ts';
import { readSysroot } from '../../../src/deployment/sysroot.ts';
import { Repository } from '../../../src/repository/repository.ts';

let sysrootPath = '';

function dyingAt(count: number): System {
  let enabled = 0;
  return {
    ...linuxSystem,
    enableVerity(fd) {
      linuxSystem.enableVerity(fd);
      if (++enabled === count) process.kill(process.pid, 'SIGKILL');
    },
  };
}

async function run(word: string): Promise<unknown> {
  const [verb, count] = word.split(':');
  const repositoryPath = `${sysrootPath}/ostree/repo`;
  const system = count === undefined ? linuxSystem : dyingAt(Number(count));
  const folders = () => readSysroot(sysrootPath, system).deployments.map(({ path }) => path);
  switch (verb) {
    case 'state':
      return readStorage(sysrootPath, system);
    case 'feature': {
      const { verity } = readStorage(sysrootPath, system);
      if (verity.state !== 'needs-feature') return verity;
      await enableFeature(verity.step, sysrootPath, system);
      return { done: verity.step.argv };
    }
    case 'count':
      return await readProtection(Repository.open(repositoryPath, system), folders(), silent());
    case 'protect':
      return await protectRepository(Repository.open(repositoryPath, system), folders(), silent());
    case 'config': {
      const path = `${repositoryPath}/config`;
      const edit = withIntegrity(readFileSync(path), path);
      if (edit !== undefined) writeFileSync(path, edit.bytes);
      return { before: edit?.before };
    }
    default:
      throw new Error(`no such word: ${word}`);
  }
}

for (const word of process.argv.slice(2)) {
  if (word.startsWith('/')) {
    sysrootPath = word;
    continue;
  }
  try {
    console.log(JSON.stringify(await run(word)));
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    console.log(JSON.stringify(error));
    process.exitCode = error.exitCode;
  }
}
