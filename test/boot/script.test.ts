/**
 * The script that mounts the root, run by every shell it may meet, in a pretended world: files for the deployment,
 * /run and /proc, and programs that write down what they were asked for. What the kernel makes of it is tested on
 * machines; here it is what the script makes of the kernel's answers.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Digest } from '../../src/base/digest.ts';
import { type InitramfsSettings, renderSettings } from '../../src/boot/initramfs-settings.ts';
import { PAYLOAD_NAMES, payloadFile, payloadPath } from '../../src/boot/payload.ts';
import { sealTemplate, sealTemplateImage } from '../../src/boot/template.ts';
import { Sandbox } from '../support/sandbox.ts';
import { lintScripts, missingShellcheck } from '../support/shellcheck.ts';
import { hasShell, SHELLS } from '../support/shells.ts';

const COMMIT = `0123456789ab${'c'.repeat(52)}`;
const DIGEST = 'd1'.repeat(32) as Digest;
const PIN = `sealtree.pin=0123456789ab:${DIGEST}`;
const LINK = 'ostree=/ostree/boot.1/os/bootcsum/0';

/** Boot Loader Interface. */
const COUNTED = 'LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

const ENFORCE: InitramfsSettings = { policy: 'enforce', unpinned: 'refuse', onRefusal: 'emergency' };
const UNPINNED_PLAIN: InitramfsSettings = { ...ENFORCE, unpinned: 'plain' };
const PREFER: InitramfsSettings = { ...ENFORCE, policy: 'prefer' };

interface World {
  /** The settings, or the file's text; `missing` = there is none. Default {@link ENFORCE}. */
  readonly settings?: InitramfsSettings | string;
  /** Default: a pin for the deployment, and its boot link. */
  readonly commandLine?: string;
  /** Default true. */
  readonly hasImage?: boolean;
  /** What the kernel makes of opening the image through the template. Default that it is the pinned one. */
  readonly image?: 'right' | 'wrong';
  /** The kernel's log. */
  readonly log?: string;
  /** A shell pattern of command lines that fail. */
  readonly failing?: string;
  readonly filesystems?: string;
  /** Type and options of the mount at the root; default the deployment, bound. */
  readonly rootMount?: string;
  /** Lines of mountinfo after those of root, /usr, /sysroot. */
  readonly mounts?: readonly string[];
  /** Paths of the first files; what ends in a slash is one that cannot be read. */
  readonly firstFiles?: readonly string[];
  /** First files of another deployment with the same initramfs. */
  readonly otherFirstFiles?: readonly string[];
  /** The deployment is found through this link below the root, whose other end is the deployment's folder. */
  readonly bootLink?: string;
  /** Run before ostree-prepare-root, for which there are these settings; `none` = there are none. */
  readonly before?: string;
  /** Whether the deployment is hotfixed. */
  readonly isHotfixed?: boolean;
  /** Whether the kernel command line had the disk mounted read-only. */
  readonly isReadOnly?: boolean;
  readonly fstab?: string;
  /** Whether the firmware has the variable by which a loader says that it counted this boot. */
  readonly isCounted?: boolean;
  /** Names of modules that the initramfs brings, and the kernel they are for. */
  readonly modules?: { readonly release: string; readonly names: readonly string[] };
}

interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
  /** Command lines, with the world's folder cut from paths. */
  readonly calls: readonly string[];
  readonly sealed: string | undefined;
  readonly unsealed: string | undefined;
  readonly volatileRoot: string | undefined;
  /** Of services, by name. */
  readonly dropIns: Record<string, string | undefined>;
  readonly fstab: string | undefined;
  /** The settings that ostree-prepare-root will read. */
  readonly prepareRootConf: string | undefined;
  /** What the kernel was given to check the image by. */
  readonly template: Buffer | undefined;
}

/** Stands for mount, umount, modprobe, insmod and dmesg, by the name it is called by. */
const PROGRAM = `#!/bin/sh
world=$WORLD name=\${0##*/}
printf '%s\\n' "$name $*" >>"$world/calls"
case "$name $*" in $FAILING) echo "$name: no such luck" >&2; exit 32 ;; esac
for last; do :; done
case "$name $*" in
  dmesg*) cat "$world/log" ;;
  *" -t erofs "*check/template*) cp "$world/run/sealtree/check/template" "$world/template" ;;
  *" -t overlay "*check/root)
    if [ "$IMAGE" = right ]; then : >"$last/image"; else mkdir "$last/image"; fi ;;
  *" -t overlay "*)
    # One call for all folders: this runs a thousand times.
    set -- "$last/usr/lib"
    for file in $FIRST_FILES; do
      case $file in */) set -- "$@" "$last/$file" ;; *) set -- "$@" "$last/\${file%/*}" ;; esac
    done
    mkdir -p "$@"
    : >"$last/usr/lib/os-release"
    for file in $FIRST_FILES; do
      case $file in */) ;; *) : >"$last/$file" ;; esac
    done ;;
esac
exit 0
`;

