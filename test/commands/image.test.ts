/** `sealtree image …`: what is printed, as text and as JSON, and the exit codes. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { Sandbox } from '../support/sandbox.ts';
import { MemoryStream, memorySurroundings } from '../support/surroundings.ts';

const work = new Sandbox();
after(() => work.dispose());

async function image(...args: string[]) {
  const surroundings = memorySurroundings({ cwd: work.path });
  const status = await runProgram(['image', ...args], surroundings, { version: '0', commands: COMMANDS });
  const { stdout, stderr } = surroundings;
  return { status, stdout: stdout.text, bytes: stdout.bytes, stderr: stderr.text };
}

const json = async (...args: string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await image(...args, '--json')).stdout) as Record<string, unknown>;

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';
const FILE = '/f 3 100644 1 0 0 0 1.5 - abc -\n';
const CONTENT = 'y'.repeat(100);
const source = work.mkdir('source');
work.write('source/big', CONTENT);
work.write('a.dump', ROOT + FILE);
work.write('b.dump', ROOT + FILE.replace('abc', 'abd'));

describe('image create', () => {
  it('makes images of dumps and folders and prints their digests', async () => {
    for (const name of ['a', 'b']) {
      const { status, stdout, stderr } = await image(
        'create',
        '--from-file',
        `${name}.dump`,
        '-o',
        `${name}.cfs`,
      );
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /^[0-9a-f]{64}\n$/);
    }
    const made = await json(
      'create',
      '--from-dir',
      'source',
      '-o',
      'dir.cfs',
      '--digest-store',
      'objects',
      '--epoch',
    );
    assert.deepEqual(Object.keys(made), ['schema', 'imageDigest', 'imageBytes', 'composefsVersion', 'path']);
    assert.equal(made.path, work.join('dir.cfs'));
  });

  it('writes to standard output, the digest to standard error', async () => {
    const { bytes, stderr } = await image('create', '--from-file', 'a.dump', '-o', '-');
    assert(bytes.equals(readFileSync(work.join('a.cfs'))));
    assert.match(stderr, /^sealtree: [0-9a-f]{64}\n$/);
  });

  it('writes nothing in a dry run', async () => {
    const { status, stdout } = await image(
      'create',
      '-n',
      '--from-dir',
      'source',
      '-o',
      'none/x',
      '--digest-store',
      'none',
    );
    assert.equal(status, 0);
    assert.match(stdout, /^[0-9a-f]{64}\n$/);
  });

  const failures: readonly (readonly [args: string[], status: number, stderr: RegExp])[] = [
    [[], 64, /--output/],
    [['-o', 'x'], 64, /made of one thing/],
    [['main', '--from-file', 'a.dump', '-o', 'x'], 64, /made of one thing/],
    [['--from-file', 'a.dump', '-o', '-', '--json'], 64, /both/],
    [['--from-dir', 'source', '-o', 'x', '--xattrs', 'some'], 64, /--xattrs/],
    [['--from-file', 'a.dump', '-o', 'x', '--max-version', '2'], 64, /--max-version/],
    [['--from-file', 'none.dump', '-o', 'x'], 66, /ENOENT/],
    [['--from-file', 'a.cfs', '-o', 'x'], 65, /a\.cfs: line 1/],
    [['--from-file', 'a.dump', '-o', 'none/x'], 66, /ENOENT/],
  ];
  for (const [args, status, stderr] of failures) {
    it(`${args.join(' ')}: exits ${status}`, async () => {
      const result = await image('create', ...args);
      assert.match(result.stderr, stderr);
      assert.equal(result.status, status);
    });
  }
});

describe('looking into an image', () => {
  it('info shows header, figures and digest', async () => {
    const { stdout } = await image('info', 'a.cfs');
    assert.match(stdout, /^Digest: +[0-9a-f]{64}$/m);
    assert.match(stdout, /^Files: +0 with an object, 1 inline \(3 bytes\)$/m);
    const facts = await json('info', 'dir.cfs');
    assert.deepEqual([facts.objects, facts.objectBytes, facts.objectsWithoutDigest], [1, 100, 0]);
    assert.equal(facts.buildTime, '1970-01-01T00:00:00Z');
  });

  it('ls lists entries, all or below one', async () => {
    assert.equal((await image('ls', 'a.cfs')).stdout, 'd00755 0 0      0 /\n-00644 0 0      3 /f\n');
    assert.equal((await image('ls', 'a.cfs', 'f')).stdout, '-00644 0 0      3 /f\n');
    assert.equal((await image('ls', 'a.cfs', '/none')).status, 66);
    const { entries } = await json('ls', 'a.cfs', '/f');
    assert.deepEqual(entries, [{ path: '/f', type: 'file', mode: '0644', uid: 0, gid: 0, size: 3 }]);
  });

  it('dump prints composefs-dump text, or all of it as JSON', async () => {
    assert.equal(
      (await image('dump', 'a.cfs', '--filter', 'f')).stdout,
      (ROOT + FILE).replace('/ 0', '/ 4096'),
    );
    const { entries } = await json('dump', 'a.cfs');
    assert.deepEqual((entries as Record<string, unknown>[])[1], {
      ...{ path: '/f', type: 'file', mode: '0644', uid: 0, gid: 0, size: 3 },
      ...{ nlink: 1, mtimeSeconds: 1, mtimeNanoseconds: 5, content: { base64: 'YWJj' }, xattrs: [] },
    });
  });

  it('objects lists them with digest and size, missing-objects those that are not there', async () => {
    const { stdout } = await image('objects', 'dir.cfs');
    const [, digest, size, path] = /^([0-9a-f]{64}) +(\d+) (.*)\n$/.exec(stdout) ?? [];
    assert.deepEqual([size, path], ['100', `${digest?.slice(0, 2)}/${digest?.slice(2)}`]);
    assert.equal((await image('missing-objects', 'dir.cfs', '--objects', 'objects')).stdout, '');
    mkdirSync(work.join('empty'));
    assert.equal((await image('missing-objects', 'dir.cfs', '--objects', 'empty')).stdout, `${path}\n`);
    assert.equal((await image('missing-objects', 'dir.cfs', '--objects', 'gone')).status, 66);
  });

  it('answers for what is no image', async () => {
    for (const verb of ['info', 'ls', 'dump', 'objects']) {
      const { status, stderr } = await image(verb, 'a.dump');
      assert.equal(status, 65);
      assert.match(stderr, /a\.dump.*: not a composefs image/);
    }
  });
});

describe('image verify', () => {
  it('exits 2 for errors only', async () => {
    const good = await image('verify', 'dir.cfs', '--objects', 'objects');
    assert.equal(good.status, 0, good.stdout);
    assert.match(good.stdout, /1 objects looked at.*: 0 errors/);
    const bad = await image('verify', 'dir.cfs', '--objects', 'empty', '--digest', 'e'.repeat(64));
    assert.equal(bad.status, 2);
    assert.match(bad.stdout, /the object is missing\n {4}seen as \/big/);
    assert.match(bad.stdout, /expected e{64}/);
    assert.match(bad.stdout, /2 errors/);
  });

  it('takes no shortened digest', async () =>
    assert.equal((await image('verify', 'a.cfs', '--digest', 'eeee')).status, 64));
});

describe('image diff', () => {
  it('shows paths, fields, digests and the first different byte', async () => {
    const { status, stdout } = await image('diff', 'a.cfs', 'b.cfs');
    assert.equal(status, 0);
    assert.match(
      stdout,
      /^M \/f\n {4}content: abc -> abd\ndigests: [0-9a-f]{64} [0-9a-f]{64}\nfirst different byte: offset \d+: inline content of \/f \(inode \d+\)\n$/,
    );
  });

  it('names objects that only one has', async () => {
    const { stdout } = await image('diff', 'a.cfs', 'dir.cfs');
    assert.match(stdout, /^A \/big\nD \/f$/m);
    assert.match(stdout, /^A object [0-9a-f]{2}\/[0-9a-f]{62}$/m);
  });

  it('tells by its exit code where asked to', async () => {
    assert.equal((await image('diff', '--exit-code', 'a.cfs', 'b.cfs')).status, 1);
    const same = await image('diff', '--exit-code', 'a.cfs', 'a.cfs');
    assert.deepEqual([same.status, same.stdout.slice(0, 11)], [0, 'identical: ']);
  });

  it('has all of it as JSON', async () => {
    const found = await json('diff', 'a.cfs', 'b.cfs');
    assert.deepEqual(found.changes, [
      {
        kind: 'modified',
        path: '/f',
        type: 'file',
        fields: [{ field: 'content', before: 'abc', after: 'abd' }],
      },
    ]);
    assert.deepEqual(
      [found.identical, found.objects],
      [false, { shared: 0, onlyInA: [], onlyInB: [], changed: [] }],
    );
    const same = await json('diff', 'a.cfs', 'a.cfs');
    assert.deepEqual([same.identical, same.firstDifference], [true, null]);
  });
});

describe('image mount', () => {
  it('shows what it would do', async () => {
    const { stdout } = await image('mount', '-n', 'a.cfs', 'empty', '--objects', 'objects', '--verity');
    assert.deepEqual(stdout.split('\n'), [
      `mount -t erofs -o ro,noacl ${work.path}/a.cfs LOWER`,
      `mount -t overlay -o ro,metacopy=on,redirect_dir=on,verity=require,lowerdir=LOWER::${work.path}/objects composefs ${work.path}/empty`,
      'umount --lazy LOWER',
      '',
    ]);
  });

  it('refuses folders that overlayfs cannot be told', async () => {
    work.mkdir('a:b');
    const { status, stderr } = await image('mount', 'a.cfs', 'empty', '--objects', 'a:b');
    assert.equal(status, 64);
    assert.match(stderr, /comma, colon/);
    rmSync(work.join('a:b'), { recursive: true });
  });

  it('does not take down what is no image', async () => {
    assert.equal((await image('umount', 'empty')).status, 66);
    assert.equal((await image('umount', '/proc')).status, 64);
  });
});

it('standard output that is a terminal gets no image', async () => {
  const stdout = new MemoryStream({ isTerminal: true });
  const surroundings = memorySurroundings({ cwd: work.path, stdout });
  const args = ['image', 'create', '--from-dir', source, '-o', '-', '--progress=none'];
  assert.equal(await runProgram(args, surroundings, { version: '0', commands: COMMANDS }), 64);
  assert.equal(stdout.bytes.length, 0);
});
