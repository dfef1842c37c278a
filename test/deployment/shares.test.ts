import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { amountOf, type DiskFile, Shares } from '../../src/deployment/shares.ts';
import fc from '../support/fast-check.ts';

const file = (inode: number): DiskFile => ({ inode: `1:${inode}`, bytes: 512 * (inode + 1) });

describe('shares', () => {
  it('tells what each has alone from what it shares', () => {
    const shares = new Shares<string>();
    shares.add('a', [file(0), file(1), file(1)]);
    shares.add('b', [file(1), file(2)]);
    shares.add('b', [file(2), file(3)]);
    assert.deepEqual(shares.sets(), [
      { holders: ['a'], bytes: 512, files: 1 },
      { holders: ['a', 'b'], bytes: 1024, files: 1 },
      { holders: ['b'], bytes: 1536 + 2048, files: 2 },
    ]);
  });

  it('counts each file once for those that hold it, whoever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(30), { maxLength: 40 }), { maxLength: 6 }), (held) => {
        const shares = new Shares<number>();
        for (const [holder, inodes] of held.entries()) {
          // In two parts: a folder, then the objects of its commit.
          shares.add(holder, inodes.slice(0, 20).map(file));
          shares.add(holder, inodes.slice(20).map(file));
        }
        const sets = shares.sets();
        const sum = (inodes: Iterable<number>) => {
          const files = [...new Set(inodes)].map(file);
          return { bytes: files.reduce((bytes, one) => bytes + one.bytes, 0), files: files.length };
        };
        assert.deepEqual(
          amountOf(sets, () => true),
          sum(held.flat()),
        );
        for (const [holder, inodes] of held.entries()) {
          const others = new Set(held.flatMap((list, i) => (i === holder ? [] : list)));
          assert.deepEqual(
            amountOf(sets, (holders) => holders.includes(holder)),
            sum(inodes),
          );
          assert.deepEqual(
            amountOf(sets, (holders) => holders.length === 1 && holders[0] === holder),
            sum(inodes.filter((inode) => !others.has(inode))),
          );
        }
      }),
    );
  });
});
