/** The settings of an ostree-prepare-root that mounts images by itself: derived from those that are there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { mountingPrepareRootConf } from '../../src/boot/prepare-root.ts';

/** `sysroot.readonly` of the repository, where the file says nothing of it. */
const CASES: readonly (readonly [
  existing: string | undefined,
  readOnly: boolean | undefined,
  derived: string,
])[] = [
  [undefined, false, '[composefs]\nenabled=verity\n\n[sysroot]\nreadonly=false\n'],
  [undefined, true, '[composefs]\nenabled=verity\n\n[sysroot]\nreadonly=true\n'],
  [undefined, undefined, '[composefs]\nenabled=verity\n'],
  ['[sysroot]\nreadonly=false\n', true, '[sysroot]\nreadonly=false\n\n[composefs]\nenabled=verity\n'],
  [
    '# ours\n[composefs]\nenabled = no\n\n[etc]\ntransient=true\n',
    false,
    '# ours\n[composefs]\nenabled=verity\n\n[etc]\ntransient=true\n\n[sysroot]\nreadonly=false\n',
  ],
  // With composefs on, /sysroot is read-only already unless something is said.
  ['[composefs]\nenabled=yes\n', false, '[composefs]\nenabled=verity\n'],
  ['[composefs]\nenabled=verity\n', false, '[composefs]\nenabled=verity\n'],
  ['[composefs]\nenabled=maybe\n', false, '[composefs]\nenabled=verity\n\n[sysroot]\nreadonly=false\n'],
  // A signature is more than a seal pin, and stays.
  [
    '[composefs]\nenabled=signed\nkeypath=/etc/key\n',
    false,
    '[composefs]\nenabled=signed\nkeypath=/etc/key\n',
  ],
];

describe('the settings that have ostree mount the image', () => {
  for (const [existing, readOnly, derived] of CASES)
    it(`are derived from ${JSON.stringify(existing)}, sysroot.readonly=${readOnly}`, () => {
      const bytes = existing === undefined ? undefined : Buffer.from(existing);
      assert.equal(mountingPrepareRootConf(bytes, 'prepare-root.conf', readOnly).toString(), derived);
    });

  it('are derived from nothing that is no keyfile', () => {
    assert.throws(
      () => mountingPrepareRootConf(Buffer.from('[composefs\n'), '/etc/ostree/prepare-root.conf', false),
      (error) => error instanceof FormatError && /^\/etc\/ostree\/prepare-root\.conf:1: /.test(error.message),
    );
  });
});
