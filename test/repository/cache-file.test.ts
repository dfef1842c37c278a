/** A cache file is what its pieces are, one after the other, in few steps. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readCacheFile, writeCacheFile } from '../../src/repository/cache-file.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { Sandbox } from '../support/sandbox.ts';

const LARGE = 256 * 1024;

describe('a cache file', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let repository: Repository;
  const written: number[] = [];

  before(() => {
    const path = work.join('repo');
    initRepository(path, 'bare-user-only', linuxSystem);
    mkdirSync(`${path}/extensions/sealtree`, { recursive: true });
    const system: System = {
      ...linuxSystem,
      write(fd, bytes) {
        written.push(bytes.length);
        linuxSystem.write(fd, bytes);
      },
    };
    repository = Repository.open(path, system);
  });

  for (const [lengths, steps] of [
    [[], []],
    [[0], []],
    [[1, 0, 2], [3]],
    [[LARGE], [LARGE]],
    [
      [1, LARGE, LARGE + 1, 0, 2, 3],
      [1, LARGE, LARGE + 1, 5],
    ],
  ] as const)
    it(`of pieces of ${lengths.join(', ') || 'no'} bytes`, () => {
      written.length = 0;
      const pieces = lengths.map((length, i) => Buffer.alloc(length, i + 1));
      writeCacheFile(repository, 'test', pieces);
      assert.deepEqual(written, steps);
      assert.deepEqual(readCacheFile(repository, 'test'), Buffer.concat(pieces));
    });
});
