/** Whether the interface is a screen or lines for a screen reader. */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { isReadAloud } from '../../src/commands/ui.ts';
import { Sandbox } from '../support/sandbox.ts';

const work = new Sandbox();
after(() => work.dispose());

describe('the interface is read aloud', () => {
  let said: string[] = [];
  beforeEach(() => {
    said = [];
  });
  let made = 0;

  const asks = (conf: string | undefined, env: Readonly<Record<string, string>> = {}): boolean => {
    const root = work.mkdir(`root${made++}`);
    if (conf !== undefined)
      work.write(`${root.slice(work.path.length + 1)}/etc/sealtree/sealtree.conf`, conf);
    const say = (level: string, message: string): void => void said.push(`${level}: ${message}`);
    return isReadAloud({ env, system: linuxSystem, say }, root);
  };

  it('where the configuration or the environment says so', () => {
    assert.deepEqual(
      [
        asks(undefined),
        asks('[boot]\npolicy=enforce\n'),
        asks('[ui]\nscreen-reader=no\n'),
        asks('[ui]\nscreen-reader=yes\n'),
        asks(undefined, { SEALTREE_SCREEN_READER: '1' }),
        asks('[ui]\nscreen-reader=no\n', { INK_SCREEN_READER: 'true' }),
      ],
      [false, false, false, true, true, true],
    );
    assert.deepEqual(said, []);
  });

  it('or not, with a word of warning, where the configuration is wrong', () => {
    assert.equal(asks('[boot]\npolicy=perhaps\n'), false);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /^warning: .*policy.*perhaps/);
  });
});
