/** What the running system came up as, told by more than its own word. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type RunningState, readRunning } from '../../src/boot/running.ts';
import { Sandbox } from '../support/sandbox.ts';

const DIGEST = 'd'.repeat(64);
const PIN = `sealtree.pin=${'a'.repeat(12)}:${DIGEST}`;

interface World {
  readonly files?: Readonly<Record<string, string>>;
  readonly commandLine?: string;
  /** Options of the overlay that is the root; undefined for another file system. */
  readonly overlay?: readonly string[];
}

const CASES: readonly (readonly [name: string, world: World, as: RunningState['as'], reason?: RegExp])[] = [
  ['plain where nobody asked', { commandLine: 'root=x ro' }, 'plain'],
  [
    'sealed where the root verifies',
    { files: { sealed: `${DIGEST}\n` }, commandLine: PIN, overlay: ['ro', 'verity=require'] },
    'sealed',
  ],
  [
    'not sealed where it says so and the root does not verify',
    { files: { sealed: `${DIGEST}\n` }, commandLine: PIN, overlay: ['ro'] },
    'unsealed',
    /no overlay with verity=require/,
  ],
  ['not sealed on a disk', { files: { sealed: `${DIGEST}\n` }, commandLine: PIN }, 'unsealed', /no overlay/],
  [
    'not sealed from another image than the pin demands',
    { files: { sealed: `${'e'.repeat(64)}\n` }, commandLine: PIN, overlay: ['verity=require'] },
    'unsealed',
    /another image/,
  ],
  [
    'not sealed for the reason that the script left',
    { files: { unsealed: 'no image\n' }, commandLine: PIN, overlay: ['verity=require'] },
    'unsealed',
    /^no image$/,
  ],
  [
    'not sealed where nothing read the pin',
    { commandLine: `root=x ${PIN}` },
    'unsealed',
    /nothing in the initramfs/,
  ],
];

describe('the running system', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  for (const [i, [name, { files = {}, commandLine = '', overlay }, as, reason]] of CASES.entries())
    it(`is ${name}`, () => {
      const runDirectory = work.join(`run${i}`);
      mkdirSync(join(runDirectory, 'sealtree'), { recursive: true });
      for (const [file, text] of Object.entries(files))
        writeFileSync(join(runDirectory, 'sealtree', file), text);
      writeFileSync(join(runDirectory, 'cmdline'), `${commandLine}\n`);
      const statfs: typeof linuxSystem.statfs = (path) => {
        const facts = linuxSystem.statfs(path);
        const mount = {
          id: 1,
          parent: 0,
          device: '0:1',
          root: '/',
          mountPoint: '/',
          options: ['ro'],
          type: overlay === undefined ? 'ext4' : 'overlay',
          source: 'composefs',
          superOptions: overlay ?? [],
        };
        return { ...facts, mount };
      };
      const places = { runDirectory, commandLine: join(runDirectory, 'cmdline') };
      const running = readRunning({ ...linuxSystem, statfs }, places);
      assert.equal(running.as, as);
      if (reason !== undefined) assert.match(running.as === 'unsealed' ? running.reason : '', reason);
    });
});
