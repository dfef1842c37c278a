/** What can be asked of mounts without making one: ../system/image.test.ts mounts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { mountCommands, unmountImage } from '../../src/image/mount.ts';

/** A system where these are all mounts, and no path is a symlink. */
const withMounts = (...lines: string[]): System => ({
  ...linuxSystem,
  realpath: (path) => path.toString(),
  readFile: () => Buffer.from(lines.join('\n')),
});

test('only an image is unmounted, whatever the name of its folder', async () => {
  const system = withMounts(
    '1 0 0:1 / / rw - ext4 /dev/vda rw',
    '2 1 0:2 / /mnt/Überblick\\040neu rw - tmpfs tmpfs rw',
  );
  await assert.rejects(unmountImage('/mnt/Überblick neu', system), UsageError);
  await assert.rejects(unmountImage('/mnt', system), NotFoundError);
});

test('what is mounted over an image is not taken down for it', async () => {
  const system = withMounts(
    '2 1 0:2 / /mnt rw - overlay composefs ro',
    '3 2 0:3 / /mnt rw - overlay overlay rw',
  );
  await assert.rejects(unmountImage('/mnt', system), /no image, but overlay from overlay/);
});

test('the commands of a mount have each folder of objects as a data-only layer, and ask for what was wanted', () => {
  const request = { image: 'i.cfs', directory: 'm', objects: ['a', 'b'] };
  assert.deepEqual(
    mountCommands(request, false).map((words) => words.join(' ')),
    [
      'mount -t erofs -o ro,noacl i.cfs LOWER',
      'mount -t overlay -o ro,metacopy=on,redirect_dir=on,lowerdir=LOWER::a::b composefs m',
      'umount --lazy LOWER',
    ],
  );
  const [erofs, overlay] = mountCommands({ ...request, verity: true }, true);
  assert.match(erofs?.join(' ') ?? '', /-o ro i\.cfs/);
  assert.match(overlay?.join(' ') ?? '', /,verity=require,/);
});
