import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  judgeKernel,
  type KernelEvidence,
  kernelFacts,
  readPageSize,
  verityOfFileSystem,
} from '../../src/base/capabilities.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';

const NOTHING: KernelEvidence = {
  release: '6.12.107',
  filesystems: undefined,
  config: undefined,
  modules: undefined,
  verityFeature: undefined,
};

const DEBIAN: Partial<KernelEvidence> = {
  filesystems: 'nodev\tproc\n\text4\n',
  config: [
    'CONFIG_EROFS_FS=m',
    'CONFIG_EROFS_FS_XATTR=y',
    'CONFIG_EROFS_FS_BACKED_BY_FILE=y',
    'CONFIG_OVERLAY_FS=m',
    'CONFIG_BLK_DEV_LOOP=m',
    'CONFIG_FS_VERITY=y',
  ].join('\n'),
  modules:
    'kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz\nkernel/fs/overlayfs/overlay.ko.xz:\nkernel/drivers/block/loop.ko.xz:\n',
};

const states = (evidence: KernelEvidence) => {
  const { release: _, ...facts } = judgeKernel(evidence);
  return Object.fromEntries(Object.entries(facts).map(([name, { state }]) => [name, state]));
};

test('a kernel with everything as modules', () => {
  assert.deepEqual(states({ ...NOTHING, ...DEBIAN }), {
    erofs: 'yes',
    erofsFromFile: 'yes',
    loop: 'yes',
    overlay: 'yes',
    overlayDataOnly: 'yes',
    overlayVerity: 'yes',
    verity: 'yes',
  });
});

for (const [release, dataOnly, verity, fromFile] of [
  ['6.1.0-40-amd64', 'no', 'no', 'no'],
  ['6.5.2', 'yes', 'no', 'no'],
  ['6.6.0', 'yes', 'yes', 'no'],
  ['6.12.0', 'yes', 'yes', 'yes'],
  ['7.0-rc1', 'yes', 'yes', 'yes'],
  ['5.14.0-570.el9.x86_64', 'unknown', 'unknown', 'unknown'],
  ['custom', 'unknown', 'unknown', 'unknown'],
] as const) {
  test(`what comes with a release: ${release}`, () => {
    const facts = judgeKernel({ ...NOTHING, ...DEBIAN, release });
    assert.equal(facts.overlayDataOnly.state, dataOnly);
    assert.equal(facts.overlayVerity.state, verity);
    assert.equal(facts.erofsFromFile.state, fromFile);
  });
}

test('without any evidence nothing is claimed but what the release says', () => {
  const facts = judgeKernel(NOTHING);
  assert.equal(facts.erofs.state, 'unknown');
  assert.equal(facts.verity.state, 'unknown');
  assert.equal(judgeKernel({ ...NOTHING, release: '5.2.0' }).verity.state, 'no');
});

test('a module that is configured but not installed is missing', () => {
  const facts = judgeKernel({ ...NOTHING, ...DEBIAN, modules: 'kernel/fs/ext4/ext4.ko:\n' });
  assert.deepEqual(facts.erofs, { state: 'no', reason: 'no module erofs is installed for this kernel' });
  assert.equal(judgeKernel({ ...NOTHING, ...DEBIAN, modules: undefined }).erofs.state, 'unknown');
});

test('an option that is off says no, whatever the release', () => {
  const config = 'CONFIG_EROFS_FS=y\n# CONFIG_EROFS_FS_XATTR is not set\nCONFIG_OVERLAY_FS=y\n';
  const facts = judgeKernel({ ...NOTHING, config });
  assert.deepEqual(facts.erofs, { state: 'no', reason: 'the kernel is built without CONFIG_EROFS_FS_XATTR' });
  assert.equal(facts.overlay.state, 'yes');
  assert.equal(facts.overlayVerity.state, 'no');
});

test("the file systems' features tell of fs-verity where the configuration does not", () => {
  assert.equal(judgeKernel({ ...NOTHING, verityFeature: true }).verity.state, 'yes');
  assert.equal(judgeKernel({ ...NOTHING, verityFeature: false }).verity.state, 'no');
});

test('a file system is asked, and says what stands in the way', () => {
  const kernel = judgeKernel({ ...NOTHING, ...DEBIAN });
  const answering = (type: string, verity: ReturnType<typeof linuxSystem.measureVerity>) => ({
    ...linuxSystem,
    statfs: (path: string | Buffer) => ({ ...linuxSystem.statfs(path), type }),
    measureVerity: () => verity,
  });
  const ask = (type: string, verity: ReturnType<typeof linuxSystem.measureVerity>, pageSize = 4096) =>
    verityOfFileSystem('/', kernel, pageSize, answering(type, verity));
  assert.equal(ask('btrfs', { state: 'disabled' }).state, 'yes');
  assert.match(ask('ext4', { state: 'unsupported', errno: 'EOPNOTSUPP' }).reason, /tune2fs -O verity/);
  assert.equal(ask('tmpfs', { state: 'unsupported', errno: 'ENOTTY' }).state, 'no');
  assert.equal(ask('ext4', { state: 'unsupported', errno: 'ENOSYS' }).state, 'unknown');
  assert.equal(ask('ext4', { state: 'disabled' }, 65536).state, 'yes');
  const old = judgeKernel({ ...NOTHING, ...DEBIAN, release: '6.1.0' });
  const system = answering('ext4', { state: 'disabled' });
  assert.deepEqual(verityOfFileSystem('/', old, 65536, system), {
    state: 'no',
    reason: 'Linux 6.1 is older than 6.3',
  });
});

test('this kernel can be judged', () => {
  const facts = kernelFacts();
  assert.match(facts.release, /^[0-9]+\./);
  assert.equal((readPageSize() ?? 0) % 4096, 0);
});
