/** The stand-ins for composefs' tools: options, output, exit codes. System tests compare them with the C tools. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { command as composefsDump } from '../../src/commands/composefs-dump.ts';
import { command as composefsInfo } from '../../src/commands/composefs-info.ts';
import { command as mkcomposefs } from '../../src/commands/mkcomposefs.ts';
import { Sandbox } from '../support/sandbox.ts';
import { MemoryStream, memorySurroundings } from '../support/surroundings.ts';

const work = new Sandbox();
after(() => work.dispose());

const TOOLS = { mkcomposefs, 'composefs-info': composefsInfo, 'composefs-dump': composefsDump };

async function tool(
  name: keyof typeof TOOLS,
  args: readonly string[],
  options: Parameters<typeof memorySurroundings>[0] = {},
) {
  const surroundings = memorySurroundings(options);
  const status = await TOOLS[name].main(args, surroundings);
  return {
    status,
    stdout: surroundings.stdout.text,
    bytes: surroundings.stdout.bytes,
    stderr: surroundings.stderr.text,
  };
}

const OBJECT = '35d02f81325122d77ec1d11baba655bc9bf8a891ab26119a41c50fa03ddfb408';
const DUMP = work.write(
  'tree.dump',
  `/ 0 40755 2 0 0 0 0.0 - - -\n/f 1000 100644 1 0 0 0 0.0 35/d02f81325122d77ec1d11baba655bc9bf8a891ab26119a41c50fa03ddfb408 - ${OBJECT}\n`,
);
/** Of that dump, by mkcomposefs 1.0.8. */
const DIGEST = '2caa67dbb768be4e21d0762e3758b792c9d342ab3d83aeb49cebfc97fd927943';
const SOURCE = work.mkdir('source');
writeFileSync(`${SOURCE}/small`, 'small');

