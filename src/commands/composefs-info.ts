/** `composefs-info`: the options, output and exit codes of the tool of composefs 1.0.8. */
import { type ByteString, stringToBytes, textToBytes } from '../base/bytes.ts';
import { type Digest, digestOf } from '../base/digest.ts';
import { IoError } from '../base/errors.ts';
import { isDirectory, isRegular, isSymlink } from '../base/mode.ts';
import type { System } from '../base/system.ts';
import { escapePathForListing, escapePayload, formatDump, walkOnly } from '../formats/erofs/dump.ts';
import { dumpImage } from '../formats/erofs/dump-image.ts';
import { ErofsImage, type WalkedEntry } from '../formats/erofs/read.ts';
import type { NodeFields } from '../formats/erofs/tree.ts';
import { VerityHasher } from '../formats/verity.ts';
import type { OptionText, RawCommand } from './command.ts';
import { parseLongOptions } from './getopt.ts';
import { writeAll } from './output.ts';
import { readChunks, runTool, ToolFailure } from './stand-in.ts';
import type { OutputStream, Surroundings } from './surroundings.ts';

const NAME = 'composefs-info';

const COMMANDS = ['ls', 'objects', 'dump', 'missing-objects', 'measure-file'] as const;
type Command = (typeof COMMANDS)[number];

const USAGE = `usage: ${NAME} [--basedir=path] [--filter=name]... [${COMMANDS.join('|')}] IMAGES...`;

const OPTIONS: readonly OptionText[] = [
  { flags: '--basedir <path>', description: 'the folder of objects, for missing-objects' },
  { flags: '--filter <name>', description: 'only this entry of the root; may be given more than once' },
];

export const command: RawCommand = {
  name: NAME,
  summary: 'look into images, as the C tool of that name',
  options: OPTIONS,
  details: [
    'ls lists paths, objects the backing files, missing-objects those that are not below --basedir, dump prints composefs-dump(5), measure-file prints the fs-verity digests of any files.',
    'Output and exit codes are those of composefs-info 1.0.8, without two of its defects: bytes after the end of some backing paths, and a digest for empty files that the kernel does not agree with.',
  ],
  main: (args, surroundings) => runTool(NAME, surroundings, () => run(args, surroundings)),
};

async function run(args: readonly string[], { stdout, system }: Surroundings): Promise<void> {
  const { command: verb, files, basedir, only } = readArguments(args, stdout);
  if (verb === 'measure-file') {
    if (files.length === 0) throw new ToolFailure(`No files specified\n${USAGE}`);
    for (const file of files) stdout.write(`${measureFile(file, system)}\n`);
    return;
  }
  // A wrong folder would make every object a missing one.
  if (basedir !== undefined && !system.stat(basedir).isDirectory())
    throw new ToolFailure(`${NAME}: ${basedir}: not a directory`);
  if (files.length === 0) throw new ToolFailure(`No image path specified\n${USAGE}`);

  const objects = new Set<ByteString>();
  for (const file of files) {
    const image = new ErofsImage(system.readFile(file), file);
    if (verb === 'dump' && only.only === undefined) for (const piece of dumpImage(image)) stdout.write(piece);
    else if (verb === 'dump') writeAll(formatDump(image, only), stdout);
    else if (verb === 'ls') writeAll(listing(image, walk(image, only)), stdout);
    else collectObjects(image, walk(image, only), objects);
  }
  const wanted = [...objects].filter((path) => verb === 'objects' || !hasObject(basedir, path, system));
  writeAll(
    wanted.sort().map((path) => `${path}\n` as ByteString),
    stdout,
  );
}

type Only = { readonly only?: ReadonlySet<ByteString> };

function walk(image: ErofsImage, { only }: Only): Iterable<WalkedEntry> {
  return only === undefined ? image.walk() : walkOnly(image, only);
}

interface Request {
  readonly command: Command;
  readonly files: readonly string[];
  readonly basedir: string | undefined;
  readonly only: Only;
}

function readArguments(args: readonly string[], stdout: OutputStream): Request {
  const { options, operands, problem } = parseLongOptions(args, { basedir: 'value', filter: 'value' });
  let basedir: string | undefined;
  const filters: ByteString[] = [];
  for (const { name, value } of options) {
    if (name === 'basedir') basedir = value;
    else if (value.includes('/')) throw new ToolFailure(`${NAME}: Filter must be a single name: ${value}`);
    else filters.push(textToBytes(value));
  }
  if (problem !== undefined) {
    // A relic of debugging that 1.0.8 prints, and whoever compares output will see.
    stdout.write('Def\n');
    const what =
      problem.kind === 'value-missing'
        ? `option '${problem.text}' requires an argument`
        : `${problem.kind === 'ambiguous' ? 'ambiguous' : 'unrecognized'} option '${problem.text}'`;
    throw new ToolFailure(`${NAME}: ${what}\n${USAGE}`);
  }
  const [verb, ...files] = operands;
  if (verb === undefined) throw new ToolFailure(`No command specified\n${USAGE}`);
  const command = COMMANDS.find((known) => known === verb);
  if (command === undefined) throw new ToolFailure(`${NAME}: Unknown command '${verb}'\n`);
  return { command, files, basedir, only: filters.length === 0 ? {} : { only: new Set(filters) } };
}

/** The lines of `ls`. A hard link shows its path only, the root none at all. */
function* listing(image: ErofsImage, entries: Iterable<WalkedEntry>): Generator<ByteString> {
  for (const { path, depth, inode, linkOf } of entries) {
    if (depth === 0) continue;
    const suffix = linkOf === undefined ? listingSuffix(image.node(inode)) : '';
    yield `${escapePathForListing(path)}${suffix}\n` as ByteString;
  }
}

function listingSuffix({ mode, payload }: NodeFields): string {
  if (isDirectory(mode)) return '/\t';
  if (payload === undefined) return '';
  return `\t${isSymlink(mode) ? '->' : '@'} ${escapePayload(payload)}`;
}

function collectObjects(image: ErofsImage, entries: Iterable<WalkedEntry>, objects: Set<ByteString>): void {
  for (const { inode, linkOf } of entries) {
    if (linkOf !== undefined || !isRegular(inode.mode)) continue;
    const { payload } = image.node(inode);
    if (payload !== undefined) objects.add(payload);
  }
}

/** Without a folder to look in, nothing is there. */
function hasObject(basedir: string | undefined, path: ByteString, system: System): boolean {
  if (basedir === undefined) return false;
  const relative = path.replace(/^\/+/, '') as ByteString;
  try {
    system.stat(Buffer.concat([Buffer.from(`${basedir}/`), stringToBytes(relative)]));
    return true;
  } catch (error) {
    // Whatever the reason, a mount could not use it either.
    if (error instanceof IoError) return false;
    throw error;
  }
}

/** The kernel's digest where the file has fs-verity, else the same computed. */
function measureFile(path: string, system: System): Digest {
  const fd = system.openRead(path);
  try {
    const verity = system.measureVerity(fd);
    if (verity.state === 'enabled') {
      if (verity.algorithm === 'sha256') return digestOf(verity.digest);
      throw new ToolFailure(`failed to measure '${path}': its fs-verity is not SHA-256`);
    }
    const hasher = new VerityHasher();
    for (const chunk of readChunks(fd, system)) hasher.update(chunk);
    return digestOf(hasher.digest());
  } finally {
    system.close(fd);
  }
}
