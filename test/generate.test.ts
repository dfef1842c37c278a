/** Man pages and completions: up to date, well-formed, and they complete. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { renderFiles } from '../contrib/generate.ts';
import { Sandbox } from './support/sandbox.ts';

const contrib = join(dirname(dirname(fileURLToPath(import.meta.url))), 'contrib');
const rendered = await renderFiles();

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

describe('generated files', () => {
  it('are those of the tables (npm run generate writes them)', () => {
    const present = globSync('{man,completions}/*', { cwd: contrib }).sort();
    assert.deepEqual(present, [...rendered.keys()].sort());
    for (const [name, content] of rendered)
      assert.equal(readFileSync(join(contrib, name), 'utf8'), content, name);
  });

  for (const [program, args, pattern] of [
    ['bash', ['-n'], /\.bash$/],
    ['zsh', ['-n'], /_sealtree$/],
    ['fish', ['--no-execute'], /\.fish$/],
    ['groff', ['-man', '-ww', '-z', '-Tutf8'], /\.[15]$/],
  ] as const)
    it(`are accepted by ${program}`, { skip: has(program) ? false : `${program} is not installed` }, () => {
      const names = [...rendered.keys()].filter((name) => pattern.test(name));
      assert.notEqual(names.length, 0);
      for (const name of names) {
        const { status, stderr } = spawnSync(program, [...args, join(contrib, name)], { encoding: 'utf8' });
        assert.deepEqual([status, stderr], [0, ''], name);
      }
    });
});

describe('bash completion', () => {
  const sandbox = new Sandbox();
  const commit = '1'.repeat(64);
  before(() => {
    sandbox.write('ostree/repo/config', '');
    sandbox.write('ostree/repo/refs/heads/os/stable', `${commit}\n`);
    sandbox.write('ostree/repo/refs/remotes/origin/os/next', `${commit}\n`);
    sandbox.write(`ostree/deploy/os/deploy/${commit}.0/file`, '');
    sandbox.write(`ostree/deploy/os/deploy/${commit}.0.origin`, '');
  });
  after(() => sandbox.dispose());

  /** What Tab offers at the end of a command line. */
  function complete(...words: string[]): string[] {
    const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sealtree 2>&1; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const line = [join(contrib, 'completions/sealtree.bash'), 'sealtree', ...words];
    const { stdout } = spawnSync('bash', ['-c', script, 'bash', ...line], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, OSTREE_SYSROOT: sandbox.path },
    });
    return stdout.split('\n').filter((word) => word !== '');
  }

  const cases: readonly (readonly [words: readonly string[], offered: readonly string[]])[] = [
    [['sho'], ['show']],
    [['--repo', 'x', 'sho'], ['show']],
    [['ls', '--rec'], ['--recursive']],
    [['ls', '--colo'], ['--color']],
    [['--color', 'al'], ['always']],
    [['log', '--color=ne'], ['--color=never'.slice('--color='.length)]],
    [
      ['log', 'o'],
      ['os/stable', 'origin:os/next'],
    ],
    [['seal', 'os'], [`os/${commit}.0`]],
    [['seal', 'boo'], ['booted']],
    [['image', 'mis'], ['missing-objects']],
    [['image', 'create', '--from-di'], ['--from-dir']],
    [['image', 'create', 'os/'], ['os/stable']],
  ];
  for (const [words, offered] of cases)
    it(`of "${words.join(' ')}" is ${offered.join(' ')}`, () =>
      assert.deepEqual(complete(...words), offered));
});
