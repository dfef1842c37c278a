/**
 * `sealtree refs, log, show, ls, cat, diff` print what `ostree` prints, byte for byte, on repositories of every mode
 * that ostree writes.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { before, it } from 'node:test';
import { ExitCode } from '../../src/base/errors.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { makeOsTree, OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { memorySurroundings } from '../support/surroundings.ts';

const MODES = ['bare', 'bare-user', 'bare-user-only', 'archive'] as const;

/** Values in GVariant text, for metadata of the second commit. */
const VALUES: readonly string[] = [
  'true',
  'byte 0x07',
  'int16 -2',
  'uint16 513',
  '-5',
  'uint32 16909060',
  'int64 -72057594037927936',
  'uint64 18446744073709551615',
  '1.5',
  '1e300',
  '-0.1',
  "'plain'",
  `"it's"`,
  `'both " and \\' quotes'`,
  `'tab\\t newline\\n bell\\a backslash\\\\ \\u0001 \\u202e'`,
  "'größe 漢字'",
  "objectpath '/a/b'",
  "signature 'a{sv}'",
  "b'bytes'",
  `b"it's \\t\\"quoted\\" \\377\\001"`,
  '[byte 0x61, 0x00, 0x62, 0x00]',
  '@ay []',
  '@as []',
  "['a', 'b']",
  '[[byte 0x01], @ay []]',
  '[uint16 1, 2, 3]',
  '@a{sv} {}',
  "{'k': <uint32 1>, 'l': <'x'>}",
  "{uint32 1: 'x', 2: 'y'}",
  "{'k', <1>}",
  '()',
  "('x',)",
  "('x', uint64 5, [('y', true)])",
  '@mu nothing',
  '@mu 5',
  '@mmi 5',
  '[@mu nothing, 1]',
  "@mas ['a']",
  '<<<int64 7>>>',
];

const MAKE = `cd "$1"; shift
for mode in bare bare-user bare-user-only archive; do
  ostree --repo=$mode init --mode=$mode --collection-id=org.example.Os
  ostree --repo=$mode config set core.fsync false
  ostree --repo=$mode commit --branch=os/x86_64/main --timestamp=@1600000000 --tree=dir=first \\
    --subject='First commit' --body="$(printf 'A body\\nof two lines\\n')" --add-metadata-string=version=1.0
  ostree --repo=$mode commit --branch=os/x86_64/main --timestamp=@1700000000 --tree=dir=second "$@"
  ostree --repo=$mode refs --create=os/first os/x86_64/main^
  ostree --repo=$mode refs --create=top os/x86_64/main
  ostree --repo=$mode refs --create=os/alias --alias top
  ostree --repo=$mode refs --create=origin:os/x86_64/next top
done
ostree --repo=shallow init --mode=archive
ostree --repo=shallow pull-local --depth=0 archive os/x86_64/main`;

/** Command lines to be compared; `FIRST` stands for the first commit's checksum. */
const CASES: readonly (readonly string[])[] = [
  ['refs'],
  ['refs', '-r'],
  ['refs', 'os'],
  ['refs', '--list', 'os'],
  ['refs', '-r', 'os/x86_64'],
  ['refs', 'os/first'],
  ['refs', 'os/fir'],
  ['refs', 'origin:os'],
  ['refs', 'os', 'top'],
  ['refs', '-A'],
  ['refs', '-A', 'os'],
  ['refs', '-c'],
  ['refs', '-c', '-r'],
  ['log', 'os/x86_64/main'],
  ['log', 'os/alias'],
  ['log', 'origin:os/x86_64/next'],
  ['log', 'FIRST'],
  ['log', '--raw', 'os/x86_64/main'],
  ['show', 'os/x86_64/main'],
  ['show', 'os/x86_64/main^'],
  ['show', 'FIRST'],
  ['show', '--raw', 'top'],
  ['show', '-B', 'top'],
  ['show', '--raw', '-B', 'top'],
  ['show', '--list-metadata-keys', 'top'],
  ['show', '--print-metadata-key=version', 'top^'],
  ['show', '--print-hex', '--print-metadata-key=k18', 'top'],
  ['show', '--print-related', 'top'],
  ['show', '--list-detached-metadata-keys', 'top'],
  ['show', '--print-detached-metadata-key=note', 'top'],
  ['ls', 'top'],
  ['ls', '-R', 'top'],
  ['ls', '-R', '-C', '-X', 'top^'],
  ['ls', '-d', 'top', '/'],
  ['ls', '-d', '-C', 'top', '/dir', 'dir/file'],
  ['ls', 'top', '/dir', 'link', 'dir/sub'],
  ['ls', '-R', '--nul-filenames-only', 'top'],
  ['cat', 'top', '/dir/file', 'dir/sub/deep', '/empty'],
  ['diff', 'top'],
  ['diff', 'os/first', 'top'],
  ['diff', 'top', 'os/first'],
  ['diff', '--stats', 'top'],
  ['diff', '--stats', '--fs-diff', 'top^', 'top'],
  ['diff', 'top', 'WORK/second'],
  ['diff', 'WORK/first', 'top'],
  ['diff', 'WORK/first', 'WORK/second'],
  ['diff', '--no-xattrs', '--owner-uid=0', '--owner-gid=7', 'top', 'WORK/second'],
];

