/** Pins as ostree sees them, and pins of ostree as sealtree sees them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';

const SUITES = ['bookworm', 'sid'] as const;

describeSystem('pins', SUITES, () => {
  for (const suite of SUITES)
    it(`are those of ostree admin pin (${suite})`, () => {
      using work = new Sandbox();
      const sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      sysroot.commit('os/main', { version: '1' });
      sysroot.deploy('os', 'os/main');
      sysroot.commit('os/main', { version: '2' });
      sysroot.deploy('os', 'os/main');
      const pins = (): boolean[] =>
        readSysroot(sysroot.path, linuxSystem).deployments.map(({ pinned }) => pinned);
      const isPinned = (): boolean => /Pinned: yes/.test(sysroot.admin('status').stdout);
      const origin = `${readSysroot(sysroot.path, linuxSystem).deployments[1]?.path}.origin`;
      const before = readFileSync(origin, 'utf8');

      sealtree(['pin', '1', '--sysroot', sysroot.path]);
      assert(isPinned());
      const ours = readFileSync(origin, 'utf8');
      sysroot.admin('pin', ['--unpin', '1']);
      assert.deepEqual(pins(), [false, false]);
      sysroot.admin('pin', ['1']);
      assert.equal(readFileSync(origin, 'utf8').trimEnd(), ours.trimEnd());
      assert.deepEqual(pins(), [false, true]);
      sealtree(['pin', '--unpin', '1', '--sysroot', sysroot.path]);
      assert(!isPinned());
      assert.equal(readFileSync(origin, 'utf8').trimEnd(), before.trimEnd());
    });
});
