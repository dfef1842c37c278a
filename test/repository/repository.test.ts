/** Every mode of repository, as ostree 2026.4 wrote it (test/fixtures/make-repositories.sh). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { type ByteString, bytesToText, textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { ConfigError, FormatError, IoError, NotFoundError, PermissionError } from '../../src/base/errors.ts';
import type { Path } from '../../src/base/system.ts';
import { contentChecksum, filezHeader } from '../../src/formats/objects.ts';
import { walkHistory } from '../../src/repository/commits.ts';
import { Repository } from '../../src/repository/repository.ts';
import { signaturesIn } from '../../src/repository/signatures.ts';
import { rootOf, walk } from '../../src/repository/tree.ts';
import { ArchivedFiles } from '../support/archived-system.ts';

const MODES = ['bare', 'bare-user', 'bare-user-only', 'archive', 'bare-split-xattrs'] as const;

function open(mode: string): { repository: Repository; archive: ArchivedFiles } {
  const archive = ArchivedFiles.repository(mode);
  return { repository: Repository.open(`/${mode}`, archive.system()), archive };
}

/** `ostree ls -RC --repo=bare example/stable^^`, without the columns that bare-user-only changes. */
const FIRST = `
d /
d /etc
f /etc/conf one
d /spool
d /usr
d /usr/bin
l /usr/bin/alias tool
f /usr/bin/tool #!/bin/sh
d /usr/share
f /usr/share/empty
f /usr/share/same-content one
f /usr/share/zeros 100000
d /usr/share/doc
d /usr/share/doc/naïve
f /usr/share/doc/naïve/read me read me
`.trim();

