/** refs, log, show, ls, cat and diff on a small repository: text, JSON, names, and where repositories are found. */
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import {
  type SourceDirectory,
  sourceDirectory,
  sourceFile,
  sourceSymlink,
} from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import fc from '../support/fast-check.ts';
import { Sandbox } from '../support/sandbox.ts';
import { MemoryStream, memorySurroundings, type SurroundingsOptions } from '../support/surroundings.ts';

const sandbox = new Sandbox();
const repo = sandbox.join('sysroot/ostree/repo');
let first: Checksum;
let second: Checksum;

const xattrs = [[textToBytes('user.note'), textToBytes('grün')]] as const;
const trees: readonly SourceDirectory[] = [
  sourceDirectory({
    'a\nb\x1b[2J': sourceFile('odd'),
    file: sourceFile('old\n', { xattrs, permissions: 0o4755 }),
    usr: sourceDirectory({ gone: sourceSymlink('\x1b[2J') }),
  }),
  sourceDirectory({
    'a\nb\x1b[2J': sourceFile('odd'),
    file: sourceFile('new\n'),
    link: sourceSymlink('usr/größe'),
    usr: sourceDirectory({ größe: sourceDirectory({ leaf: sourceFile('leaf') }) }, { uid: 7 }),
  }),
];

before(async () => {
  sandbox.mkdir('sysroot/ostree');
  initRepository(repo, 'archive', linuxSystem);
  const repository = Repository.open(repo, linuxSystem);
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  const write = (
    tree: SourceDirectory,
    options: { parent?: Checksum; timestamp: number },
  ): Promise<Checksum> => writeCommitOf(writer, tree, { ref: 'os/main', ...options });
  first = await write(trees[0] as SourceDirectory, { timestamp: 1_600_000_000 });
  second = await writeCommitOf(writer, trees[1] as SourceDirectory, {
    ref: 'os/main',
    parent: first,
    subject: 'Second \x1b[31mred',
    body: 'two\nlines',
    timestamp: 1_700_000_000,
    metadata: new Map([
      ['version', { type: 's', value: textToBytes('2.0') }],
      ['number', { type: 't', value: 5n }],
      ['bytes', { type: 'ay', value: Buffer.from([1, 0xff]) }],
      ['list', { type: 'as', value: [textToBytes('x')] }],
      ['map', { type: 'a{su}', value: new Map([[textToBytes('k'), 1]]) }],
    ]),
  });
  writer.commit();
  symlinkSync('main', sandbox.join('sysroot/ostree/repo/refs/heads/os/alias'));
});
after(() => sandbox.dispose());