describe('mkcomposefs', () => {
  const image = work.join('image.cfs');

  it('writes an image and prints its digest', async () => {
    const made = await tool('mkcomposefs', ['--from-file', '--print-digest', DUMP, image]);
    assert.deepEqual(made, { ...made, status: 0, stdout: `${DIGEST}\n`, stderr: '' });
    assert.equal(statSync(image).size, 16384);
    const only = await tool('mkcomposefs', ['--from-file', DUMP, '--print-digest-only']);
    assert.deepEqual([only.status, only.stdout], [0, `${DIGEST}\n`]);
  });

  it('writes to standard output, then the digest; never to a terminal', async () => {
    const { status, bytes } = await tool('mkcomposefs', ['--from-file', '--print-digest', DUMP, '-']);
    assert.equal(status, 0);
    assert(bytes.subarray(0, 16384).equals(readFileSync(image)));
    assert.equal(bytes.toString('latin1', 16384), `${DIGEST}\n`);
    const terminal = new MemoryStream({ isTerminal: true });
    const refused = await tool('mkcomposefs', ['--from-file', DUMP, '-'], { stdout: terminal });
    assert.deepEqual([refused.status, terminal.bytes.length], [1, 0]);
  });

  it('leaves what was there when it fails, and nothing aside', async () => {
    const bad = work.write('bad.dump', 'nonsense\n');
    const before = readFileSync(image);
    const { status, stderr } = await tool('mkcomposefs', ['--from-file', bad, image]);
    assert.equal(status, 1);
    assert.match(stderr, /^mkcomposefs: .*bad\.dump: line 1: MODE: no integer: ""\n$/);
    assert(readFileSync(image).equals(before));
    const fresh = await tool('mkcomposefs', ['--from-file', bad, work.join('fresh.cfs')]);
    assert.deepEqual([fresh.status, existsSync(work.join('fresh.cfs'))], [1, false]);
    assert.deepEqual(
      readdirSync(work.path).filter((name) => name.startsWith('.')),
      [],
    );
  });

  it('replaces what a symlink points to, and keeps its permissions', async () => {
    const target = work.write('target.cfs', 'old');
    symlinkSync('target.cfs', work.join('symlink.cfs'));
    const { mode } = statSync(target);
    await tool('mkcomposefs', ['--from-file', DUMP, work.join('symlink.cfs')]);
    assert.deepEqual([statSync(target).size, statSync(target).mode], [16384, mode]);
  });

  it('writes into what is no regular file', async () =>
    assert.equal((await tool('mkcomposefs', ['--from-file', DUMP, '/dev/null'])).status, 0));

  it('obeys CFS_PARSE_STRICT, even when it is empty', async () => {
    const loose = work.write('loose.dump', '/ 0 40755 2 0 0 0 0.0 - - -');
    const args = ['--from-file', '--print-digest-only', loose];
    assert.equal((await tool('mkcomposefs', args)).status, 0);
    assert.equal((await tool('mkcomposefs', args, { env: { CFS_PARSE_STRICT: '' } })).status, 1);
  });

  it('gives the other version 0 when one is given', async () => {
    const whiteout = work.write(
      'whiteout.dump',
      '/ 0 40755 2 0 0 0 0.0 - - -\n/w 0 20644 1 0 0 0 0.0 - - -\n',
    );
    const version = async (...options: string[]) => {
      const { bytes } = await tool('mkcomposefs', ['--from-file', ...options, whiteout, '-']);
      return bytes.readUInt32LE(12);
    };
    assert.equal(await version(), 1);
    assert.equal(await version('--min-version=0'), 0);
    assert.equal(await version('--min-version=1'), 1);
    assert.equal(await version('--max-version=1'), 1);
    assert.equal(await version('--max-version=0'), 0);
    assert.equal(await version('--min-version= +1', '--max-version=0'), 1);
  });

  const failures: readonly (readonly [args: string[], stderr: RegExp])[] = [
    [[], /^No source path specified\nUsage: mkcomposefs /],
    [[''], /^mkcomposefs: Empty source path/],
    [[SOURCE], /^No destination path specified\nUsage/],
    [[SOURCE, 'a', 'b'], /^Too many arguments\nUsage/],
    [[SOURCE, 'a', '--print-digest-only'], /^--print-digest-only takes no destination/],
    [['--print', SOURCE], /^Usage/],
    [['--nope'], /^Usage/],
    [['-C'], /^Usage/],
    [['--threads'], /^option needs a value\n$/],
    [['--threads=0'], /^Invalid threads count 0\n$/],
    [['--threads=x', '--nope'], /^Invalid threads count x\n$/],
    [['--min-version=1x'], /^Invalid min version 1x\n$/],
    [['--max-version='], /^Invalid max version \n$/],
    [['--min-version=2', SOURCE, 'a'], /no format version 2/],
    [['--max-version=-1', SOURCE, 'a'], /no format version -1/],
    [['--skip-xattrs', '--user-xattrs', SOURCE, 'a'], /exclude each other/],
    [[`${SOURCE}/none`, '--print-digest-only'], /none: cannot lstat: ENOENT/],
    [[SOURCE, `${SOURCE}/none/image`], /cannot .*ENOENT/],
    [[SOURCE, SOURCE], /EISDIR/],
  ];
  for (const [args, stderr] of failures) {
    it(`${args.join(' ').replaceAll(work.path, '')}: fails`, async () => {
      const result = await tool('mkcomposefs', args);
      assert.match(result.stderr, stderr);
      assert.deepEqual([result.status, result.stdout], [1, '']);
    });
  }
});

