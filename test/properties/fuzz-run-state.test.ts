/** Mutants of what ostree keeps in /run about the running system, and of origin files. */
import assert from 'node:assert/strict';
import type { Stats } from 'node:fs';
import { type ByteString, textToBytes } from '../../src/base/bytes.ts';
import { IoError } from '../../src/base/errors.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readOrigin } from '../../src/deployment/origin.ts';
import { readBooted, readNextRoot, readStaged } from '../../src/deployment/staged.ts';
import { readVariant, type Variant, writeVariant } from '../../src/formats/gvariant.ts';
import { fuzz } from '../support/fuzz.ts';

const CHECKSUM = '0123456789abcdef'.repeat(4);
const b = (text: string): ByteString => textToBytes(text);
const map = (values: Record<string, Variant>) =>
  new Map(Object.entries(values).map(([key, value]) => [b(key), value]));
const s = (text: string): Variant => ({ type: 's', value: b(text) });

/** A system whose one file, wherever it is looked for, has these bytes. */
function systemOf(bytes: Buffer): System {
  const reads: Pick<System, 'readFile' | 'lstat'> = {
    readFile: () => bytes,
    lstat: (path): Stats => {
      throw new IoError('lstat', String(path), 'ENOENT');
    },
  };
  return { ...linuxSystem, ...reads };
}

const deployment = map({ name: s(`${CHECKSUM}.0`), osname: s('alpha'), bootcsum: s(CHECKSUM) });

fuzz({
  name: 'staged-deployment',
  inputs: [
    {
      name: 'staged',
      bytes: writeVariant(
        'a{sv}',
        map({
          target: { type: 'a{sv}', value: deployment },
          'merge-deployment': { type: 'a{sv}', value: deployment },
          kargs: { type: 'as', value: [b('root=LABEL=root'), b('rw')] },
          'overlay-initrds': { type: 'as', value: [b(CHECKSUM)] },
          locked: { type: 'b', value: false },
          'bootconfig-extra': { type: 'a{ss}', value: new Map([[b('x-key'), b('value')]]) },
        }),
      ),
    },
  ],
  open(bytes) {
    readVariant('a{sv}', bytes, 'staged-deployment');
    return () => {
      const staged = readStaged('/run', systemOf(bytes));
      if (staged !== undefined) assert.match(staged.name.checksum, /^[0-9a-f]{64}$/);
    };
  },
});

fuzz({
  name: 'ostree-booted',
  inputs: [
    {
      name: 'booted',
      bytes: writeVariant(
        'a{sv}',
        map({
          composefs: { type: 'b', value: true },
          'composefs.signed': s('/etc/ostree/initramfs-root-binding.key'),
          'backing-root-device-inode': { type: '(tt)', value: [65024n, 0xffff_ffff_ffffn] },
        }),
      ),
    },
  ],
  open(bytes) {
    if (bytes.length > 0) readVariant('a{sv}', bytes, 'ostree-booted');
    return () => {
      const system = systemOf(bytes);
      assert.deepEqual(readBooted('/run', system)?.folder, readNextRoot('/run', system));
    };
  },
});

fuzz({
  name: 'origin file',
  text: true,
  inputs: [
    {
      name: 'ostree',
      bytes: Buffer.from(
        '[origin]\nrefspec=remote:os/one\nunlocked=hotfix\n[libostree-transient]\npinned=true\n',
      ),
    },
    {
      name: 'bootc',
      bytes: Buffer.from('[origin]\ncontainer-image-reference=ostree-unverified-registry:host/image\n'),
    },
  ],
  open(bytes) {
    return () => void readOrigin('/origin', systemOf(bytes));
  },
});
