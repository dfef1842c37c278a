/**
 * A commit as a tar archive: the same bytes for the same tree, whoever writes it and when. Entries come sorted, times are
 * 0 as ostree has them, names are in UTF-8, and whatever does not fit a plain header is in PAX records that are written
 * here, byte by byte: tar-stream writes text only.
 */
import { Readable } from 'node:stream';
import { type Pack, pack } from 'tar-stream';
import { type ByteString, displayBytes, stringToBytes } from '../base/bytes.ts';
import { type Checksum, checksumOf } from '../base/digest.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { isSymlink, S_IFREG } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import { NO_XATTRS, type Xattrs } from '../base/xattrs.ts';
import { contentHasher } from '../formats/objects.ts';
import { formatPax, type PaxRecords, xattrRecords } from '../formats/pax.ts';
import { paxHeader } from '../formats/tar.ts';
import type { ContentInfo } from './content.ts';
import type { Repository } from './repository.ts';
import { children, type DirectoryNode, rootOf, type TreeNode, walk } from './tree.ts';

/** What fits a plain header: six octal digits of owner, eleven of size, a hundred bytes of name. */
const MAX_OWNER = 0o777_777;
const MAX_SIZE = 0o77_777_777_777;
const MAX_NAME = 100;

const EPOCH = new Date(0);

type Header = Parameters<Pack['entry']>[0];

/**
 * The archive of a commit, piece by piece. Content is hashed on its way.
 * @throws FormatError when an object is not what its checksum says, NotFoundError when one is missing
 */
export async function* exportTar(
  repository: Repository,
  commit: Checksum,
  progress: Progress,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* archiveOf(repository, walk(repository, rootOf(repository, commit)), progress);
}

/**
 * The layer of a container image (image-spec, layer.md) that makes the tree of `commit` of that of `lower`, or of
 * nothing.
 * @throws UnsupportedError for names that a layer cannot hold; else as {@link exportTar}
 */
export async function* exportLayer(
  repository: Repository,
  commit: Checksum,
  lower: Checksum | undefined,
  progress: Progress,
): AsyncGenerator<Uint8Array, void, undefined> {
  const below = lower === undefined ? undefined : rootOf(repository, lower);
  yield* archiveOf(repository, changes(repository, rootOf(repository, commit), below), progress);
}

/** What a layer has of a folder: nothing where it is as below. */
function* changes(
  repository: Repository,
  folder: DirectoryNode,
  below: DirectoryNode | undefined,
): Generator<TreeNode | Whiteout, void> {
  if (below?.tree === folder.tree && below.meta === folder.meta) return;
  yield folder;
  const lower = new Map(
    below === undefined ? [] : [...children(repository, below)].map((node) => [node.name, node]),
  );
  for (const node of children(repository, folder)) {
    if (node.name.startsWith(WHITEOUT))
      throw new UnsupportedError(
        `${displayBytes(node.path)}: a layer cannot hold a name that begins with ${WHITEOUT}`,
      );
    const found = lower.get(node.name);
    lower.delete(node.name);
    if (node.kind === 'directory')
      yield* changes(repository, node, found?.kind === 'directory' ? found : undefined);
    else if (found?.kind !== 'file' || found.checksum !== node.checksum) yield node;
  }
  for (const name of lower.keys()) {
    const path = `${folder.path === '/' ? '' : folder.path}/${WHITEOUT}${name}` as ByteString;
    yield { kind: 'whiteout', path };
  }
}

const WHITEOUT = '.wh.';

/** Says that a name of the layers below is gone. */
interface Whiteout {
  readonly kind: 'whiteout';
  readonly path: ByteString;
}

async function* archiveOf(
  repository: Repository,
  nodes: Iterable<TreeNode | Whiteout>,
  progress: Progress,
): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  const writing = writeEntries(archive, repository, nodes, progress);
  // What goes wrong there ends the archive, and is thrown below.
  writing.catch((error: Error) => archive.destroy(error));
  for await (const chunk of archive) yield chunk as Uint8Array;
  await writing;
}

