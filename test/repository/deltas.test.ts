import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listDeltas } from '../../src/repository/deltas.ts';
import { Repository } from '../../src/repository/repository.ts';
import { ArchivedFiles } from '../support/archived-system.ts';

describe('static deltas', () => {
  const files = ArchivedFiles.repository('archive');
  const repository = Repository.open('/archive', files.system());
  const sizeOf = (folder: string): number =>
    [...files.files]
      .filter(([path]) => path.startsWith(folder))
      .reduce((sum, [, { content }]) => sum + content.length, 0);

  it('are those ostree made, of a commit and between two that the repository has', () => {
    const deltas = listDeltas(repository);
    assert.deepEqual(
      deltas.map(({ from, sizeBytes }) => [from === undefined, sizeBytes]),
      [
        [true, sizeOf('/archive/deltas/8L/')],
        [false, sizeOf('/archive/deltas/PG/')],
      ],
    );
    assert(repository.hasObject(deltas[0]?.to as never, 'commit'));
    assert.equal(repository.commit(deltas[1]?.to as never).parent, deltas[1]?.from);
  });

  it('are none where there is no folder for them, and strange names are passed over', () => {
    const others = ArchivedFiles.repository('bare');
    assert.deepEqual(listDeltas(Repository.open('/bare', others.system())), []);
    others.write('/bare/deltas/file', '');
    others.write('/bare/deltas/xx/short/superblock', '');
    others.write(`/bare/deltas/AA/${'A'.repeat(41)}/0`, 'a delta without its superblock');
    assert.deepEqual(listDeltas(Repository.open('/bare', others.system())), []);
    others.write(`/bare/deltas/AA/${'A'.repeat(41)}/superblock`, 'now there is one');
    assert.deepEqual(listDeltas(Repository.open('/bare', others.system())), [
      { from: undefined, to: '0'.repeat(64), sizeBytes: 46 },
    ]);
  });
});