/** Runs the script. */
function boot(shell: readonly string[], world: World = {}): Outcome {
  using work = new Sandbox();
  const path = work.path;
  const write = (name: string, content: string | Uint8Array, mode = 0o644): void => {
    mkdirSync(join(path, name, '..'), { recursive: true });
    writeFileSync(join(path, name), content, { mode });
  };
  const { settings = ENFORCE, firstFiles = ['usr/bin/init'], otherFirstFiles = [] } = world;
  write('own/seal-root', payloadFile('seal-root'), 0o755);
  write('own/template.head', sealTemplate().head);
  write('own/template.tail', sealTemplate().tail);
  if (settings !== 'missing')
    write('own/settings', typeof settings === 'string' ? settings : renderSettings(settings));
  write(
    'own/first-files',
    [...otherFirstFiles, ...firstFiles].map((file) => `${file.replace(/\/$/, '')}\n`).join(''),
  );
  for (const name of ['mount', 'umount', 'modprobe', 'insmod', 'dmesg'])
    write(`own/bin/${name}`, PROGRAM, 0o755);
  if (world.modules !== undefined) {
    write('own/kernel', `${world.modules.release}\n`);
    write('own/modules/LOAD', world.modules.names.map((name) => `${name}.ko.xz\n`).join(''));
  }
  write('log', world.log ?? '');
  write('calls', '');
  write('proc/cmdline', `${world.commandLine ?? `root=LABEL=root ${PIN} ${LINK} rw`}\n`);
  write('proc/filesystems', world.filesystems ?? 'nodev\tsysfs\nnodev\toverlay\n\text4\n\terofs\n');
  write('proc/sys/kernel/osrelease', '6.12.0\n');
  const root = join(path, 'root');
  const bound = `8:1 /ostree/deploy/os/deploy/${COMMIT}.0`;
  const access = world.isReadOnly ? 'ro' : 'rw';
  const disk = `ext4 /dev/sda1 ${access},errors=remount-ro`;
  const mountinfo = [
    `20 1 0:2 / / rw - rootfs rootfs rw`,
    world.rootMount === undefined
      ? `30 20 ${bound} ${root} ${access},relatime - ${disk}`
      : `30 20 0:40 / ${root} ro - ${world.rootMount}`,
    `31 30 ${bound}/usr ${root}/usr ro,relatime - ${disk}`,
    `32 30 8:1 / ${root}/sysroot ${access},relatime - ${disk}`,
    ...(world.mounts ?? []).map((line) => line.replaceAll('ROOT', root)),
  ];
  write('proc/self/mountinfo', `${mountinfo.join('\n')}\n`);
  mkdirSync(root);
  mkdirSync(join(path, 'run'));
  if (world.fstab !== undefined) write('root/etc/fstab', world.fstab);
  if (world.isCounted !== undefined)
    write(`sys/firmware/efi/efivars/${world.isCounted ? COUNTED : 'LoaderInfo'}`, '');
  if (world.hasImage ?? true) write('root/.ostree.cfs', 'an image');
  if (world.bootLink !== undefined) {
    const physical = world.before === undefined ? 'root/sysroot' : 'root';
    const deployment = `${physical}/ostree/deploy/os/deploy/${COMMIT}.0`;
    write(`${deployment}/.ostree.cfs`, 'an image');
    if (world.isHotfixed) mkdirSync(join(path, deployment, '.usr-ovl-work'));
    mkdirSync(join(root, world.bootLink, '..'), { recursive: true });
    symlinkSync(join(path, deployment), join(root, world.bootLink));
  }

  if (world.rootMount !== undefined) {
    write('root/usr/lib/os-release', '');
    for (const file of firstFiles) {
      if (file.endsWith('/')) mkdirSync(join(root, file), { recursive: true });
      else write(`root/${file}`, '');
    }
  }
  if (world.before !== undefined && world.before !== 'none') write('own/prepare-root.conf', world.before);
  write('etc/ostree/prepare-root.conf', 'as it was\n');

  const [program = '', ...args] = shell;
  const mode = world.before === undefined ? [] : ['before'];
  const child = spawnSync(program, [...args, join(path, 'own/seal-root'), root, ...mode], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      SEALTREE_RUN: join(path, 'run'),
      SEALTREE_PROC: join(path, 'proc'),
      SEALTREE_ETC: join(path, 'etc'),
      SEALTREE_SYS: join(path, 'sys'),
      WORLD: path,
      IMAGE: world.image ?? 'right',
      FAILING: world.failing ?? '',
      FIRST_FILES: firstFiles.join(' '),
    },
  });
  assert.equal(child.error, undefined);
  const volatileRoot = join(path, 'run/systemd/volatile-root');
  const read = (name: string): string | undefined => readIfThere(join(path, name))?.toString('utf8');
  return {
    status: child.status,
    stderr: child.stderr.replaceAll(path, ''),
    calls: (read('calls') ?? '').replaceAll(path, '').split('\n').slice(0, -1),
    sealed: read('run/sealtree/sealed'),
    unsealed: read('run/sealtree/unsealed'),
    volatileRoot: isLink(volatileRoot) ? readlinkSync(volatileRoot) : undefined,
    dropIns: Object.fromEntries(
      ['ostree-remount', 'systemd-remount-fs'].map((name) => [
        name,
        read(`run/systemd/system/${name}.service.d/50-sealtree.conf`)?.replace(path, ''),
      ]),
    ),
    fstab: read('run/sealtree/fstab'),
    prepareRootConf: read('etc/ostree/prepare-root.conf'),
    template: readIfThere(join(path, 'template')),
  };
}