async function writeEntries(
  archive: Pack,
  repository: Repository,
  nodes: Iterable<TreeNode | Whiteout>,
  progress: Progress,
): Promise<void> {
  for (const node of nodes) {
    // The root is "./", all others are relative to it.
    const path = node.path === '/' ? '.' : node.path.slice(1);
    if (node.kind === 'directory') {
      const meta = repository.dirmeta(node.meta);
      await add(archive, { ...plain(meta), name: `${path}/`, type: 'directory' }, meta.xattrs);
    } else if (node.kind === 'whiteout') {
      const header = {
        ...plain({ uid: 0, gid: 0, mode: S_IFREG }),
        name: path,
        type: 'file' as const,
        size: 0,
      };
      await add(archive, header, NO_XATTRS, Readable.from([]));
    } else {
      await addFile(archive, repository, path, node.checksum);
    }
    progress.advance(1);
    await progress.breathe();
  }
  archive.finalize();
}

const plain = ({ uid, gid, mode }: { uid: number; gid: number; mode: number }) => ({
  uid,
  gid,
  // With its type: tar-stream takes a mode of 0 for none.
  mode,
  mtime: EPOCH,
});

async function addFile(
  archive: Pack,
  repository: Repository,
  path: string,
  checksum: Checksum,
): Promise<void> {
  const info = repository.content(checksum);
  const header = { ...plain(info), name: path };
  if (isSymlink(info.mode)) {
    await add(archive, { ...header, type: 'symlink', linkname: info.target }, info.xattrs);
    return;
  }
  await add(
    archive,
    { ...header, type: 'file', size: info.size },
    info.xattrs,
    contentOf(repository, checksum, info),
  );
}

/** The content, checked against the checksum by the time all of it was given. */
async function* contentOf(
  repository: Repository,
  checksum: Checksum,
  info: ContentInfo,
): AsyncGenerator<Buffer, void, undefined> {
  const hasher = contentHasher(info);
  for await (const chunk of repository.streamContent(checksum)) {
    hasher.update(chunk);
    yield chunk;
  }
  // There owners and xattrs are not kept, and so the checksum says nothing.
  if (repository.mode === 'bare-user-only') return;
  const got = checksumOf(hasher.digest());
  if (got !== checksum)
    throw new FormatError(repository.objectPath(checksum, 'file'), 'is not what its checksum says', {
      got,
      want: checksum,
    });
}

async function add(
  archive: Pack,
  header: Header,
  xattrs: Xattrs,
  content?: AsyncIterable<Uint8Array>,
): Promise<void> {
  const records = recordsOf(header, xattrs);
  const overridden = new Set<string>(records.map(([key]) => key));
  if (records.length > 0) archive.push(paxHeader(formatPax(records)));
  const short: Header = {
    ...header,
    // Fields that the records override must fit, or tar-stream adds records of its own.
    ...(overridden.has('path') ? { name: header.type === 'directory' ? 'PaxFolder/' : 'PaxFile' } : {}),
    ...(overridden.has('linkpath') ? { linkname: 'PaxTarget' } : {}),
    ...(overridden.has('uid') ? { uid: 0 } : {}),
    ...(overridden.has('gid') ? { gid: 0 } : {}),
  };
  await new Promise<void>((resolve, reject) => {
    const sink = archive.entry(short, (error) => (error ? reject(error) : resolve()));
    sink.on('error', reject);
    if (content === undefined) return;
    (async () => {
      for await (const chunk of content) {
        if (!sink.write(chunk)) await new Promise<void>((drained) => sink.once('drain', drained));
      }
      sink.end(undefined);
    })().catch(reject);
  });
}

function recordsOf(header: Header, xattrs: Xattrs): PaxRecords {
  const records: (readonly [ByteString, ByteString])[] = [];
  const add = (key: string, value: string | number): void =>
    void records.push([key as ByteString, String(value) as ByteString]);
  const { name, linkname = '', uid = 0, gid = 0, size = 0 } = header;
  if (!fits(name)) add('path', name);
  if (!fits(linkname)) add('linkpath', linkname);
  if (uid > MAX_OWNER) add('uid', uid);
  if (gid > MAX_OWNER) add('gid', gid);
  if (size > MAX_SIZE) add('size', size);
  return xattrs === NO_XATTRS ? records : [...records, ...xattrRecords(xattrs)];
}

/** Plain text of one header field: no reader has to guess how it is encoded, or to join it with a prefix. */
const fits = (name: string): boolean =>
  stringToBytes(name as ByteString).length <= MAX_NAME && /^[\x20-\x7e]*$/.test(name);
