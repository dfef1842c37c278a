import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReadOnlyMount, mountOf, parseMountinfo } from '../../src/base/mountinfo.ts';

const TEXT = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
30 22 254:0 /ostree /sysroot ro,nosuid,relatime shared:1 master:2 propagate_from:3 - ext4 /dev/vda rw
31 30 0:40 / /sysroot/a\\040b\\134c rw - overlay none ro,lowerdir=/x::/y
32 22 0:41 / /sysroot rw - tmpfs tmpfs rw
not a line of mountinfo
33 22 0:42 / /m\xc3\xbcll rw - tmpfs tmpfs rw
`;

const mounts = parseMountinfo(Buffer.from(TEXT, 'latin1').toString('utf8'));

test('optional fields, escapes and UTF-8 are understood, other lines left out', () => {
  assert.deepEqual(
    mounts.map(({ id, mountPoint, type, source }) => [id, mountPoint, type, source]),
    [
      [22, '/', 'ext4', '/dev/vda'],
      [30, '/sysroot', 'ext4', '/dev/vda'],
      [31, '/sysroot/a b\\c', 'overlay', 'none'],
      [32, '/sysroot', 'tmpfs', 'tmpfs'],
      [33, '/müll', 'tmpfs', 'tmpfs'],
    ],
  );
  assert.deepEqual(mounts[1], {
    id: 30,
    parent: 22,
    device: '254:0',
    root: '/ostree',
    mountPoint: '/sysroot',
    options: ['ro', 'nosuid', 'relatime'],
    type: 'ext4',
    source: '/dev/vda',
    superOptions: ['rw'],
  });
});

test('a mount is read-only by its own flag or by that of its file system', () => {
  assert.deepEqual(mounts.map(isReadOnlyMount), [false, true, true, false, false]);
});

test('a path is on the longest, and of those the last mount', () => {
  assert.equal(mountOf(mounts, '/sysroot/ostree')?.id, 32);
  assert.equal(mountOf(mounts, '/sysroot')?.id, 32);
  assert.equal(mountOf(mounts, '/sysrooted')?.id, 22);
  assert.equal(mountOf(mounts, '/')?.id, 22);
  assert.equal(mountOf(mounts, '/sysroot/a b\\c/d')?.id, 31);
  assert.equal(mountOf([], '/'), undefined);
});