/** What both refuse. */
const REFUSED: readonly (readonly [args: readonly string[], exitCode: number])[] = [
  [['log', 'no/such/ref'], ExitCode.noInput],
  [['log', 'FIRST^'], ExitCode.noInput],
  [['log', '0123456789'.repeat(6)], ExitCode.noInput],
  [['show', 'f'.repeat(64)], ExitCode.noInput],
  [['show', '--print-metadata-key=none', 'top'], ExitCode.noInput],
  [['show', '--print-detached-metadata-key=none', 'top'], ExitCode.noInput],
  [['ls', 'top', '/no/such/path'], ExitCode.noInput],
  [['ls', 'top', '/dir/file/below'], ExitCode.noInput],
  [['cat', 'top', '/dir'], ExitCode.usage],
  [['cat', 'top', '/nothing'], ExitCode.noInput],
  [['cat', 'top'], ExitCode.usage],
  [['diff', 'top', 'no/such/ref'], ExitCode.noInput],
  [['diff', 'top', '/no/such/folder'], ExitCode.noInput],
  [['diff', 'os/first'], ExitCode.noInput],
  [['ls'], ExitCode.usage],
  [['log', '--no-such-option', 'top'], ExitCode.usage],
];

async function ours(args: readonly string[]): Promise<{ exitCode: number; stdout: Buffer; stderr: string }> {
  const surroundings = memorySurroundings();
  const exitCode = await runProgram(args, surroundings, { version: '0', commands: COMMANDS });
  return { exitCode, stdout: surroundings.stdout.bytes, stderr: surroundings.stderr.text };
}

const linesOf = (bytes: Buffer, inOrder: boolean): string =>
  inOrder ? bytes.toString('latin1') : bytes.toString('latin1').split('\n').sort().join('\n');

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