describe('composefs-info', () => {
  const image = work.join('info.cfs');
  const dump = work.write(
    'info.dump',
    `/ 0 40755 2 0 0 0 0.0 - - -
/a\\x20b\\n 1 100644 1 0 0 0 0.0 22/x - -
/c 0 40755 2 0 0 0 0.0 - - -
/c/l 6 120777 1 0 0 0 0.0 to\\x20here - -
/d 1 100644 1 0 0 0 0.0 11/y - ${OBJECT}
/e 1 100644 1 0 0 0 0.0 11/y - ${OBJECT}
/h 0 @100644 1 0 0 0 0.0 /d - -
/i 3 100644 1 0 0 0 0.0 - abc -
`,
  );

  it('lists', async () => {
    await tool('mkcomposefs', ['--from-file', dump, image]);
    const { stdout, status } = await tool('composefs-info', ['ls', image]);
    assert.equal(stdout, '/a b\\n\t@ 22/x\n/c/\t\n/c/l\t-> to\\x20here\n/d\t@ 11/y\n/e\t@ 11/y\n/h\n/i\n');
    assert.equal(status, 0);
  });

  it('lists objects, once and sorted, of all images', async () => {
    assert.equal((await tool('composefs-info', ['objects', image, image])).stdout, '11/y\n22/x\n');
  });

  it('lists missing objects: those not below --basedir, all without it', async () => {
    const objects = work.mkdir('objects');
    work.write('objects/11/y', 'y');
    const missing = async (...args: string[]) =>
      (await tool('composefs-info', [...args, 'missing-objects', image])).stdout;
    assert.equal(await missing('--basedir', objects), '22/x\n');
    assert.equal(await missing(), '11/y\n22/x\n');
  });

  it('dumps, whole or filtered', async () => {
    const { stdout } = await tool('composefs-info', ['dump', image]);
    assert.equal(stdout.split('\n').length, 9);
    const filtered = await tool('composefs-info', ['--filter=c', '--filter', 'i', 'dump', image]);
    assert.deepEqual(
      filtered.stdout.split('\n').map((line) => line.split(' ')[0]),
      ['/', '/c', '/c/l', '/i', ''],
    );
  });

  it('measures files, empty ones as the kernel does', async () => {
    const files = [work.write('hello', 'hello world\n'), work.write('empty', '')];
    const { stdout } = await tool('composefs-info', ['measure-file', ...files]);
    assert.deepEqual(stdout.split('\n'), [
      '37061ef2ac4c21bec68489b56138c5780306a4ad7fe6676236ecdf2c9027cd92',
      '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95',
      '',
    ]);
  });

  const failures: readonly (readonly [args: string[], stderr: RegExp, stdout?: string])[] = [
    [[], /^No command specified\nusage: composefs-info /],
    [['ls'], /^No image path specified\nusage/],
    [['measure-file'], /^No files specified\nusage/],
    [['nope', image], /^composefs-info: Unknown command 'nope'\n\n$/],
    [['--nope', 'ls', image], /unrecognized option '--nope'\nusage/, 'Def\n'],
    [['ls', image, '--basedir'], /option '--basedir' requires an argument\nusage/, 'Def\n'],
    [['--filter=a/b', 'ls', image], /Filter must be a single name: a\/b/],
    [['--basedir=/nowhere', 'ls', image], /nowhere/],
    [['ls', '/nowhere'], /\/nowhere: cannot read: ENOENT/],
    [['ls', dump], /info\.dump.*: not a composefs image/],
    [['measure-file', '/nowhere'], /ENOENT/],
  ];
  for (const [args, stderr, stdout = ''] of failures) {
    it(`${args.join(' ').replaceAll(work.path, '')}: fails`, async () => {
      const result = await tool('composefs-info', args);
      assert.match(result.stderr, stderr);
      assert.deepEqual([result.status, result.stdout], [1, stdout]);
    });
  }

  it('prints what it can before it fails', async () => {
    const { status, stdout } = await tool('composefs-info', ['objects', image, '/nowhere']);
    assert.deepEqual([status, stdout], [1, '']);
    const listed = await tool('composefs-info', ['ls', image, '/nowhere']);
    assert.deepEqual([listed.status, listed.stdout.startsWith('/a b')], [1, true]);
  });
});

describe('composefs-dump', () => {
  it('writes an image anew', async () => {
    const [source, copy] = [work.join('image.cfs'), work.join('copy.cfs')];
    assert.equal((await tool('composefs-dump', [source, copy])).status, 0);
    assert(readFileSync(source).equals(readFileSync(copy)));
  });

  it('keeps the format version', async () => {
    const [one, copy] = [work.join('one.cfs'), work.join('copy.cfs')];
    await tool('mkcomposefs', ['--min-version=1', '--from-file', DUMP, one]);
    await tool('composefs-dump', [one, copy]);
    assert.equal(readFileSync(copy).readUInt32LE(12), 1);
  });

  it('wants two paths', async () => {
    assert.match((await tool('composefs-dump', [])).stderr, /^No source path/);
    assert.match((await tool('composefs-dump', ['a'])).stderr, /^No destination path/);
    assert.equal((await tool('composefs-dump', ['/nowhere', 'b'])).status, 1);
  });
});
