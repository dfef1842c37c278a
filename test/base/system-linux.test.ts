import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ByteString } from '../../src/base/bytes.ts';
import { IoError } from '../../src/base/errors.ts';
import { O_CLOEXEC } from '../../src/base/libc.ts';
import { linuxSystem as system } from '../../src/base/system-linux.ts';
import { Sandbox } from '../support/sandbox.ts';

const bytes = (text: string): ByteString => text as ByteString;

const failsWith = (errno: string) => (error: unknown) => error instanceof IoError && error.errno === errno;

/** Where a file is needed on a file system with user xattrs, inode flags and mountinfo of its own. */
const hasUserXattrs = (path: string): boolean => {
  try {
    system.setxattr(path, bytes('user.probe'), bytes(''));
    system.removexattr(path, bytes('user.probe'));
    return true;
  } catch (error) {
    if (failsWith('EOPNOTSUPP')(error)) return false;
    throw error;
  }
};

test('xattrs are bytes, sorted, and of the file itself', (t) => {
  using work = new Sandbox();
  const path = work.write('fílé', '');
  if (!hasUserXattrs(path)) return t.skip('this file system has no user xattrs');
  assert.deepEqual(system.listxattr(path), []);
  const value = bytes(String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i)));
  system.setxattr(path, bytes('user.b'), value);
  system.setxattr(Buffer.from(path), bytes('user.\xff\x01'), bytes(''));
  system.setxattr(path, bytes('user.a'), bytes('1'));
  system.setxattr(path, bytes('user.a'), bytes('2'));
  assert.deepEqual(system.listxattr(path), ['user.a', 'user.b', 'user.\xff\x01']);
  assert.deepEqual(system.listxattr(Buffer.from(path)), ['user.a', 'user.b', 'user.\xff\x01']);
  assert.equal(system.getxattr(path, bytes('user.b')), value);
  assert.equal(system.getxattr(path, bytes('user.\xff\x01')), '');
  assert.equal(system.getxattr(path, bytes('user.a')), '2');
  assert.equal(system.getxattr(path, bytes('user.none')), undefined);
  system.removexattr(path, bytes('user.a'));
  assert.deepEqual(system.listxattr(path), ['user.b', 'user.\xff\x01']);
  assert.throws(() => system.removexattr(path, bytes('user.a')), failsWith('ENODATA'));

  symlinkSync('fílé', work.join('link'));
  assert.deepEqual(system.listxattr(work.join('link')), []);
});

test('what is written in many pieces is there in order', () => {
  using work = new Sandbox();
  const path = work.join('large');
  const large = Buffer.from(Uint32Array.from({ length: 500_001 }, (_, i) => i).buffer).subarray(1);
  const fd = system.create(path, 0o600);
  system.write(fd, Buffer.from('begin'));
  system.write(fd, large);
  system.write(fd, Buffer.from('end'));
  system.close(fd);
  assert(readFileSync(path).equals(Buffer.concat([Buffer.from('begin'), large, Buffer.from('end')])));
});

test('a large xattr comes back whole', (t) => {
  using work = new Sandbox();
  const path = work.write('file', '');
  if (!hasUserXattrs(path)) return t.skip('this file system has no user xattrs');
  const value = bytes('x'.repeat(3000));
  system.setxattr(path, bytes('user.large'), value);
  assert.equal(system.getxattr(path, bytes('user.large')), value);
});

test('only regular files of a bearable size are read whole', () => {
  using work = new Sandbox();
  spawnSync('mkfifo', [work.join('fifo')]);
  symlinkSync('/dev/zero', work.join('endless'));
  spawnSync('truncate', ['--size=3G', work.write('huge', '')]);
  assert.throws(() => system.readFile(work.join('fifo')), failsWith('EINVAL'));
  assert.throws(() => system.readFile(work.join('endless')), failsWith('EINVAL'));
  assert.throws(() => system.readFile(work.join('huge')), failsWith('EFBIG'));
  assert.throws(() => system.readFile(work.path), failsWith('EISDIR'));
  // Without a length of their own, but regular.
  assert.match(system.readFile('/proc/self/mountinfo').toString('latin1'), / - /);
});

test('failures name the path, the operation and the errno', () => {
  using work = new Sandbox();
  const missing = work.join('missing');
  for (const call of [
    () => system.lstat(missing),
    () => system.stat(missing),
    () => system.readFile(missing),
    () => system.openRead(missing),
    () => system.readdir(missing),
    () => system.readlink(missing),
    () => system.statfs(missing),
    () => system.listxattr(missing),
    () => system.getxattr(missing, bytes('user.a')),
    () => system.isImmutable(missing),
    () => system.unlink(missing),
    () => system.rename(missing, work.join('other')),
    () => system.fsyncDirectory(missing),
    () => system.syncfs(missing),
    () => system.checkpoint(missing),
  ]) {
    assert.throws(call, (error: unknown) => failsWith('ENOENT')(error) && String(error).includes(missing));
  }
  const fd = system.openRead(work.write('read only', ''));
  assert.throws(
    () => system.write(fd, Buffer.from('x')),
    (error: unknown) => failsWith('EBADF')(error) && String(error).includes('read only'),
  );
  system.close(fd);
});

