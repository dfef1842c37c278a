/** What people open the interface for, from the first key to what they wanted to know, at three sizes. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import type { Digest } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { recordedImage } from '../../src/image/records.ts';
import { Repository } from '../../src/repository/repository.ts';
import { lookup, rootOf } from '../../src/repository/tree.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealAll } from '../support/seal-state.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';
import { SIZES, Story } from '../support/story.ts';

const { start } = await import('../../ui/start.tsx');

const sandbox = new Sandbox();
const whole = sandbox.join('whole');
const torn = sandbox.join('torn');
/** The image of the older system in the torn sysroot, which lacks an object of it. */
let image: Digest;

before(async () => {
  await makeSmallSysroot(whole);
  const sysroot = await makeSmallSysroot(torn);
  await sealAll(sysroot, 'off', linuxSystem);
  const { repositoryPath, commits } = sysroot;
  image = recordedImage(repositoryPath, commits[0], linuxSystem) as Digest;
  const repository = Repository.open(repositoryPath, linuxSystem);
  const tool = lookup(repository, rootOf(repository, commits[0]), textToBytes('/usr/bin/tool'));
  assert(tool.kind === 'file');
  rmSync(repository.objectPath(tool.checksum, 'file'));
});
after(() => sandbox.dispose());

for (const size of SIZES)
  describe(`on ${size.join('x')}`, () => {
    it('which object of which image is missing, and who needs it', async (t) => {
      const ui = Story.begin(t, start, torn, size);
      await ui.sees(/ 0 alpha/);
      await ui.press('4');
      await ui.sees(/2 images/);
      await ui.goTo(new RegExp(image.slice(0, 12)));
      await ui.press('o');
      await ui.sees(/1 of 3 objects bad/);
      await ui.press('b');
      await ui.isOn(/✗ missing .*\/usr\/bin\/tool/);
      await ui.press('enter');
      await ui.sees(/the object is missing/);
      await ui.sees(/state/);
      await ui.scrollsTo(/alpha [0-9a-f]{8}\.0, beta/);
    });

    it('what the update changed in a file', async (t) => {
      const ui = Story.begin(t, start, whole, size);
      await ui.isOn(/ 0 alpha/);
      await ui.press('d');
      await ui.sees(/M 2/);
      await ui.goTo(/os-release/);
      await ui.press('enter');
      await ui.sees(/modified/, /mode +0644/);
      await ui.press('G');
      await ui.sees(/-VERSION_ID=1/, /\+VERSION_ID=2/);
      await ui.press('o');
      await ui.hasPaged(/^-VERSION_ID=1\n\+VERSION_ID=2$/m);
      await ui.press('q', 'q');
      await ui.isOn(/ 0 alpha/);
    });

    it('where a file is, and who has the same', async (t) => {
      const ui = Story.begin(t, start, whole, size);
      await ui.isOn(/ 0 alpha/);
      await ui.press('t');
      await ui.isOn(/bin/);
      await ui.press('/', 'b', 's', 'a', 'm', 'enter');
      await ui.isOn(/\/usr\/bin\/same/);
      await ui.press('enter');
      await ui.sees(/kind +file/);
      await ui.press('G');
      await ui.sees(/same in +alpha/);
    });
  });
