import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ByteString } from '../../src/base/bytes.ts';
import { isDirectory, S_IFLNK, S_IFREG } from '../../src/base/mode.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type AdditionRequest, buildAddition } from '../../src/boot/initramfs/addition.ts';
import { decompress } from '../../src/boot/initramfs/decompress.ts';
import { extendInitramfs } from '../../src/boot/initramfs/extended.ts';
import { describeInitramfs, type InitramfsFacts, keepForFacts } from '../../src/boot/initramfs/facts.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import type { InitramfsSettings } from '../../src/boot/initramfs-settings.ts';
import { payloadFile } from '../../src/boot/payload.ts';
import { sealTemplate } from '../../src/boot/template.ts';
import { type CpioFile, readCpio, writeCpio } from '../../src/formats/cpio.ts';
import { makeElf } from '../support/elf.ts';
import { Sandbox } from '../support/sandbox.ts';

const RELEASE = '6.12.9-amd64';
const LOADER = '/lib64/ld-linux-x86-64.so.2';
const SETTINGS: InitramfsSettings = { policy: 'enforce', unpinned: 'refuse', onRefusal: 'reboot' };

type Content = string | Buffer;

/** An archive by its files: `-> ` is a symlink, what lies in a bin is executable. */
function archiveOf(files: Readonly<Record<string, Content>>): Buffer {
  return writeCpio(
    Object.entries(files).map(([name, content]): CpioFile => {
      const isLink = typeof content === 'string' && content.startsWith('-> ');
      return {
        name: name as ByteString,
        mode: isLink ? S_IFLNK | 0o777 : S_IFREG | (/bin\//.test(name) ? 0o755 : 0o644),
        content: Buffer.from(isLink ? content.slice(3) : content),
      };
    }),
  );
}

const factsOf = async (...files: Buffer[]): Promise<InitramfsFacts> => {
  const archives = await Promise.all(
    files.map((bytes, i) => readInitramfs(bytes, `initrd ${i}`, decompress, keepForFacts)),
  );
  return describeInitramfs(archives.flat());
};

const USR_MERGE = { bin: '-> usr/bin', sbin: '-> usr/sbin', lib: '-> usr/lib', lib64: '-> usr/lib64' };
const MOUNT = makeElf({ interpreter: LOADER, needed: ['libmount.so.1', 'libc.so.6'] });
const UNIT = 'sealtree-root.service';

const DRACUT: Readonly<Record<string, Content>> = {
  ...USR_MERGE,
  init: '-> usr/lib/systemd/systemd',
  'usr/lib/systemd/systemd': 'systemd',
  'usr/lib/initrd-release': 'ID=x\n',
  'etc/initrd-release': '-> ../usr/lib/initrd-release',
  'usr/bin/mount': MOUNT,
  'usr/bin/umount': MOUNT,
  'usr/bin/dash': 'dash',
  'usr/bin/sh': '-> dash',
  'usr/bin/cat': 'cat',
  'usr/bin/mkdir': 'mkdir',
  'usr/bin/ln': 'ln',
  'usr/bin/kmod': 'kmod',
  'usr/sbin/insmod': '-> ../bin/kmod',
  'usr/lib/ostree/ostree-prepare-root': makeElf({ interpreter: LOADER, needed: ['libgio-2.0.so.0'] }),
  [`usr/lib/modules/${RELEASE}/kernel/fs/erofs/erofs.ko.xz`]: '',
  [`usr/lib/modules/${RELEASE}/kernel/fs/overlayfs/overlay.ko.xz`]: '',
};

const INITRAMFS_TOOLS: Readonly<Record<string, Content>> = {
  ...USR_MERGE,
  init: '#!/bin/sh\n',
  'conf/initramfs.conf': 'MODULES=most\n',
  'scripts/functions': '',
  'scripts/local': '',
  'scripts/init-bottom/ORDER': '/scripts/init-bottom/udev "$@"\n',
  'usr/bin/busybox': makeElf({ interpreter: LOADER, needed: ['libc.so.6'] }),
  ...Object.fromEntries(
    ['mount', 'umount', 'sh', 'cat', 'mkdir', 'ln', 'insmod'].map((name) => [
      `usr/bin/${name}`,
      '-> busybox',
    ]),
  ),
  [`usr/lib/modules/${RELEASE}/kernel/lib/libcrc32c.ko.xz`]: '',
};

const without = (files: Readonly<Record<string, Content>>, ...names: string[]): Record<string, Content> =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));