const readIfThere = (path: string): Buffer | undefined => (existsSync(path) ? readFileSync(path) : undefined);
const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

const available = SHELLS.filter(hasShell);
const absent = SHELLS.filter((shell) => !available.includes(shell)).map((shell) => shell.join(' '));

/** One test per shell, since each has a printf, an arithmetic and a `read` of its own. */
function inEachShell(what: string, test: (run: (world?: World) => Outcome) => void): void {
  for (const shell of available)
    it(`${what} (${shell.join(' ')})`, () => test((world) => boot(shell, world)));
}

describe('shells', () => {
  it('are there to be tested with', (t) => {
    assert.ok(available.length > 0, 'not one shell');
    if (absent.length > 0) t.skip(`not installed: ${absent.join(', ')}`);
  });
});

/** What is mounted and taken down, in order, for a root that is sealed. */
const SEALING = [
  'mount -i -t ramfs -o mode=0700 sealtree /run/sealtree/check',
  'mount -i -t erofs -o ro /run/sealtree/check/template /run/sealtree/check/lower',
  'mount -i -t overlay -o ro,metacopy=on,redirect_dir=on,verity=require,lowerdir=/run/sealtree/check/lower::/root composefs /run/sealtree/check/root',
  'umount -l /run/sealtree/check',
  'mount -i -t erofs -o ro /root/.ostree.cfs /run/sealtree/lower',
  'mount -i -t overlay -o ro,metacopy=on,redirect_dir=on,verity=require,lowerdir=/run/sealtree/lower::/root/sysroot/ostree/repo/objects /dev/sda1 /run/sealtree/root',
  'mount --rbind /root/etc /run/sealtree/root/etc',
  'mount --rbind /root/sysroot /run/sealtree/root/sysroot',
  'umount -l /root',
  'mount --move /run/sealtree/root /root',
];

