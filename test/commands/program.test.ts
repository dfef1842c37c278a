/** The way from a command line to an exit code. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, FormatError, InterruptedError, IoError, NotFoundError } from '../../src/base/errors.ts';
import type { CommandModule } from '../../src/commands/command.ts';
import type { Context } from '../../src/commands/context.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS, type CommandEntry, helpText } from '../../src/commands/registry.ts';
import { MemoryStream, memorySurroundings, type SurroundingsOptions } from '../support/surroundings.ts';

type Body = (context: Context, word: string | undefined, options: { deep?: boolean }) => Promise<number>;

/** A program with one command, `work [word] --deep`, that runs `body`. */
function programOf(body: Body): { version: string; commands: CommandEntry[] } {
  const command: CommandModule = {
    name: 'work',
    summary: 'Do some work',
    examples: [['work x', 'an example']],
    define(command, run) {
      command.argument('[word]', 'a word').option('--deep', 'dig deeper').action(run(body));
    },
  };
  const entry = { name: 'work', usage: '[WORD]', summary: 'Do some work', group: 'Other' } as const;
  return { version: '1.2.3', commands: [{ ...entry, load: async () => ({ command }) }] };
}

async function invoke(
  args: readonly string[],
  body: Body = async () => 0,
  options: SurroundingsOptions = {},
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const surroundings = memorySurroundings(options);
  const exitCode = await runProgram(args, surroundings, programOf(body));
  return { exitCode, stdout: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

describe('arguments', () => {
  it('reach the command with the global options around it', async () => {
    let seen: unknown;
    const { exitCode } = await invoke(
      ['--repo', 'r', '-n', 'work', 'x', '--deep', '--sysroot=/s', '-qv', '--json', '--color=never'],
      async (context, word, options) => {
        seen = { word, options: context.options, deep: options.deep };
        return 7;
      },
      { cwd: '/here' },
    );
    assert.equal(exitCode, 7);
    assert.deepEqual(seen, {
      word: 'x',
      deep: true,
      options: {
        sysroot: '/s',
        repo: '/here/r',
        json: true,
        jsonLines: false,
        dryRun: true,
        yes: false,
        quiet: true,
        verbose: true,
        color: 'never',
        progress: 'auto',
      },
    });
  });

  it('do not act on the terminal from within an error', async () => {
    const { stderr } = await invoke(['work', 'x\x1b[2J\u202e'], async (_context, word) => {
      throw new NotFoundError(`${word}: not there`);
    });
    assert.equal(stderr, 'sealtree: error: x\\x1b[2J\\xe2\\x80\\xae: not there\n');
  });

  it('take the sysroot from OSTREE_SYSROOT', async () => {
    await invoke(
      ['work'],
      async ({ options }) => {
        assert.equal(options.sysroot, '/other');
        return 0;
      },
      { env: { OSTREE_SYSROOT: '/other' } },
    );
  });

  it('take a bare --json before the command as such', async () => {
    await invoke(['--json', 'work', 'x'], async ({ options }, word) => {
      assert.deepEqual([options.json, options.jsonLines, word], [true, false, 'x']);
      return 0;
    });
    await invoke(['work', '--json=lines'], async ({ options }) => {
      assert.equal(options.jsonLines, true);
      return 0;
    });
  });

  it('after -- are no options', async () => {
    await invoke(['work', '--', '--json'], async ({ options }, word) => {
      assert.deepEqual([options.json, word], [false, '--json']);
      return 0;
    });
  });
});

describe('usage errors', () => {
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['wrok'], /unknown command "wrok"\n.*Did you mean work\?/],
    [['zzzz'], /unknown command "zzzz"\n.*sealtree --help/],
    [['work', '--depe'], /unknown option '--depe'\n.*Did you mean --deep\?/],
    [['work', '--color=loud'], /'loud' is invalid.*auto, always, never/],
    [['work', '--progress', 'x'], /'x' is invalid/],
    [['work', '--json=xml'], /'xml' is invalid/],
    [['work', '--repo='], /--repo needs a path/],
    [['work', '--sysroot='], /--sysroot needs a path/],
    [['work', '--sysroot'], /argument missing/],
    [['work', 'a', 'b'], /too many arguments/],
  ];
  for (const [args, message] of cases)
    it(`${args.join(' ')} exits with 64`, async () => {
      const { exitCode, stdout, stderr } = await invoke(args);
      assert.equal(exitCode, 64);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    });
});

