/** Which values of files are shared, and in which order: against the plainest way to find out. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../../src/base/bytes.ts';
import { S_IFDIR, S_IFREG } from '../../../src/base/mode.ts';
import { FileValues } from '../../../src/formats/erofs/file-values.ts';
import { ImageTree } from '../../../src/formats/erofs/tree.ts';
import { Random } from '../../support/random.ts';

const PLACE_BYTES = 4;

/** The shared ones of these payloads in their order, and of each payload its number among them, or -1. */
function shared(payloads: readonly string[]): { values: string[]; numbers: number[] } {
  const tree = new ImageTree();
  tree.addRoot({ mode: S_IFDIR | 0o755 });
  const nodes = payloads.map((payload, i) =>
    tree.add(0, String(i) as ByteString, { mode: S_IFREG | 0o644, size: 1, payload: payload as ByteString }),
  );
  const values = new FileValues(tree, 'payload');
  for (const node of nodes) values.add(node);
  const firsts = values.sharedDescending();
  firsts.forEach((first, number) => {
    values.setOffset(first, number * PLACE_BYTES);
  });
  return {
    values: firsts.map((first) => payloads[nodes.indexOf(first)] as string),
    numbers: nodes.map((node) => {
      const offset = values.offset(node);
      return offset < 0 ? -1 : offset / PLACE_BYTES;
    }),
  };
}

function sharedPlainly(payloads: readonly string[]): { values: string[]; numbers: number[] } {
  const values = [...new Set(payloads.filter((value, i) => payloads.indexOf(value) !== i))];
  values.sort((a, b) => b.length - a.length || (a < b ? 1 : -1));
  return { values, numbers: payloads.map((value) => values.indexOf(value)) };
}

describe('values that files share', () => {
  it('are ordered by descending length, then descending bytes', () => {
    const values = ['abcdef', 'abcdeg', '\xff', '', 'abcde', 'abc', 'abd', 'b', 'abcdefghijk', 'abcdefghijl'];
    const { values: got } = shared([...values, 'alone', ...values.toReversed()]);
    const want = ['abcdefghijl', 'abcdefghijk', 'abcdeg', 'abcdef', 'abcde', 'abd', 'abc', '\xff', 'b', ''];
    assert.deepEqual(got, want);
  });

  it('are those of a plain search', () => {
    const random = new Random(5);
    for (let round = 0; round < 40; round++) {
      const letters = ['ab', '01\xff', 'abcdefghijklmnopqrstuvwxyz'][round % 3] as string;
      const payloads = Array.from({ length: random.below(400) }, () => {
        const prefix = random.chance(0.5) ? 'prefix' : '';
        return prefix + Array.from({ length: random.below(5) }, () => random.pick([...letters])).join('');
      });
      assert.deepEqual(shared(payloads), sharedPlainly(payloads), `round ${round}`);
    }
  });
});
