/** A repository in memory, filled object by object: for trees and histories no disk should hold. */
import { type ByteString, textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import {
  type Commit,
  type Dirmeta,
  type Dirtree,
  metadataChecksum,
  serializeCommit,
  serializeDirmeta,
  serializeDirtree,
} from '../../src/formats/objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { ArchivedFiles } from './archived-system.ts';

/** A folder by the names in it: a file, or the checksum of a dirtree that was added. */
export type Folder = Readonly<Record<string, 'file' | Checksum>>;

export class MemoryRepository {
  readonly files = new ArchivedFiles();
  /** A plain 0755 folder of root. */
  readonly meta: Checksum;

  constructor(config = '[core]\nrepo_version=1\nmode=bare\n') {
    this.files.write('/repo/config', config);
    this.files.write('/repo/objects/.keep', '');
    this.meta = this.dirmeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] });
  }

  /** Opens it anew, with empty caches; what is opened from here on is counted from nothing. */
  open(): Repository {
    const repository = Repository.open('/repo', this.files.system());
    this.files.opened.length = 0;
    return repository;
  }

  ref(path: string, checksum: string): void {
    this.files.write(`/repo/refs/${path}`, `${checksum}\n`);
  }

  dirmeta(meta: Dirmeta): Checksum {
    return this.#add('dirmeta', serializeDirmeta(meta));
  }

  dirtree(tree: Dirtree): Checksum {
    return this.#add('dirtree', serializeDirtree(tree));
  }

  /** A folder whose files have checksums made from their names. */
  folder(entries: Folder, meta: Checksum = this.meta): Checksum {
    const sorted = Object.entries(entries)
      .map(([text, what]) => ({ name: textToBytes(text), what }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.dirtree({
      files: sorted
        .filter(({ what }) => what === 'file')
        .map(({ name }) => ({ name, checksum: fileChecksum(name) })),
      dirs: sorted
        .filter(({ what }) => what !== 'file')
        .map(({ name, what }) => ({ name, tree: what as Checksum, meta })),
    });
  }

  commit(rootTree: Checksum, fields: Partial<Commit> = {}): Checksum {
    const commit: Commit = {
      metadata: new Map(),
      parent: undefined,
      related: [],
      subject: '' as ByteString,
      body: '' as ByteString,
      timestamp: 0,
      rootTree,
      rootMeta: this.meta,
      ...fields,
    };
    return this.#add('commit', serializeCommit(commit));
  }

  #add(type: string, bytes: Buffer): Checksum {
    const checksum = metadataChecksum(bytes);
    this.files.write(`/repo/objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.${type}`, bytes);
    return checksum;
  }
}

/** The checksum {@link MemoryRepository.folder} gives a file of this name; there is no such object. */
export const fileChecksum = (name: ByteString): Checksum => metadataChecksum(Buffer.from(name, 'latin1'));