describe('a deployment with the pinned image', () => {
  inEachShell('is checked, then mounted, then takes the place of the plain root', (run) => {
    const { status, sealed, unsealed, calls, stderr } = run();
    assert.deepEqual({ status, sealed, unsealed }, { status: 0, sealed: `${DIGEST}\n`, unsealed: undefined });
    assert.deepEqual(calls, SEALING);
    assert.equal(stderr, `sealtree: the root is the image ${DIGEST} (pinned, not authenticated)\n`);
  });

  inEachShell('is checked for exactly the digest of its pin', (run) => {
    for (const digest of [DIGEST, '00'.repeat(32), 'ff'.repeat(32), '5c25270a0d00'.repeat(6).slice(0, 64)]) {
      const { template } = run({ commandLine: `sealtree.pin=0123456789ab:${digest} ${LINK}` });
      assert.deepEqual(template, sealTemplateImage(digest as Digest), digest);
    }
  });

  inEachShell('keeps what is mounted on it, but for /usr', (run) => {
    const mounts = [
      '40 30 8:1 /os/etc ROOT/etc rw - ext4 /dev/sda1 rw',
      '41 32 8:1 /os/var ROOT/sysroot/ostree/deploy/os/var rw - ext4 /dev/sda1 rw',
      '42 30 8:1 /boot ROOT/boot rw - ext4 /dev/sda1 rw',
      '43 30 0:5 / ROOT/dev rw - devtmpfs udev rw',
      '44 43 0:6 / ROOT/dev/pts rw - devpts devpts rw',
      '45 30 0:5 / ROOT/dev rw - devtmpfs udev rw',
    ];
    const binds = run({ mounts }).calls.filter((call) => call.includes('--rbind'));
    assert.deepEqual(
      binds.map((call) => call.split('/').at(-1)),
      ['etc', 'sysroot', 'boot', 'dev'],
    );
  });

  inEachShell('is cut off from mounts that would follow', (run) => {
    const { calls } = run({ mounts: ['50 20 0:9 / /run rw shared:3 - tmpfs tmpfs rw'] });
    assert.equal(calls[4], 'mount --make-rprivate /');
    assert.ok(!run().calls.some((call) => call.includes('private')));
  });

  inEachShell('tells user space where its disk is, and to keep /var writable', (run) => {
    const { volatileRoot, dropIns } = run();
    assert.equal(volatileRoot, '/dev/block/8:1');
    assert.deepEqual(dropIns, {
      'ostree-remount': '[Service]\nExecStartPost=-/usr/bin/mount -o remount,bind,rw /var\n',
      'systemd-remount-fs': undefined,
    });
  });

  inEachShell('has the disk made writable where the kernel command line left that to fstab', (run) => {
    const remounts = (world: World): string[] =>
      (run({ isReadOnly: true, ...world }).dropIns['ostree-remount'] ?? '')
        .split('\n')
        .slice(1, -1)
        .map((line) => line.replace('ExecStartPost=-/usr/bin/mount -o remount,', ''));
    const all = ['rw /etc', 'rw /var', 'bind,rw /sysroot'];
    assert.deepEqual(remounts({}), all);
    assert.deepEqual(
      remounts({ fstab: '/dev/sdb /srv ext4 ro\nLABEL=root / ext4 errors=remount-ro 0 1' }),
      all,
    );
    assert.deepEqual(remounts({ fstab: 'LABEL=root / ext4 noatime,ro' }), ['bind,rw /var']);
    // sysroot.readonly
    const mounts = ['41 32 8:1 /os/var ROOT/sysroot/ostree/deploy/os/var rw - ext4 /dev/sda1 ro'];
    assert.deepEqual(remounts({ mounts }), ['rw /etc', 'rw /var']);
  });

  inEachShell('keeps systemd from remounting the root as fstab has it, and only that', (run) => {
    const { fstab, dropIns } = run({
      fstab: [
        '# <file system> <mount point> <type> <options> <dump> <pass>',
        'UUID=0-1 / ext4 errors=remount-ro 0 1',
        '\tLABEL=a\\040b\t/usr/*\text4  ro,x=/ 0 0',
        '',
        'proc /proc proc hidepid=2',
        '/dev/sda1 / ext4',
      ].join('\n'),
    });
    assert.deepEqual(
      (fstab ?? '').split('\n').map((line) => line.trim()),
      [
        '# <file system> <mount point> <type> <options> <dump> <pass>',
        'LABEL=a\\040b /usr/* ext4  ro,x=/ 0 0',
        '',
        'proc /proc proc hidepid=2',
        '',
      ],
    );
    assert.equal(dropIns['systemd-remount-fs'], '[Service]\nEnvironment=SYSTEMD_FSTAB=/run/sealtree/fstab\n');
  });

  inEachShell('may have an image that is mounted through a loop device only', (run) => {
    const { status, calls } = run({ failing: '* -t erofs -o ro *' });
    assert.equal(status, 0);
    assert.equal(calls.filter((call) => call.startsWith('mount -i -t erofs -o ro,loop ')).length, 2);
  });

  inEachShell('passes over first files that it does not have', (run) => {
    const { status } = run({ otherFirstFiles: ['usr/lib/init-of-another', 'usr/bin/init/below-a-file'] });
    assert.equal(status, 0);
  });

  inEachShell('is left alone where nothing asks for a deployment', (run) => {
    const { status, calls, stderr } = run({ commandLine: `root=LABEL=root ${PIN}` });
    assert.deepEqual({ status, calls, stderr }, { status: 0, calls: [], stderr: '' });
  });

  inEachShell('goes by the last of several pins, as by the last of all kernel arguments', (run) => {
    const { status, sealed } = run({
      commandLine: `sealtree.pin=ffffffffffff:${'0'.repeat(64)} ${LINK} ${PIN}`,
    });
    assert.deepEqual({ status, sealed }, { status: 0, sealed: `${DIGEST}\n` });
  });
});

