/** What a command is: the types that each file of a command fills in. `registry.ts` lists them. */
import type { Command } from 'commander';
import type { Context } from './context.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Turns the body of a command into a commander action: the body gets the context, then the arguments and the
 * command's own options as commander gives them, and returns the exit code.
 */
export type Run = <A extends readonly unknown[]>(
  body: (context: Context, ...args: A) => Promise<number>,
) => (...args: [...A, Command]) => Promise<void>;

/** What `--help` and the man page say besides the options. */
export interface CommandText {
  /** Paragraphs for the man page, plain text. */
  readonly details?: readonly string[];
  /** Command lines without `sealtree`, each with what it does. */
  readonly examples?: readonly (readonly [line: string, does: string])[];
}

/** A command whose arguments and options commander parses. */
export interface CommandModule extends CommandText {
  readonly name: string;
  readonly summary: string;
  /** Declares arguments, options, help texts and subcommands on `command`, and its action through `run`. */
  define(command: Command, run: Run): void;
}

/** An option as help, man page and completions name it. */
export interface OptionText {
  readonly flags: string;
  readonly description: string;
  /** The only values it takes. */
  readonly choices?: readonly string[];
}

/** A command that reads its arguments itself: hooks, which must be quick, and stand-ins for other programs. */
export interface RawCommand extends CommandText {
  readonly name: string;
  readonly summary: string;
  /** For man page and completions. */
  readonly arguments?: readonly { readonly name: string; readonly description: string }[];
  readonly options?: readonly OptionText[];
  /** `args` are those after the name. Returns the exit code. */
  main(args: readonly string[], surroundings: Surroundings): Promise<number>;
}
