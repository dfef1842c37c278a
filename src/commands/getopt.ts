/**
 * Long options as getopt_long(3) reads them, for commands that stand in for C programs: options and operands in
 * any order until `--`, unique beginnings of names, `--name=value` and `--name value`.
 */

/** What the program knows: the names of its options, and whether each takes a value. */
export type LongOptions = Readonly<Record<string, 'flag' | 'value'>>;

export interface GivenOption<Name extends string> {
  readonly name: Name;
  /** Empty for flags. */
  readonly value: string;
}

/** Why parsing stopped. Options before the faulty one count, as they do in C. */
export interface OptionProblem {
  readonly kind: 'unknown' | 'ambiguous' | 'value-missing' | 'value-given';
  /** What stood on the command line; for `value-missing` and `value-given` the option's full spelling. */
  readonly text: string;
}

export interface ParsedOptions<Name extends string> {
  readonly options: readonly GivenOption<Name>[];
  readonly operands: readonly string[];
  readonly problem: OptionProblem | undefined;
}

export function parseLongOptions<const Known extends LongOptions>(
  args: readonly string[],
  known: Known,
): ParsedOptions<keyof Known & string> {
  type Name = keyof Known & string;
  const options: GivenOption<Name>[] = [];
  const operands: string[] = [];
  const stop = (kind: OptionProblem['kind'], text: string): ParsedOptions<Name> => ({
    options,
    operands,
    problem: { kind, text },
  });

  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      operands.push(arg);
      continue;
    }
    const equals = arg.indexOf('=');
    const given = arg.slice(2, equals === -1 ? undefined : equals);
    const names = arg.startsWith('--') ? matching(given, known) : [];
    if (names.length === 0) return stop('unknown', arg);
    if (names.length > 1) return stop('ambiguous', arg);
    const name = names[0] as Name;
    if (known[name] === 'flag') {
      if (equals !== -1) return stop('value-given', `--${name}`);
      options.push({ name, value: '' });
    } else if (equals !== -1) {
      options.push({ name, value: arg.slice(equals + 1) });
    } else {
      if (i + 1 === args.length) return stop('value-missing', `--${name}`);
      options.push({ name, value: args[++i] as string });
    }
  }
  return { options, operands, problem: undefined };
}

/** An exact name is meant even where it begins another one. */
function matching(given: string, known: LongOptions): string[] {
  if (Object.hasOwn(known, given)) return [given];
  return Object.keys(known).filter((name) => name.startsWith(given));
}