interface Row {
  readonly seen: string;
  readonly world: World;
  /** The check that fails, as it is named. */
  readonly check: string;
  readonly found: RegExp;
  /** Whether `unpinned = plain` lets it boot under `enforce`. */
  readonly isUnpinned?: boolean;
}

const composefs = (options: string): string => `overlay composefs ro,lowerdir=a::b${options}`;

const ROWS: readonly Row[] = [
  {
    seen: 'no image',
    world: { hasImage: false },
    check: "the deployment's image is missing",
    found: /no file/,
  },
  {
    seen: 'an image with another digest',
    world: {
      image: 'wrong',
      log: "[    1.0] overlayfs: lower file '.ostree.cfs' has the wrong fs-verity digest\n",
    },
    check: "the deployment's image is not the pinned one",
    found: /a file with another fs-verity digest$/m,
  },
  {
    seen: 'an image without fs-verity',
    world: { image: 'wrong', log: "[    1.0] overlayfs: lower file '.ostree.cfs' has no fs-verity digest\n" },
    check: "the deployment's image is not the pinned one",
    found: /a file without fs-verity$/m,
  },
  {
    seen: 'an image damaged on the disk',
    world: { image: 'wrong', log: '[    1.0] fs-verity (vda, inode 13): FILE CORRUPTED! pos=0\n' },
    check: "the deployment's image is not the pinned one",
    found: /damage on the disk \(fs-verity \(vda, inode 13\): FILE CORRUPTED! pos=0\)$/m,
  },
  {
    seen: 'an image that cannot be opened, for reasons nobody logs',
    world: { image: 'wrong' },
    check: "the deployment's image is not the pinned one",
    found: /Is a directory$/m,
  },
  {
    seen: 'no pin',
    world: { commandLine: `root=LABEL=root ${LINK}` },
    check: 'the boot entry has no seal pin',
    found: /none$/m,
    isUnpinned: true,
  },
  {
    seen: 'a pin of another commit',
    world: { commandLine: `sealtree.pin=ba9876543210:${DIGEST} ${LINK}` },
    check: "the boot entry's seal pin is of another deployment",
    found: /commit ba9876543210\.\.$/m,
    isUnpinned: true,
  },
  ...[
    '',
    'short',
    `0123456789a:${DIGEST}`,
    `0123456789AB:${DIGEST}`,
    `0123456789ab:${DIGEST}0`,
    `:${DIGEST}`,
    '*:*',
  ].map(
    (value): Row => ({
      seen: `the pin '${value}'`,
      world: { commandLine: `${LINK} sealtree.pin=x sealtree.pin=${value}` },
      ...(value === ''
        ? { check: 'the boot entry has no seal pin', found: /none$/m, isUnpinned: true }
        : { check: "the boot entry's seal pin cannot be read", found: /sealtree\.pin=/ }),
    }),
  ),
  {
    seen: 'a kernel without EROFS',
    world: { filesystems: 'nodev\toverlay\n\text4\n' },
    check: 'this kernel cannot mount an image',
    found: /Linux 6\.12\.0 without them: the initramfs has no such module$/m,
  },
  {
    seen: 'modules for another kernel',
    world: { filesystems: '\text4\n', modules: { release: '6.1.0', names: ['erofs'] } },
    check: 'this kernel cannot mount an image',
    found: /the modules are for 6\.1\.0$/m,
  },
  {
    seen: 'a kernel without data-only layers or verity=require',
    world: { failing: '* -t overlay *check*' },
    check: 'this kernel cannot check an image',
    found: /no such luck$/m,
  },
  {
    seen: 'an EROFS that mounts nothing',
    world: { failing: '* -t erofs *' },
    check: 'this kernel cannot mount an image',
    found: /no such luck; through a loop device: mount: no such luck$/m,
  },
  {
    seen: 'an image that does not mount',
    world: { failing: '* -t erofs *.ostree.cfs*' },
    check: 'the image cannot be mounted',
    found: /no such luck/,
  },
  {
    seen: 'objects that do not mount',
    world: { failing: '* -t overlay *objects*' },
    check: 'the image cannot be mounted over its objects',
    found: /no such luck$/m,
  },
  {
    seen: 'a first file that cannot be read',
    world: { firstFiles: ['usr/bin/init', 'usr/lib/libc.so/'] },
    check: 'a file that user space needs first cannot be read',
    found: /expected: \/usr\/lib\/libc\.so as sealed\n.*found: +Is a directory$/m,
  },
  {
    seen: 'an /etc that cannot be carried over',
    world: { failing: '*--rbind*etc' },
    check: '/etc cannot be carried over to the sealed root',
    found: /no such luck$/m,
  },
  {
    seen: 'an unlocked deployment',
    world: { mounts: ['60 31 0:50 / ROOT/usr rw - overlay overlay rw,lowerdir=usr'] },
    check: 'the deployment is unlocked: its /usr can be changed',
    found: /an overlay on \/usr$/m,
  },
  {
    seen: 'a root that is no deployment',
    world: { rootMount: 'ext4 /dev/sda1 rw' },
    check: 'it cannot be told which deployment this is',
    found: /''$/m,
  },
];