test('a NUL byte in a path ends in EINVAL, never in a shorter path', () => {
  using work = new Sandbox();
  work.write('file', '');
  for (const path of [work.join('file\0more'), Buffer.from(work.join('file\0more'))]) {
    assert.throws(() => system.lstat(path), failsWith('EINVAL'));
    assert.throws(() => system.listxattr(path), failsWith('EINVAL'));
    assert.throws(() => system.getxattr(path, bytes('user.a')), failsWith('EINVAL'));
  }
});

test('a file is opened unless the path names a symlink or nothing', () => {
  using work = new Sandbox();
  const path = work.write('file', 'x');
  const link = work.join('link');
  symlinkSync('file', link);
  const fd = system.openUnlessLink(path);
  assert.ok(fd !== undefined);
  const bytes = Buffer.alloc(2);
  assert.equal(system.read(fd, bytes, 0), 1);
  assert.throws(() => system.write(fd, bytes), failsWith('EBADF'));
  system.close(fd);
  assert.equal(system.openUnlessLink(link), undefined);
  assert.equal(system.openUnlessLink(work.join('missing')), undefined);
  assert.throws(() => system.openUnlessLink(`${path}/below`), failsWith('ENOTDIR'));
  assert.throws(() => system.openUnlessLink(`${path}\0`), failsWith('EINVAL'));
});

test('what is opened waits for no writer of a FIFO, and is not handed to other programs', () => {
  using work = new Sandbox();
  const path = work.write('file', '');
  for (const fd of [system.openRead(path), system.openUnlessLink(path)]) {
    assert.ok(fd !== undefined);
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    const flags = Number.parseInt(/^flags:\s+([0-7]+)$/m.exec(info)?.[1] ?? '', 8);
    const wanted = constants.O_NONBLOCK | O_CLOEXEC;
    assert.equal(flags & wanted, wanted);
    system.close(fd);
  }
});

test('a file is renamed only where nothing has the name, and is gone from the old one in any case', () => {
  using work = new Sandbox();
  const [from, to] = [work.join('from'), work.join('fólder')];
  writeFileSync(from, 'first');
  system.renameIfAbsent(from, to);
  writeFileSync(from, 'second');
  system.renameIfAbsent(from, Buffer.from(to));
  assert.equal(readFileSync(to, 'utf8'), 'first');
  assert.equal(system.lstatIfExists(from), undefined);
  assert.throws(() => system.renameIfAbsent(from, work.join('other')), { code: 'io', errno: 'ENOENT' });
});

test('names and link targets are bytes', () => {
  using work = new Sandbox();
  const name = Buffer.concat([Buffer.from(`${work.path}/`), Buffer.from([0xff, 0x41])]);
  system.symlink(bytes('\xfe\x42'), name);
  assert.deepEqual(system.readdir(work.path), ['\xffA']);
  assert.equal(system.readlink(name), '\xfeB');
});

test('what does not exist is undefined for lstatIfExists, also below a file', () => {
  using work = new Sandbox();
  const file = work.write('file', 'x');
  assert.equal(system.lstatIfExists(work.join('missing')), undefined);
  assert.equal(system.lstatIfExists(`${file}/below`), undefined);
  assert.equal(system.lstatIfExists(file)?.size, 1);
});

test('reading fills the buffer as far as the file goes', () => {
  using work = new Sandbox();
  const fd = system.openRead(work.write('file', '0123456789'));
  const buffer = Buffer.alloc(8);
  assert.equal(system.read(fd, buffer, null), 8);
  assert.equal(system.read(fd, buffer, null), 2);
  assert.equal(system.read(fd, buffer, null), 0);
  assert.equal(system.read(fd, buffer, 4), 6);
  assert.equal(buffer.toString('latin1', 0, 6), '456789');
  system.close(fd);
  symlinkSync('file', work.join('link'));
  assert.throws(() => system.openRead(work.join('link'), { noFollow: true }), failsWith('ELOOP'));
});

