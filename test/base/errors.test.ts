import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IoError } from '../../src/base/errors.ts';

test('a failed system call exits with the code its errno has', () => {
  const exitCodeOf = (errno: string) => new IoError('open', '/x', errno).exitCode;
  assert.deepEqual(['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR'].map(exitCodeOf), [77, 77, 66, 66]);
  assert.deepEqual(['ENOSPC', 'EIO', 'EUNKNOWN'].map(exitCodeOf), [74, 74, 74]);
});
