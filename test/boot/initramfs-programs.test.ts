import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError, NotFoundError, OperationError } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { firstFiles } from '../../src/boot/initramfs/first-files.ts';
import {
  loadingOrder,
  moduleName,
  parseDependencies,
  readModules,
} from '../../src/boot/initramfs/modules.ts';
import { programFiles } from '../../src/boot/initramfs/programs.ts';
import { TreeRoot } from '../../src/boot/initramfs/tree-root.ts';
import { type ElfParts, makeElf } from '../support/elf.ts';
import { Sandbox } from '../support/sandbox.ts';

const bytes = (text: string) => text as ByteString;
const LOADER = '/lib64/ld-linux-x86-64.so.2';

/** A tree by its files; a text that begins with `->` is a symlink. */
function makeTree(work: Sandbox, files: Readonly<Record<string, string | Buffer | ElfParts>>): TreeRoot {
  for (const [name, content] of Object.entries(files)) {
    if (typeof content === 'string' && content.startsWith('-> ')) {
      work.mkdir('tree', ...name.split('/').slice(0, -1));
      symlinkSync(content.slice(3), work.join('tree', name));
    } else {
      const isParts = typeof content !== 'string' && !Buffer.isBuffer(content);
      work.write(`tree/${name}`, isParts ? makeElf(content) : content);
    }
  }
  return new TreeRoot(work.join('tree'), linuxSystem);
}

/** As Debian lays it out. */
const DEBIAN = {
  bin: '-> usr/bin',
  lib: '-> usr/lib',
  lib64: '-> usr/lib64',
  'usr/lib64/ld-linux-x86-64.so.2': '-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2': {},
  'usr/lib/x86_64-linux-gnu/libc.so.6': { interpreter: LOADER, needed: ['ld-linux-x86-64.so.2'] },
  'usr/lib/x86_64-linux-gnu/libone.so.1': '-> libone.so.1.2.3',
  'usr/lib/x86_64-linux-gnu/libone.so.1.2.3': { needed: ['libc.so.6'] },
};

const named = (program: string, root: TreeRoot) => {
  const files = programFiles(bytes(program), root) ?? assert.fail('it is there');
  return files.libraries.map(({ name, path }) => `${name} = ${path}`);
};

describe('trees with a root of their own', () => {
  it('follow links inside the root alone', () => {
    using work = new Sandbox();
    work.write('outside', 'secret');
    const root = makeTree(work, {
      'a/file': 'file',
      'a/absolute': '-> /a/file',
      'a/up': '-> ../../../../../a/file',
      'a/outside': `-> ${work.join('outside')}`,
      'a/out': '-> ../../outside',
      'a/loop': '-> loop',
      'a/ring': '-> /b/ring',
      'b/ring': '-> ../a/ring',
      'a/dangling': '-> nowhere',
      c: '-> a',
    });
    for (const [path, expected] of [
      ['a/file', 'a/file'],
      ['/a//./file', 'a/file'],
      ['c/absolute', 'a/file'],
      ['a/up', 'a/file'],
      ['../../a/file', 'a/file'],
      ['a/outside', undefined],
      ['a/out', undefined],
      ['a/loop', undefined],
      ['a/ring', undefined],
      ['a/dangling', undefined],
      ['a/file/more', undefined],
      ['nowhere/../a/file', undefined],
      ['', ''],
    ] as const)
      assert.equal(root.resolve(bytes(path)), expected, path);
    assert.equal(root.readFile(bytes('a/outside')), undefined);
    assert.equal(root.readFile(bytes('a')), undefined, 'a folder is no file');
    assert.deepEqual(root.readdir(bytes('c')).length, 8);
    assert.deepEqual(root.readdir(bytes('a/file')), []);
  });

  it('are bytes, as names on disk are', () => {
    using work = new Sandbox();
    const root = makeTree(work, { é: 'text' });
    assert.equal(root.readFile(bytes('\xc3\xa9'))?.toString(), 'text');
  });
});