describe('the policy', () => {
  for (const { seen, world, check, found, isUnpinned = false } of ROWS) {
    inEachShell(`enforce refuses ${seen}`, (run) => {
      const { status, sealed, unsealed, stderr } = run({ ...world, settings: ENFORCE });
      assert.deepEqual({ status, sealed, unsealed }, { status: 1, sealed: undefined, unsealed: undefined });
      assert.ok(stderr.startsWith(`sealtree: REFUSED TO BOOT: ${check}\n`), stderr);
      assert.match(stderr, found);
      assert.match(stderr, /^sealtree: {3}what to do: boot another entry, then (run|deploy|set) /m);
    });

    inEachShell(`prefer goes on with the plain deployment at ${seen}, and leaves a note`, (run) => {
      const { status, sealed, unsealed, stderr, calls } = run({ ...world, settings: PREFER });
      assert.deepEqual({ status, sealed }, { status: 0, sealed: undefined });
      assert.ok(unsealed?.startsWith(`${check} (expected `), unsealed);
      assert.equal(unsealed?.split('\n').length, 2, 'one line');
      assert.ok(stderr.startsWith(`sealtree: NOT SEALED: ${check}\n`), stderr);
      assert.match(stderr, found);
      assert.match(stderr, /^sealtree: {3}what to do: (run|deploy|set) /m);
      assertNothingLeft(calls);
    });

    if (isUnpinned)
      inEachShell(`enforce with unpinned=plain goes on at ${seen}, and leaves a note`, (run) => {
        const { status, unsealed } = run({ ...world, settings: UNPINNED_PLAIN });
        assert.equal(status, 0);
        assert.ok(unsealed?.startsWith(`${check} (expected `), unsealed);
      });
  }

  it('enforce with unpinned=plain refuses all else', () => {
    for (const { seen, world } of ROWS.filter(({ isUnpinned }) => isUnpinned !== true))
      assert.equal(boot(available[0] ?? [], { ...world, settings: UNPINNED_PLAIN }).status, 1, seen);
  });

  inEachShell('refuses whatever it is once the plain deployment is gone', (run) => {
    for (const failing of ['umount -l */root', 'mount --move *']) {
      const { status, stderr, sealed, unsealed } = run({ settings: PREFER, failing });
      assert.deepEqual({ status, sealed, unsealed }, { status: 1, sealed: undefined, unsealed: undefined });
      assert.match(stderr, /^sealtree: REFUSED TO BOOT: /);
    }
  });

  inEachShell('reboots after a refusal where it says so', (run) => {
    const { status, stderr } = run({ hasImage: false, settings: { ...ENFORCE, onRefusal: 'reboot' } });
    assert.equal(status, 1);
    assert.match(stderr, /^sealtree: {3}rebooting in 10 seconds$/m);
  });

  inEachShell('reboots by itself only where the loader has counted this boot', (run) => {
    for (const isCounted of [true, false, undefined]) {
      const { status, stderr, calls } = run({
        hasImage: false,
        settings: { ...ENFORCE, onRefusal: 'auto' },
        ...(isCounted === undefined ? {} : { isCounted }),
      });
      assert.equal(status, 1);
      assert.equal(stderr.includes('rebooting'), isCounted === true, stderr);
      // Not every initramfs has mounted the variables, and not every machine has any.
      const mount = 'mount -i -t efivarfs efivarfs /sys/firmware/efi/efivars';
      assert.equal(calls.includes(mount), isCounted === false);
    }
  });

  inEachShell('is prefer, loudly, where the command line asks for that', (run) => {
    const asks = `${PIN} ${LINK} sealtree.policy=prefer`;
    const { status, unsealed, stderr } = run({ settings: ENFORCE, hasImage: false, commandLine: asks });
    assert.equal(status, 0);
    assert.match(
      unsealed ?? '',
      /^the deployment's image is missing .*; policy=prefer from the kernel command line$/m,
    );
    assert.match(stderr, /^sealtree: policy=enforce is off for this boot, as the kernel command line asks$/m);
    const whole = run({ settings: ENFORCE, commandLine: asks });
    assert.deepEqual([whole.status, whole.sealed], [0, `${DIGEST}\n`]);
    // Nothing else takes a policy back, and nothing sets one.
    for (const word of ['sealtree.policy=plain', 'sealtree.policy=', 'sealtree.policy', 'policy=prefer'])
      assert.equal(
        run({ settings: ENFORCE, hasImage: false, commandLine: `${asks.replace(/\S+$/, word)}` }).status,
        1,
      );
    const enforced = asks.replace(/prefer$/, 'enforce');
    assert.equal(run({ settings: PREFER, hasImage: false, commandLine: enforced }).status, 0);
  });

  inEachShell('is prefer, loudly, where its file is damaged', (run) => {
    const good = renderSettings(ENFORCE).toString();
    for (const settings of [
      'missing',
      '',
      '\0',
      good.replace('enforce', 'Enforce'),
      `${good}policy=enforce\n`,
      `${good}\n`,
      `${good}x`,
    ]) {
      const { status, stderr, unsealed } = run({ settings, hasImage: false });
      assert.equal(status, 0, JSON.stringify(settings));
      assert.match(
        stderr,
        /^sealtree: the settings in the initramfs are damaged: going on as with policy=prefer; /,
      );
      assert.notEqual(unsealed, undefined);
    }
  });
});

