/** What an archive becomes is what ostree makes of it, or of the folder it was made of. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';
import { walk } from '../support/walk.ts';

const MODES = ['bare', 'bare-user', 'archive'] as const;

/** How GNU tar writes all that a commit holds. */
const PAX = ['--format=pax', '--xattrs', '--xattrs-include=*'];

const SPARSE = [
  ['--format=gnu'],
  ...['0.0', '0.1', '1.0'].map((version) => ['--format=pax', `--sparse-version=${version}`]),
];

/**
 * The xattrs of which ostree makes something else than of the folder itself: libarchive takes GNU tar's way to write
 * "=" in a name for the name, and of those without a value ostree makes objects that its own fsck refuses.
 */
function removeWhatDiffers(folder: string): void {
  for (const path of [folder, ...walk(folder).map((entry) => entry.path)])
    for (const name of linuxSystem.listxattr(path))
      if (name.includes('=') || linuxSystem.getxattr(path, name) === '') linuxSystem.removexattr(path, name);
}

function pack(folder: string, archive: string, options: readonly string[]): string {
  runHost(['tar', ...options, '--sort=name', '-C', folder, '-cf', archive, '.']);
  return archive;
}

describeSystem('import tar', ['sid'], () => {
  const sid = oracle('sid');

  /** What ostree makes of `--tree=SOURCE` and we of the archive must be the same, checksums and xattrs of every file. */
  function compare(work: Sandbox, archive: string, mode: string, source = `tar=${archive}`): void {
    const { stdout: theirs } = sid.runScript(
      `for repo in "$1" "$2"; do ostree init --repo="$repo" --mode=${mode} >/dev/null; done
      ostree --repo="$1" commit --branch=x --timestamp=@0 --no-bindings --tree="$3" >/dev/null
      ostree --repo="$1" ls -RXC x`,
      [work.join('theirs'), work.join('ours'), source],
    );
    sealtree(['import', 'tar', '--repo', work.join('ours'), '--ref=x', '--timestamp=0', archive]);
    const { stdout: ours } = sid.runScript(
      'ostree fsck --quiet --repo="$1" >&2; ostree --repo="$1" ls -RXC x',
      [work.join('ours')],
    );
    const wanted = new Set(theirs.split('\n'));
    const different = ours.split('\n').filter((line) => !wanted.has(line));
    assert.equal(different.slice(0, 5).join('\n'), '');
    assert.equal(ours.length, theirs.length);
  }

  for (const [seed, mode] of MODES.entries())
    it(`makes of GNU tar's archive what ostree makes of the folder, in a ${mode} repository`, () => {
      using work = new Sandbox();
      makeDiskTree(new Random(seed + 100), work.join('tree'), { entries: 120 });
      const archive = pack(work.join('tree'), work.join('a.tar'), PAX);
      compare(work, archive, mode, `dir=${work.join('tree')}`);
    });

  for (const [seed, mode] of MODES.entries())
    it(`makes of an archive what ostree makes of it, in a ${mode} repository`, () => {
      using work = new Sandbox();
      makeDiskTree(new Random(seed + 200), work.join('tree'), { entries: 120 });
      removeWhatDiffers(work.join('tree'));
      compare(work, pack(work.join('tree'), work.join('a.tar'), PAX), mode);
    });

  for (const mode of ['bare', 'bare-user'])
    it(`makes the same of what is enough for several threads, in a ${mode} repository`, () => {
      using work = new Sandbox();
      makeDiskTree(new Random(300), work.join('tree'), { entries: 500 });
      removeWhatDiffers(work.join('tree'));
      work.write('tree/large', Buffer.alloc(9_000_000, 'large '));
      compare(work, pack(work.join('tree'), work.join('a.tar'), PAX), mode);
    });

  for (const options of SPARSE)
    it(`gives sparse files their holes back: ${options.join(' ')}`, () => {
      using work = new Sandbox();
      const random = new Random(3);
      work.mkdir('tree');
      for (const pieces of [0, 1, 4, 5, 30, 60]) {
        const fd = openSync(work.join(`tree/${pieces}-pieces`), 'w');
        ftruncateSync(fd, 4_000_000);
        for (let i = 0; i < pieces; i++) writeSync(fd, random.bytes(4096), 0, 4096, (3 + 16 * i) * 4096);
        closeSync(fd);
      }
      compare(work, pack(work.join('tree'), work.join('a.tar'), ['--sparse', ...options]), 'bare');
    });

  it('reads what gzip, zstd and xz made of an archive', () => {
    using work = new Sandbox();
    makeDiskTree(new Random(9), work.join('tree'), { entries: 30 });
    const archive = pack(work.join('tree'), work.join('a.tar'), PAX);
    const checksums = ['cat', 'gzip', 'zstd', 'xz'].map((program) => {
      sid.run(['ostree', 'init', `--repo=${work.join(program)}`, '--mode=archive']);
      const input = runHost([program, ...(program === 'cat' ? [] : ['-c']), archive]).bytes;
      return sealtree(['import', 'tar', '--repo', work.join(program), '--timestamp=0', '-'], { input })
        .stdout;
    });
    assert.equal(new Set(checksums).size, 1, checksums.join());
  });
});
