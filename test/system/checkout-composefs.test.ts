/** Our image of a commit is, byte for byte, what `ostree checkout --composefs` writes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import type { Digest } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { VerityMode } from '../../src/image/digests.ts';
import { buildImage } from '../../src/image/plan.ts';
import { Repository } from '../../src/repository/repository.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';

const MODES = ['bare', 'bare-user', 'archive', 'bare-user-only'] as const;
const SEEDS = Array.from({ length: Number(process.env.SEALTREE_TREES ?? 80) }, (_, i) => i + 1);

/**
 * For each mode: a repository of that name with the folders `t*` as branches, and per branch the images with
 * and without digests; prints `MODE BRANCH DIGEST` as `ostree commit` recorded it.
 */
const COMMIT_AND_CHECK_OUT = `
cd "$1"; shift
for mode in "$@"; do
  ostree --repo=$mode init --mode=$mode
  ostree --repo=$mode config set core.fsync false
  canonical=
  [ $mode != bare-user-only ] || canonical=--canonical-permissions
  for tree in t*; do
    ostree --repo=$mode commit --branch=$tree $canonical --generate-composefs-metadata --tree=dir=$tree >/dev/null
    ostree --repo=$mode checkout --composefs $tree $mode.$tree.yes
    ostree --repo=$mode checkout --composefs --composefs-noverity $tree $mode.$tree.no
    echo $mode $tree $(ostree --repo=$mode show --print-metadata-key=ostree.composefs.digest.v0 --print-hex $tree)
    fsck.erofs $mode.$tree.yes >/dev/null
    fsck.erofs $mode.$tree.no >/dev/null
  done
done`;

describeSystem('image of a commit', ['sid', 'trixie'], () => {
  const sid = oracle('sid');
  const work = new Sandbox();
  after(() => work.dispose());
  /** By `MODE BRANCH`. */
  const recorded = new Map<string, Digest>();

  const addRecorded = (stdout: string): void => {
    for (const [, key, digest] of stdout.matchAll(/^(\S+ \S+) ([0-9a-f]{64})$/gm))
      recorded.set(key as string, digest as Digest);
  };

  const compare = async (mode: string, branch: string): Promise<void> => {
    const repository = Repository.open(work.join(mode), linuxSystem);
    for (const verity of ['yes', 'no'] satisfies VerityMode[]) {
      const image = await buildImage(repository, repository.resolve(branch), { verity, progress: silent() });
      const theirs = work.join(`${mode}.${branch}.${verity}`);
      if (!image.bytes.equals(readFileSync(theirs)))
        assert.fail(
          `${mode}, ${branch}, verity ${verity}: ${explain(theirs, work.write(`${mode}.${branch}.${verity}.ours`, image.bytes))}`,
        );
      if (verity === 'yes') assert.equal(image.digest, recorded.get(`${mode} ${branch}`));
    }
  };

  /** The first lines in which the dumps of two images differ. */
  const explain = (theirs: string, ours: string): string => {
    const script =
      'composefs-info dump "$1" >"$1.dump"; composefs-info dump "$2" >"$2.dump"; diff "$1.dump" "$2.dump" | head -20';
    const { stdout, stderr } = sid.runScript(script, [theirs, ours], { allowFailure: true });
    return stdout + stderr || 'the bytes differ, the dumps do not';
  };

  before(() => {
    // Every twentieth is large: directories of many blocks, many shared xattrs.
    for (const seed of SEEDS)
      makeDiskTree(new Random(seed), work.join(`t${seed}`), { entries: seed % 20 === 0 ? 1500 : 60 });
    addRecorded(sid.runScript(COMMIT_AND_CHECK_OUT, [work.path, ...MODES], { timeoutMs: 300_000 }).stdout);
  });

  for (const mode of MODES) {
    it(`equals ostree checkout --composefs on ${SEEDS.length} random trees in a ${mode} repository`, async () => {
      for (const seed of SEEDS) await compare(mode, `t${seed}`);
    });
  }

  it('is what the command line prints and writes', () => {
    for (const mode of MODES) {
      const repo = ['--repo', work.join(mode)];
      assert.equal(sealtree([...repo, 'digest', 't1']).stdout.trim(), recorded.get(`${mode} t1`));
      const { bytes } = sealtree([...repo, 'image', 'create', 't1', '-o', '-']);
      assert(bytes.equals(readFileSync(work.join(`${mode}.t1.yes`))), mode);
    }
  });

  it('equals ostree checkout --composefs on a whole Debian root file system', async (t) => {
    const { root } = oracle('trixie');
    // Device nodes have no place in a commit; the mount is the namespace's own and goes with it.
    const script = `
      mount -t tmpfs tmpfs "$2/dev"
      mkdir "$1/debian"
      mount --rbind "$2" "$1/debian"
      cd "$1"
      ostree --repo=whole init --mode=bare
      ostree --repo=whole config set core.fsync false
      ostree --repo=whole commit --branch=debian --generate-composefs-metadata --tree=dir=debian >/dev/null
      ostree --repo=whole checkout --composefs debian whole.debian.yes
      ostree --repo=whole checkout --composefs --composefs-noverity debian whole.debian.no
      echo whole debian $(ostree --repo=whole show --print-metadata-key=ostree.composefs.digest.v0 --print-hex debian)
      ostree --repo=whole ls -R debian | wc -l`;
    const { stdout } = sid.runScript(script, [work.path, root], { binds: [root] });
    addRecorded(stdout);
    const entries = Number(stdout.trim().split('\n').at(-1));
    assert(entries > 3000, `a Debian root has more than ${entries} entries`);
    await compare('whole', 'debian');
    t.diagnostic(`${entries} entries, image digest ${recorded.get('whole debian')}`);
  });
});
