import assert from 'node:assert/strict';
import type { Stats } from 'node:fs';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { InterruptedError, IoError, UnsupportedError } from '../../src/base/errors.ts';
import { parseMountinfo } from '../../src/base/mountinfo.ts';
import { Progress, silent } from '../../src/base/progress.ts';
import type { Path, System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { protectRepository, readProtection } from '../../src/boot/protect.ts';
import { readIntegrity, withIntegrity, withoutIntegrity } from '../../src/boot/repo-config.ts';
import {
  judgeVerity,
  readStorage,
  readVolume,
  storageFindings,
  type VerityEvidence,
  type Volume,
} from '../../src/boot/storage.ts';
import { Repository } from '../../src/repository/repository.ts';
import fc from '../support/fast-check.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';

const DISK = { path: '/dev/vda2', number: '254:2', kind: 'disk', isReadOnly: false } as const;

const EXT4: Volume = {
  path: '/sysroot/ostree/repo/objects',
  type: 'ext4',
  mountPoint: '/sysroot',
  deviceNumber: 65_026,
  device: DISK,
  blockSizeBytes: 4096,
  availableBytes: 1 << 30,
  isReadOnly: false,
};

const WITHOUT_FEATURE: VerityEvidence = {
  volume: EXT4,
  mountOptions: ['rw', 'relatime'],
  answer: 'EOPNOTSUPP',
  kernelRelease: '6.12.0',
  kernelHasVerity: 'yes',
  pageSizeBytes: 4096,
};

describe('what stands between a file system and fs-verity', () => {
  interface Case {
    readonly volume?: Partial<Volume>;
    readonly evidence?: Partial<VerityEvidence>;
    /** State, code of an impossible one, and what its reason says. */
    readonly want: readonly [state: string, code?: string | undefined, reason?: RegExp];
  }
  const CASES: Readonly<Record<string, Case>> = {
    'ext4 with the feature': { evidence: { answer: 'known' }, want: ['ready'] },
    'ext4 without the feature': { want: ['needs-feature'] },
    'btrfs that knows it': { volume: { type: 'btrfs' }, evidence: { answer: 'known' }, want: ['ready'] },
    'btrfs of an old kernel': {
      volume: { type: 'btrfs', device: undefined },
      evidence: { answer: 'ENOTTY', kernelRelease: '5.10.0' },
      want: ['impossible', 'storage-btrfs', /since Linux 5\.15; this is 5\.10\.0/],
    },
    'f2fs made without it': {
      volume: { type: 'f2fs' },
      want: ['impossible', 'storage-f2fs', /cannot be turned on later/],
    },
    xfs: { volume: { type: 'xfs' }, want: ['impossible', 'storage-xfs', /^XFS has no fs-verity$/] },
    vfat: { volume: { type: 'vfat' }, want: ['impossible', 'storage-vfat', /^FAT has no fs-verity/] },
    ext3: { volume: { type: 'ext3' }, want: ['impossible', 'storage-ext3', /only ext4/] },
    zfs: { volume: { type: 'zfs' }, want: ['impossible', 'storage-zfs', /ZFS/] },
    tmpfs: { volume: { type: 'tmpfs' }, want: ['impossible', 'storage-tmpfs', /tmpfs/] },
    overlay: {
      volume: { type: 'overlay' },
      want: ['impossible', 'storage-overlay', /--sysroot=\/sysroot/],
    },
    'one that nobody heard of': {
      volume: { type: 'somefs' },
      evidence: { answer: 'ENOTTY' },
      want: ['impossible', 'storage-somefs', /somefs has no fs-verity/],
    },
    'blocks that are too small': {
      volume: { blockSizeBytes: 1024 },
      want: ['impossible', 'storage-block-size', /blocks of 1024 bytes/],
    },
    'small blocks though the feature is on': {
      volume: { blockSizeBytes: 1024 },
      evidence: { answer: 'known' },
      want: ['impossible', 'storage-block-size'],
    },
    'blocks smaller than pages, old kernel': {
      evidence: { pageSizeBytes: 65_536, kernelRelease: '6.2.16' },
      want: ['impossible', 'storage-block-size', /pages of 65536: Linux before 6\.3 \(this is 6\.2\.16\)/],
    },
    'blocks smaller than pages, new kernel': {
      evidence: { pageSizeBytes: 65_536, kernelRelease: '6.3.0' },
      want: ['needs-feature'],
    },
    'files mapped past the page cache': {
      evidence: { mountOptions: ['rw', 'dax=always'] },
      want: ['impossible', 'storage-dax'],
    },
    'a device that refuses writes': {
      volume: { isReadOnly: true, device: { ...DISK, isReadOnly: true } },
      want: ['impossible', 'storage-read-only-device', /\/dev\/vda2/],
    },
    'no device to be found': {
      volume: { device: undefined },
      want: ['impossible', 'storage-device', /cannot be found/],
    },
    'a kernel that has none': {
      evidence: { kernelHasVerity: 'no', answer: 'EOPNOTSUPP' },
      want: ['unknown', undefined, /running kernel \(6\.12\.0\) has no fs-verity/],
    },
    'no way to ask': { evidence: { answer: 'ENOSYS' }, want: ['unknown', undefined, /cannot be asked/] },
  };
  for (const [name, { volume, evidence, want }] of Object.entries(CASES)) {
    it(name, () => {
      const got = judgeVerity({ ...WITHOUT_FEATURE, ...evidence, volume: { ...EXT4, ...volume } });
      const [state, code, reason] = want;
      assert.equal(got.state, state);
      if (code !== undefined) assert.equal('code' in got ? got.code : undefined, code);
      if (reason !== undefined) assert.match('reason' in got ? got.reason : '', reason);
    });
  }

  it('says what turning the feature on means', () => {
    const { step } = judgeVerity(WITHOUT_FEATURE) as Extract<
      ReturnType<typeof judgeVerity>,
      { state: 'needs-feature' }
    >;
    assert.deepEqual(step.argv, ['tune2fs', '-O', 'verity', '/dev/vda2']);
    const text = step.consequences.join('\n');
    for (const fact of [/cannot be taken back/, /5\.4/, /1\.45\.2/, /[Bb]oot loaders/])
      assert.match(text, fact);
    assert.doesNotMatch(text, /pages/);
  });

  it('adds what it means where blocks are smaller than pages', () => {
    const { step } = judgeVerity({ ...WITHOUT_FEATURE, pageSizeBytes: 16_384 }) as Extract<
      ReturnType<typeof judgeVerity>,
      { state: 'needs-feature' }
    >;
    assert.match(step.consequences.join('\n'), /older than 6\.3 .*4096 bytes, the machine's pages 16384/);
  });

  it('turns it into findings that say how to go on', async () => {
    using work = new Sandbox();
    const { path } = await makeSmallSysroot(work.join('sysroot'));
    const storage = readStorage(path, linuxSystem);
    const of = (evidence: Partial<VerityEvidence>) =>
      storageFindings({
        ...storage,
        sysroot: EXT4,
        verity: judgeVerity({ ...WITHOUT_FEATURE, ...evidence }),
      });
    assert.deepEqual(of({ answer: 'known' }), []);
    assert.deepEqual(of({})[0]?.remedy, ['tune2fs -O verity /dev/vda2']);
    assert.equal(of({ kernelHasVerity: 'no' })[0]?.severity, 'unchecked');
    assert.equal(of({ volume: { ...EXT4, type: 'xfs' } })[0]?.severity, 'error');
  });
});

/** A machine's devices and mounts, as the files and calls show them. */
interface Machine {
  readonly mountinfo: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Block devices by path, `MAJOR:MINOR`. */
  readonly devices?: Readonly<Record<string, readonly [major: number, minor: number]>>;
}

const S_IFBLK = 0o060000;

function machine({ mountinfo, files = {}, devices = {} }: Machine): System {
  const [mount] = parseMountinfo(mountinfo);
  assert(mount !== undefined);
  const missing = (path: Path): never => {
    throw new IoError('read', path.toString(), 'ENOENT');
  };
  return {
    ...linuxSystem,
    statfs: () => ({
      type: mount.type,
      blockSize: 4096,
      availableBytes: 1,
      totalBytes: 2,
      readOnly: false,
      mountPoint: mount.mountPoint,
      source: mount.source,
      mount,
    }),
    stat(path) {
      const numbers = devices[path.toString()];
      if (path === '/at') return { dev: 1 } as Stats;
      if (numbers === undefined) return missing(path);
      const [major, minor] = numbers;
      const rdev = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
      return { mode: S_IFBLK | 0o660, rdev } as Stats;
    },
    readFile: (path) => {
      const text = files[path.toString()];
      return text === undefined ? missing(path) : Buffer.from(text);
    },
  };
}

describe('the device below a mount', () => {
  const deviceOf = (one: Machine) => readVolume('/at', machine(one)).device;

  it('is the one the mount names', () => {
    const device = deviceOf({
      mountinfo: '22 1 254:1 / / rw - ext4 /dev/vda1 rw\n',
      files: { '/sys/dev/block/254:1/uevent': 'MAJOR=254\nMINOR=1\nDEVNAME=vda1\n' },
      devices: { '/dev/vda1': [254, 1] },
    });
    assert.deepEqual(device, { path: '/dev/vda1', number: '254:1', kind: 'disk', isReadOnly: false });
  });

  it('is not believed by its name: /dev/root is none', () => {
    const device = deviceOf({
      mountinfo: '22 1 259:3 / / rw - ext4 /dev/root rw\n',
      files: { '/sys/dev/block/259:3/uevent': 'DEVNAME=nvme0n1p3\n' },
      devices: { '/dev/nvme0n1p3': [259, 3] },
    });
    assert.equal(device?.path, '/dev/nvme0n1p3');
  });

  it('is another one when the name has come to mean another device', () => {
    const device = deviceOf({
      mountinfo: '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n',
      files: { '/sys/dev/block/8:1/uevent': 'DEVNAME=sdb1\n' },
      devices: { '/dev/sda1': [8, 17], '/dev/sdb1': [8, 1] },
    });
    assert.equal(device?.path, '/dev/sdb1');
  });

  it('is a logical volume by its own name', () => {
    const device = deviceOf({
      mountinfo: '22 1 253:2 / / rw - ext4 /dev/root rw\n',
      files: {
        '/sys/dev/block/253:2/uevent': 'DEVNAME=dm-2\n',
        '/sys/dev/block/253:2/dm/name': 'vg0-root\n',
      },
      devices: { '/dev/mapper/vg0-root': [253, 2], '/dev/dm-2': [253, 2] },
    });
    assert.deepEqual(device, {
      path: '/dev/mapper/vg0-root',
      number: '253:2',
      kind: 'dm',
      isReadOnly: false,
    });
  });

  it('is a loop device, which may refuse writes', () => {
    const device = deviceOf({
      mountinfo: '22 1 7:4 / /mnt ro - ext4 /dev/loop4 ro\n',
      files: { '/sys/dev/block/7:4/uevent': 'DEVNAME=loop4\n', '/sys/dev/block/7:4/ro': '1\n' },
      devices: { '/dev/loop4': [7, 4] },
    });
    assert.deepEqual(device, { path: '/dev/loop4', number: '7:4', kind: 'loop', isReadOnly: true });
  });

  it('has a minor number beyond a byte', () => {
    const device = deviceOf({
      mountinfo: '22 1 259:1025 / / rw - ext4 /dev/nvme9n1p1 rw\n',
      devices: { '/dev/nvme9n1p1': [259, 1025] },
    });
    assert.equal(device?.path, '/dev/nvme9n1p1');
  });

  it('is none where there is none', () => {
    assert.equal(deviceOf({ mountinfo: '22 1 0:31 / / rw - overlay overlay rw\n' }), undefined);
    assert.equal(deviceOf({ mountinfo: '22 1 0:31 / / rw - nfs /dev/null rw\n' }), undefined);
  });
});

describe('storage of a sysroot', () => {
  it('sees that /boot is of the same file system', async () => {
    using work = new Sandbox();
    const { path } = await makeSmallSysroot(work.join('sysroot'));
    const storage = readStorage(path, linuxSystem);
    assert.equal(storage.bootIsSeparate, false);
    assert(storage.boot.availableBytes > 0);
  });

  it('sees that /boot is of another one', async () => {
    using work = new Sandbox();
    const { path } = await makeSmallSysroot(work.join('sysroot'));
    const system: System = {
      ...linuxSystem,
      stat(at) {
        const stats = linuxSystem.stat(at);
        if (at.toString().endsWith('/boot')) stats.dev += 1;
        return stats;
      },
    };
    assert.equal(readStorage(path, system).bootIsSeparate, true);
  });

  it('refuses deployments on another file system than objects', async () => {
    using work = new Sandbox();
    const { path } = await makeSmallSysroot(work.join('sysroot'));
    const system: System = {
      ...linuxSystem,
      stat(at) {
        const stats = linuxSystem.stat(at);
        if (at.toString().endsWith('/deploy')) stats.dev += 1;
        return stats;
      },
    };
    const { verity } = readStorage(path, system);
    assert.equal(verity.state === 'impossible' ? verity.code : verity.state, 'storage-split');
  });
});

describe('fs-verity on all of a repository', () => {
  interface SetUp {
    readonly repositoryPath: string;
    readonly deploymentPaths: readonly string[];
    readonly files: number;
  }
  /** A sysroot with an image in a deployment; some of its objects are symlinks. */
  async function setUp(work: Sandbox): Promise<SetUp> {
    const { repositoryPath, deploymentPaths } = await makeSmallSysroot(work.join('sysroot'));
    const repository = Repository.open(repositoryPath, linuxSystem);
    const paths = [...repository.listObjects()].map(({ checksum, type }) =>
      repository.objectPath(checksum, type),
    );
    const objects = paths.filter((path) => lstatSync(path).isFile()).length;
    assert(objects > 10 && objects < paths.length);
    writeFileSync(`${deploymentPaths[0]}/.ostree.cfs`, 'an image');
    return { repositoryPath, deploymentPaths, files: objects + 1 };
  }

  it('covers every object, of whatever type, and the images, but no symlink', async () => {
    using work = new Sandbox();
    const { repositoryPath, deploymentPaths, files } = await setUp(work);
    const { system, verity } = simulateInodes(linuxSystem, { verity: true });
    const repository = Repository.open(repositoryPath, system);
    const before = await readProtection(repository, deploymentPaths, silent());
    assert.deepEqual(before, { total: files, enabled: 0, disabled: files, unsupported: 0, unreadable: [] });
    const stages: string[] = [];
    const progress = new Progress({
      onChange: (stage) => stage && stages.push(`${stage.name} ${stage.total}`),
    });
    const result = await protectRepository(repository, deploymentPaths, progress);
    assert.deepEqual(result, { enabledNow: files, enabledBefore: 0, failed: [] });
    assert.equal(verity.size, files);
    assert(stages.includes(`enabling fs-verity ${files}`));
    const again = await protectRepository(repository, deploymentPaths, silent());
    assert.deepEqual(again, { enabledNow: 0, enabledBefore: files, failed: [] });
  });

  it('goes on where a power cut stopped it, at every file', async () => {
    using work = new Sandbox();
    const { repositoryPath, deploymentPaths, files } = await setUp(work);
    const { system, verity } = simulateInodes(linuxSystem, { verity: true });
    for (let done = 0; done < files; done++) {
      // One file more each time.
      const cut = faultSystem(system, { kind: 'power-cut', at: 1 });
      await assert.rejects(
        protectRepository(Repository.open(repositoryPath, cut), deploymentPaths, silent()),
        PowerCut,
      );
      assert.equal(verity.size, done + 1);
    }
    const result = await protectRepository(
      Repository.open(repositoryPath, system),
      deploymentPaths,
      silent(),
    );
    assert.deepEqual(result, { enabledNow: 0, enabledBefore: files, failed: [] });
  });

  it('ends when it is told to, and makes durable what it has done', async () => {
    using work = new Sandbox();
    const { repositoryPath, deploymentPaths } = await setUp(work);
    const abort = new AbortController();
    const { system } = simulateInodes(linuxSystem, { verity: true });
    let enabled = 0;
    const counted = faultSystem(system, undefined, {
      enableVerity(fd) {
        system.enableVerity(fd);
        if (++enabled === 3) abort.abort();
      },
    });
    await assert.rejects(
      protectRepository(
        Repository.open(repositoryPath, counted),
        deploymentPaths,
        new Progress({ signal: abort.signal }),
      ),
      InterruptedError,
    );
    assert.equal(enabled, 3);
    assert.equal(counted.steps.at(-1)?.call, 'syncfs');
  });

  it('names the one file that cannot have it, and does the others', async () => {
    using work = new Sandbox();
    const { repositoryPath, deploymentPaths, files } = await setUp(work);
    const { system, verity } = simulateInodes(linuxSystem, { verity: true });
    const image = `${deploymentPaths[0]}/.ostree.cfs`;
    const busy: System = {
      ...system,
      openRead(path, options) {
        if (path === image) throw new IoError('open', image, 'EIO');
        return system.openRead(path, options);
      },
    };
    const result = await protectRepository(Repository.open(repositoryPath, busy), deploymentPaths, silent());
    assert.equal(result.enabledNow, files - 1);
    assert.deepEqual(
      result.failed.map(({ severity, code, where }) => ({ severity, code, where })),
      [{ severity: 'error', code: 'object-unprotected', where: image }],
    );
    assert.equal(verity.size, files - 1);
    const { unreadable } = await readProtection(
      Repository.open(repositoryPath, busy),
      deploymentPaths,
      silent(),
    );
    assert.deepEqual(
      unreadable.map(({ where }) => where),
      [image],
    );
  });

  it('ends at once where there is no fs-verity', async () => {
    using work = new Sandbox();
    const { repositoryPath, deploymentPaths, files } = await setUp(work);
    const { system } = simulateInodes(linuxSystem, { verity: false });
    const repository = Repository.open(repositoryPath, system);
    await assert.rejects(protectRepository(repository, deploymentPaths, silent()), UnsupportedError);
    const state = await readProtection(repository, deploymentPaths, silent());
    assert.equal(state.unsupported, files);
  });
});

describe("ostree's own fs-verity in the repository's configuration", () => {
  const READ: readonly (readonly [config: string, want: string])[] = [
    ['', 'no'],
    ['[ex-integrity]\nfsverity=yes\n', 'yes'],
    ['[ex-integrity]\nfsverity = true \n', 'yes'],
    ['[ex-integrity]\nfsverity=maybe\n', 'maybe'],
    ['[ex-integrity]\nfsverity=no\nfsverity=1\n', 'yes'],
    ['[ex-integrity]\ncomposefs=yes\n', 'maybe'],
    ['[ex-integrity]\ncomposefs=maybe\nfsverity=no\n', 'no'],
    ['[ex-fsverity]\nrequired=true\n', 'yes'],
    ['[ex-fsverity]\nopportunistic=true\n', 'maybe'],
    ['[ex-integrity]\nfsverity=maybe\n[ex-fsverity]\nrequired=true\n', 'maybe'],
    ['#[ex-integrity]\n#fsverity=yes\n', 'no'],
  ];
  for (const [config, want] of READ)
    it(`reads ${JSON.stringify(config)} as ostree does`, () => {
      assert.equal(readIntegrity(Buffer.from(config), 'config'), want);
    });

  it('refuses what ostree refuses', () => {
    const config = Buffer.from('[ex-integrity]\nfsverity=perhaps\n');
    assert.throws(() => readIntegrity(config, 'config'), /got "perhaps", want yes, maybe or no/);
  });

  const EDITS: Readonly<Record<string, readonly [before: string, after: string]>> = {
    'a repository as ostree makes it': [
      '[core]\nrepo_version=1\nmode=bare\n\n[sysroot]\nbootloader=none\n',
      '[core]\nrepo_version=1\nmode=bare\n\n[sysroot]\nbootloader=none\n\n[ex-integrity]\nfsverity=yes\n',
    ],
    'a group that is there': [
      '[ex-integrity]\ncomposefs=maybe\n\n[core]\nmode=bare\n',
      '[ex-integrity]\nfsverity=yes\ncomposefs=maybe\n\n[core]\nmode=bare\n',
    ],
    'an empty group at the end': ['[core]\n\n[ex-integrity]\n', '[core]\n\n[ex-integrity]\nfsverity=yes\n'],
    'another value, with its blanks': [
      '[ex-integrity]\n fsverity = maybe \n# why\n',
      '[ex-integrity]\nfsverity=yes\n# why\n',
    ],
    'no newline at the end': ['[core]\nmode=bare', '[core]\nmode=bare\n\n[ex-integrity]\nfsverity=yes\n'],
    'no newline after the value': ['[ex-integrity]\nfsverity=no', '[ex-integrity]\nfsverity=yes'],
    'lines that end as on Windows': [
      '[core]\r\nmode=bare\r\n[ex-integrity]\r\nfsverity=no\r\n',
      '[core]\r\nmode=bare\r\n[ex-integrity]\r\nfsverity=yes\r\n',
    ],
    'the last of several': [
      '[ex-integrity]\nfsverity=yes\n[core]\n[ex-integrity]\nfsverity=no\n',
      '[ex-integrity]\nfsverity=yes\n[core]\n[ex-integrity]\nfsverity=yes\n',
    ],
    'nothing at all': ['', '\n[ex-integrity]\nfsverity=yes\n'],
  };
  for (const [name, [before, after]] of Object.entries(EDITS))
    it(`asks for it and takes that back: ${name}`, () => {
      const edit = withIntegrity(Buffer.from(before), 'config');
      assert.equal(edit?.bytes.toString(), after);
      assert(edit !== undefined);
      assert.equal(withIntegrity(edit.bytes, 'config'), undefined);
      const noted = JSON.parse(JSON.stringify(edit.before)) as typeof edit.before;
      assert.equal(withoutIntegrity(edit.bytes, noted)?.toString(), before);
    });

  it('leaves the rest byte for byte, and gives all of it back', () => {
    const line = fc.oneof(
      fc.constantFrom('[core]', '[ex-integrity]', '[ex-integrity]', 'fsverity=no', 'fsverity=maybe', ''),
      fc.constantFrom(
        'mode=bare',
        '# a word',
        '  fsverity =no',
        'composefs=maybe',
        'x=\u00e9\u20ac',
        'name[de]=y',
      ),
    );
    const text = fc
      .tuple(fc.array(line, { maxLength: 12 }), fc.constantFrom('\n', '\r\n', ''))
      .map(([lines, end]) => `[core]${lines.map((one) => `\n${one}`).join('')}${end}`);
    fc.assert(
      fc.property(text, (before) => {
        const edit = withIntegrity(Buffer.from(before), 'config');
        assert(edit !== undefined);
        assert.equal(readIntegrity(edit.bytes, 'config'), 'yes');
        const kept = before.split(/\r?\n/).filter((one) => !/^\s*fsverity/.test(one) && one !== '');
        const now = edit.bytes.toString().split(/\r?\n/);
        let at = 0;
        for (const one of kept) {
          at = now.indexOf(one, at) + 1;
          assert.notEqual(at, 0, one);
        }
        assert.equal(withoutIntegrity(edit.bytes, edit.before)?.toString(), before);
      }),
    );
  });

  it('leaves alone what somebody else has set since', () => {
    const edit = withIntegrity(Buffer.from('[core]\nmode=bare\n'), 'config');
    assert(edit !== undefined);
    const theirs = Buffer.from(edit.bytes.toString().replace('fsverity=yes', 'fsverity=maybe'));
    assert.equal(withoutIntegrity(theirs, edit.before), undefined);
    assert.equal(withoutIntegrity(Buffer.from('[core]\n'), edit.before), undefined);
  });

  it('takes only its own line back where more was added', () => {
    const edit = withIntegrity(Buffer.from('[core]\nmode=bare\n'), 'config');
    assert(edit !== undefined);
    const more = Buffer.from(`${edit.bytes.toString()}composefs=maybe\n\n[remote "r"]\nurl=u\n`);
    assert.equal(
      withoutIntegrity(more, edit.before)?.toString(),
      '[core]\nmode=bare\n\n[ex-integrity]\ncomposefs=maybe\n\n[remote "r"]\nurl=u\n',
    );
  });

  it('is what a real repository reads', async () => {
    using work = new Sandbox();
    const { repositoryPath } = await makeSmallSysroot(work.join('sysroot'));
    const path = `${repositoryPath}/config`;
    const edit = withIntegrity(readFileSync(path), path);
    assert(edit !== undefined);
    writeFileSync(path, edit.bytes);
    const { config } = Repository.open(repositoryPath, linuxSystem);
    assert.equal(config.getBoolean('core', 'locking') ?? true, true);
    assert.equal(config.getString('ex-integrity', 'fsverity'), 'yes');
  });
});