/** What was mounted is taken down again, and the plain root was never touched. */
function assertNothingLeft(calls: readonly string[]): void {
  const mounted = new Set<string>();
  for (const call of calls) {
    const words = call.split(' ');
    const place = words.at(-1) ?? '';
    assert.ok(!(words[0] === 'umount' && place === '/root'), call);
    if (words[0] === 'mount' && words.includes('-t')) mounted.add(place);
    if (words[0] === 'umount')
      for (const point of mounted)
        if (point === place || point.startsWith(`${place}/`)) mounted.delete(point);
  }
  // What failed to mount was put down as mounted above; nothing is below it.
  assert.deepEqual([...mounted], []);
}

describe('modules', () => {
  inEachShell('are inserted in their order, those of the initramfs first', (run) => {
    const { calls, stderr } = run({
      filesystems: '\text4\n',
      modules: { release: '6.12.0', names: ['zz-first', 'zz_second'] },
    });
    // The pretended kernel does not get the file systems by that.
    assert.match(stderr, /^sealtree: REFUSED TO BOOT: this kernel cannot mount an image\n/);
    assert.deepEqual(calls, [
      'modprobe erofs',
      'modprobe overlay',
      'insmod /own/modules/zz-first.ko.xz',
      'insmod /own/modules/zz_second.ko.xz',
    ]);
  });
});