describe('what programs need', () => {
  it('is found where the loader lies, with what libraries need', () => {
    using work = new Sandbox();
    const root = makeTree(work, {
      ...DEBIAN,
      'usr/bin/tool': { interpreter: LOADER, needed: ['libone.so.1'] },
    });
    const files = programFiles(bytes('bin/tool'), root);
    assert.equal(files?.path, 'usr/bin/tool');
    assert.equal(files?.loader, 'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2');
    assert.deepEqual(named('bin/tool', root), [
      'libone.so.1 = usr/lib/x86_64-linux-gnu/libone.so.1.2.3',
      'libc.so.6 = usr/lib/x86_64-linux-gnu/libc.so.6',
      'ld-linux-x86-64.so.2 = usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    ]);
  });

  it('is found by DT_RUNPATH, which counts for the one that has it alone', () => {
    using work = new Sandbox();
    const tree = {
      ...DEBIAN,
      'usr/lib/app/tool': { interpreter: LOADER, needed: ['libinner.so'], runpath: '$ORIGIN/lib' },
      'usr/lib/app/lib/libinner.so': { needed: ['libdeep.so'] },
      'usr/lib/app/lib/libdeep.so': {},
    };
    const root = makeTree(work, tree);
    assert.throws(() => named('usr/lib/app/tool', root), /libinner\.so: it needs libdeep\.so/);
    work.write(
      'tree/usr/lib/app/lib/libinner.so',
      makeElf({ needed: ['libdeep.so'], runpath: '$'.concat('{ORIGIN}') }),
    );
    assert.deepEqual(named('usr/lib/app/tool', root), [
      'libinner.so = usr/lib/app/lib/libinner.so',
      'libdeep.so = usr/lib/app/lib/libdeep.so',
    ]);
  });

  it('is found by DT_RPATH, which counts for libraries too, unless there is a DT_RUNPATH', () => {
    using work = new Sandbox();
    const root = makeTree(work, {
      ...DEBIAN,
      'opt/tool': { interpreter: LOADER, needed: ['libinner.so'], rpath: '/opt/lib' },
      'opt/lib/libinner.so': { needed: ['libdeep.so'] },
      'opt/lib/libdeep.so': {},
      'opt/both': { interpreter: LOADER, needed: ['libdeep.so'], rpath: '/opt/lib', runpath: '/nowhere' },
    });
    assert.deepEqual(named('opt/tool', root), [
      'libinner.so = opt/lib/libinner.so',
      'libdeep.so = opt/lib/libdeep.so',
    ]);
    assert.throws(() => named('opt/both', root), OperationError);
  });

  it('is found by ld.so.conf and what that includes', () => {
    using work = new Sandbox();
    const root = makeTree(work, {
      ...DEBIAN,
      'usr/etc/ld.so.conf': '# comment\ninclude /etc/ld.so.conf.d/*.conf\n',
      'usr/etc/ld.so.conf.d/local.conf': '/usr/local/special # here\n',
      'usr/etc/ld.so.conf.d/ignored.txt': '/nowhere\n',
      'usr/local/special/libfar.so': {},
      'usr/bin/tool': { interpreter: LOADER, needed: ['libfar.so'] },
    });
    assert.deepEqual(named('usr/bin/tool', root), ['libfar.so = usr/local/special/libfar.so']);
  });

  it('is not found in libraries for another machine', () => {
    using work = new Sandbox();
    const root = makeTree(work, {
      ...DEBIAN,
      'usr/bin/tool': { interpreter: LOADER, needed: ['libone.so'], runpath: '/a:/b:/c' },
      'a/libone.so': { machine: 183 },
      'b/libone.so': { bits: 32 },
      'c/libone.so': {},
    });
    assert.deepEqual(named('usr/bin/tool', root), ['libone.so = c/libone.so']);
  });

  it('is nothing for static programs and scripts, and no program is there without a file', () => {
    using work = new Sandbox();
    const root = makeTree(work, { static: { isStatic: true }, script: '#!/bin/sh\n', 'folder/x': '' });
    for (const name of ['static', 'script'])
      assert.deepEqual(programFiles(bytes(name), root), { path: name, loader: undefined, libraries: [] });
    assert.equal(programFiles(bytes('folder'), root), undefined);
    assert.equal(programFiles(bytes('nothing'), root), undefined);
  });

  it('is an error where the loader or a library is missing or damaged', () => {
    using work = new Sandbox();
    const root = makeTree(work, {
      ...DEBIAN,
      loaderless: { interpreter: '/lib/nothing' },
      lacking: { interpreter: LOADER, needed: ['libnone.so'] },
      damaged: { interpreter: LOADER, needed: ['libdamaged.so'] },
      'usr/lib/libdamaged.so': makeElf({ needed: ['a'] }).subarray(0, 100),
    });
    assert.throws(() => programFiles(bytes('loaderless'), root), OperationError);
    assert.throws(() => programFiles(bytes('lacking'), root), /lacking: it needs libnone\.so/);
    assert.throws(() => programFiles(bytes('damaged'), root), FormatError);
  });
});

describe('the files that user space needs first', () => {
  const SYSTEM = {
    ...DEBIAN,
    sbin: '-> usr/sbin',
    'usr/sbin/init': '-> ../lib/systemd/systemd',
    'usr/lib/systemd/systemd': {
      interpreter: LOADER,
      needed: ['libsystemd-core-257.so', 'libc.so.6'],
      runpath: '/usr/lib/systemd-private',
    },
    'usr/lib/systemd-private/libsystemd-core-257.so': { needed: ['libone.so.1'] },
    'usr/lib/systemd/systemd-executor': { interpreter: LOADER, needed: ['libc.so.6'] },
    'usr/bin/other': {},
  };

  it('are init, what it needs, and systemd-executor, by real paths', () => {
    using work = new Sandbox();
    makeTree(work, SYSTEM);
    assert.deepEqual(firstFiles([work.join('tree')], linuxSystem), [
      'usr/lib/systemd-private/libsystemd-core-257.so',
      'usr/lib/systemd/systemd',
      'usr/lib/systemd/systemd-executor',
      'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
      'usr/lib/x86_64-linux-gnu/libc.so.6',
      'usr/lib/x86_64-linux-gnu/libone.so.1.2.3',
    ]);
  });

  it('are also the libraries for newer processors, which the loader would take', () => {
    using work = new Sandbox();
    const variant = 'usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3';
    makeTree(work, {
      ...SYSTEM,
      [`${variant}/libone.so.1`]: '-> libone.so.1.9',
      [`${variant}/libone.so.1.9`]: {},
      [`${variant}/libother.so.1`]: {},
    });
    const found = firstFiles([work.join('tree')], linuxSystem).filter((path) => path.includes('hwcaps'));
    assert.deepEqual(found, [`${variant}/libone.so.1.9`]);
  });

  it('are those of all deployments, each once', () => {
    using first = new Sandbox();
    using second = new Sandbox();
    makeTree(first, SYSTEM);
    makeTree(second, { ...DEBIAN, 'etc/init': '#!/bin/sh\n', 'bin-is-not-asked': '' });
    const both = firstFiles([first.join('tree'), second.join('tree')], linuxSystem);
    assert.deepEqual(both, [...firstFiles([first.join('tree')], linuxSystem), 'etc/init'].sort());
  });
});

describe('kernel modules', () => {
  const DEP = [
    'kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz kernel/lib/lz4/lz4_decompress.ko.xz kernel/lib/base.ko',
    'kernel/lib/libcrc32c.ko.xz:',
    'kernel/lib/lz4/lz4_decompress.ko.xz: kernel/lib/base.ko',
    'kernel/lib/base.ko:',
    'kernel/fs/overlayfs/overlay.ko.xz:',
    'kernel/net/xt-with_both.ko.zst: kernel/lib/absent.ko',
  ].join('\n');

  const tree = (work: Sandbox): TreeRoot =>
    makeTree(work, {
      'usr/lib/modules/6.1/modules.dep': `${DEP}\n`,
      'usr/lib/modules/6.1/modules.builtin': 'kernel/drivers/block/loop.ko\nkernel/fs/ext4/ext4.ko\n',
    });

  it('are put in loading order, each once, without what is built in', () => {
    using work = new Sandbox();
    const { modules, missing } = loadingOrder(['loop', 'overlay', 'erofs'], readModules(tree(work), '6.1'));
    assert.deepEqual(
      modules.map(({ name }) => name),
      ['overlay', 'base', 'lz4_decompress', 'libcrc32c', 'erofs'],
    );
    assert.deepEqual(missing, []);
  });

  it('are missing by name, also those that others need', () => {
    using work = new Sandbox();
    const { missing } = loadingOrder(['nothing', 'xt_with_both'], readModules(tree(work), '6.1'));
    assert.deepEqual(missing, ['nothing', 'absent']);
  });

  it('have to be there for the kernel', () => {
    using work = new Sandbox();
    assert.throws(() => readModules(tree(work), '6.2'), NotFoundError);
    assert.throws(() => parseDependencies(Buffer.from('a.ko: b.ko\nno module\n'), 'modules.dep'), /line 2/);
  });

  for (const [file, name] of [
    ['kernel/fs/erofs/erofs.ko', 'erofs'],
    ['kernel/a-b_c.ko.zst', 'a_b_c'],
    ['x.ko.gz', 'x'],
  ] as const) {
    it(`calls ${file} ${name}`, () => assert.equal(moduleName(file), name));
  }
});