describe('errors', () => {
  const cases: readonly (readonly [error: unknown, exitCode: number])[] = [
    [new FormatError('x', 'bad'), 65],
    [new NotFoundError('gone'), 66],
    [new ConfigError('odd'), 78],
    [new InterruptedError(), 130],
    [Object.assign(new Error('stop'), { name: 'AbortError' }), 130],
    [new IoError('open', '/x', 'ENOSPC'), 74],
    [new IoError('open', '/x', 'EACCES'), 77],
    [new IoError('open', '/x', 'ENOENT'), 66],
    [new TypeError('a defect'), 1],
    ['thrown text', 1],
  ];
  for (const [error, exitCode] of cases)
    it(`${String(error)} exits with ${exitCode}`, async () => {
      const result = await invoke(['work'], () => Promise.reject(error));
      assert.equal(result.exitCode, exitCode);
    });

  it('say what is wrong and what to do', async () => {
    const { stderr } = await invoke(['work'], () =>
      Promise.reject(new NotFoundError('gone', { hint: 'look there' })),
    );
    assert.equal(stderr, 'sealtree: error: gone\nsealtree: look there\n');
  });

  it('are one JSON object on stderr with --json', async () => {
    const { stdout, stderr } = await invoke(['work', '--json'], () =>
      Promise.reject(new FormatError('file', 'bad magic', { offset: 16, got: 1, want: 2 })),
    );
    assert.equal(stdout, '');
    assert.equal(stderr.split('\n').length, 2);
    assert.deepEqual(JSON.parse(stderr), {
      error: 'file at 0x10: bad magic: got 1, want 2',
      code: 'format',
      details: { where: 'file', offset: 16, got: '1', want: '2' },
    });
  });

  it('of the command line are JSON too', async () => {
    const { stderr } = await invoke(['--json', 'wrok']);
    assert.equal((JSON.parse(stderr) as { code: string }).code, 'usage');
  });

  it('have levels in the journal', async () => {
    const { stderr } = await invoke(['work'], () => Promise.reject(new NotFoundError('gone')), {
      stderrIsJournal: true,
    });
    assert.equal(stderr, '<3>gone\n');
  });

  it('show where they come from with --verbose', async () => {
    const { stderr } = await invoke(['work', '-v'], () => Promise.reject(new TypeError('a defect')));
    assert.match(stderr, /internal error: TypeError: a defect[\s\S]*program\.test\.ts/);
  });

  it('a reader that went away ends the work quietly', async () => {
    const stdout = new MemoryStream({ limitBytes: 100 });
    let lines = 0;
    const { exitCode, stderr } = await invoke(
      ['work'],
      async (context) => {
        for (;;) {
          context.print('a line');
          lines++;
        }
      },
      { stdout },
    );
    assert.deepEqual([exitCode, stderr], [141, '']);
    assert(lines < 20);
  });
});

describe('confirmation', () => {
  const ask: Body = async (context) => ((await context.confirm('Remove it?')) ? 0 : 1);
  it('asks on a terminal', async () => {
    const yes = await invoke(['work'], ask, { answers: ['y'] });
    assert.deepEqual([yes.exitCode, yes.stderr], [0, 'Remove it? [y/N] ']);
    assert.equal((await invoke(['work'], ask, { answers: [''] })).exitCode, 1);
    assert.equal((await invoke(['work'], ask, { answers: [] })).exitCode, 1);
  });
  it('is answered by --yes', async () => assert.equal((await invoke(['work', '-y'], ask)).exitCode, 0));
  it('is never taken for granted', async () => {
    const { exitCode, stderr } = await invoke(['work'], ask);
    assert.equal(exitCode, 64);
    assert.match(stderr, /--yes/);
  });
});

describe('help', () => {
  it('of the program fits a screen and loads no command', async () => {
    for (const entry of COMMANDS) assert.notEqual(entry.summary, '');
    const lines = helpText('0.0.0').split('\n');
    assert(lines.length <= 40, `${lines.length} lines`);
    for (const line of lines) assert(line.length <= 90, line);
    for (const args of [['--help'], ['-h'], ['help'], ['--repo', 'x', '--help']]) {
      const { exitCode, stdout } = await invoke(args);
      assert.equal(exitCode, 0);
      assert.match(stdout, /Usage: sealtree[\s\S]*work \[WORD\]\s+Do some work/);
    }
  });

  it('of a command has its options and examples', async () => {
    for (const args of [
      ['work', '--help'],
      ['--help', 'work'],
      ['help', 'work'],
    ]) {
      const { exitCode, stdout, stderr } = await invoke(args);
      assert.deepEqual([exitCode, stderr], [0, '']);
      assert.match(
        stdout,
        /Usage: sealtree work \[options\] \[word\][\s\S]*--deep[\s\S]*Examples:\n {2}sealtree work x/,
      );
    }
  });

  for (const entry of COMMANDS.filter((entry) => !entry.raw))
    it(`of ${entry.name} fits a screen, and the module calls itself so`, async () => {
      const surroundings = memorySurroundings();
      const exitCode = await runProgram([entry.name, '--help'], surroundings, {
        version: '0',
        commands: COMMANDS,
      });
      assert.equal(exitCode, 0);
      assert(surroundings.stdout.text.split('\n').length <= 40);
      const { command } = await entry.load();
      assert.deepEqual([command.name, command.summary], [entry.name, entry.summary]);
    });

  it('prints the version', async () => {
    assert.equal((await invoke(['--version'])).stdout, 'sealtree 1.2.3\n');
    assert.equal((await invoke(['-v', '--version'])).stdout, 'sealtree 1.2.3\n');
  });
});
