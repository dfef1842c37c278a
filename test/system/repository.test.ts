/**
 * Repositories of random trees that ostree 2026.4 wrote, in all five modes: every object is read, re-hashed and
 * equal to what ostree says of it.
 *
 * ostree reads mode bare-split-xattrs but never writes it. That repository is made here from the bare one by
 * moving the xattrs of each content object to an object of their own; `ostree fsck` judges the result.
 */
import assert from 'node:assert/strict';
import { cpSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { S_IFMT, typeLetter } from '../../src/base/mode.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readVariant } from '../../src/formats/gvariant.ts';
import { formatVariant } from '../../src/formats/gvariant-text.ts';
import { metadataChecksum, parseXattrs, serializeXattrs } from '../../src/formats/objects.ts';
import { walkHistory } from '../../src/repository/commits.ts';
import { diffTrees, expandChange } from '../../src/repository/diff.ts';
import { Repository } from '../../src/repository/repository.ts';
import { rootOf, type TreeNode, walk } from '../../src/repository/tree.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';

const MODES = ['bare', 'bare-user', 'bare-user-only', 'archive', 'bare-split-xattrs'] as const;

/** Two commits of two trees in a repository of each mode but the split one. */
const MAKE = `cd "$1"
for mode in bare bare-user-only; do
  ostree --repo=$mode init --mode=$mode
  ostree --repo=$mode config set core.fsync false
  ostree --repo=$mode commit --branch=test/main --subject=first --timestamp=@1600000000 --tree=dir=first
  ostree --repo=$mode commit --branch=test/main --subject=second --timestamp=@1700000000 --tree=dir=second
done
for mode in bare-user archive; do
  ostree --repo=$mode init --mode=$mode
  ostree --repo=$mode config set core.fsync false
  ostree --repo=$mode pull-local --depth=-1 bare test/main
done
for mode in bare bare-user bare-user-only archive; do
  ostree --repo=$mode refs --create=test/alias --alias test/main
  ostree --repo=$mode refs --create=first test/main^
  ostree --repo=$mode fsck --quiet
done`;

/** What ostree says of each repository, one file for each question. */
const ASK = `cd "$1"; shift
mkdir answers
ostree --repo=bare-split-xattrs fsck --quiet
for mode in "$@"; do
  ask() { answer=$1; shift; ostree --repo="$mode" "$@" >"answers/$mode.$answer"; }
  ask refs refs --list
  ask main rev-parse test/main
  ask alias rev-parse test/alias
  ask first rev-parse first
  ask parent rev-parse test/main^
  ask short rev-parse "$(cut -c 1-9 "answers/$mode.first")"
  ask tree.first ls -RCX first
  ask tree.main ls -RCX test/main
  ask diff diff first test/main
done`;

function splitXattrs(bare: string, split: string): void {
  cpSync(bare, split, { recursive: true, verbatimSymlinks: true });
  const original = Repository.open(bare, linuxSystem);
  for (const { checksum, type } of original.listObjects()) {
    if (type !== 'file') continue;
    const info = original.content(checksum);
    const path = original.objectPath(checksum, 'file').replace(bare, split);
    linuxSystem.lchown(path, info.uid, info.gid);
    if (info.target === '') {
      const fd = linuxSystem.openRead(path);
      linuxSystem.fchmod(fd, info.mode & 0o7777);
      linuxSystem.close(fd);
    }
    for (const name of linuxSystem.listxattr(path)) linuxSystem.removexattr(path, name);
    const bytes = serializeXattrs(info.xattrs);
    assert.deepEqual(parseXattrs(bytes, 'xattrs'), info.xattrs);
    const name = metadataChecksum(bytes);
    const object = `${split}/objects/${name.slice(0, 2)}/${name.slice(2)}.file-xattrs`;
    mkdirSync(dirname(object), { recursive: true });
    if (linuxSystem.lstatIfExists(object) === undefined) writeFileSync(object, bytes);
    linkSync(object, path.replace(/\.file$/, '.file-xattrs-link'));
  }
  const config = readFileSync(`${split}/config`, 'utf8');
  writeFileSync(`${split}/config`, config.replace(/^mode=.*$/m, 'mode=bare-split-xattrs'));
}

/** One line of `ostree ls -RCX`. */
function listing(repository: Repository, node: TreeNode): string {
  const info =
    node.kind === 'directory'
      ? { ...repository.dirmeta(node.meta), size: 0, target: '' }
      : repository.content(node.checksum);
  const checksums = node.kind === 'directory' ? `${node.tree} ${node.meta}` : node.checksum;
  const xattrs = formatVariant('a(ayay)', readVariant('a(ayay)', serializeXattrs(info.xattrs), 'xattrs'));
  const mode = (info.mode & ~S_IFMT).toString(8).padStart(4, '0');
  const link = info.target === '' ? '' : ` -> ${info.target}`;
  return `${typeLetter(info.mode)}0${mode} ${info.uid} ${info.gid} ${String(info.size).padStart(6)} ${checksums} { ${xattrs} } ${node.path}${link}\n`;
}

describeSystem('repositories written by ostree', ['sid'], () => {
  const sid = oracle('sid');

  for (const seed of [1, 2, 3]) {
    it(`reads random trees in every mode (seed ${seed})`, async () => {
      using work = new Sandbox();
      const random = new Random(seed);
      makeDiskTree(random, work.join('first'), { entries: 150 });
      makeDiskTree(random, work.join('second'), { entries: 150 });
      sid.runScript(MAKE, [work.path]);
      splitXattrs(work.join('bare'), work.join('bare-split-xattrs'));
      sid.runScript(ASK, [work.path, ...MODES]);

      for (const mode of MODES) {
        const repository = Repository.open(work.join(mode), linuxSystem);
        const answer = (name: string): string =>
          readFileSync(work.join('answers', `${mode}.${name}`), 'latin1');
        assert.equal(repository.mode, mode);

        const refspecs = repository.listRefs().map(({ refspec }) => refspec);
        assert.deepEqual(refspecs, answer('refs').trimEnd().split('\n').sort());
        const first = repository.resolve('first');
        for (const [name, revision] of [
          ['main', 'test/main'],
          ['alias', 'test/alias'],
          ['first', first],
          ['parent', 'test/main^'],
          ['short', first.slice(0, 9)],
        ] as const)
          assert.equal(`${repository.resolve(revision)}\n`, answer(name), revision);

        for (const [name, revision] of [
          ['tree.first', 'first'],
          ['tree.main', 'test/main'],
        ] as const) {
          const root = rootOf(repository, repository.resolve(revision));
          const lines = [...walk(repository, root)].map((node) => listing(repository, node));
          assert.equal(lines.join(''), answer(name), `${revision} in ${mode}`);
        }

        await everyObjectIsRight(repository);
        assert.equal(changes(repository), answer('diff'), `diff in ${mode}`);
        assert.deepEqual(
          [...walkHistory(repository, repository.resolve('test/main'))].map(({ commit, end }) => [
            commit.subject,
            end,
          ]),
          [
            ['second', undefined],
            ['first', 'root'],
          ],
        );
      }
    });
  }

  it('takes a shallow pull for a cut history, and reads signatures of none', () => {
    using work = new Sandbox();
    makeDiskTree(new Random(9), work.join('first'), { entries: 20 });
    makeDiskTree(new Random(10), work.join('second'), { entries: 20 });
    sid.runScript(
      `${MAKE}
      ostree --repo=shallow init --mode=archive
      ostree --repo=shallow pull-local bare test/main
      ostree --repo=shallow config set core.tombstone-commits true
      ostree --repo=partial init --mode=archive
      ostree --repo=partial pull-local --commit-metadata-only bare test/main`,
      [work.path],
    );
    const shallow = Repository.open(work.join('shallow'), linuxSystem);
    const head = shallow.resolve('test/main');
    assert.deepEqual(
      [...walkHistory(shallow, head)].map(({ end }) => end),
      ['missing'],
    );
    assert.equal(shallow.detachedMetadata(head), undefined);
    assert.ok(!shallow.isPartial(head));
    assert.ok(Repository.open(work.join('partial'), linuxSystem).isPartial(head));
  });
});

async function everyObjectIsRight(repository: Repository): Promise<void> {
  let content = 0;
  for (const { checksum, type } of repository.listObjects()) {
    if (type === 'commit') repository.commit(checksum);
    else if (type === 'dirtree') repository.dirtree(checksum);
    else if (type === 'dirmeta') repository.dirmeta(checksum);
    else if (type === 'file') {
      assert.deepEqual(await repository.verifyContent(checksum), { ok: true, actual: checksum });
      content++;
    }
  }
  assert.ok(content > 10);
}

/** What `ostree diff` prints: modified, removed (folders without what was in them), added. */
function changes(repository: Repository): string {
  const root = (revision: string) => rootOf(repository, repository.resolve(revision));
  const lines: Record<'modified' | 'removed' | 'added', ByteString[]> = {
    modified: [],
    removed: [],
    added: [],
  };
  for (const change of diffTrees(repository, root('first'), root('test/main'))) {
    if (change.path === '/') continue;
    if (change.kind === 'added')
      for (const { path } of expandChange(repository, change)) lines.added.push(path);
    else lines[change.kind].push(change.path);
  }
  return (['modified', 'removed', 'added'] as const)
    .flatMap((kind) =>
      lines[kind].map((path) => `${kind === 'removed' ? 'D' : kind[0]!.toUpperCase()}    ${path}\n`),
    )
    .join('');
}