describeSystem('commands that ostree has too', ['sid'], () => {
  const sid = oracle('sid');
  const work = new Sandbox();
  /** Answers by mode and command line. */
  const folder = work.mkdir('answers');
  /** Puts in what is known only now. */
  const fill = (args: readonly string[], mode: string): string[] => {
    const first = (): string => readFileSync(work.join(mode, 'refs/heads/os/first'), 'utf8').trim();
    return args.map((word) => word.replace('FIRST', first).replace('WORK', work.path));
  };

  before(() => {
    const random = new Random(7);
    for (const name of ['first', 'second']) {
      makeDiskTree(random, work.join(name), { entries: 80 });
      work.write(`${name}/dir/file`, `content of ${name}\n`);
      work.write(`${name}/dir/sub/deep`, 'the same');
      work.write(`${name}/empty`, '');
      work.write(`${name}/${name}/a/b`, name);
    }
    writeFileSync(work.join('first/link'), 'was a file');
    writeFileSync(work.join('second/was-a-folder'), 'now a file');
    mkdirSync(work.join('first/was-a-folder/with'), { recursive: true });
    sid.runScript('ln -s dir/file "$1/second/link2"; ln -sf dir/file "$1/second/link"', [work.path]);
    const metadata = VALUES.map((value, i) => `--add-metadata=k${i}=${value}`);
    sid.runScript(MAKE, [work.path, ...metadata, '--add-detached-metadata-string=note=a note']);
  });

  for (const mode of [...MODES, 'shallow'])
    it(`print the same (${mode})`, async () => {
      const cases = [
        ...(mode === 'shallow' ? [['log', 'os/x86_64/main'], ['refs']] : CASES),
        ...(mode === 'bare'
          ? VALUES.flatMap((_, i) => [
              ['show', `--print-metadata-key=k${i}`, 'top'],
              ['show', '-B', `--print-metadata-key=k${i}`, 'top'],
            ])
          : []),
      ].map((args) => fill(args, mode));
      const script = cases.map(
        (args, i) => `ostree ${args.map(quote).join(' ')} --repo="$1/${mode}" >"$1/answers/${mode}.${i}"`,
      );
      sid.runScript(script.join('\n'), [work.path]);
      for (const [i, args] of cases.entries()) {
        const { exitCode, stdout, stderr } = await ours([...args, '--repo', work.join(mode)]);
        const theirs = readFileSync(`${folder}/${mode}.${i}`);
        const line = args.join(' ');
        assert.deepEqual([exitCode, stderr], [0, ''], line);
        // A folder on disk is listed by ostree in the order of its file system.
        const inOrder = args.every((word) => !word.startsWith(work.path));
        assert.equal(linesOf(stdout, inOrder), linesOf(theirs, inOrder), line);
      }
    });

  it('print dirtrees, dirmetas and content objects the same', async () => {
    for (const mode of MODES) {
      const repo = work.join(mode);
      const { stdout } = await ours(['ls', '-R', '--json', 'top', '--repo', repo]);
      const { entries } = JSON.parse(stdout.toString()) as { entries: Record<string, string>[] };
      const names = entries.flatMap(({ checksum, treeChecksum, metaChecksum }) =>
        [checksum, treeChecksum, metaChecksum].filter((name) => name !== undefined),
      );
      const chosen = [...new Set(names)].slice(0, 24);
      const theirs = sid.runScript(
        'repo=$1; shift; for name; do ostree show --repo="$repo" "$name"; ostree show --raw --repo="$repo" "$name"; done',
        [repo, ...chosen],
      );
      const own: Buffer[] = [];
      for (const name of chosen)
        for (const raw of [[], ['--raw']])
          own.push((await ours(['show', ...raw, name, '--repo', repo])).stdout);
      assert.equal(Buffer.concat(own).toString('latin1'), theirs.bytes.toString('latin1'), mode);
    }
  });

  it('refuse the same', async () => {
    const repo = work.join('archive');
    for (const [args, exitCode] of REFUSED) {
      const line = fill(args, 'archive');
      const theirs = sid.run(['ostree', ...line, `--repo=${repo}`], { allowFailure: true });
      assert.notEqual(theirs.status, 0, line.join(' '));
      const own = await ours([...line, '--repo', repo]);
      assert.equal(own.exitCode, exitCode, `${line.join(' ')}: ${own.stderr}`);
      assert.match(own.stderr, /^sealtree: error: /);
    }
  });

  it('take deployments for revisions', async () => {
    using place = new Sandbox();
    const sysroot = new OstreeSysroot(sid, place, ['os']);
    makeOsTree(place.join('tree'), { version: '1' });
    const commit = sysroot
      .repo('commit', ['--branch=os/main', `--tree=dir=${place.join('tree')}`])
      .stdout.trim();
    sysroot.admin('deploy', ['--os=os', 'os/main']);
    for (const rev of ['0', `os/${commit}.0`, `${commit}.0`, commit.slice(0, 10), 'os/main']) {
      const { exitCode, stdout, stderr } = await ours(['log', '--oneline', rev, '--sysroot', sysroot.path]);
      assert.deepEqual([exitCode, stderr], [0, ''], rev);
      assert(stdout.toString().startsWith(commit.slice(0, 12)), rev);
    }
    // Where no deployment has the number it may be how the commit begins.
    const noIndex = commit.startsWith('9') ? '8' : '9';
    for (const rev of [noIndex, 'rollback', `os/${'0'.repeat(64)}.0`, '0^']) {
      const { exitCode } = await ours(['log', rev, '--sysroot', sysroot.path]);
      assert.equal(exitCode, ExitCode.noInput, rev);
    }
  });
});