describe('a root that ostree mounted from a composefs image itself', () => {
  const link = 'sysroot/ostree/boot.1/os/bootcsum/0';
  inEachShell('is left alone, and sealed where it is the pinned one', (run) => {
    const { status, sealed, calls, stderr } = run({
      rootMount: composefs(',verity=require'),
      bootLink: link,
    });
    assert.deepEqual({ status, sealed }, { status: 0, sealed: `${DIGEST}\n` });
    assert.deepEqual(calls.slice(3), ['umount -l /run/sealtree/check']);
    assert.match(calls[2] ?? '', new RegExp(`::/root/sysroot/ostree/deploy/os/deploy/${COMMIT}.0 `));
    assert.match(stderr, /left alone/);
  });

  inEachShell('is kept from being remounted as fstab has it', (run) => {
    const { fstab, dropIns } = run({
      rootMount: composefs(',verity=require'),
      bootLink: link,
      fstab: 'LABEL=root / ext4 errors=remount-ro 0 1\nproc /proc proc hidepid=2\n',
    });
    assert.equal(fstab?.trimEnd(), 'proc /proc proc hidepid=2');
    assert.deepEqual(dropIns, {
      // It knows of such a root.
      'ostree-remount': undefined,
      'systemd-remount-fs': '[Service]\nEnvironment=SYSTEMD_FSTAB=/run/sealtree/fstab\n',
    });
  });

  inEachShell('is not sealed where its objects are not checked', (run) => {
    const { status, stderr } = run({ rootMount: composefs(''), bootLink: link });
    assert.equal(status, 1);
    assert.match(stderr, /REFUSED TO BOOT: ostree mounted its own composefs image without fs-verity\n/);
  });

  inEachShell('is not sealed where a file that user space needs first cannot be read', (run) => {
    const world = { rootMount: composefs(',verity=require'), bootLink: link, firstFiles: ['usr/bin/init/'] };
    const { status, stderr } = run(world);
    assert.equal(status, 1);
    assert.match(stderr, /expected: \/usr\/bin\/init as sealed/);
  });

  inEachShell('is not sealed where its /usr can be changed', (run) => {
    const { status, stderr } = run({
      rootMount: composefs(',verity=require'),
      bootLink: link,
      mounts: ['33 30 0:41 / ROOT/usr rw - overlay overlay rw'],
    });
    assert.equal(status, 1);
    assert.match(stderr, /the deployment is unlocked/);
  });

  inEachShell('is not sealed where its image is another', (run) => {
    const { status, stderr } = run({
      rootMount: composefs(',verity=require'),
      bootLink: link,
      image: 'wrong',
    });
    assert.equal(status, 1);
    assert.match(stderr, /REFUSED TO BOOT: the deployment's image is not the pinned one\n/);
  });
});

describe('before an ostree-prepare-root that mounts images by itself', () => {
  const link = 'ostree/boot.1/os/bootcsum/0';
  const physical = { mounts: [], rootMount: 'ext4 /dev/sda1 rw' };
  const conf = '[composefs]\nenabled=verity\n';

  inEachShell('has it mount the pinned image', (run) => {
    const { status, stderr, calls, prepareRootConf, sealed } = run({
      ...physical,
      before: conf,
      bootLink: link,
    });
    assert.deepEqual({ status, stderr, prepareRootConf }, { status: 0, stderr: '', prepareRootConf: conf });
    // What became of it is for the run after to say.
    assert.equal(sealed, undefined);
    assert.deepEqual(calls.slice(3), [
      'umount -l /run/sealtree/check',
      `mount -i -t erofs -o ro /root/ostree/deploy/os/deploy/${COMMIT}.0/.ostree.cfs /run/sealtree/lower`,
      'mount -i -t overlay -o ro,metacopy=on,redirect_dir=on,verity=require,lowerdir=/run/sealtree/lower::/root/ostree/repo/objects /dev/sda1 /run/sealtree/root',
      'umount -l /run/sealtree/root',
      'umount -l /run/sealtree/lower',
    ]);
  });

  const CASES: readonly (readonly [what: string, world: World])[] = [
    ['an image that is another', { image: 'wrong' }],
    ['no seal pin', { commandLine: `root=LABEL=root ${LINK}` }],
    ['a pin of another commit', { commandLine: `${PIN.replace('0123456789ab', 'ba9876543210')} ${LINK}` }],
    ['no deployment to be found', { commandLine: `${PIN} ostree=/ostree/boot.0/os/bootcsum/0` }],
    ['a first file that cannot be read', { firstFiles: ['usr/bin/init/'] }],
    ['a kernel that cannot', { filesystems: 'ext4\n' }],
    ['an image that cannot be mounted', { failing: '*.ostree.cfs*' }],
    ['a deployment that is hotfixed', { isHotfixed: true }],
    ['no settings for it', { before: 'none' }],
    ['no deployment to boot', { commandLine: 'root=LABEL=root' }],
  ];
  for (const [what, world] of CASES)
    inEachShell(`changes nothing, refuses nothing and says nothing: ${what}`, (run) => {
      for (const settings of [ENFORCE, PREFER, UNPINNED_PLAIN]) {
        const { status, stderr, prepareRootConf, sealed, unsealed, calls } = run({
          ...physical,
          settings,
          before: conf,
          bootLink: link,
          ...world,
        });
        assert.deepEqual(
          { status, stderr, prepareRootConf, sealed, unsealed },
          { status: 0, stderr: '', prepareRootConf: 'as it was\n', sealed: undefined, unsealed: undefined },
        );
        for (const name of ['check', 'lower', 'root']) {
          const isTried = calls.some(
            (line) => line.startsWith('mount ') && line.endsWith(` /run/sealtree/${name}`),
          );
          if (isTried) assert.ok(calls.includes(`umount -l /run/sealtree/${name}`), calls.join('\n'));
        }
      }
    });
});

describe('what is shipped for an initramfs', () => {
  const scripts = PAYLOAD_NAMES.map(payloadPath).filter(
    (path) => !/\.(conf|service|path|timer)$|\/90sealtree$/.test(path),
  );

  for (const shell of available)
    it(`is what ${shell.join(' ')} can parse`, () => {
      for (const path of scripts.filter((name) => !/module-setup\.sh$|\/mkinitcpio\//.test(name))) {
        const [program = '', ...args] = shell;
        const { status, stderr } = spawnSync(program, [...args, '-n', path], { encoding: 'utf8' });
        assert.equal(status, 0, stderr);
      }
    });

  it('has nothing that shellcheck minds', (t) => {
    const reason = missingShellcheck();
    if (reason !== undefined) return t.skip(reason);
    lintScripts(scripts);
  });
});