describe('facts of an initramfs', () => {
  it('are those of one with systemd', async () => {
    const facts = await factsOf(gzipSync(archiveOf(DRACUT)));
    assert.equal(facts.kind, 'systemd');
    assert.equal(facts.hasUtilLinuxMount, true);
    assert.equal(facts.prepareRoot, 'plain');
    assert.deepEqual([...facts.programs].sort(), 'cat dash insmod kmod ln mkdir mount sh umount'.split(' '));
    assert.deepEqual([...(facts.modules.get(RELEASE) ?? [])].sort(), ['erofs', 'overlay']);
    assert.equal(facts.sealtree, undefined);
  });

  it('are those of initramfs-tools, from several archives', async () => {
    const modules = Object.entries(INITRAMFS_TOOLS).filter(([name]) => name.startsWith('usr/lib/modules/'));
    const rest = Object.entries(INITRAMFS_TOOLS).filter(([name]) => !name.startsWith('usr/lib/modules/'));
    const first = archiveOf(Object.fromEntries(modules));
    const facts = await factsOf(
      Buffer.concat([first, Buffer.alloc(512), gzipSync(archiveOf(Object.fromEntries(rest)))]),
    );
    assert.equal(facts.kind, 'initramfs-tools');
    assert.equal(facts.hasUtilLinuxMount, false);
    assert.equal(facts.prepareRoot, 'none');
    assert.deepEqual([...(facts.modules.get(RELEASE) ?? [])], ['libcrc32c']);
    assert(facts.programs.has('mkdir') && facts.links.has('lib'));
  });

  const OTHERS: readonly (readonly [what: string, files: Record<string, Content>])[] = [
    ['systemd without the file that makes it one', without(DRACUT, 'etc/initrd-release')],
    ['an init of its own', { ...DRACUT, init: '#!/bin/sh\n' }],
    ['no init', without(INITRAMFS_TOOLS, 'init')],
    ['an init that leads nowhere', { ...DRACUT, init: '-> usr/lib/nothing' }],
    ['links in a circle', { init: '-> a', a: '-> init' }],
  ];
  for (const [what, files] of OTHERS) {
    it(`are unknown for ${what}`, async () =>
      assert.equal((await factsOf(archiveOf(files))).kind, 'unknown'));
  }

  it('say what a later archive has replaced', async () => {
    const facts = await factsOf(
      archiveOf(DRACUT),
      archiveOf({ 'usr/bin/mount': '-> busybox', 'usr/bin/busybox': '' }),
    );
    assert.equal(facts.hasUtilLinuxMount, false);
    // A folder in place of the link: nothing is found below it any more.
    assert(!(await factsOf(archiveOf(DRACUT), archiveOf({ 'lib/x': '' }))).links.has('lib'));
  });

  it('tell an ostree-prepare-root that mounts images by itself', async () => {
    const prepareRoot = makeElf({ interpreter: LOADER, needed: ['libcomposefs.so.1'] });
    const facts = await factsOf(archiveOf({ ...DRACUT, 'usr/lib/ostree/ostree-prepare-root': prepareRoot }));
    assert.equal(facts.prepareRoot, 'composefs');
    assert.equal(facts.prepareRootConf, undefined);
  });

  it('tell the settings that ostree-prepare-root reads: those in /etc before those in /usr', async () => {
    const usr = { ...DRACUT, 'usr/lib/ostree/prepare-root.conf': '[sysroot]\nreadonly=true\n' };
    assert.equal((await factsOf(archiveOf(usr))).prepareRootConf?.toString(), '[sysroot]\nreadonly=true\n');
    const etc = { 'etc/ostree/prepare-root.conf': '[etc]\ntransient=true\n' };
    const facts = await factsOf(archiveOf(usr), archiveOf(etc));
    assert.equal(facts.prepareRootConf?.toString(), '[etc]\ntransient=true\n');
  });

  it('take what looks like a damaged program for none of those they know', async () => {
    const facts = await factsOf(archiveOf({ ...DRACUT, 'usr/bin/mount': MOUNT.subarray(0, 70) }));
    assert.equal(facts.hasUtilLinuxMount, false);
  });

  const OURS = { 'usr/lib/sealtree/seal-root': 'script', 'usr/lib/sealtree/settings': 'version=2\n' };
  it('tell sealtree that a generator took along, and whether it is called', async () => {
    const called = {
      'scripts/init-bottom/sealtree': '',
      'scripts/init-bottom/ORDER': '/scripts/init-bottom/sealtree "$@"\n',
    };
    for (const [more, isHooked] of [
      [{}, false],
      [{ 'scripts/init-bottom/sealtree': '' }, false],
      [called, true],
    ] as const) {
      const { sealtree } = await factsOf(archiveOf({ ...INITRAMFS_TOOLS, ...OURS, ...more }));
      assert.deepEqual(
        [sealtree?.by, sealtree?.isHooked, sealtree?.settings, sealtree?.script?.toString()],
        ['generator', isHooked, undefined, 'script'],
      );
    }
    const unit = { [`usr/lib/systemd/system/${UNIT}`]: '' };
    const wanted = {
      ...unit,
      [`usr/lib/systemd/system/initrd-root-fs.target.wants/${UNIT}`]: `-> ../${UNIT}`,
    };
    assert.equal((await factsOf(archiveOf({ ...DRACUT, ...OURS, ...unit }))).sealtree?.isHooked, false);
    assert.equal((await factsOf(archiveOf({ ...DRACUT, ...OURS, ...wanted }))).sealtree?.isHooked, true);
  });
});

