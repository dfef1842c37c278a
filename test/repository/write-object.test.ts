/** The writer of one object lets go of its file, whatever happens. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { IoError } from '../../src/base/errors.ts';
import { S_IFREG } from '../../src/base/mode.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { FileObject } from '../../src/repository/write-object.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

describe('an object that cannot be begun', () => {
  for (const size of [0, 5])
    it(`keeps no file open: ${size} bytes`, () => {
      using work = new Sandbox();
      const header = { uid: 0, gid: 0, mode: S_IFREG | 0o644, target: '' as ByteString, xattrs: [] };
      const isOpen = (path: string): boolean =>
        readdirSync('/proc/self/fd').some((fd) => {
          try {
            return linuxSystem.readlink(`/proc/self/fd/${fd}`) === path;
          } catch (error) {
            // The descriptor by which this folder was read is closed by now.
            if (error instanceof IoError && error.errno === 'ENOENT') return false;
            throw error;
          }
        });
      // Creating it is the first step.
      for (let at = 1; at < (size === 0 ? 3 : 2); at++) {
        const path = work.join(`object-${at}`);
        const system = faultSystem(linuxSystem, { kind: 'fail', at, errno: 'ENOSPC' });
        assert.throws(
          () => new FileObject(system, 'archive', path, header, size),
          (error) => error instanceof IoError && error.errno === 'ENOSPC',
        );
        assert.equal(isOpen(path), false);
      }
      const path = work.join('whole');
      using _ = new FileObject(linuxSystem, 'archive', path, header, size);
      assert.equal(isOpen(path), true);
    });
});