async function contentOf(repository: Repository, checksum: Checksum): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await repository.readContent(checksum, (chunk) => chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

for (const mode of MODES) {
  describe(`a repository of mode ${mode}`, () => {
    const { repository } = open(mode);

    it('is opened', () => assert.equal(repository.mode, mode));

    it('lists the tree of a commit with its contents', async () => {
      const lines: string[] = [];
      for (const node of walk(repository, rootOf(repository, repository.resolve('example/stable^^')))) {
        const path = bytesToText(node.path);
        if (node.kind === 'directory') lines.push(`d ${path}`);
        else {
          const { target, size } = repository.content(node.checksum);
          const content = await contentOf(repository, node.checksum);
          assert.equal(content.length, size);
          const shown = size > 1000 ? String(size) : content.toString('utf8').trim();
          lines.push(`${target === '' ? 'f' : 'l'} ${path} ${target}${shown}`.trimEnd());
        }
      }
      assert.equal(lines.join('\n'), FIRST);
    });

    it('knows owner, mode and xattrs', () => {
      const facts = new Map<string, string>();
      for (const node of walk(repository, rootOf(repository, repository.resolve('example/stable^^')))) {
        const { uid, gid, mode, xattrs } =
          node.kind === 'directory' ? repository.dirmeta(node.meta) : repository.content(node.checksum);
        facts.set(
          bytesToText(node.path),
          `${uid}:${gid} ${mode.toString(8)} ${xattrs.flat().join('=')}`.trim(),
        );
      }
      const plain = mode === 'bare-user-only';
      assert.equal(facts.get('/usr/bin/tool'), plain ? '0:0 100755' : '0:0 104755 user.note=a=b c');
      assert.equal(facts.get('/usr/share/same-content'), plain ? '0:0 100640' : '1000:1001 100640');
      assert.equal(facts.get('/spool'), plain ? '0:0 40755' : '0:0 41777 user.kind=spool');
      assert.equal(facts.get('/usr/bin/alias'), '0:0 120777');
    });

    it('re-hashes every content object to its name', async () => {
      let count = 0;
      for (const { checksum, type } of repository.listObjects()) {
        if (type !== 'file') continue;
        assert.deepEqual(await repository.verifyContent(checksum), { ok: true, actual: checksum });
        count++;
      }
      assert.equal(count, 9);
    });

    it('loads every metadata object it lists', () => {
      for (const { checksum, type } of repository.listObjects()) {
        assert.ok(repository.hasObject(checksum, type));
        if (type === 'commit') repository.commit(checksum);
        else if (type === 'dirtree') repository.dirtree(checksum);
        else if (type === 'dirmeta') repository.dirmeta(checksum);
      }
    });

    it('shows its history', () => {
      const history = [...walkHistory(repository, repository.resolve('example/stable'))];
      assert.deepEqual(
        history.map(({ commit, end }) => [
          bytesToText(commit.subject),
          new Date(commit.timestamp * 1000).toISOString(),
          end,
        ]),
        [
          ['Third', '2024-01-03T12:00:00.000Z', undefined],
          ['Second, naïve', '2024-01-02T12:00:00.000Z', undefined],
          ['First', '2024-01-01T12:00:00.000Z', 'root'],
        ],
      );
      assert.equal(bytesToText(history[2]!.commit.body), 'With a body.\n\nIn two paragraphs.');
      assert.deepEqual(history[2]!.commit.metadata.get('example.numbers'), { type: 'ax', value: [1n, -2n] });
      assert.deepEqual(history[1]!.commit.metadata.get('version'), { type: 's', value: '1.1' });
    });

    it('notices an object that was changed', async () => {
      const { repository, archive } = open(mode);
      for (const type of ['commit', 'dirtree', 'dirmeta', 'file'] as const) {
        const [object] = [...repository.listObjects()].filter((name) => name.type === type);
        assert.ok(object !== undefined);
        const path = repository.objectPath(object.checksum, type);
        const bytes = Buffer.from(archive.files.get(path)!.content);
        archive.write(path, bytes.length === 0 ? 'x' : bytes.fill(bytes[0]! ^ 1, 0, 1));
        const fresh = Repository.open(`/${mode}`, archive.system());
        if (type === 'commit') assert.throws(() => fresh.commit(object.checksum), FormatError);
        else if (type === 'dirtree') assert.throws(() => fresh.dirtree(object.checksum), FormatError);
        else if (type === 'dirmeta') assert.throws(() => fresh.dirmeta(object.checksum), FormatError);
        else if (mode === 'archive') assert.throws(() => fresh.content(object.checksum), FormatError);
        else assert.equal((await fresh.verifyContent(object.checksum)).ok, false);
        archive.write(path, Buffer.from(bytes.length === 0 ? '' : bytes.fill(bytes[0]! ^ 1, 0, 1)));
      }
    });

    it('says which object is missing', () => {
      const none = '0'.repeat(64) as Checksum;
      for (const load of ['commit', 'dirtree', 'dirmeta', 'content', 'commitBytes', 'readContent'] as const)
        assert.throws(
          () =>
            load === 'readContent' ? repository.readContent(none, () => undefined) : repository[load](none),
          (error) => error instanceof NotFoundError && error.details.checksum === none,
        );
      assert.equal(repository.commitIfExists(none), undefined);
      assert.equal(repository.detachedMetadata(none), undefined);
      assert.ok(!repository.hasObject(none, 'file'));
    });
  });
}

describe('the archive fixture', () => {
  const { repository, archive } = open('archive');

  it('has a gpg signature with its key', () => {
    const [signature, ...others] = signaturesIn(
      repository.detachedMetadata(repository.resolve('example/stable')),
    );
    assert.deepEqual(others, []);
    assert.equal(signature?.type, 'gpg');
    assert.match(signature?.keyId ?? '', /^[0-9A-F]{40}$/);
    assert.ok((signature?.createdSec ?? 0) > 1_700_000_000);
    assert.deepEqual(signaturesIn(repository.detachedMetadata(repository.resolve('example/stable^'))), []);
  });

  it('has a partial commit', () => {
    const partial = repository.resolve('example/partial');
    assert.equal(repository.partialState(partial), 'partial');
    assert.ok(repository.isPartial(partial));
    assert.ok(!repository.isPartial(repository.resolve('example/stable')));
    archive.write(`/archive/state/${partial}.commitpartial`, 'f');
    assert.equal(repository.partialState(partial), 'fsck');
  });

  it('ends history where a commit was deleted, and where one is missing', () => {
    const [entry, ...rest] = walkHistory(repository, repository.resolve('example/deleted'));
    assert.deepEqual(rest, []);
    assert.equal(entry?.end, 'deleted');
    assert.ok(entry?.commit.parent !== undefined && repository.hasTombstone(entry.commit.parent));
    archive.files.delete(repository.objectPath(entry.commit.parent, 'tombstone-commit'));
    assert.equal([...walkHistory(repository, entry.checksum)][0]?.end, 'missing');
  });
});

describe('hostile content of an archive', () => {
  const header = { uid: 0, gid: 0, mode: 0o100644, target: '' as ByteString, xattrs: [] };
  const content = Buffer.alloc(6 * 1024 * 1024, 'large enough to be streamed');

  function archiveWith(bytes: Buffer): Promise<Buffer> {
    const { repository, archive } = open('archive');
    const checksum = 'c'.repeat(64) as Checksum;
    archive.write(repository.objectPath(checksum, 'file'), bytes);
    return contentOf(repository, checksum);
  }

  const filez = (size: number, deflated: Buffer): Buffer =>
    Buffer.concat([filezHeader({ header, size }), deflated]);

  for (const [how, data] of [
    ['at once', content.subarray(0, 5000)],
    ['streaming', content],
  ] as const) {
    it(`is inflated ${how}`, async () => {
      assert.ok((await archiveWith(filez(data.length, deflateRawSync(data)))).equals(data));
    });

    const refused: readonly (readonly [why: string, bytes: Buffer])[] = [
      ['larger than its header says', filez(data.length - 1, deflateRawSync(data))],
      ['smaller than its header says', filez(data.length + 1, deflateRawSync(data))],
      ['cut', filez(data.length, deflateRawSync(data).subarray(0, -3))],
      ['missing', filez(data.length, Buffer.alloc(0))],
      ['not deflated', filez(data.length, Buffer.alloc(100, 0xff))],
    ];
    for (const [why, bytes] of refused)
      it(`that is ${why} is refused (${how})`, () =>
        assert.rejects(async () => archiveWith(bytes), FormatError));
  }

  it('cannot be a bomb', async () => {
    const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
    await assert.rejects(async () => archiveWith(filez(1000, bomb)), FormatError);
    await assert.rejects(async () => archiveWith(filez(5 * 1024 * 1024, bomb)), FormatError);
  });

  it('has a header of any length', async () => {
    const xattrs = [['user.large' as ByteString, 'x'.repeat(20_000) as ByteString]] as const;
    const large = { ...header, xattrs };
    const { repository, archive } = open('archive');
    const checksum = contentChecksum(large, Buffer.from('body'));
    archive.write(
      repository.objectPath(checksum, 'file'),
      Buffer.concat([filezHeader({ header: large, size: 4 }), deflateRawSync(Buffer.from('body'))]),
    );
    assert.deepEqual(repository.content(checksum), { ...large, size: 4 });
    assert.deepEqual(await repository.verifyContent(checksum), { ok: true, actual: checksum });
  });

  for (const digits of [
    '',
    '0000',
    '0000001200000000',
    '7fffffff00000000',
    'ffffffff00000000',
    '0000000000000000',
  ])
    it(`with the header ${digits || 'of no bytes'} is refused`, () =>
      assert.rejects(async () => archiveWith(Buffer.from(digits, 'hex')), FormatError));
});

describe('hostile objects of other modes', () => {
  it('bare-user without or with a broken user.ostreemeta', () => {
    const { repository, archive } = open('bare-user');
    const [object] = [...repository.listObjects()].filter(({ type }) => type === 'file');
    const path = repository.objectPath(object!.checksum, 'file');
    const file = archive.files.get(path)!;
    const name = textToBytes('user.ostreemeta');
    for (const xattrs of [new Map(), new Map([[name, textToBytes('short')]])]) {
      archive.files.set(path, { ...file, xattrs });
      assert.throws(() => repository.content(object!.checksum), FormatError);
    }
  });

  it('bare-user with link targets no kernel would make', () => {
    const { repository, archive } = open('bare-user');
    const link = [...walk(repository, rootOf(repository, repository.resolve('example/stable^')))].find(
      ({ name }) => name === 'alias',
    );
    assert.ok(link?.kind === 'file');
    const path = repository.objectPath(link.checksum, 'file');
    for (const target of ['', '\0', 'a\0b', 'a\0b\0', `${'x'.repeat(4096)}\0`, 'x'.repeat(5000)]) {
      archive.write(path, target);
      assert.throws(() => repository.content(link.checksum), FormatError, JSON.stringify(target.slice(0, 8)));
    }
    // Readers of ostree never insisted on the final NUL.
    archive.write(path, 'tool');
    assert.equal(repository.content(link.checksum).target, 'tool');
  });

  it('bare-split-xattrs without the link to its xattrs', () => {
    const { repository, archive } = open('bare-split-xattrs');
    const [object] = [...repository.listObjects()].filter(({ type }) => type === 'file');
    archive.files.delete(repository.objectPath(object!.checksum, 'file-xattrs-link'));
    assert.throws(() => repository.content(object!.checksum), FormatError);
  });

  it('a device where a content object should be', () => {
    const { repository, archive } = open('bare');
    const [object] = [...repository.listObjects()].filter(({ type }) => type === 'file');
    const path = repository.objectPath(object!.checksum, 'file');
    archive.files.set(path, { ...archive.files.get(path)!, mode: 0o20644 });
    assert.throws(() => repository.content(object!.checksum), FormatError);
  });
});

describe('what must not be read', () => {
  const refuse = (path: Path): never => {
    throw new IoError('open', String(path), 'EACCES');
  };
  for (const [mode, denied] of [
    ['bare', { listxattr: refuse }],
    ['bare-user', { getxattr: refuse }],
    ['archive', { openRead: refuse }],
  ] as const)
    it(`is told apart from what is missing or broken (${mode})`, () => {
      const { repository, archive } = open(mode);
      const [object] = [...repository.listObjects()].filter(({ type }) => type === 'file');
      const guarded = Repository.open(`/${mode}`, { ...archive.system(), ...denied });
      assert.throws(() => guarded.content(object!.checksum), PermissionError);
    });

  it('is told for metadata, refs and the configuration', () => {
    const { repository, archive } = open('archive');
    const system = archive.system();
    const commit = repository.resolve('example/stable');
    const guarded = Repository.open('/archive', { ...system, openRead: refuse });
    assert.throws(() => guarded.commit(commit), PermissionError);
    const locked = (path: Path): Buffer =>
      String(path).endsWith('config') ? system.readFile(path) : refuse(path);
    assert.throws(
      () => Repository.open('/archive', { ...system, readFile: locked }).listRefs(),
      PermissionError,
    );
    assert.throws(() => Repository.open('/archive', { ...system, readFile: refuse }), PermissionError);
  });
});

describe('configuration', () => {
  function withConfig(config: string): Repository {
    const archive = new ArchivedFiles();
    archive.write('/r/config', config);
    archive.write('/r/objects/.keep', '');
    return Repository.open('/r', archive.system());
  }

  it('defaults to mode bare', () => assert.equal(withConfig('[core]\nrepo_version=1\n').mode, 'bare'));
  it('knows archive-z2', () =>
    assert.equal(withConfig('[core]\nrepo_version=1\nmode=archive-z2\n').mode, 'archive'));

  for (const [why, config] of [
    ['another version', '[core]\nrepo_version=2\n'],
    ['no version', '[core]\nmode=bare\n'],
    ['no core group', ''],
    ['an unknown mode', '[core]\nrepo_version=1\nmode=zip\n'],
    ['the archive format of old', '[core]\nrepo_version=1\narchive=true\n'],
    ['itself as parent', '[core]\nrepo_version=1\nparent=/r\n'],
  ] as const)
    it(`with ${why} is refused`, () => assert.throws(() => withConfig(config), ConfigError));

  it('that is no keyfile is refused', () => assert.throws(() => withConfig('garbage\n'), FormatError));

  it('is missed where there is no repository', () => {
    assert.throws(() => Repository.open('/none', new ArchivedFiles().system()), NotFoundError);
  });

  it('can switch xattrs off', () => {
    const { archive } = open('bare');
    const config = archive.files.get('/bare/config')!.content.toString('utf8');
    archive.write('/bare/config', `${config}disable-xattrs=true\n`);
    const repository = Repository.open('/bare', archive.system());
    for (const { checksum, type } of repository.listObjects())
      if (type === 'file') assert.deepEqual(repository.content(checksum).xattrs, []);
  });
});

describe('a parent repository', () => {
  const child = ArchivedFiles.repository('bare');
  child.write('/child/config', '[core]\nrepo_version=1\nmode=bare-user\nparent=/bare\n');
  child.write('/child/objects/.keep', '');
  const repository = Repository.open('/child', child.system());
  const commit = repository.resolve('example/stable');

  it('resolves refs and short checksums', () => {
    assert.equal(repository.resolve(commit.slice(0, 8)), commit);
    assert.deepEqual(repository.listRefs(), []);
  });

  it('gives its objects', async () => {
    const nodes = [...walk(repository, rootOf(repository, commit))];
    assert.equal(nodes.length, 15);
    for (const node of nodes)
      if (node.kind === 'file') {
        assert.ok((await repository.verifyContent(node.checksum)).ok);
        assert.ok(repository.objectPath(node.checksum, 'file').startsWith('/bare/'));
      }
    assert.ok(repository.hasObject(commit, 'commit'));
    assert.equal(repository.commitBytes(commit).length, repository.parent?.commitBytes(commit).length);
    assert.equal(repository.partialState(commit), 'complete');
  });
});