test('a created file must be new, and is written whole', () => {
  using work = new Sandbox();
  const fd = system.create(work.join('new'), 0o600);
  const content = Buffer.alloc(3_000_000, 'abc');
  system.write(fd, content);
  system.fchmod(fd, 0o640);
  system.fsync(fd);
  system.close(fd);
  system.fsyncDirectory(work.path);
  assert.deepEqual(readFileSync(work.join('new')), content);
  assert.equal(system.lstat(work.join('new')).mode & 0o7777, 0o640);
  assert.throws(() => system.create(work.join('new'), 0o600), failsWith('EEXIST'));
});

test('the file system of a path is the one the kernel says', () => {
  const proc = system.statfs('/proc/self/status');
  assert.equal(proc.type, 'proc');
  assert.equal(proc.mountPoint, '/proc');
  using work = new Sandbox();
  const facts = system.statfs(work.path);
  assert.ok(facts.blockSize > 0 && facts.availableBytes > 0);
  assert.equal(facts.readOnly, false);
});

test('fs-verity of a file without it is disabled or unknown, and proc has no inode flags', () => {
  using work = new Sandbox();
  const fd = system.openRead(work.write('file', 'x'));
  assert.ok(['disabled', 'unsupported'].includes(system.measureVerity(fd).state));
  system.close(fd);
  assert.equal(system.isImmutable('/proc'), undefined);
});

test('the immutable flag is set, seen and cleared', (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root may change it');
  using work = new Sandbox();
  const folder = work.mkdir('folder');
  if (system.isImmutable(folder) === undefined) return t.skip('this file system has no such flag');
  assert.equal(system.isImmutable(folder), false);
  system.setImmutable(folder, true);
  try {
    assert.equal(system.isImmutable(folder), true);
    assert.throws(() => mkdirSync(`${folder}/new`), /EPERM/);
  } finally {
    system.setImmutable(folder, false);
  }
  assert.equal(system.isImmutable(folder), false);
});

test('without the koffi module everything Node can do works, and the rest says what is lost', () => {
  using work = new Sandbox();
  const path = work.write('file', 'x');
  const preload = work.write(
    'without-koffi.cjs',
    `const Module = require('node:module');
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (name.includes('koffi')) throw new Error('no koffi here');
      return resolve(name, ...rest);
    };`,
  );
  const url = new URL('../../src/base/system-linux.ts', import.meta.url).href;
  const script = work.write(
    'script.mjs',
    `import { linuxSystem as system } from ${JSON.stringify(url)};
    const path = ${JSON.stringify(path)};
    const lost = (call) => { try { call(); return 'nothing'; } catch (error) { return error.code + ': ' + error.message; } };
    const fd = system.openRead(path);
    console.log(JSON.stringify({
      read: system.readFile(path).toString(),
      opened: typeof system.openUnlessLink(path),
      missing: system.openUnlessLink(path + '-missing') ?? null,
      type: typeof system.statfs(path).type,
      verity: system.measureVerity(fd),
      immutable: system.isImmutable(path) ?? null,
      xattrs: lost(() => system.listxattr(path)),
      syncfs: lost(() => system.syncfs(path)),
      lock: await system.lock(path, { exclusive: true }, 0).catch((error) => error.code + ': ' + error.message),
    }));`,
  );
  const child = spawnSync(process.execPath, ['--require', preload, script], { encoding: 'utf8' });
  assert.equal(child.stderr, '');
  assert.deepEqual(JSON.parse(child.stdout), {
    read: 'x',
    opened: 'number',
    missing: null,
    type: 'string',
    verity: { state: 'unsupported', errno: 'ENOSYS' },
    immutable: null,
    xattrs: 'unsupported: cannot read extended attributes: the koffi module cannot be loaded',
    syncfs: 'unsupported: cannot flush a file system: the koffi module cannot be loaded',
    lock: `unsupported: cannot lock ${path}: the koffi module cannot be loaded`,
  });
});

test('koffi is not loaded before a call needs it', () => {
  const url = fileURLToPath(new URL('../../src/base/system-linux.ts', import.meta.url));
  const script = `
    const { linuxSystem } = await import(${JSON.stringify(url)});
    linuxSystem.lstat('/'); linuxSystem.readdir('/'); linuxSystem.statfs('/');
    const loaded = () => Object.keys(process.getBuiltinModule('node:module')._cache).some((file) => file.includes('koffi'));
    const before = loaded();
    linuxSystem.listxattr('/');
    console.log(before, loaded());`;
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  assert.equal(child.stdout, 'false true\n', child.stderr);
});

test('writing to what is not there is refused', () => {
  using work = new Sandbox();
  assert.throws(() => system.openWrite(work.join('missing')), failsWith('ENOENT'));
  writeFileSync(work.join('file'), 'old');
  const fd = system.openWrite(work.join('file'));
  system.write(fd, Buffer.from('n'));
  system.ftruncate(fd, 2);
  system.close(fd);
  assert.equal(readFileSync(work.join('file'), 'utf8'), 'nl');
});
