/** Imports from the interface: what a folder offers. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { Source } from '../../ui/reader.ts';
import { ImportsReader } from '../../ui/screens/imports/reader.ts';
import { type ImportRow, sourceOf, suggestedRef } from '../../ui/screens/imports/state.ts';
import type { Event } from '../../ui/state.ts';
import { LayoutMaker } from '../support/oci-layout.ts';
import { Sandbox } from '../support/sandbox.ts';
import { tarOf } from '../support/tar.ts';

const sandbox = new Sandbox();
after(() => sandbox.dispose());

const base = tarOf([
  { name: 'usr/', type: '5', mode: 0o755 },
  { name: 'usr/file', data: 'in both images '.repeat(900) },
]);
const top = tarOf([{ name: 'usr/more', data: 'in one of them '.repeat(900) }]);

const folder = sandbox.mkdir('offers');
const layout = new LayoutMaker(`${folder}/apps`);
layout.addImage({ tag: 'web', layers: [base] });
layout.addImage({ tag: 'docker.io/library/db:13', layers: [base, top] });
new LayoutMaker(`${folder}/single`).addImage({ layers: [base] });
mkdirSync(`${folder}/torn`);
writeFileSync(`${folder}/torn/oci-layout`, '');
mkdirSync(`${folder}/below`);
for (const name of ['tree.tar', 'notes.txt', '.hidden.tar']) writeFileSync(`${folder}/${name}`, base);

async function rowsOf(path: string): Promise<readonly ImportRow[]> {
  const told: Event[] = [];
  const source = { system: linuxSystem, dispatch: (event: Event) => told.push(event) };
  const reader = new ImportsReader(source as unknown as Source);
  await reader.answer({ reader: 'imports', type: 'read-imports', reading: 0, path }, () => false);
  const [event] = told;
  assert(event?.type === 'imports-read' && event.path === path);
  return event.rows;
}

describe('what a folder offers', () => {
  it('is the images of its layouts, archives, and other folders', async () => {
    const rows = await rowsOf(folder);
    assert.deepEqual(
      rows.map((row) => [row.kind, row.name, row.kind === 'image' ? row.tag : undefined]),
      [
        ['folder', '..', undefined],
        ['image', 'apps', 'web'],
        ['image', 'apps', 'docker.io/library/db:13'],
        ['folder', 'below', undefined],
        ['image', 'single', undefined],
        ['broken', 'torn', undefined],
        ['archive', 'tree.tar', undefined],
      ],
    );
    assert.deepEqual(
      [
        sourceOf(rows[3], 'dir'),
        sourceOf(rows[0], 'dir'),
        sourceOf(rows[3], 'tar'),
        sourceOf(rows[6], 'dir'),
      ],
      [`${folder}/below`, undefined, undefined, undefined],
    );
    assert.equal(sourceOf(rows[2], 'oci'), `${folder}/apps:docker.io/library/db:13`);
    assert.equal(sourceOf(rows[4], 'oci'), `${folder}/single`);
    assert.deepEqual(
      [sourceOf(rows[6], 'tar'), sourceOf(rows[6], 'oci'), sourceOf(rows[1], 'tar')],
      [`${folder}/tree.tar`, `${folder}/tree.tar`, undefined],
    );
  });

  const NAMES: readonly (readonly [name: string, ref: string])[] = [
    ['web.tar.zst', 'import/web'],
    ['Debian 13 (base).tgz', 'import/Debian-13-base-'],
    ['-.tar', 'import/tree'],
    ['größe.tar', 'import/größe'],
  ];
  for (const [name, ref] of NAMES)
    it(`is called ${ref} where the file is ${name}`, () => {
      assert.equal(suggestedRef({ kind: 'archive', name, path: `/${name}`, sizeBytes: 1 }), ref);
    });

  it('is called as a folder is, whatever that ends in', () => {
    assert.equal(
      suggestedRef({ kind: 'folder', name: 'rootfs.tar', path: '/rootfs.tar' }),
      'import/rootfs.tar',
    );
  });
});
