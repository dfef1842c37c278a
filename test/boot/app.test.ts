/** The copy of the program that units call: made aside, tried, and never half there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { buildProgram } from '../../contrib/build.ts';
import { FormatError, OperationError } from '../../src/base/errors.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { installApp, readApp, readCopy, readKnownSums, removeApp } from '../../src/boot/keep/app.ts';
import { type Program, readProgram } from '../../src/boot/keep/program.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT } from '../support/sealtree.ts';

/** The disk may be busy with other things, and no power is cut here. */
const system: System = {
  ...linuxSystem,
  fsync: () => undefined,
  fsyncDirectory: () => undefined,
  syncfs: () => undefined,
};

describe('the copy of the program', () => {
  const work = new Sandbox({ inMemory: true });
  after(() => work.dispose());
  let made = 0;
  const folder = (): string => work.join(`state${made++}/lib/sealtree`);

  /** A program whose node is a script that answers as asked. */
  const standIn = (version: string, answer = `sealtree ${version}`): Program => {
    const files = {
      node: `#!/bin/sh\necho ${answer}\n`,
      sealtree: '#!/bin/sh\nexec "$(dirname "$0")/node"\n',
      'dist/sealtree.js': version,
      'package.json': JSON.stringify({ version }),
    };
    const sources = Object.entries(files).map(([path, content]) => ({
      path,
      source: work.write(`program-${version}-${answer.length}/${path}`, content),
      mode: path.includes('.') ? 0o644 : 0o755,
    }));
    const manifest = sources.map(({ path }) => `${version.padEnd(64, '0')}  ${path}\n`).join('');
    return {
      id: version.replaceAll('.', '').padEnd(16, '0'),
      files: sources,
      manifest,
      sums: '',
      version: `sealtree ${version}`,
    };
  };
  const say = (at: string): string =>
    spawnSync('/bin/sh', [join(at, 'app/sealtree'), '--version'], { encoding: 'utf8' }).stdout.trim();

  it('is what the link leads to, alone, and goes without a trace', async () => {
    const at = folder();
    const first = standIn('1.0');
    assert.equal(readApp(at, system).current, undefined);
    await installApp(at, first, system);
    assert.equal(readApp(at, system).current, first.id);
    assert.equal(say(at), 'sealtree 1.0');
    const second = standIn('2.0');
    await installApp(at, second, system);
    assert.equal(say(at), 'sealtree 2.0');
    assert.deepEqual(readdirSync(at), ['app', `app-${second.id}`]);
    removeApp(at, readApp(at, system).found, system);
    assert(!existsSync(at));
  });

  it('stays the one before where the new one does not run', async () => {
    const at = folder();
    await installApp(at, standIn('1.0'), system);
    await assert.rejects(installApp(at, standIn('3.0', 'something else'), system), OperationError);
    assert.equal(say(at), 'sealtree 1.0');
    assert.equal(readdirSync(at).length, 2, 'nothing of it is left');
  });

  it('is linked into the folders of other stateroots', async () => {
    const [at, other] = [folder(), folder()];
    await installApp(at, standIn('1.0'), system);
    const copied = readCopy(readApp(at, system), system);
    assert(copied !== undefined);
    await installApp(other, copied, system);
    assert.equal(say(other), 'sealtree 1.0');
    assert.equal(readApp(other, system).current, copied.id);
    for (const { path } of copied.files)
      assert.equal(lstatSync(join(other, 'app', path)).ino, lstatSync(join(at, 'app', path)).ino);
    removeApp(at, readApp(at, system).found, system);
    assert.equal(say(other), 'sealtree 1.0');
    assert.equal(readCopy(readApp(at, system), system), undefined);
  });

  it('that is damaged is said to be', async () => {
    const at = folder();
    await installApp(at, standIn('1.0'), system);
    for (const text of ['{"version":', 'null', '{"version":1}']) {
      writeFileSync(join(at, 'app/package.json'), text);
      assert.throws(() => readCopy(readApp(at, system), system), FormatError, text);
    }
  });

  it('is not what somebody else put there', async () => {
    const at = folder();
    mkdirSync(join(at, 'app'), { recursive: true });
    writeFileSync(join(at, 'history'), 'not ours');
    assert.deepEqual(readApp(at, system), {
      folder: at,
      current: undefined,
      found: [],
      isForeign: true,
    });
    removeApp(at, readApp(at, system).found, system);
    assert.deepEqual(readdirSync(at), ['app', 'history']);
  });

  it('is not current when a file of it is missing, and then made again', async () => {
    const at = folder();
    const program = standIn('1.0');
    await installApp(at, program, system);
    system.unlink(join(at, 'app/node'));
    assert.equal(readApp(at, system).current, undefined);
    await installApp(at, program, system);
    assert.equal(say(at), 'sealtree 1.0');
  });

  it('is whole, or there is none, after a power cut at any step', async () => {
    const counted = faultSystem(system);
    const before = folder();
    await installApp(before, standIn('1.0'), system);
    const whole = folder();
    cpSync(before, whole, { recursive: true, verbatimSymlinks: true });
    await installApp(whole, standIn('2.0'), counted);
    assert(counted.steps.length > 20);
    /** By its files: that such a copy runs is tried above. */
    const found = (state: string): string => {
      const { current } = readApp(state, system);
      const { files } = standIn(current?.startsWith('1') ? '1.0' : '2.0');
      const isWhole = files.every(({ path, source }) => {
        const copied = join(state, 'app', path);
        return existsSync(copied) && readFileSync(copied).equals(readFileSync(source));
      });
      return isWhole ? (current ?? '') : existsSync(join(state, 'app')) ? 'half' : 'none';
    };
    const [older, newer] = [standIn('1.0').id, standIn('2.0').id];
    for (const hasBefore of [false, true])
      for (let at = 0; at < counted.steps.length; at++) {
        const state = folder();
        if (hasBefore) cpSync(before, state, { recursive: true, verbatimSymlinks: true });
        const broken = faultSystem(system, { kind: 'power-cut', at });
        try {
          await installApp(state, standIn('2.0'), broken);
        } catch (error) {
          assert(error instanceof PowerCut, String(error));
        }
        const now = found(state);
        assert([hasBefore ? older : 'none', newer].includes(now), `cut at ${at}: ${now}`);
        await installApp(state, standIn('2.0'), system);
        assert.equal(found(state), newer);
        assert.equal(readdirSync(state).length, 2, `cut at ${at}, then run again`);
      }
  });

  it('holds all that the real one needs, the same each time', async () => {
    const root = work.mkdir('package');
    await buildProgram(join(root, 'dist'));
    for (const name of ['contrib', 'node_modules', 'package.json'])
      symlinkSync(join(PROJECT, name), join(root, name));
    const { sharedObjects = [] } = process.report.getReport() as { sharedObjects?: string[] };
    const places = { root, node: process.execPath, libraries: sharedObjects };
    const program = readProgram(places, system);
    const at = folder();
    await installApp(at, program, system);
    // The second time only what looks like another file is read.
    const read: string[] = [];
    const readFile: System['readFile'] = (path) => {
      read.push(String(path));
      return linuxSystem.readFile(path);
    };
    const again = (): string =>
      readProgram(places, { ...system, readFile }, readKnownSums(readApp(at, system), system)).id;
    const bundle = join(root, 'dist/sealtree.js');
    assert.equal(again(), program.id);
    utimesSync(bundle, 1, 1);
    assert.equal(again(), program.id);
    writeFileSync(bundle, `// another one\n${readFileSync(bundle, 'utf8')}`);
    assert.notEqual(again(), program.id);
    assert.deepEqual(
      read.filter((path) => !path.endsWith('/package.json')),
      [bundle, bundle],
    );
    // A sealed root keeps no times: there a changed file may look as it did.
    const stat: System['stat'] = (path) => Object.assign(linuxSystem.stat(path), { mtimeMs: 0, ctimeMs: 0 });
    assert.equal(readProgram(places, { ...system, stat }).sums, '');
    // By itself, with nothing of this checkout, and an environment that says nothing.
    const run = (...args: string[]) =>
      spawnSync('/bin/sh', [join(at, 'app/sealtree'), ...args], { encoding: 'utf8', env: {}, cwd: '/' });
    assert.equal(run('--version').stdout.trim(), program.version);
    const demo = run('demo', '--yes', work.join('demo'));
    assert.equal(demo.status, 0, demo.stderr);
    const hook = run('hook', 'test', '--sysroot', work.join('demo'));
    assert.deepEqual([hook.status, hook.stderr], [0, '']);
    // So many files are work for threads, whose programs are files of their own.
    const repo = ['--repo', work.join('demo/ostree/repo')];
    for (const args of [
      ['import', 'dir', '--ref', 'sources', '--no-xattrs', join(PROJECT, 'src')],
      ['verify', '--repository', '--deep'],
    ]) {
      const threaded = run('--quiet', ...args, ...repo);
      assert.deepEqual([threaded.status, threaded.stderr], [0, ''], args.join(' '));
    }
    for (const path of globSync('src/**/*-worker.ts', { cwd: PROJECT }))
      assert(existsSync(join(at, 'app/dist/chunks', `${basename(path, '.ts')}.js`)), path);
    assert.equal(lstatSync(join(at, readlinkSync(join(at, 'app')), 'node')).mode & 0o777, 0o755);
    const sums = spawnSync('sha256sum', ['--check', '--quiet', 'manifest'], {
      cwd: join(at, 'app'),
      encoding: 'utf8',
    });
    assert.equal(sums.status, 0, sums.stdout + sums.stderr);
    assert.match(readFileSync(join(at, 'app/manifest'), 'utf8'), /node_modules\/@koromix\/koffi-linux-/);
    assert.equal(dirname(at).endsWith('/lib'), true);
  });
});
