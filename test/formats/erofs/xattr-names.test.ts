import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../../src/base/bytes.ts';
import { filterBit, splitName } from '../../../src/formats/erofs/xattr-names.ts';

/** The filter of a set of names, as in an inode. */
function filterOf(names: readonly string[]): string {
  let filter = -1;
  for (const name of names) {
    filter &= ~(1 << filterBit(splitName(name as ByteString)));
  }
  return (filter >>> 0).toString(16);
}

describe('names of xattrs', () => {
  const splits: readonly (readonly [name: string, index: number, suffix: string])[] = [
    ['user.a', 1, 'a'],
    ['user.', 1, ''],
    ['user', 0, 'user'],
    ['system.posix_acl_access', 2, ''],
    ['system.posix_acl_accessX', 2, 'X'],
    ['system.posix_acl_default', 3, ''],
    ['system.other', 0, 'system.other'],
    ['trusted.overlay.opaque', 4, 'overlay.opaque'],
    ['lustre.a', 0, 'lustre.a'],
    ['security.selinux', 6, 'selinux'],
    ['', 0, ''],
  ];
  for (const [name, index, suffix] of splits) {
    it(`${JSON.stringify(name)} is stored with prefix ${index}`, () => {
      assert.deepEqual(splitName(name as ByteString), { index, suffix });
    });
  }

  const filters: readonly (readonly [filter: string, names: readonly string[]])[] = [
    ['ffffffff', []],
    ['ffefffff', ['trusted.overlay.opaque']],
    ['7ffdffff', ['trusted.overlay.metacopy', 'trusted.overlay.redirect']],
    ['fffff7ff', ['security.selinux']],
    ['fffffdef', ['trusted.overlay.overlay.whiteout', 'user.overlay.whiteout']],
    [
      'ffefebdf',
      [
        'trusted.overlay.overlay.opaque',
        'trusted.overlay.overlay.whiteouts',
        'user.overlay.opaque',
        'user.overlay.whiteouts',
      ],
    ],
  ];
  for (const [filter, names] of filters) {
    it(`the filter of ${names.join(', ') || 'no names'} is ${filter}`, () => {
      assert.equal(filterOf(names), filter);
    });
  }
});
