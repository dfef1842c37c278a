/** Which libostree of a deployment knows a sealed root. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { libraryWithoutOverlayRoot } from '../../src/boot/ostree-library.ts';
import { Sandbox } from '../support/sandbox.ts';

const OLD = 'ELF…/run/ostree-booted…';
const NEW = `${OLD}backing-root-device-inode\0`;

const CASES: readonly (readonly [title: string, files: Readonly<Record<string, string>>, found?: string])[] =
  [
    ['no library at all', { 'usr/lib/os-release': '' }],
    ['one that knows', { 'usr/lib64/libostree-1.so.1': NEW }],
    ['one that does not', { 'usr/lib/libostree-1.so.1': OLD }, 'usr/lib/libostree-1.so.1'],
    [
      'one where Debian has it',
      { 'usr/lib/aarch64-linux-gnu/libostree-1.so.1': OLD },
      'usr/lib/aarch64-linux-gnu/libostree-1.so.1',
    ],
  ];

for (const [title, files, found] of CASES)
  it(title, () => {
    const tree = new Sandbox();
    for (const [path, content] of Object.entries(files)) tree.write(path, content);
    assert.equal(libraryWithoutOverlayRoot(tree.path, linuxSystem), found);
  });
