/** What is kept of objects between runs is given back as it was, or not at all. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { type Checksum, nativeEngine } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { ContentTable, writeDigest } from '../../src/repository/content-table.ts';
import { initRepository } from '../../src/repository/init.ts';
import {
  countGone,
  pruneObjectInfo,
  readObjectInfo,
  writeObjectInfo,
} from '../../src/repository/object-info.ts';
import { Repository } from '../../src/repository/repository.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

const checksum = (n: number): Checksum =>
  nativeEngine.sha256(Buffer.from(`${n}`)).toString('hex') as Checksum;
const COUNT = 3000;

function makeTable(): { table: ContentTable; rows: Uint32Array } {
  const table = new ContentTable();
  for (let n = 0; n < COUNT; n++) {
    const isLink = n % 10 === 0;
    const row = table.add(checksum(n));
    table.setInfo(row, {
      uid: n,
      gid: 2 ** 32 - 1 - n,
      mode: isLink ? 0o120777 : 0o100644,
      size: isLink ? 0 : n * 2 ** 22,
      target: (isLink ? `to \xff${n}"` : '') as ByteString,
      xattrs: n % 3 === 0 ? [] : [['user.a', `\0\xff${n % 7}`] as [ByteString, ByteString]],
    });
    if (!isLink) writeDigest(table.columns, row, nativeEngine.sha256(Buffer.from(`d${n}`)), 0);
  }
  return { table, rows: Uint32Array.from({ length: COUNT }, (_, row) => row) };
}

const contents = (table: ContentTable | undefined) =>
  table &&
  Array.from({ length: table.count }, (_, row) => {
    const digest = table.digest(row);
    return [table.checksum(row), table.info(row), digest && Buffer.from(digest).toString('hex')];
  });

describe('what is known of objects', () => {
  const work = new Sandbox();
  let repository: Repository;
  let file: string;
  const { table, rows } = makeTable();

  before(() => {
    const path = work.join('repo');
    initRepository(path, 'bare-user-only', linuxSystem);
    repository = Repository.open(path, linuxSystem);
    mkdirSync(`${path}/extensions/sealtree`, { recursive: true });
    file = `${path}/extensions/sealtree/object-info`;
  });
  beforeEach(() => {
    rmSync(file, { force: true });
    writeObjectInfo(repository, table, [rows]);
  });
  after(() => work.dispose());

  it('is read as it was written, for its owner alone', () => {
    assert.equal(statSync(file).mode & 0o7777, 0o600);
    const read = readObjectInfo(repository);
    assert.deepEqual(contents(read), contents(table));
    for (let n = 0; n < COUNT; n += 100) assert.equal(read?.row(checksum(n)), n);
    assert.equal(read?.row(checksum(COUNT)), -1);
  });

  it('answers for the objects once it is believed', () => {
    const own = Repository.open(repository.path, linuxSystem);
    assert.throws(() => own.content(checksum(1)), { code: 'not-found' });
    own.believe(table);
    assert.deepEqual(own.content(checksum(1)), table.info(1));
    assert.equal(own.attributes(checksum(10)).target, table.info(10)?.target);
  });

  it('is not believed with one bit changed, anywhere', () => {
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 200)) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      writeFileSync(file, bytes);
      assert.equal(readObjectInfo(repository), undefined, `byte ${at}`);
    }
  });

  it('is not believed cut short or empty', () => {
    const whole = readFileSync(file);
    for (const length of [0, 31, 60, whole.length >> 1, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      assert.equal(readObjectInfo(repository), undefined, `${length} bytes`);
    }
  });

  it('is not believed where others could have written it, nor through a link', () => {
    for (const mode of [0o602, 0o620, 0o604]) {
      chmodSync(file, mode);
      assert.equal(readObjectInfo(repository), undefined);
    }
    const other = work.join('other');
    writeFileSync(other, readFileSync(file), { mode: 0o600 });
    rmSync(file);
    symlinkSync(other, file);
    assert.equal(readObjectInfo(repository), undefined);
  });

  it('is not that of a repository of another mode', () => {
    const path = work.join('archive');
    initRepository(path, 'archive', linuxSystem);
    mkdirSync(`${path}/extensions/sealtree`, { recursive: true });
    writeFileSync(`${path}/extensions/sealtree/object-info`, readFileSync(file), { mode: 0o600 });
    assert.equal(readObjectInfo(Repository.open(path, linuxSystem)), undefined);
  });

  it('is not that of the same repository when it had no xattrs', () => {
    const path = work.join('bare-user');
    initRepository(path, 'bare-user', linuxSystem);
    mkdirSync(`${path}/extensions/sealtree`, { recursive: true });
    const config = readFileSync(`${path}/config`, 'utf8');
    writeFileSync(`${path}/config`, `${config}\n[core]\ndisable-xattrs=true\n`);
    const without = Repository.open(path, linuxSystem);
    writeObjectInfo(without, table, [rows]);
    assert.equal(readObjectInfo(without)?.count, COUNT);
    writeFileSync(`${path}/config`, config);
    assert.equal(readObjectInfo(Repository.open(path, linuxSystem)), undefined);
  });

  for (const seesTrustedXattrs of [true, false])
    it(`is of a bare repository ${seesTrustedXattrs ? '' : 'not '}kept by who is ${seesTrustedXattrs ? '' : 'not '}shown all xattrs`, () => {
      const path = work.join(`bare-${seesTrustedXattrs}`);
      initRepository(path, 'bare', linuxSystem);
      mkdirSync(`${path}/extensions/sealtree`, { recursive: true });
      const bare = Repository.open(path, { ...linuxSystem, seesTrustedXattrs: () => seesTrustedXattrs });
      writeObjectInfo(bare, table, [rows]);
      assert.equal(existsSync(`${path}/extensions/sealtree/object-info`), seesTrustedXattrs);
      assert.equal(readObjectInfo(bare)?.count, seesTrustedXattrs ? COUNT : undefined);
    });

  it('loses what nobody needs and what is gone, once that is most of it', () => {
    const few = rows.subarray(0, 1000);
    writeObjectInfo(repository, table, [few, few]);
    assert.deepEqual(contents(readObjectInfo(repository)), contents(table)?.slice(0, 1000));
    writeObjectInfo(repository, table, [rows.subarray(0, 1500)]);
    assert.equal(readObjectInfo(repository)?.count, COUNT);
  });

  it('loses what is gone when it is pruned, and only that', () => {
    const there = [1, 2, COUNT - 1].map(checksum);
    for (const one of there) {
      const path = repository.objectPath(one, 'file');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, '');
    }
    assert.equal(countGone(repository), COUNT - there.length);
    pruneObjectInfo(repository);
    const left = readObjectInfo(repository);
    assert.equal(left?.count, there.length);
    for (const one of there) assert.deepEqual(left?.info(left.row(one)), table.info(table.row(one)));
    const before = statSync(file).ino;
    assert.equal(countGone(repository), 0);
    pruneObjectInfo(repository);
    assert.equal(statSync(file).ino, before);
    for (const one of there) rmSync(repository.objectPath(one, 'file'));
  });

  it('stays as it was when the new file cannot be written, and a killed run is made good', () => {
    for (let at = 0; at < 3; at++) {
      const faulty = Repository.open(
        repository.path,
        faultSystem(linuxSystem, { kind: 'fail', at, errno: 'ENOSPC' }),
      );
      writeObjectInfo(faulty, table, [rows.subarray(0, 10)]);
      assert.equal(readObjectInfo(repository)?.count, COUNT);
    }
    writeObjectInfo(repository, table, [rows.subarray(0, 10)]);
    assert.equal(readObjectInfo(repository)?.count, 10);
  });
});
