/** `sealtree show OBJECT`: a commit, another object, or what a commit's metadata says. */
import type { ByteString } from '../base/bytes.ts';
import { type Checksum, isHex64 } from '../base/digest.ts';
import { ExitCode, NotFoundError } from '../base/errors.ts';
import { isRegular, isSymlink, typeName } from '../base/mode.ts';
import { formatVariant } from '../formats/gvariant-text.ts';
import { OBJECT_TYPES, serializeDirmeta, serializeDirtree, type VariantMap } from '../formats/objects.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';
import { signaturesIn } from '../repository/signatures.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { jsonBytes } from './output.ts';
import { resolveRev } from './revision.ts';
import { commitJson, commitText, forTerminal, jsonMetadata } from './text/commit.ts';
import { xattrsJson } from './text/entry.ts';
import { rawText, xattrsText } from './text/variant.ts';

interface ShowOptions {
  readonly raw?: boolean;
  readonly byteswap: boolean;
  readonly printHex?: boolean;
  readonly printRelated?: boolean;
  readonly listMetadataKeys?: boolean;
  readonly printMetadataKey?: string;
  readonly listDetachedMetadataKeys?: boolean;
  readonly printDetachedMetadataKey?: string;
}

export const command: CommandModule = {
  name: 'show',
  summary: 'Show a commit or another object',
  details: [
    'OBJECT is a REV, or the full checksum of a commit, dirmeta, dirtree or content object.',
    'Signatures are counted, not verified: that takes the keys, and ostree.',
  ],
  examples: [
    ['show 0', 'the commit of deployment 0'],
    ['show --print-metadata-key version REV', 'one value of its metadata'],
  ],
  define(command, run) {
    command
      .argument('<object>', 'revision or checksum')
      .option('--list-metadata-keys', 'list the keys of the metadata')
      .option('--print-metadata-key <key>', 'print one value of the metadata')
      .option('--list-detached-metadata-keys', 'the same of the detached metadata')
      .option('--print-detached-metadata-key <key>', 'the same of the detached metadata')
      .option('--print-hex', 'print a value that is a byte array as hexadecimal digits')
      .option('--print-related', 'print the "related" commits')
      .option('--raw', 'print the object as GVariant text')
      .option('-B, --no-byteswap', 'print integers as stored, not swapped from big endian')
      .action(run(show));
  },
};

async function show(context: Context, object: string, options: ShowOptions): Promise<number> {
  const repository = await context.openRepository();
  const commit = async (): Promise<Checksum> => resolveRev(context, repository, object);

  const key = options.printDetachedMetadataKey ?? options.printMetadataKey;
  if (key !== undefined) {
    const detached = options.printDetachedMetadataKey !== undefined;
    return printKey(context, metadataOf(repository, await commit(), detached), key, options);
  }
  if (options.listMetadataKeys || options.listDetachedMetadataKeys)
    return listKeys(
      context,
      metadataOf(repository, await commit(), options.listDetachedMetadataKeys ?? false),
    );
  if (options.printRelated) return printRelated(context, repository, await commit());
  if (!isHex64(object) || repository.hasObject(object as Checksum, 'commit'))
    return showCommit(context, repository, await commit(), options);
  return showObject(context, repository, object as Checksum, options);
}

function metadataOf(repository: Repository, commit: Checksum, detached: boolean): VariantMap {
  const { metadata } = repository.commit(commit);
  if (!detached) return metadata;
  const found = repository.detachedMetadata(commit);
  if (found === undefined) throw new NotFoundError(`no detached metadata for commit ${commit}`);
  return found;
}

function printKey(context: Context, metadata: VariantMap, key: string, options: ShowOptions): number {
  const found = metadata.get(Buffer.from(key).toString('latin1'));
  if (found === undefined)
    throw new NotFoundError(`no such metadata key: ${key}`, {
      hint: `there are: ${[...metadata.keys()].sort().join(', ')}`,
    });
  if (context.options.json) context.printJson('show', { key, ...metadataValue(metadata, key) });
  else if (options.printHex && found.value instanceof Uint8Array)
    context.print(Buffer.from(found.value).toString('hex'));
  else printBytes(context, formatVariant(found.type, found.value, { byteswap: options.byteswap }));
  return ExitCode.ok;
}

function metadataValue(metadata: VariantMap, key: string): Record<string, unknown> {
  return { type: metadata.get(key)?.type, value: jsonMetadata(metadata)[key] };
}

function listKeys(context: Context, metadata: VariantMap): number {
  const keys = [...metadata.keys()].sort();
  if (context.options.json) context.printJson('show', { keys });
  else for (const key of keys) printBytes(context, key as ByteString);
  return ExitCode.ok;
}

