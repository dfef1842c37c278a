/** `sealtree refs [PREFIX…]`: what has a name in the repository. */
import { ExitCode } from '../base/errors.ts';
import type { Ref, Repository } from '../repository/repository.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';

interface RefsOptions {
  readonly list?: boolean;
  readonly revision?: boolean;
  readonly alias?: boolean;
  readonly collections?: boolean;
}

export const command: CommandModule = {
  name: 'refs',
  summary: 'List refs',
  details: [
    'With a PREFIX only the refs below it are listed, and without it in front, unless --list is given.',
    'JSON always has the whole names, the checksums and the targets of aliases.',
  ],
  examples: [['refs -r', 'all refs with the commits they name']],
  define(command, run) {
    command
      .argument('[prefix...]', 'only refs below these names')
      .option('--list', 'do not remove the prefix')
      .option('-r, --revision', 'print the checksums too')
      .option('-A, --alias', 'list only aliases, and what they stand for')
      .option('-c, --collections', 'list refs with their collection ids')
      .action(run(refs));
  },
};

async function refs(context: Context, prefixes: readonly string[], options: RefsOptions): Promise<number> {
  const repository = await context.openRepository();
  const chosen = (prefixes.length === 0 ? [undefined] : prefixes).map((prefix) => ({
    prefix,
    refs: options.collections ? collectionRefs(repository, prefix) : plainRefs(repository, prefix, options),
  }));
  if (context.options.json) {
    const all = chosen.flatMap(({ refs }) => refs).map((ref) => refJson(ref, repository));
    context.printJsonList('refs', 'refs', all);
    return ExitCode.ok;
  }
  for (const { prefix, refs } of chosen) {
    const lines = refs.map((ref) => {
      if (options.collections) return { name: `(${collectionOf(ref, repository)}, ${ref.name})`, ref };
      return { name: options.list || options.alias ? ref.refspec : withoutPrefix(ref, prefix), ref };
    });
    for (const { name, ref } of lines.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (options.alias) context.print(`${name} -> ${ref.aliasOf}`);
      else context.print(options.revision ? `${name}\t${ref.checksum}` : name);
    }
  }
  return ExitCode.ok;
}

/** Heads and fetched refs; mirrors have no place in ostree's plain list. */
function plainRefs(repository: Repository, prefix: string | undefined, options: RefsOptions): Ref[] {
  const refs = repository.listRefs({
    kinds: ['head', 'remote'],
    ...(prefix === undefined ? {} : { prefix }),
  });
  return options.alias ? refs.filter((ref) => ref.aliasOf !== undefined) : refs;
}

/** Mirrored refs, and heads where the repository has a collection id; PREFIX is a collection id then. */
function collectionRefs(repository: Repository, prefix: string | undefined): Ref[] {
  return repository
    .listRefs()
    .filter((ref) => collectionOf(ref, repository) !== undefined)
    .filter((ref) => prefix === undefined || collectionOf(ref, repository) === prefix);
}

function collectionOf(ref: Ref, repository: Repository): string | undefined {
  if (ref.kind === 'mirror') return ref.scope;
  if (ref.kind === 'head') return repository.config.getString('core', 'collection-id');
  return repository.config.getString(`remote "${ref.scope}"`, 'collection-id');
}

/** What follows the prefix, as ostree prints it: after the remote, and whole where the prefix is all of it. */
function withoutPrefix(ref: Ref, prefix: string | undefined): string {
  if (prefix === undefined || ref.refspec === prefix) return ref.refspec;
  const folder = prefix.slice(prefix.indexOf(':') + 1);
  const rest = ref.name.slice(folder.length).replace(/^\//, '');
  return ref.kind === 'remote' ? `${ref.scope}:${rest}` : rest;
}

function refJson(ref: Ref, repository: Repository): Record<string, unknown> {
  const collection = collectionOf(ref, repository);
  return {
    ref: ref.refspec,
    name: ref.name,
    kind: ref.kind,
    ...(ref.kind === 'remote' ? { remote: ref.scope } : {}),
    ...(collection === undefined ? {} : { collection }),
    checksum: ref.checksum,
    ...(ref.aliasOf === undefined ? {} : { aliasOf: ref.aliasOf }),
  };
}
