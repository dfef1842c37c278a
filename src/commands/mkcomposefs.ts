/** `mkcomposefs`: the options, bytes and exit codes of the tool of composefs 1.0.8. Writes the image when it is whole. */
import { digestOf } from '../base/digest.ts';
import type { System } from '../base/system.ts';
import { parseDump } from '../formats/erofs/dump.ts';
import type { ImageTree } from '../formats/erofs/tree.ts';
import { type FormatVersion, writeImage } from '../formats/erofs/write.ts';
import { verityDigest } from '../formats/verity.ts';
import { DigestStore } from '../image/digest-store.ts';
import { type DirectoryOptions, treeFromDirectory } from '../image/from-directory.ts';
import type { OptionText, RawCommand } from './command.ts';
import { type OptionProblem, parseLongOptions } from './getopt.ts';
import { writeOutput } from './output-file.ts';
import { readInput, runTool, ToolFailure } from './stand-in.ts';
import type { Surroundings } from './surroundings.ts';

const NAME = 'mkcomposefs';

const OPTIONS: readonly OptionText[] = [
  { flags: '--digest-store <path>', description: 'copy the content of files to this folder' },
  { flags: '--use-epoch', description: 'set all times to 0' },
  { flags: '--skip-devices', description: 'leave device nodes out' },
  { flags: '--skip-xattrs', description: 'leave xattrs out' },
  { flags: '--user-xattrs', description: 'take only xattrs named user.*' },
  { flags: '--print-digest', description: "print the image's digest" },
  { flags: '--print-digest-only', description: "print the image's digest and write no image" },
  { flags: '--from-file', description: 'SOURCE is a dump, not a directory' },
  { flags: '--min-version <n>', description: 'least format version (default 0)' },
  { flags: '--max-version <n>', description: 'greatest format version (default 1)' },
  { flags: '--threads <n>', description: 'accepted for compatibility' },
];

const USAGE = [
  `Usage: ${NAME} [OPTIONS] SOURCE IMAGE`,
  'Options:',
  ...OPTIONS.map(
    ({ flags, description }) =>
      `  ${flags.replace(/ <(.*)>/, (_, value: string) => `=${value.toUpperCase()}`).padEnd(22)}${description}`,
  ),
].join('\n');

export const command: RawCommand = {
  name: NAME,
  summary: 'make an image of a directory or a dump, as the C tool of that name',
  options: OPTIONS,
  details: [
    'SOURCE is a directory, or with --from-file a composefs-dump(5) file or - for standard input. IMAGE may be - for standard output.',
    'Images, digests and exit codes are those of mkcomposefs 1.0.8. IMAGE is replaced only once it is whole.',
    'Refused here, where the C tool goes on with damaged data: digests that are not 64 hex digits, group and device numbers that are no integers, hard links to directories.',
    'CFS_PARSE_STRICT in the environment makes the reader of dumps insist on a final newline, device number 0 for what is no device, and exact sizes of symlinks.',
  ],
  main: (args, surroundings) => runTool(NAME, surroundings, () => makeImage(args, surroundings)),
};

interface Request {
  readonly source: string;
  /** Undefined: only the digest is wanted. */
  readonly image: string | undefined;
  readonly fromFile: boolean;
  readonly printDigest: boolean;
  readonly minVersion: FormatVersion;
  readonly maxVersion: FormatVersion;
  readonly storePath: string | undefined;
  readonly directory: DirectoryOptions;
}

async function makeImage(args: readonly string[], surroundings: Surroundings): Promise<void> {
  const { stdout, system, env } = surroundings;
  const request = readArguments(args);
  const tree = request.fromFile
    ? parseDump(readInput(request.source, system), sourceName(request.source), {
        strict: env.CFS_PARSE_STRICT !== undefined,
      })
    : await readDirectory(request, system);
  const { bytes } = writeImage(tree, request);
  if (request.image !== undefined) await writeOutput(request.image, [bytes], stdout, system);
  if (request.printDigest) stdout.write(`${digestOf(verityDigest(bytes))}\n`);
}

