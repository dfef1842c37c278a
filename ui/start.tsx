/** Opens the interface on a terminal and waits for its end. */
import { render } from 'ink';
import { runOnTerminal } from '../src/base/process.ts';
import type { System } from '../src/base/system.ts';
import { Aloud } from './aloud.ts';
import { App } from './app.tsx';
import { Effects, type Page, type Terminal } from './effects.ts';
import { glyphsFor } from './glyphs.ts';
import { runnerOf } from './program.ts';
import { summaryOf } from './screens/jobs/result.ts';
import { type Event, initialState } from './state.ts';
import { Store } from './store.ts';
import { makeTheme } from './theme.ts';

export interface StartOptions {
  readonly sysrootPath: string;
  /** A repository to look at instead of the sysroot and its own. */
  readonly repositoryPath?: string | undefined;
  readonly system: System;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hasColor: boolean;
  /** For screen readers: plain lines that follow each other instead of a screen. */
  readonly readsAloud?: boolean;
  readonly stdin?: NodeJS.ReadStream;
  readonly stdout?: NodeJS.WriteStream;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly page?: Page;
  /** Runs the program itself, on the terminal that the interface has given back. */
  readonly handOver?: HandOver;
  /** What starts the program itself: its interpreter and its file. */
  readonly program?: readonly string[];
  /** Aborted by whoever ends the interface from outside. */
  readonly signal?: AbortSignal;
}

/** Starts a program of these words with more of them, and waits for its end. */
export type HandOver = (program: readonly string[], words: readonly string[]) => Promise<void>;

const handOverTerminal: HandOver = ([name = '', ...first], words) =>
  runOnTerminal(name, [...first, ...words]);

/** What the environment names, else the usual one. */
function pagerOf(env: StartOptions['env']): Page {
  const [program = 'less', ...args] = (env.PAGER ?? '').split(' ').filter((word) => word !== '');
  return (bytes) => runOnTerminal(program, args, bytes);
}

/** Ages are told in minutes. */
const TICK_MS = 30_000;

/** What starts this program once more. */
const thisProgram = (): string[] => [process.execPath, ...process.execArgv, process.argv[1] ?? ''];

/**
 * Resolves when the person quits, with what was done, a line each; rejects with what went wrong. The terminal was given
 * back before that, and work that was under way has come to a point where nothing is half done.
 */
export async function start(options: StartOptions): Promise<string[]> {
  const {
    sysrootPath,
    repositoryPath,
    system,
    env,
    hasColor,
    readsAloud = false,
    now = Date.now,
    page = pagerOf(env),
  } = options;
  const { stdin = process.stdin, stdout = process.stdout, program = thisProgram(), signal } = options;
  const { handOver = handOverTerminal } = options;
  const sizeOf = () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  let terminal: Terminal | undefined;
  const effects = new Effects({
    sysrootPath,
    repositoryPath,
    system,
    dispatch,
    terminal: () => terminal,
    now,
    page,
    run: runnerOf(program, { sysrootPath, repositoryPath }),
  });
  const store = new Store(initialState(sysrootPath, sizeOf(), now(), repositoryPath), effects.run);

  function dispatch(event: Event): void {
    try {
      store.dispatch(event);
    } catch (error) {
      // Thrown into an event handler it would be printed on the screen that goes away.
      if (terminal === undefined) throw error;
      terminal.exit(error);
    }
  }
  const resize = (): void => dispatch({ type: 'resize', size: sizeOf() });
  // Before ink's own listener, so that it draws the new size at once.
  stdout.on('resize', resize);
  const ticking = setInterval(() => dispatch({ type: 'tick', nowMs: now() }), TICK_MS);
  const aloud = readsAloud ? new Aloud(store) : undefined;
  const app = render(
    <App
      aloud={aloud}
      store={store}
      dispatch={dispatch}
      theme={makeTheme(hasColor, glyphsFor(env))}
      onTerminal={(opened) => {
        terminal = opened;
      }}
    />,
    {
      stdin,
      stdout,
      alternateScreen: !readsAloud,
      incrementalRendering: !readsAloud,
      isScreenReaderEnabled: readsAloud,
      // A terminal of a CI job is one all the same.
      interactive: true,
      exitOnCtrlC: false,
      patchConsole: false,
    },
  );
  const leave = (): void => terminal?.exit();
  signal?.addEventListener('abort', leave);
  stdout.on('error', ignore);
  dispatch({ type: 'start' });
  try {
    await app.waitUntilExit();
  } finally {
    aloud?.stop();
    effects.stop();
    clearInterval(ticking);
    stdout.off('resize', resize);
    signal?.removeEventListener('abort', leave);
    if (effects.jobCount > 0)
      stdout.write('Waiting until what is under way has stopped where nothing is half done.\n');
    await effects.jobsEnded();
    stdout.off('error', ignore);
  }
  const { handsOver } = store.state();
  if (handsOver !== undefined) {
    // Keys are no longer for this process.
    stdin.pause();
    await handOver(program, readsAloud ? [...handsOver, '--screen-reader'] : handsOver);
  }
  return summaryOf(store.state());
}

/** A terminal that was closed takes no more output; its end comes as a signal. */
const ignore = (): void => undefined;
