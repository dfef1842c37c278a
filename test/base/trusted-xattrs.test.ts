/** Whom the kernel shows trusted xattrs: not everybody who is root somewhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { areTrustedShown } from '../../src/base/trusted-xattrs.ts';

const status = (effective: string): string =>
  `Name:\tnode\nUid:\t0\t0\t0\t0\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\nCapBnd:\t000001ffffffffff\n`;

/** As Linux has numbered it from 3.8 on; others are given out from 4026531840 on. */
const FIRST = 'user:[4026531837]';

for (const [who, text, namespace, isShown] of [
  ['root of the machine', status('000001ffffffffff'), FIRST, true],
  ['who has CAP_SYS_ADMIN alone', status('0000000000200000'), FIRST, true],
  ['root of a container, as podman and docker start it', status('00000000a80425fb'), FIRST, false],
  ['who has all but CAP_SYS_ADMIN', status('000001ffffdfffff'), FIRST, false],
  ['root of a user namespace', status('000001ffffffffff'), 'user:[4026532177]', false],
  ['a user', status('0000000000000000'), FIRST, false],
  ['who has no such line', 'Name:\tnode\n', FIRST, false],
] as const)
  test(`trusted xattrs are ${isShown ? '' : 'not '}shown to ${who}`, () => {
    assert.equal(areTrustedShown(text, namespace), isShown);
  });