function readDirectory(request: Request, system: System): Promise<ImageTree> {
  const { source, storePath, directory } = request;
  const store = storePath === undefined ? {} : { store: new DigestStore(storePath, system) };
  return treeFromDirectory(source, system, { ...directory, ...store });
}

const sourceName = (path: string): string => (path === '-' ? 'standard input' : path);

function readArguments(args: readonly string[]): Request {
  const { options, operands, problem } = parseLongOptions(args, {
    'skip-xattrs': 'flag',
    'user-xattrs': 'flag',
    'skip-devices': 'flag',
    'use-epoch': 'flag',
    'digest-store': 'value',
    'print-digest': 'flag',
    'print-digest-only': 'flag',
    'from-file': 'flag',
    'max-version': 'value',
    'min-version': 'value',
    threads: 'value',
  });
  const given = new Map(options.map(({ name, value }) => [name, value]));
  const numbers = new Map<string, number>();
  for (const { name, value } of options) {
    if (name === 'min-version') numbers.set(name, integer(value, 'min version'));
    else if (name === 'max-version') numbers.set(name, integer(value, 'max version'));
    else if (name === 'threads') checkThreads(value);
  }
  if (problem !== undefined) throw optionFailure(problem);

  const [source, image, ...more] = operands;
  const digestOnly = given.has('print-digest-only');
  if (source === undefined) throw new ToolFailure(`No source path specified\n${USAGE}`);
  if (source === '') throw new ToolFailure(`${NAME}: Empty source path specified`);
  if (more.length > 0) throw new ToolFailure(`Too many arguments\n${USAGE}`);
  if (image === undefined && !digestOnly) throw new ToolFailure(`No destination path specified\n${USAGE}`);
  if (image !== undefined && digestOnly)
    throw new ToolFailure(`--print-digest-only takes no destination path\n${USAGE}`);

  // As soon as one of the two is given, the other one is 0 unless given.
  const versionGiven = numbers.has('min-version') || numbers.has('max-version');
  const minVersion = formatVersion(numbers.get('min-version') ?? 0);
  const maxVersion = formatVersion(numbers.get('max-version') ?? (versionGiven ? 0 : 1));

  const fromFile = given.has('from-file');
  const skipXattrs = given.has('skip-xattrs');
  const userXattrs = given.has('user-xattrs');
  if (!fromFile && skipXattrs && userXattrs)
    throw new ToolFailure(`${NAME}: --skip-xattrs and --user-xattrs exclude each other`);
  return {
    source,
    image,
    fromFile,
    printDigest: digestOnly || given.has('print-digest'),
    minVersion,
    maxVersion,
    storePath: given.get('digest-store'),
    directory: {
      xattrs: skipXattrs ? 'none' : userXattrs ? 'user' : 'all',
      skipDevices: given.has('skip-devices'),
      useEpoch: given.has('use-epoch'),
    },
  };
}

function optionFailure(problem: OptionProblem): ToolFailure {
  return problem.kind === 'value-missing' ? new ToolFailure('option needs a value') : new ToolFailure(USAGE);
}

/** An integer as strtol(3) reads it. */
function integer(text: string, what: string): number {
  if (!/^[ \t\n\v\f\r]*[+-]?[0-9]+$/.test(text)) throw new ToolFailure(`Invalid ${what} ${text}`);
  return Number(text);
}

/** One thread reads and hashes, whatever is asked for; only nonsense is refused. */
function checkThreads(text: string): void {
  if (integer(text, 'threads count') <= 0) throw new ToolFailure(`Invalid threads count ${text}`);
}

function formatVersion(value: number): FormatVersion {
  if (value !== 0 && value !== 1)
    throw new ToolFailure(`${NAME}: there is no format version ${value}: only 0 and 1`);
  return value;
}
