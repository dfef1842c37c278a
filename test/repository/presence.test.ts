/** Objects are found by the names in their folders, and by nothing that only looks like a name. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { initRepository } from '../../src/repository/init.ts';
import type { RepositoryMode } from '../../src/repository/objects.ts';
import { checksumsPresent } from '../../src/repository/presence.ts';
import { Repository } from '../../src/repository/repository.ts';
import { Sandbox } from '../support/sandbox.ts';

const CHECKSUM = `ab${'0123456789abcdef'.repeat(4).slice(2)}`;

describe('an object', () => {
  const work = new Sandbox();
  after(() => work.dispose());

  /** Whether it is there in a repository with a file of that name. */
  const isThere = (mode: RepositoryMode, name: string): boolean => {
    const path = work.join(`${mode}-${name}`);
    initRepository(path, mode, linuxSystem);
    mkdirSync(`${path}/objects/ab`, { recursive: true });
    writeFileSync(`${path}/objects/ab/${name}`, '');
    const repository = Repository.open(path, linuxSystem);
    const [isPresent, ...others] = checksumsPresent(repository, Buffer.from(CHECKSUM, 'hex'), 1);
    assert.deepEqual(others, []);
    return isPresent === 1;
  };
  const digits = CHECKSUM.slice(2);

  for (const [mode, end] of [
    ['bare-user-only', 'file'],
    ['bare-user-only', 'dirtree'],
    ['archive', 'filez'],
    ['archive', 'dirtree'],
  ] as const)
    it(`is there: .${end} in a repository of mode ${mode}`, () => {
      assert.equal(isThere(mode, `${digits}.${end}`), true);
    });

  for (const [why, name] of [
    ['is of another type', `${digits}.commit`],
    ['is of an archive', `${digits}.filez`],
    ['has capital digits', `${digits.toUpperCase()}.file`],
    ['has a digit that is none', `${digits.slice(1)}x.file`],
    ['is too short', `${digits.slice(2)}.file`],
    ['is too long', `${digits}00.file`],
    ['differs in its last digit', `${digits.slice(0, -1)}0.file`],
  ] as const)
    it(`is not there: what there is ${why}`, () => {
      assert.equal(isThere('bare-user-only', name), false);
    });
});
