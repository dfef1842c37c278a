/** mkcomposefs, composefs-info and composefs-dump against the C tools: same input, same bytes, text and exit code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command as composefsDump } from '../../src/commands/composefs-dump.ts';
import { command as composefsInfo } from '../../src/commands/composefs-info.ts';
import { command as mkcomposefs } from '../../src/commands/mkcomposefs.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { dumpOf, randomTree } from '../support/random-image-tree.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';
import { memorySurroundings } from '../support/surroundings.ts';

/** Everything `mkcomposefs DIR` treats in a way of its own. */
function makeSource(path: string): void {
  mkdirSync(`${path}/folder/deep`, { recursive: true });
  for (const size of [0, 1, 63, 64, 65, 4095, 4096, 4097, 1 << 20, (1 << 20) + 1])
    writeFileSync(`${path}/folder/size-${size}`, Buffer.alloc(size, `${size} `));
  writeFileSync(Buffer.from(`${path}/\xff\n\\ \x01`, 'latin1'), 'odd name');
  writeFileSync(`${path}/=equals -`, '-');
  linkSync(`${path}/folder/size-65`, `${path}/hard-link`);
  linkSync(`${path}/folder/size-64`, `${path}/inline-hard-link`);
  symlinkSync('folder/size-1', `${path}/symlink`);
  symlinkSync('\\ = \n é', `${path}/odd-target`);
  chmodSync(`${path}/folder/size-1`, 0o6755);
  chownSync(`${path}/folder/size-0`, 70_000, 4_000_000_000);
  lutimesSync(`${path}/symlink`, 1, new Date(-1500));
  lutimesSync(`${path}/folder/size-0`, 1, 5_000_000_000);
  const script = `cd "$1"
mknod null c 1 3; mknod block b 259 70000; mkfifo fifo; mkdir whiteouts; mknod whiteouts/gone c 0 0; mknod 0a c 0 0
setfattr -n user.small -v value folder/size-63
setfattr -n user.shared -v same folder/size-64; setfattr -n user.shared -v same folder/size-65
setfattr -n user.binary -v 0x00ff3d5c0a20 folder; setfattr -n user.empty folder
setfattr -n trusted.overlay.opaque -v y folder/deep; setfattr -n trusted.note -v x folder/deep
setfattr -h -n trusted.link -v x symlink; setfattr -n security.label -v l .`;
  const child = spawnSync('sh', ['-euc', script, 'sh', path], { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
}

/** What both tools left at a path: a file's bytes, or a folder's files with theirs. */
function contents(path: string): unknown {
  if (!existsSync(path)) return 'nothing';
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => [
      join(entry.parentPath, entry.name).slice(path.length),
      readFileSync(join(entry.parentPath, entry.name), 'latin1'),
    ])
    .sort();
}

const TOOLS = { mkcomposefs, 'composefs-info': composefsInfo, 'composefs-dump': composefsDump };
type ToolName = keyof typeof TOOLS;

/** Ours, in this process: standard output as latin1. */
async function runOurs(name: ToolName, args: readonly string[], env: Record<string, string> = {}) {
  const surroundings = memorySurroundings({ env });
  const status = await TOOLS[name].main(args, surroundings);
  return { status, stdout: surroundings.stdout.bytes.toString('latin1'), stderr: surroundings.stderr.text };
}

/** Texts are long: of the first line that differs only the surroundings of the difference are shown. */
function sameText(ours: string, theirs: string, what: string): void {
  if (ours === theirs) return;
  const [a, b] = [ours.split('\n'), theirs.split('\n')];
  const line = a.findIndex((text, i) => text !== b[i]);
  const [x, y] = [a[line] ?? '', b[line] ?? ''];
  let at = 0;
  while (at < x.length && x[at] === y[at]) at++;
  const from = Math.max(0, at - 40);
  assert.fail(
    `${what}: line ${line + 1}, column ${at + 1}: ours\n${x.slice(from, at + 80)}\ntheirs\n${y.slice(from, at + 80)}`,
  );
}

describeSystem("composefs' tools", ['sid'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  const source = work.mkdir('source');
  makeSource(source);
  const folders = { theirs: work.mkdir('theirs'), ours: work.mkdir('ours') };

  /**
   * Runs both tools, `OUT` standing for a folder of each; the exit code and standard output must be the same, and
   * whether something was written to standard error.
   */
  async function both(name: ToolName, ...args: readonly string[]): Promise<void> {
    const at = (folder: string): string[] => args.map((arg) => arg.replace('OUT', folder));
    const theirs = oracle('sid').run([name, ...at(folders.theirs)], { allowFailure: true });
    const ours = await runOurs(name, at(folders.ours));
    const line = [name, ...args].join(' ');
    assert.equal(ours.status, theirs.status, `exit code of ${line}\n${theirs.stderr}\n${ours.stderr}`);
    sameText(ours.stdout, theirs.bytes.toString('latin1'), line);
    assert.equal(ours.stderr === '', theirs.stderr === '', `${line}\n${theirs.stderr}\n${ours.stderr}`);
  }

  function sameFiles(what: string): void {
    assert.deepEqual(contents(folders.ours), contents(folders.theirs), what);
    for (const folder of Object.values(folders)) {
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
    }
  }

  describe('mkcomposefs of a directory', () => {
    const combinations: readonly string[][] = [
      [],
      ['--use-epoch'],
      ['--skip-devices'],
      ['--skip-xattrs'],
      ['--user-xattrs'],
      ['--use-epoch', '--skip-devices', '--skip-xattrs'],
      ['--user-xattrs', '--skip-devices', '--threads=1'],
      ['--digest-store=OUT/some/store'],
      ['--digest-store', 'OUT/store', '--threads', '3', '--user-xattrs'],
      ['--min-version=0'],
      ['--min-version=1', '--use-epoch'],
      ['--max-version=1'],
      ['--min-version=1', '--max-version=0', '--skip-devices'],
    ];
    for (const options of combinations) {
      it(options.join(' ') || 'without options', async () => {
        await both('mkcomposefs', '--print-digest', ...options, source, 'OUT/image.cfs');
        sameFiles(options.join(' '));
      });
    }

    it('prints the digest only, writes to standard output, takes a trailing slash', async () => {
      await both('mkcomposefs', '--print-digest-only', `${source}/`);
      await both('mkcomposefs', source, '--print-digest', '-');
      sameFiles('no files');
    });

    it('of random directories', async () => {
      for (let seed = 1; seed <= 12; seed++) {
        const path = work.join(`random-${seed}`);
        makeDiskTree(new Random(seed), path, { entries: 80 });
        await both('mkcomposefs', '--print-digest', '--digest-store=OUT/store', path, 'OUT/image.cfs');
        sameFiles(`seed ${seed}`);
      }
    });
  });

  describe('mkcomposefs --from-file', () => {
    const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';
    const F = '100644 1 0 0 0 0.0';
    const dumps: Readonly<Record<string, string>> = {
      nothing: '',
      'an empty line': '\n',
      'no newline at the end': ROOT.trimEnd(),
      'no root': `/a 0 ${F} - - -\n`,
      'two roots': ROOT + ROOT,
      'a parent that is a file': `${ROOT}/a 0 ${F} - - -\n/a/b 0 ${F} - - -\n`,
      'a trailing slash': `${ROOT}/a/ 0 ${F} - - -\n`,
      'only slashes': `${ROOT}// 0 ${F} - - -\n`,
      'paths in other spellings': `${ROOT}d 0 40755 1 0 0 0 0.0 - - -\nd//x 0 ${F} - - -\n///d/y\\x00z 0 ${F} - - -\n`,
      'a name of 256 bytes': `${ROOT}/${'n'.repeat(256)} 0 ${F} - - -\n`,
      'a name twice': `${ROOT}/a 0 ${F} - - -\n/a 0 ${F} - - -\n`,
      'a decimal mode': `${ROOT}/a 0 100648 1 0 0 0 0.0 - - -\n`,
      'odd integers': `${ROOT}/a +5 100644 4294967297 -1 \t7 0 -1.-5 a - -\n`,
      'integers too large': `${ROOT}/a 0 100644 99999999999999999999999 0 0 0 99999999999999999999999.0 - - -\n`,
      'device numbers beyond 32 bits': `${ROOT}/a 0 20644 1 0 0 4294967296 0.0 - - -\n/b 0 60644 1 0 0 4294967297 0.0 - - -\n`,
      'sizes of what has none': `${ROOT}/a 99999999999 20644 1 0 0 5 0.0 - - -\n/d 7 40755 1 0 0 0 0.0 - - -\n`,
      'content of what has none': `${ROOT}/d 3 40755 1 0 0 0 0.0 p abc -\n`,
      'digests of what has none': `${ROOT}/a 0 ${F} p - abc\n/b 3 ${F} p abc xyz\n/d 0 40755 1 0 0 0 0.0 - - q\n`,
      'an empty payload': `${ROOT}/a 5 ${F}  - -\n`,
      'a payload of 4095 bytes': `${ROOT}/a 5 ${F} ${'p'.repeat(4095)} - -\n`,
      'a payload of 4096 bytes': `${ROOT}/a 5 ${F} ${'p'.repeat(4096)} - -\n`,
      'empty content': `${ROOT}/a 0 ${F} -  -\n`,
      'a file of 2^53 bytes': `${ROOT}/a 9007199254740992 ${F} - - -\n`,
      'a larger file': `${ROOT}/a 9007199254740993 ${F} - - -\n`,
      'a space at the end': `${ROOT}/a 0 ${F} - - - \n/b 0 ${F} - - - user.a=1 \n`,
      'two spaces': `${ROOT}/a 0 ${F} - - - user.a=1  user.b=2\n`,
      'xattrs given twice': `${ROOT}/a 0 ${F} - - - user.b=1 user.a=1 user.b=2\n`,
      'an xattr name with a NUL': `${ROOT}/a 0 ${F} - - - user.a\\x00b=1\n`,
      'xattrs that fill the budget': `${ROOT}/a 0 ${F} - - - user.a=${'v'.repeat(32_742)}\n`,
      'xattrs beyond the budget': `${ROOT}/a 0 ${F} - - - user.a=${'v'.repeat(32_743)}\n`,
      'too much xattr text': `${ROOT}/a 0 ${F} - - - user.a=${'\\x00'.repeat(16_384)}\n`,
      'escapes that are none': `${ROOT}/a\\q 0 ${F} - - -\n`,
      'links to links': `${ROOT}/a 0 @${F} /b - -\n/b 0 @${F} c - -\n/c 3 ${F} - abc -\n`,
      'links in a circle': `${ROOT}/a 0 @${F} /b - -\n/b 0 @${F} /a - -\n`,
      'a link to nothing': `${ROOT}/a 0 @${F} /b - -\n`,
      'a symlink with another size': `${ROOT}/a 7 120777 1 0 0 0 0.0 target - -\n`,
      'a symlink with content': `${ROOT}/a 6 120777 1 0 0 0 0.0 target abcdef -\n`,
      'a device number on a file': `${ROOT}/a 0 100644 1 0 0 7 0.0 - - -\n`,
    };
    const texts = work.mkdir('dumps');
    const names = Object.keys(dumps);
    /** Digests, or `refused`, of all dumps, loosely and strictly read. */
    const theirs = (): Map<string, string> => {
      Object.values(dumps).forEach((text, i) => {
        writeFileSync(`${texts}/${i}`, Buffer.from(text, 'latin1'));
      });
      const script = `cd "$1"; for i in *; do
  echo $i loose $(mkcomposefs --from-file --print-digest-only $i 2>/dev/null || echo refused)
  echo $i strict $(CFS_PARSE_STRICT= mkcomposefs --from-file --print-digest-only $i 2>/dev/null || echo refused)
done`;
      const lines = oracle('sid').runScript(script, [texts]).stdout.trim().split('\n');
      return new Map(
        lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]),
      );
    };
    it('accepts and refuses the same dumps, and makes the same of them', async () => {
      const want = theirs();
      assert.equal(want.size, 2 * names.length);
      for (const [i, name] of names.entries()) {
        for (const [mode, env] of Object.entries({ loose: {}, strict: { CFS_PARSE_STRICT: '' } })) {
          const { status, stdout } = await runOurs(
            'mkcomposefs',
            ['--from-file', '--print-digest-only', `${texts}/${i}`],
            env,
          );
          assert.equal(
            status === 0 ? stdout.trim() : 'refused',
            want.get(`${i} ${mode}`),
            `${name}, ${mode}`,
          );
        }
      }
    });

    it('reads standard input', () => {
      const input = `${ROOT}/a 5 ${F} p - -`;
      const argv = ['mkcomposefs', '--from-file', '--print-digest-only', '-'];
      assert.equal(sealtree(argv, { input }).stdout, oracle('sid').run(argv, { input }).stdout);
    });

    const stricter: Readonly<Record<string, string>> = {
      'a short digest': `${ROOT}/a 4 ${F} - - abcd\n`,
      'a GID that is no integer': `${ROOT}/a 0 100644 1 1 x 0 0.0 - - -\n`,
      'a hard link to a directory': `${ROOT}/a 0 @${F} /d - -\n/d 0 40755 1 0 0 0 0.0 - - -\n`,
    };
    for (const [what, text] of Object.entries(stricter)) {
      it(`${what}: refused by us alone`, () => {
        const argv = ['mkcomposefs', '--from-file', '--print-digest-only', '-'] as const;
        assert.equal(oracle('sid').run(argv, { input: text }).status, 0);
        assert.equal(sealtree(argv, { input: text, allowFailure: true }).status, 1);
      });
    }
  });

  describe('command lines', () => {
    const lines: readonly (readonly [ToolName, ...string[]])[] = [
      ['mkcomposefs'],
      ['mkcomposefs', source],
      ['mkcomposefs', '', 'OUT/x'],
      ['mkcomposefs', source, 'OUT/a', 'OUT/b'],
      ['mkcomposefs', '--print-digest-only', source, 'OUT/a'],
      ['mkcomposefs', '--print-digest-on', '--use', source],
      ['mkcomposefs', '--print', source],
      ['mkcomposefs', '--nope'],
      ['mkcomposefs', '-CR'],
      ['mkcomposefs', '--threads'],
      ['mkcomposefs', '--threads=0', source, 'OUT/x'],
      ['mkcomposefs', '--min-version=x', source, 'OUT/x'],
      ['mkcomposefs', '--min-version=2', '--print-digest-only', source],
      ['mkcomposefs', '--max-version=-1', '--print-digest-only', source],
      ['mkcomposefs', '--skip-xattrs', '--user-xattrs', '--print-digest-only', source],
      ['mkcomposefs', '--skip-xattrs', '--user-xattrs', '--from-file', '--print-digest-only', '/nowhere'],
      ['mkcomposefs', '/nowhere', '--print-digest-only'],
      ['mkcomposefs', '--print-digest-only', `${source}/folder/size-1`],
      ['mkcomposefs', source, '/nowhere/image'],
      ['mkcomposefs', source, 'OUT'],
      ['mkcomposefs', '--from-file', source, '--print-digest-only'],
      ['composefs-info'],
      ['composefs-info', 'ls'],
      ['composefs-info', 'nope', 'x'],
      ['composefs-info', '--nope', 'ls'],
      ['composefs-info', 'ls', '--basedir'],
      ['composefs-info', '--filter=a/b', 'ls', 'x'],
      ['composefs-info', 'ls', '/nowhere'],
      ['composefs-info', '--basedir=/nowhere', 'ls', '/nowhere'],
      ['composefs-info', 'dump', `${source}/folder/size-4096`],
      ['composefs-info', 'measure-file'],
      ['composefs-info', 'measure-file', '/nowhere'],
      ['composefs-info', 'measure-file', source],
    ];
    for (const argv of lines) {
      it(argv.join(' ').replaceAll(work.path, ''), () => both(...argv));
    }
  });

  describe('composefs-info', () => {
    const image = work.join('info.cfs');
    const other = work.join('other.cfs');
    const store = work.join('store');
    const run = oracle('sid');
    it('has images to look into', () => {
      run.run(['mkcomposefs', `--digest-store=${store}`, source, image]);
      run.run(['mkcomposefs', '--use-epoch', `${source}/folder`, other]);
      cpSync(store, `${store}-2`, { recursive: true });
      rmSync(`${store}-2/${readdirSync(store)[0]}`, { recursive: true });
    });

    const lines: readonly (readonly [ToolName, ...string[]])[] = [
      ['composefs-info', 'ls', image],
      ['composefs-info', 'ls', image, other],
      ['composefs-info', 'dump', image],
      ['composefs-info', 'dump', other, image],
      ['composefs-info', 'objects', image, other],
      ['composefs-info', `--basedir=${store}`, 'missing-objects', image],
      ['composefs-info', 'missing-objects', image, '--basedir', `${store}-2`],
      ['composefs-info', 'missing-objects', image],
      ['composefs-info', '--filter=folder', 'dump', image],
      ['composefs-info', '--filter=hard-link', '--filter=inline-hard-link', 'ls', image],
      ['composefs-info', '--filter=nothing', 'objects', image],
      [
        'composefs-info',
        'measure-file',
        ...['1', '63', '4096', '4097', '1048577'].map((size) => `${source}/folder/size-${size}`),
      ],
    ];
    for (const argv of lines) {
      it(argv.join(' ').replaceAll(work.path, ''), () => both(...argv));
    }

    it('of random trees, hard links among them', async () => {
      const texts = work.mkdir('random-dumps');
      for (let seed = 1; seed <= 60; seed++) {
        const tree = randomTree(new Random(seed), { entries: 40, reversible: true });
        writeFileSync(`${texts}/${seed}.dump`, Buffer.from(dumpOf(tree), 'latin1'));
      }
      const script = `cd "$1"; for dump in *.dump; do
  image=$dump.cfs
  mkcomposefs --from-file $dump $image 2>/dev/null || { rm -f $image; continue; }
  for verb in dump ls objects; do composefs-info $verb $image >$image.$verb; done
done`;
      run.runScript(script, [texts]);
      const images = readdirSync(texts).filter((name) => name.endsWith('.cfs'));
      assert(images.length >= 48, `${images.length} of 60 dumps accepted`);
      for (const name of images) {
        for (const verb of ['ls', 'objects', 'dump']) {
          const theirs = readFileSync(`${texts}/${name}.${verb}`, 'latin1');
          const { stdout } = await runOurs('composefs-info', [verb, `${texts}/${name}`]);
          const ours = withoutEmptyAcls(stdout);
          sameText(ours, withoutGarbage(withoutEmptyAcls(theirs), ours), `${verb} ${name}`);
        }
      }
    });
  });

  describe('wrappers', () => {
    it('answer to the names of the C tools', () => {
      const image = work.join('wrapped.cfs');
      const folder = new URL('../../contrib/composefs-tools/', import.meta.url).pathname;
      const entry = new URL('../../src/main.ts', import.meta.url).pathname;
      const env = { ...process.env, SEALTREE: `${process.execPath} ${entry}` };
      const made = spawnSync(`${folder}/mkcomposefs`, ['--print-digest', source, image], {
        env,
        encoding: 'utf8',
      });
      const want = oracle('sid').run(['mkcomposefs', '--print-digest-only', source]).stdout;
      assert.deepEqual([made.status, made.stdout], [0, want]);
      assert.equal(spawnSync(`${folder}/composefs-info`, ['ls', image], { env }).status, 0);
      assert.equal(spawnSync(`${folder}/composefs-dump`, [image, `${image}.2`], { env }).status, 0);
    });
  });
});

/** The C reader does not see an xattr without name and value at the end of an inode's: only an empty ACL is stored so. */
const withoutEmptyAcls = (text: string): string =>
  text.replace(/ system\.posix_acl_(access|default)=(?= |$)/gm, '');

/** It also appends bytes to some payloads: those are cut out where the rest of the line is ours. */
function withoutGarbage(theirs: string, ours: string): string {
  const mine = ours.split('\n');
  return theirs
    .split('\n')
    .map((line, i) => {
      const want = mine[i] ?? '';
      let at = 0;
      while (at < want.length && line[at] === want[at]) at++;
      // The garbage may begin like what follows it.
      for (; at >= 0 && line.length > want.length; at--)
        if (line.startsWith(want.slice(0, at)) && line.endsWith(want.slice(at))) return want;
      return line;
    })
    .join('\n');
}
