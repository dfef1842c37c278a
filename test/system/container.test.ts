/** Container images that other programs made, against what these make of them. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { FAMILY, makeImageFamily } from '../support/image-family.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';

interface Report {
  readonly checksum: string;
  readonly layers: readonly { readonly known: boolean }[];
}

describeSystem('container images', ['sid', 'containers'], () => {
  const sid = oracle('sid');
  const containers = oracle('containers');
  let work: Sandbox;
  const at = (...parts: string[]): string => work.join(...parts);
  /** Checksums of the root of a commit: equal only where every entry below it is. */
  const rootOf = (ref: string): string =>
    sid.run(['ostree', `--repo=${at('repo')}`, 'ls', '-dC', ref, '/']).stdout;
  const importOci = (spec: string, ref: string): Report =>
    JSON.parse(
      sealtree(['--json', 'import', 'oci', '--repo', at('repo'), '--ref', ref, spec]).stdout,
    ) as Report;

  before(() => {
    work = new Sandbox();
    makeImageFamily(containers, work.path);
    sid.run(['ostree', 'init', `--repo=${at('repo')}`, '--mode=bare']);
    for (const tag of FAMILY)
      sid.runScript(
        'ostree --repo="$1/repo" commit --branch="unpacked/$2" --tree=dir="$1/unpacked-$2/rootfs" >/dev/null',
        [work.path, tag],
      );
  });
  after(() => work.dispose());

  it('become what umoci unpacks, every entry of it, and each layer is unpacked once', () => {
    const known = FAMILY.map((tag) => {
      const { layers } = importOci(`${at('layout')}:${tag}`, `app/${tag}`);
      assert.equal(rootOf(`app/${tag}`), rootOf(`unpacked/${tag}`));
      return layers.map((layer) => layer.known);
    });
    assert.deepEqual(known, [[false], [true, false], [true, true, false]]);
    assert.equal(sid.run(['ostree', `--repo=${at('repo')}`, 'fsck', '--quiet']).stderr, '');
  });

  const COPIES = {
    'a docker-archive': ['docker-archive:copy.tar:app:shell', 'copy.tar:shell'],
    'an OCI layout in an archive': ['oci-archive:oci.tar:shell', 'oci.tar'],
    'zstd:chunked': ['oci:chunked:shell', 'chunked:shell', '--dest-compress-format', 'zstd:chunked'],
  } as const;
  for (const [name, [destination, spec, ...options]] of Object.entries(COPIES))
    it(`are the same as ${name}, as skopeo writes it`, () => {
      const argv = ['skopeo', 'copy', '--insecure-policy', ...options, 'oci:layout:shell', destination];
      containers.run(argv, { cwd: work.path });
      // Another repository knows none of the layers.
      sid.runScript('rm -rf "$1"; mkdir "$1"', [at('repo/extensions/sealtree/layers')]);
      const { layers } = importOci(at(spec), 'app/copy');
      assert(layers.every(({ known }) => !known));
      assert.equal(rootOf('app/copy'), rootOf('unpacked/shell'));
    });
});