function printRelated(context: Context, repository: Repository, checksum: Checksum): number {
  const related = repository.commit(checksum).related.map(({ name, checksum: bytes }) => ({
    name: jsonBytes(name),
    line: `${name} ${Buffer.from(bytes).toString('hex')}` as ByteString,
    checksum: Buffer.from(bytes).toString('hex'),
  }));
  if (context.options.json)
    context.printJsonList(
      'show',
      'related',
      related.map(({ name, checksum: hex }) => ({ name, checksum: hex })),
    );
  else for (const { line } of related) printBytes(context, line);
  return ExitCode.ok;
}

function showCommit(
  context: Context,
  repository: Repository,
  checksum: Checksum,
  options: ShowOptions,
): number {
  const commit = repository.commit(checksum);
  const detached = repository.detachedMetadata(checksum);
  const signatures = signaturesIn(detached).length;
  if (context.options.json) {
    context.printJson('show', {
      type: 'commit',
      ...commitJson(checksum, commit),
      partial: repository.isPartial(checksum),
      signatures,
      ...(detached === undefined ? {} : { detachedMetadata: jsonMetadata(detached) }),
    });
    return ExitCode.ok;
  }
  const [heading = '', ...facts] = commitText(checksum, commit).split('\n');
  context.print(heading);
  if (options.raw || !options.byteswap)
    printBytes(context, rawText(OBJECT_TYPES.commit, repository.commitBytes(checksum), options.byteswap));
  if (options.raw && options.byteswap) return ExitCode.ok;
  printBytes(context, facts.join('\n') as ByteString, '');
  if (signatures > 0)
    context.print(`Found ${signatures} signature${signatures === 1 ? '' : 's'} (not verified)`);
  return ExitCode.ok;
}

function showObject(
  context: Context,
  repository: Repository,
  checksum: Checksum,
  options: ShowOptions,
): number {
  if (repository.hasObject(checksum, 'dirmeta')) {
    const dirmeta = repository.dirmeta(checksum);
    return showMetadata(context, 'dirmeta', checksum, serializeDirmeta(dirmeta), options, () => ({
      uid: dirmeta.uid,
      gid: dirmeta.gid,
      mode: octal(dirmeta.mode),
      xattrs: xattrsJson(dirmeta.xattrs),
    }));
  }
  if (repository.hasObject(checksum, 'dirtree')) {
    const { files, dirs } = repository.dirtree(checksum);
    return showMetadata(context, 'dirtree', checksum, serializeDirtree({ files, dirs }), options, () => ({
      files: files.map((file) => ({ name: jsonBytes(file.name), checksum: file.checksum })),
      dirs: dirs.map((dir) => ({ name: jsonBytes(dir.name), tree: dir.tree, meta: dir.meta })),
    }));
  }
  return showFile(context, checksum, repository.content(checksum));
}

function showMetadata(
  context: Context,
  type: 'dirmeta' | 'dirtree',
  checksum: Checksum,
  bytes: Uint8Array,
  options: ShowOptions,
  json: () => Record<string, unknown>,
): number {
  if (context.options.json) {
    context.printJson('show', { type, checksum, ...json() });
    return ExitCode.ok;
  }
  context.print(`${type} ${checksum}`);
  if (options.raw || !options.byteswap)
    printBytes(context, rawText(OBJECT_TYPES[type], bytes, options.byteswap));
  return ExitCode.ok;
}

const octal = (mode: number): string => `0${mode.toString(8).padStart(4, '0')}`;

function showFile(context: Context, checksum: Checksum, file: ContentInfo): number {
  const { mode, uid, gid, size, target, xattrs } = file;
  if (context.options.json) {
    context.printJson('show', {
      type: 'file',
      checksum,
      fileType: typeName(mode),
      mode: octal(mode),
      uid,
      gid,
      size,
      ...(isSymlink(mode) ? { target: jsonBytes(target) } : {}),
      xattrs: xattrsJson(xattrs),
    });
    return ExitCode.ok;
  }
  const lines = [
    `Object: ${checksum}`,
    'Type: file',
    ...(isRegular(mode)
      ? ['File Type: regular', `Size: ${size}`]
      : ['File Type: symlink', `Target: ${target}`]),
    `Mode: ${octal(mode)}`,
    `Uid: ${uid}`,
    `Gid: ${gid}`,
    `Extended Attributes: { ${xattrsText(xattrs)} }`,
  ];
  printBytes(context, lines.join('\n') as ByteString);
  return ExitCode.ok;
}

function printBytes(context: Context, text: ByteString, end = '\n'): void {
  context.write(forTerminal(`${text}${end}` as ByteString, context.stdout.isTerminal));
}