/** A deployment that has all of it, as Debian lays it out. */
function makeDeployment(work: Sandbox, files: Readonly<Record<string, Content>> = {}): string {
  const lib = 'usr/lib/x86_64-linux-gnu';
  const modules = `usr/lib/modules/${RELEASE}`;
  const all = {
    ...USR_MERGE,
    'usr/lib64/ld-linux-x86-64.so.2': '-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    [`${lib}/ld-linux-x86-64.so.2`]: makeElf({}),
    [`${lib}/libc.so.6`]: makeElf({ needed: ['ld-linux-x86-64.so.2'] }),
    [`${lib}/libmount.so.1`]: '-> libmount.so.1.1.0',
    [`${lib}/libmount.so.1.1.0`]: makeElf({ needed: ['libc.so.6'] }),
    [`${lib}/libgio-2.0.so.0`]: makeElf({ needed: ['libc.so.6'] }),
    'usr/bin/mount': MOUNT,
    'usr/bin/umount': MOUNT,
    'usr/lib/ostree/ostree-prepare-root': makeElf({ interpreter: LOADER, needed: ['libgio-2.0.so.0'] }),
    'usr/lib/ostree/prepare-root.conf': '[sysroot]\nreadonly=true\n',
    [`${modules}/modules.dep`]: [
      'kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz',
      'kernel/lib/libcrc32c.ko.xz:',
      'kernel/fs/overlayfs/overlay.ko.xz:',
      'kernel/drivers/block/loop.ko.xz:\n',
    ].join('\n'),
    [`${modules}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
    [`${modules}/kernel/fs/erofs/erofs.ko.xz`]: 'erofs',
    [`${modules}/kernel/lib/libcrc32c.ko.xz`]: 'libcrc32c',
    [`${modules}/kernel/fs/overlayfs/overlay.ko.xz`]: 'overlay',
    [`${modules}/kernel/drivers/block/loop.ko.xz`]: 'loop',
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    if (typeof content === 'string' && content.startsWith('-> ')) {
      work.mkdir('deployment', ...name.split('/').slice(0, -1));
      symlinkSync(content.slice(3), work.join('deployment', name));
    } else work.write(`deployment/${name}`, content);
  }
  return work.join('deployment');
}

const request = (deployment: string, facts: InitramfsFacts): AdditionRequest => ({
  deployment,
  kernelRelease: RELEASE,
  facts,
  settings: SETTINGS,
  firstFiles: ['usr/lib/systemd/systemd', 'usr/lib/caf\xe9'] as ByteString[],
});

const OWN = 'usr/lib/sealtree';
const SCRIPT = ['first-files', 'seal-root', 'settings', 'template.head', 'template.tail'].map(
  (name) => `${OWN}/${name}`,
);

describe('the addition', () => {
  it('is the script and its unit where nothing is lacking', async () => {
    using work = new Sandbox();
    const facts = await factsOf(archiveOf(DRACUT));
    const { contents, kernelRelease, lacks, bytes } = buildAddition(
      request(makeDeployment(work), facts),
      linuxSystem,
    );
    const link = `etc/systemd/system/initrd-root-fs.target.requires/${UNIT}`;
    assert.deepEqual(
      contents.map(({ path }) => path),
      [link, ...SCRIPT, `usr/lib/systemd/system/${UNIT}`],
    );
    assert.deepEqual([kernelRelease, lacks], [undefined, []]);

    const files = new Map(
      readCpio(gunzipSync(bytes), 'addition').entries.map((entry) => [`${entry.name}`, entry]),
    );
    assert.equal(files.get(link)?.content?.toString(), `/usr/lib/systemd/system/${UNIT}`);
    assert.equal(files.get(`${OWN}/seal-root`)?.mode, S_IFREG | 0o755);
    assert(files.get(`${OWN}/seal-root`)?.content?.equals(payloadFile('seal-root')));
    assert(files.get(`${OWN}/template.head`)?.content?.equals(sealTemplate().head));
    assert.equal(
      files.get(`${OWN}/first-files`)?.content?.toString('latin1'),
      'usr/lib/systemd/systemd\nusr/lib/caf\xe9\n',
    );
    for (const { mode, name } of files.values())
      if (isDirectory(mode)) assert.equal(mode & 0o7777, 0o755, name);
  });

  it('brings programs with loader and libraries, and modules in loading order', async () => {
    using work = new Sandbox();
    const facts = await factsOf(archiveOf(INITRAMFS_TOOLS));
    const { contents, kernelRelease, lacks, bytes } = buildAddition(
      { ...request(makeDeployment(work), facts), needsLoop: true },
      linuxSystem,
    );
    assert.deepEqual(
      contents.map(({ path }) => path.replace(`${OWN}/`, '')),
      [
        'conf/conf.d/zz-sealtree',
        'scripts/sealtree',
        'usr/lib/ostree/prepare-root.conf',
        ...['bin/mount', 'bin/ostree-prepare-root', 'bin/umount', 'first-files', 'kernel'],
        ...['lib/ld.so', 'lib/libc.so.6', 'lib/libgio-2.0.so.0', 'lib/libmount.so.1'],
        ...['LOAD', 'erofs.ko.xz', 'libcrc32c.ko.xz', 'loop.ko.xz', 'overlay.ko.xz'].map(
          (name) => `modules/${name}`,
        ),
        ...['seal-root', 'settings', 'template.head', 'template.tail'],
      ],
    );
    assert.deepEqual([kernelRelease, lacks], [RELEASE, []]);
    const { entries } = readCpio(gunzipSync(bytes), 'addition');
    const textOf = (name: string) =>
      entries.find((one) => one.name === `${OWN}/${name}`)?.content?.toString();
    assert.equal(textOf('modules/LOAD'), 'libcrc32c.ko.xz\nerofs.ko.xz\noverlay.ko.xz\nloop.ko.xz\n');
    assert.equal(textOf('kernel'), `${RELEASE}\n`);
    assert.equal(textOf('modules/erofs.ko.xz'), 'erofs');
  });

  const COMPOSEFS = makeElf({ interpreter: LOADER, needed: ['libgio-2.0.so.0', 'libcomposefs.so.1'] });

  it('has an ostree-prepare-root that mounts images by itself mount the pinned one', async () => {
    using work = new Sandbox();
    const facts = await factsOf(
      archiveOf({
        ...DRACUT,
        'usr/lib/ostree/ostree-prepare-root': COMPOSEFS,
        'usr/lib/ostree/prepare-root.conf': '[etc]\ntransient=true\n',
      }),
    );
    const { contents, bytes, lacks } = buildAddition(
      { ...request(makeDeployment(work), facts), sysrootReadOnly: false },
      linuxSystem,
    );
    assert.deepEqual(lacks, []);
    const more = contents.map(({ path }) => `${path}`).filter((path) => /prepare/.test(path));
    assert.deepEqual(more, [
      'etc/systemd/system/initrd-root-fs.target.wants/sealtree-prepare.service',
      `${OWN}/prepare-root.conf`,
      'usr/lib/systemd/system/sealtree-prepare.service',
    ]);
    const { entries } = readCpio(gunzipSync(bytes), 'addition');
    assert.equal(
      entries.find(({ name }) => name === `${OWN}/prepare-root.conf`)?.content?.toString(),
      '[etc]\ntransient=true\n\n[composefs]\nenabled=verity\n\n[sysroot]\nreadonly=false\n',
    );
  });

  it('brings settings for the ostree-prepare-root that it brings', async () => {
    using work = new Sandbox();
    const deployment = makeDeployment(work, {
      'usr/lib/ostree/ostree-prepare-root': COMPOSEFS,
      'usr/lib/x86_64-linux-gnu/libcomposefs.so.1': makeElf({ needed: ['libc.so.6'] }),
    });
    const facts = await factsOf(archiveOf(INITRAMFS_TOOLS));
    const { bytes } = buildAddition(request(deployment, facts), linuxSystem);
    const { entries } = readCpio(gunzipSync(bytes), 'addition');
    assert.equal(
      entries.find(({ name }) => name === `${OWN}/prepare-root.conf`)?.content?.toString(),
      '[sysroot]\nreadonly=true\n\n[composefs]\nenabled=verity\n',
    );
  });

  it('takes no top-level name that an initramfs has as a link', async () => {
    for (const files of [DRACUT, INITRAMFS_TOOLS]) {
      using deployment = new Sandbox();
      const { bytes } = buildAddition(
        request(makeDeployment(deployment), await factsOf(archiveOf(files))),
        linuxSystem,
      );
      const tops = new Set(
        readCpio(gunzipSync(bytes), 'addition').entries.map(({ name }) => name.split('/')[0]),
      );
      for (const name of ['lib', 'lib64', 'bin', 'sbin', 'init']) assert(!tops.has(name), name);
    }
  });

  it('is found again in the extended initramfs, with its settings', async () => {
    for (const files of [DRACUT, INITRAMFS_TOOLS]) {
      using deployment = new Sandbox();
      const base = gzipSync(archiveOf(files));
      const { bytes } = buildAddition(request(makeDeployment(deployment), await factsOf(base)), linuxSystem);
      const facts = await factsOf(Buffer.concat(extendInitramfs(base, bytes)));
      const { sealtree } = facts;
      assert.deepEqual([sealtree?.by, sealtree?.isHooked, sealtree?.settings], ['addition', true, SETTINGS]);
      assert.deepEqual(sealtree?.firstFiles, request('', facts).firstFiles);
      // As an overlay initrd likewise.
      assert.equal((await factsOf(base, bytes)).sealtree?.where, 'initrd 1');
    }
  });

  it('is the same bytes for the same request', async () => {
    using work = new Sandbox();
    const one = request(makeDeployment(work), await factsOf(archiveOf(INITRAMFS_TOOLS)));
    assert(buildAddition(one, linuxSystem).bytes.equals(buildAddition(one, linuxSystem).bytes));
  });

  const LACKS: readonly (readonly [
    what: string,
    code: string,
    base: Record<string, Content>,
    deployment: Record<string, Content>,
  ])[] = [
    ['a kind that is not known', 'initramfs-unknown', without(DRACUT, 'init'), {}],
    [
      'systemd without ostree',
      'initramfs-without-ostree',
      without(DRACUT, 'usr/lib/ostree/ostree-prepare-root'),
      {},
    ],
    ['no mkdir', 'initramfs-lacks-program', without(DRACUT, 'usr/bin/mkdir'), {}],
    ['modules, and no insmod', 'initramfs-lacks-program', without(INITRAMFS_TOOLS, 'usr/bin/insmod'), {}],
    [
      'a symlink where the addition has a folder',
      'initramfs-layout',
      { ...without(DRACUT), 'etc/systemd': '-> x' },
      {},
    ],
    [
      'a library that the deployment lacks',
      'program-unusable',
      INITRAMFS_TOOLS,
      { 'usr/bin/mount': makeElf({ interpreter: LOADER, needed: ['libnone.so'] }) },
    ],
    [
      'static programs beside others',
      'program-static',
      INITRAMFS_TOOLS,
      { 'usr/lib/ostree/ostree-prepare-root': makeElf({ isStatic: true }) },
    ],
    [
      'a module that the kernel lacks',
      'module-missing',
      INITRAMFS_TOOLS,
      { [`usr/lib/modules/${RELEASE}/modules.dep`]: 'kernel/fs/erofs/erofs.ko.xz:\n' },
    ],
    [
      'no list of modules',
      'modules-unreadable',
      INITRAMFS_TOOLS,
      { [`usr/lib/modules/${RELEASE}/modules.dep`]: 'nonsense\n' },
    ],
    [
      'a kernel without gzip',
      'kernel-without-gzip',
      DRACUT,
      { [`usr/lib/modules/${RELEASE}/config`]: 'CONFIG_RD_XZ=y\n' },
    ],
  ];
  for (const [what, code, base, deployment] of LACKS) {
    it(`says what is lacking: ${what}`, async () => {
      using work = new Sandbox();
      const facts = await factsOf(archiveOf(base));
      const { lacks } = buildAddition(request(makeDeployment(work, deployment), facts), linuxSystem);
      assert.deepEqual(
        lacks.map((finding) => [finding.severity, finding.code]),
        [['error', code]],
        JSON.stringify(lacks),
      );
    });
  }

  it('says what neither has', async () => {
    using work = new Sandbox();
    const facts = await factsOf(archiveOf(INITRAMFS_TOOLS));
    const { lacks } = buildAddition(request(work.mkdir('empty'), facts), linuxSystem);
    assert.deepEqual(
      lacks.map(({ code }) => code),
      ['program-missing', 'program-missing', 'program-missing', 'modules-unreadable'],
    );
  });

  it('needs no module that is built in, and then goes with any kernel', async () => {
    using work = new Sandbox();
    const builtin = 'kernel/fs/erofs/erofs.ko\nkernel/fs/overlayfs/overlay.ko\n';
    const deployment = makeDeployment(work, {
      [`usr/lib/modules/${RELEASE}/modules.builtin`]: builtin,
      [`usr/lib/modules/${RELEASE}/modules.dep`]: '',
    });
    const { kernelRelease, lacks } = buildAddition(
      request(deployment, await factsOf(archiveOf(INITRAMFS_TOOLS))),
      linuxSystem,
    );
    assert.deepEqual([kernelRelease, lacks], [undefined, []]);
  });
});
