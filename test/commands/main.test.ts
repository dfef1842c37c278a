/** The built program as a process: what it loads, how it starts and how it ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, closeSync, openSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { buildProgram, builtins } from '../../contrib/build.ts';
import { Sandbox } from '../support/sandbox.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const sandbox = new Sandbox();
const entry = sandbox.join('dist/sealtree.js');
let metafile: Metafile;

before(async () => {
  metafile = await buildProgram(sandbox.join('dist'));
  symlinkSync(join(root, 'node_modules'), sandbox.join('node_modules'));
  // Writes the address of every module that is loaded to file descriptor 3.
  sandbox.write(
    'trace.mjs',
    `import { writeSync } from 'node:fs';
     import { registerHooks } from 'node:module';
     registerHooks({ load(url, context, next) { writeSync(3, url + '\\n'); return next(url, context); } });`,
  );
  // Pretends to be the Node of Debian 12.
  sandbox.write(
    'old-node.mjs',
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });`,
  );
});
after(() => sandbox.dispose());

const NOBODY = 65534;

interface Loaded {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Sources and packages the loaded chunks are made of, and what was loaded besides. */
  readonly modules: readonly string[];
}

function trace(...args: string[]): Loaded {
  const child = spawnSync(process.execPath, ['--import', sandbox.join('trace.mjs'), entry, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const loaded = (child.output[3] ?? '').split('\n').filter((url) => url !== '');
  const chunks = new Map(
    Object.entries(metafile.outputs).map(([file, { inputs }]) => [file.slice(file.indexOf('dist/')), inputs]),
  );
  const modules = loaded.flatMap((url) => {
    const at = url.indexOf('/dist/');
    const inputs = at === -1 ? undefined : chunks.get(url.slice(at + 1));
    return inputs === undefined ? [url] : Object.keys(inputs);
  });
  return { exitCode: child.status, stdout: child.stdout, stderr: child.stderr, modules };
}

/** Packages, and what of Node is large: a quick start must do without. */
const HEAVY = /node_modules|node:crypto|child_process/;

describe('bundled', () => {
  it('modules of Node are as whole as Node gives them', async () => {
    const paths = builtinModules.filter((path) => !/^_|^node:|^(wasi|punycode|sys)$/.test(path));
    assert(paths.includes('process') && paths.includes('events') && paths.includes('fs'));
    const lines = paths.map((path, at) => `import as${at} from ${JSON.stringify(`node:${path}`)};`);
    const contents = `${lines.join('\n')}\nexport default [${paths.map((_, at) => `as${at}`).join(', ')}];`;
    await build({
      stdin: { contents, resolveDir: root },
      outfile: sandbox.join('builtins.mjs'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      plugins: [builtins],
    });
    const { default: bundled } = (await import(sandbox.join('builtins.mjs'))) as { default: object[] };
    for (const [at, path] of paths.entries()) {
      const own = process.getBuiltinModule(path) as object;
      assert.equal(typeof bundled[at], typeof own, path);
      for (const name in own) assert(name in (bundled[at] as object), `${path} has no ${name}`);
    }
  });
});

describe('start', () => {
  it('the version needs nothing but the entry', () => {
    const { exitCode, stdout, stderr, modules } = trace('--version');
    assert.deepEqual([exitCode, stdout, stderr], [0, `sealtree ${version}\n`, '']);
    assert.deepEqual(
      modules.filter((module) => !module.startsWith('node:')),
      ['src/main.ts'],
    );
  });

  it('a hook with nothing to do loads neither option parser nor kernel calls', () => {
    sandbox.mkdir('sysroot/ostree/deploy');
    const { exitCode, stdout, stderr, modules } = trace('hook', 'apt', '--sysroot', sandbox.join('sysroot'));
    assert.deepEqual([exitCode, stdout, stderr], [0, '', '']);
    assert(modules.includes('src/commands/hook.ts'));
    assert.deepEqual(
      modules.filter((module) => HEAVY.test(module)),
      [],
    );
  });

  it('what goes to /dev/null is known to be at no terminal without what knows terminals', () => {
    const surroundings = JSON.stringify(join(root, 'src/commands/surroundings.ts'));
    const script = `const { DescriptorStream } = await import(${surroundings});
      const { isTerminal } = new DescriptorStream(1, true);
      console.error(isTerminal, process.moduleLoadList.includes('NativeModule tty'));`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    assert.equal(stderr, 'false false\n');
  });

  it('only the command that opens the interface can load it', () => {
    const outputs = Object.entries(metafile.outputs);
    const isHeavy = (file: string): boolean =>
      Object.keys(metafile.outputs[file]?.inputs ?? {}).some((input) =>
        /^ui\/|node_modules\/(ink|react)/.test(input),
      );
    const heavy = outputs.map(([file]) => file).filter(isHeavy);
    assert(heavy.length > 0);
    const ways = outputs.flatMap(([file, { imports, inputs }]) =>
      heavy.includes(file) || !imports.some(({ path }) => heavy.includes(path)) ? [] : Object.keys(inputs),
    );
    assert.deepEqual(
      ways.filter((input) => !input.startsWith('builtin:')),
      ['src/commands/ui.ts'],
    );
  });

  it('help loads no command', () => {
    const { exitCode, modules } = trace('--help');
    assert.equal(exitCode, 0);
    assert.deepEqual(
      modules.filter((module) =>
        /^src\/(repository|image|deployment)|commands\/(log|seal|ls)\./.test(module),
      ),
      [],
    );
  });

  it('a stand-in does without the option parser, also by its own name', () => {
    assert.deepEqual(
      trace('mkcomposefs').modules.filter((module) => /commander/.test(module)),
      [],
    );
    const link = sandbox.join('composefs-info');
    symlinkSync(entry, link);
    const byName = spawnSync(process.execPath, [link], { encoding: 'utf8' });
    const byWord = spawnSync(process.execPath, [entry, 'composefs-info'], { encoding: 'utf8' });
    assert.deepEqual([byName.status, byName.stderr], [byWord.status, byWord.stderr]);
    assert.notEqual(byName.status, 64);
  });

  it('an old Node is told what is needed', () => {
    const child = spawnSync(process.execPath, ['--import', sandbox.join('old-node.mjs'), entry, 'status'], {
      encoding: 'utf8',
    });
    assert.equal(child.status, 69);
    assert.match(child.stderr, /needs Node 22\.12 or newer, this is 18\.20\.4/);
  });

  // The folder of root is that of the machine: it stays out of this.
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const own = (...paths: readonly string[]): void => {
    chmodSync(sandbox.path, 0o755);
    if (user.uid !== undefined) for (const path of paths) chownSync(path, NOBODY, NOBODY);
  };
  const help = (cwd: string, env: NodeJS.ProcessEnv): void => {
    const { status, stderr } = spawnSync(process.execPath, [entry, '--help'], {
      cwd,
      env,
      encoding: 'utf8',
      ...user,
    });
    assert.deepEqual([status, stderr], [0, '']);
  };

  it('compiled code is kept, and only where nobody else can write', () => {
    const start = (mode: number): string[] => {
      const home = sandbox.mkdir(`home-${mode}`);
      const folder = sandbox.mkdir(`home-${mode}/sealtree`);
      chmodSync(folder, mode);
      own(home, folder);
      help(home, { ...process.env, XDG_CACHE_HOME: home });
      return readdirSync(folder);
    };
    assert.deepEqual(start(0o700), ['compiled']);
    assert.deepEqual(start(0o770), []);
  });

  it('compiled code is kept below the home folder, unless its path is a relative one', () => {
    const folder = sandbox.mkdir('here');
    own(folder);
    const { XDG_CACHE_HOME: _, ...env } = process.env;
    for (const HOME of ['', 'home', './home']) help(folder, { ...env, HOME });
    help(folder, { ...env, HOME: 'home', XDG_CACHE_HOME: 'cache' });
    assert.deepEqual(readdirSync(folder), []);
    help(folder, { ...env, HOME: folder });
    assert.deepEqual(readdirSync(join(folder, '.cache/sealtree')), ['compiled']);
  });

  it('the entry can be executed', () =>
    assert.match(readFileSync(entry, 'utf8'), /^#!\/usr\/bin\/env node\n/));
});

/** Waits for the end of a process: its exit code, or the signal that killed it. */
async function endOf(child: ChildProcess): Promise<number | string> {
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return code ?? signal ?? '';
}

describe('end', () => {
  it('is quiet when nobody reads', async () => {
    const child = spawn(process.execPath, [entry, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.stdout.destroy();
    assert.equal(await endOf(child), 141);
    assert.equal(stderr, '');
  });

  it('is no other when nobody reads the remarks', async () => {
    const args = [entry, 'refs', '--repo', sandbox.join('nowhere')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.destroy();
    assert.equal(await endOf(child), 66);
  });

  it('is one of an error where the output cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    for (const arg of ['--version', '--help']) {
      const stdio = ['ignore', full, 'pipe'] as const;
      const child = spawnSync(process.execPath, [entry, arg], { encoding: 'utf8', stdio: [...stdio] });
      assert.equal(child.status, 74);
      assert.match(child.stderr, /^sealtree: error: standard output: cannot write: ENOSPC/);
    }
    closeSync(full);
  });

  it('is no other in a folder that was removed', () => {
    const script = `cd "$1" && rmdir "$1" && exec "$2" "$3" refs --repo .`;
    const folder = sandbox.mkdir('removed');
    const child = spawnSync('sh', ['-c', script, 'sh', folder, process.execPath, entry], {
      encoding: 'utf8',
    });
    assert.equal(child.status, 66);
    assert.match(child.stderr, /^sealtree: error: .*not an ostree repository/);
  });

  const endless = join(root, 'test/support/programs/endless.ts');
  const cases = [
    [['endless'], 'SIGINT', 130],
    [['endless'], 'SIGTERM', 143],
    [['endless', '--json'], 'SIGINT', 130],
    [['endless', '--deaf'], 'SIGINT', 'SIGINT'],
  ] as const;
  for (const [args, signal, expected] of cases)
    it(`${args.join(' ')} ends with ${expected} after ${signal}`, async () => {
      const child = spawn(process.execPath, [endless, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.on('data', (chunk) => {
        stderr += String(chunk);
        if (String(chunk).includes('working')) child.kill(signal);
      });
      assert.equal(await endOf(child), expected);
      const rest = stderr.replace('working\n', '');
      if (args.includes('--json' as never))
        assert.deepEqual(JSON.parse(rest), { error: 'interrupted', code: 'interrupted' });
      else assert.equal(rest, '');
    });

  it('without a command is that of status', () => {
    const child = spawnSync(process.execPath, [entry, '--sysroot', sandbox.join('nowhere')], {
      encoding: 'utf8',
    });
    assert.equal(child.status, 66);
    assert.match(child.stderr, /nowhere/);
  });
});