async function run(args: readonly string[], options: SurroundingsOptions = {}) {
  const surroundings = memorySurroundings(options);
  const exitCode = await runProgram(args, surroundings, { version: '0', commands: COMMANDS });
  return { exitCode, stdout: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

/** Runs with --repo and expects success. */
async function text(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run([...args, '--repo', repo]);
  assert.deepEqual([exitCode, stderr], [0, '']);
  return stdout;
}

const json = async (...args: string[]): Promise<unknown> => JSON.parse(await text(...args, '--json'));

describe('log', () => {
  it('prints commits', async () => {
    assert.match(
      await text('log', 'os/main'),
      new RegExp(
        `^commit ${second}\nParent: {2}${first}\nContentChecksum: {2}[0-9a-f]{64}\n` +
          'Date: {2}2023-11-14 22:13:20 \\+0000\nVersion: 2\\.0\n\n {4}Second \x1b\\[31mred\n\n {4}two\n {4}lines\n\n' +
          `commit ${first}\nContentChecksum: {2}[0-9a-f]{64}\nDate: {2}2020-09-13 12:26:40 \\+0000\n\\(no subject\\)\n\n$`,
      ),
    );
  });

  it('prints one line each', async () =>
    assert.equal(
      await text('log', '--oneline', 'os/main'),
      `${second.slice(0, 12)} 2023-11-14 22:13 (2.0) Second \x1b[31mred\n${first.slice(0, 12)} 2020-09-13 12:26 (no subject)\n`,
    ));

  it('lets nothing of a commit act on a terminal', async () => {
    const stdout = new MemoryStream({ isTerminal: true });
    await run(['log', 'os/main', '--repo', repo], { stdout });
    assert.match(stdout.text, /Second \\x1b\[31mred\n/);
    assert(!stdout.text.includes('\x1b'));
  });

  it('stops where it is told', async () => {
    assert.equal((await text('log', '--oneline', '--max-count=1', 'os/main')).split('\n').length, 2);
    assert.equal(await text('log', '--max-count=0', 'os/main'), '');
    assert.equal((await run(['log', '--max-count=x', 'os/main', '--repo', repo])).exitCode, 64);
  });

  it('is JSON', async () => {
    const { schema, commits } = (await json('log', 'os/main')) as {
      schema: string;
      commits: Record<string, unknown>[];
    };
    assert.equal(schema, 'sealtree/log/v1');
    const [newest, oldest] = commits;
    assert.deepEqual(
      { ...newest, contentChecksum: '', rootTree: '', rootMeta: '' },
      {
        checksum: second,
        parent: first,
        contentChecksum: '',
        timestamp: '2023-11-14T22:13:20Z',
        version: '2.0',
        subject: 'Second \x1b[31mred',
        body: 'two\nlines',
        rootTree: '',
        rootMeta: '',
        metadata: { version: '2.0', number: 5, bytes: '01ff', list: ['x'], map: "{'k': uint32 1}" },
      },
    );
    assert.equal(oldest?.historyEnd, 'root');
  });
});

describe('show', () => {
  it('tells a commit, its metadata and what is missing', async () => {
    assert.equal(await text('show', '--print-metadata-key=version', 'os/main'), "'2.0'\n");
    assert.equal(await text('show', '--print-hex', '--print-metadata-key=bytes', 'os/main'), '01ff\n');
    assert.equal(
      await text('show', '--list-metadata-keys', 'os/main'),
      'bytes\nlist\nmap\nnumber\nversion\n',
    );
    const { exitCode, stderr } = await run(['show', '--print-metadata-key=x', 'os/main', '--repo', repo]);
    assert.equal(exitCode, 66);
    assert.match(stderr, /there are: bytes, list, map, number, version/);
  });

  it('is JSON for every kind of object', async () => {
    assert.deepEqual(await json('show', '--print-metadata-key=number', 'os/main'), {
      schema: 'sealtree/show/v1',
      key: 'number',
      type: 't',
      value: 5,
    });
    const commit = (await json('show', 'os/main')) as Record<string, string>;
    assert.deepEqual(
      [commit.type, commit.checksum, commit.partial, commit.signatures],
      ['commit', second, false, 0],
    );
    const tree = (await json('show', commit.rootTree ?? '')) as { type: string; files: { name: string }[] };
    assert.equal(tree.type, 'dirtree');
    assert.deepEqual(
      tree.files.map(({ name }) => name),
      ['a\nb\x1b[2J', 'file', 'link'],
    );
    const meta = (await json('show', commit.rootMeta ?? '')) as Record<string, unknown>;
    assert.deepEqual([meta.type, meta.mode, meta.uid], ['dirmeta', '040755', 0]);
    const [file] = ((await json('ls', 'os/main^', '/file')) as { entries: { checksum: string }[] }).entries;
    assert.deepEqual(await json('show', file?.checksum ?? ''), {
      schema: 'sealtree/show/v1',
      type: 'file',
      checksum: file?.checksum,
      fileType: 'file',
      mode: '0104755',
      uid: 0,
      gid: 0,
      size: 4,
      xattrs: [{ name: 'user.note', value: 'grün' }],
    });
  });
});

describe('ls', () => {
  it('lists files before folders', async () =>
    assert.equal(
      await text('ls', 'os/main'),
      'd00755 0 0      0 /\n-00644 0 0      3 /a\nb\x1b[2J\n-00644 0 0      4 /file\nl00777 0 0      0 /link -> usr/größe\nd00755 7 0      0 /usr\n',
    ));

  it('escapes names on a terminal', async () => {
    const stdout = new MemoryStream({ isTerminal: true });
    await run(['ls', 'os/main', '--repo', repo], { stdout });
    assert(stdout.text.includes('/a\\nb\\x1b[2J\n'));
    assert(stdout.text.includes('usr/größe'));
  });

  it('escapes link targets there too', async () => {
    const stdout = new MemoryStream({ isTerminal: true });
    await run(['ls', 'os/main^', '/usr/gone', '--repo', repo], { stdout });
    assert.equal(stdout.text, 'l00777 0 0      0 /usr/gone -> \\x1b[2J\n');
  });

  it('is JSON, a line each where asked for', async () => {
    const lines = (await text('ls', '-R', '--json=lines', 'os/main', '/usr')).trimEnd().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      entries.map(({ schema, path, type, mode, uid, size }) => [schema, path, type, mode, uid, size]),
      [
        ['sealtree/ls/v1', '/usr', 'directory', '0755', 7, undefined],
        ['sealtree/ls/v1', '/usr/größe', 'directory', '0755', 0, undefined],
        ['sealtree/ls/v1', '/usr/größe/leaf', 'file', '0644', 0, 4],
      ],
    );
  });
});

describe('cat', () => {
  it('prints bytes', async () =>
    assert.equal(await text('cat', 'os/main', '/file', 'usr/größe/leaf'), 'new\nleaf'));
  it('is JSON', async () => {
    const { files } = (await json('cat', 'os/main', 'file')) as { files: Record<string, string>[] };
    assert.deepEqual([files[0]?.path, files[0]?.base64], ['/file', 'bmV3Cg==']);
  });
  it('prints nothing when one of the names is wrong', async () => {
    const { exitCode, stdout, stderr } = await run(['cat', 'os/main', '/file', '/link', '--repo', repo]);
    assert.deepEqual([exitCode, stdout], [64, '']);
    assert.match(stderr, /\/link is a symlink to usr\/größe/);
  });
});

describe('diff', () => {
  const expected =
    'M    /file\nM    /usr\nD    /usr/gone\nA    /usr/größe\nA    /usr/größe/leaf\nA    /link\n';
  it('tells what a commit changed', async () => {
    assert.equal(await text('diff', 'os/main'), expected);
    assert.equal(await text('diff', first, second), expected);
    assert.equal(await text('diff', second, second), '');
  });
  it('is JSON', async () => {
    const { changes } = (await json('diff', 'os/main')) as { changes: { change: string; path: string }[] };
    assert.deepEqual(changes.map(({ change, path }) => `${change} ${path}`).sort(), [
      'added /link',
      'added /usr/größe',
      'added /usr/größe/leaf',
      'modified /file',
      'modified /usr',
      'removed /usr/gone',
    ]);
    const { stats } = (await json('diff', '--stats', 'os/main')) as { stats: Record<string, number> };
    assert.deepEqual([stats.objectsBefore, stats.objectsAfter, stats.objectsShared], [7, 10, 2]);
  });
  it('compares with a folder', async () => {
    sandbox.write('folder/file', 'new\n');
    const { stdout } = await run(['diff', 'os/main', './folder', '--repo', repo], { cwd: sandbox.path });
    assert.match(stdout, /^D {4}\/link$/m);
    assert.equal((await run(['diff', './folder', '--repo', repo], { cwd: sandbox.path })).exitCode, 64);
  });
});

describe('refs', () => {
  it('lists names, checksums and aliases', async () => {
    assert.equal(await text('refs'), 'os/alias\nos/main\n');
    assert.equal(await text('refs', '-r', 'os'), `alias\t${second}\nmain\t${second}\n`);
    assert.equal(await text('refs', '--list', 'os'), 'os/alias\nos/main\n');
    assert.deepEqual(await json('refs', 'os/main'), {
      schema: 'sealtree/refs/v1',
      refs: [{ ref: 'os/main', name: 'os/main', kind: 'head', checksum: second }],
    });
  });
});

describe('the repository', () => {
  it('is that of the sysroot, or the working folder', async () => {
    const bySysroot = await run(['refs', '--sysroot', sandbox.join('sysroot')]);
    const byVariable = await run(['refs'], { env: { OSTREE_SYSROOT: sandbox.join('sysroot') } });
    const byFolder = await run(['refs', '--sysroot', sandbox.join('nowhere')], { cwd: repo });
    for (const { stdout } of [bySysroot, byVariable, byFolder]) assert.equal(stdout, 'os/alias\nos/main\n');
  });

  it('that cannot be found is told with what was tried', async () => {
    const options = { cwd: sandbox.path };
    const { exitCode, stderr } = await run(['refs', '--sysroot', '/none', '--json'], options);
    assert.equal(exitCode, 66);
    const { details } = JSON.parse(stderr) as { details: { tried: string[] } };
    assert.deepEqual(details.tried, ['/none/ostree/repo', sandbox.path]);
    assert.equal((await run(['refs', '--repo', 'none'], options)).exitCode, 66);
  });
});

describe('any command line', () => {
  const WORDS = [
    ...[
      'refs',
      'log',
      'show',
      'ls',
      'cat',
      'diff',
      'digest',
      'help',
      'os/main',
      'os/main^',
      'os/main^^',
      '^',
      ':',
    ],
    ...[
      'os',
      '/',
      '/file',
      'usr/..',
      '/usr//größe/',
      '',
      '-',
      '--',
      '0',
      '99',
      'booted',
      'x/y.0',
      'f'.repeat(64),
    ],
    ...[
      '--json',
      '--json=lines',
      '--json=',
      '-R',
      '-C',
      '-X',
      '-d',
      '-r',
      '-A',
      '-c',
      '-B',
      '--raw',
      '--oneline',
    ],
    ...[
      '--max-count',
      '1',
      '-1',
      '--stats',
      '--print-metadata-key',
      'version',
      '--color=always',
      '--color',
      '-q',
    ],
    ...[
      '--sysroot=/none',
      '--repo',
      '--repo=',
      '--progress=none',
      '-n',
      '-y',
      '-v',
      '--no-such',
      '\x01',
      '\ud800',
    ],
  ];

  it('ends in a known exit code and an error that is no defect of ours', async () => {
    const commandLine = fc.array(fc.constantFrom(...WORDS), { maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(commandLine, async (args) => {
        // It would compare with this machine's own root.
        fc.pre(!(args.includes('diff') && args.includes('/')));
        const { exitCode, stderr } = await run([`--repo=${repo}`, '--sysroot=/none', ...args], {
          cwd: sandbox.path,
        });
        assert([0, 64, 65, 66, 77, 78].includes(exitCode), `exit ${exitCode}: ${stderr}`);
        assert.equal(stderr === '', exitCode === 0, stderr);
        assert(!stderr.includes('internal error'), stderr);
      }),
      { numRuns: 400 },
    );
  });
});
