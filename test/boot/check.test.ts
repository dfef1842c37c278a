/** Damage of every kind to what a boot reads must be found, and nothing else. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  globSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError, InterruptedError } from '../../src/base/errors.ts';
import { S_IFREG } from '../../src/base/mode.ts';
import { Progress, silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { checkKernelImage } from '../../src/boot/check/kernel-image.ts';
import { type CheckOptions, checkBoot, softRebootNotes } from '../../src/boot/check.ts';
import { type ExtendedInitramfs, splitAddition } from '../../src/boot/initramfs/extended.ts';
import { type InitramfsSettings, renderSettings } from '../../src/boot/initramfs-settings.ts';
import { bootFolder, formatJournal, journalPath } from '../../src/boot/journal.ts';
import { planRemove } from '../../src/boot/plan.ts';
import { type BootState, type BootTarget, readBootState } from '../../src/boot/state.ts';
import { judgeVerity, type Volume } from '../../src/boot/storage.ts';
import { readSettings } from '../../src/config/settings.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { writeCpio } from '../../src/formats/cpio.ts';
import type { Finding } from '../../src/image/findings.ts';
import {
  addScript,
  type BootableSysroot,
  installBoot,
  makeBootableSysroot,
  RELEASE,
  standInInitramfs,
  standInKernel,
} from '../support/bootable-sysroot.ts';
import fc from '../support/fast-check.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

type Policy = 'enforce' | 'prefer';

const settingsFor = (policy: Policy): InitramfsSettings => ({
  policy,
  unpinned: 'refuse',
  onRefusal: 'auto',
});

/** The state of a sysroot whose sealtree.conf has these lines in `[boot]`. */
async function readState(sysroot: BootableSysroot, lines: string): Promise<BootState> {
  const { path, system } = sysroot;
  const root = join(path, '..', `${basename(path)}-root`);
  mkdirSync(join(root, 'etc/sealtree'), { recursive: true });
  writeFileSync(join(root, 'etc/sealtree/sealtree.conf'), `[boot]\n${lines}`);
  const state = await readBootState(readSysroot(path, system), readSettings(system, root), silent(), system);
  // What this host's kernel and file system can do is another test's question.
  return { ...state, storage: { ...state.storage, verity: { state: 'ready' } } };
}

/** All but that no loader is found, which goes without saying in a sysroot that has none. */
async function findingsOf(
  state: BootState,
  system: System,
  options: Partial<CheckOptions> = {},
): Promise<Finding[]> {
  const all = { depth: 'metadata', progress: silent(), rehearse: undefined, ...options } as const;
  return (await collect(checkBoot(state, all, system))).filter(({ code }) => code !== 'loader-unknown');
}

async function collect(found: AsyncIterable<Finding>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of found) findings.push(finding);
  return findings;
}

/** `severity code`, sorted: what a check comes down to. */
const summary = (findings: readonly Finding[]): string[] =>
  findings.map(({ severity, code }) => `${severity} ${code}`).sort();

/** An installed sysroot. */
async function installed(work: Sandbox, policy: Policy): Promise<BootableSysroot> {
  const sysroot = await makeBootableSysroot(work.join('sysroot'));
  await installBoot(sysroot, settingsFor(policy));
  return sysroot;
}

/** Puts bytes in the place of a file, as a new file: one with fs-verity cannot be written to. */
function replace(path: string, bytes: Uint8Array | string): void {
  // Written before the old one goes, so that it gets another inode.
  const temporary = `${path}.new`;
  writeFileSync(temporary, bytes);
  chmodSync(temporary, lstatSync(path).mode);
  renameSync(temporary, path);
}

const cut = (path: string, size: number): void => replace(path, readFileSync(path).subarray(0, size));

function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(path, 'latin1');
  const after = change(before);
  assert.notEqual(after, before, 'the damage has to change something');
  replace(path, Buffer.from(after, 'latin1'));
}

const entryOf = ({ entries }: BootableSysroot, i = 0): string => entries[i] as string;
const imageOf = ({ deploymentPaths }: BootableSysroot, i = 0): string =>
  join(deploymentPaths[i] as string, '.ostree.cfs');

/** The object of a file that only the first deployment has. */
function ownObject({ repositoryPath }: BootableSysroot): string {
  const content = Buffer.alloc(10_000, '2');
  const found = globSync('objects/*/*.file', { cwd: repositoryPath })
    .map((name) => join(repositoryPath, name))
    .find((path) => lstatSync(path).isFile() && readFileSync(path).equals(content));
  assert(found !== undefined);
  return found;
}

/** Another initramfs below our addition, in /boot and in the deployments. */
async function rebase(sysroot: BootableSysroot, base: Buffer, policy: Policy): Promise<void> {
  for (const path of sysroot.deploymentPaths)
    replace(join(path, 'usr/lib/modules', RELEASE, 'initramfs.img'), base);
  for (const path of sysroot.initrds) await addScript(sysroot, path, settingsFor(policy), base);
}

/** An initramfs as a generator would have made it: one archive, with what `change` makes of our files. */
function generated(files: Readonly<Record<string, string | Buffer | undefined>>): Buffer {
  const own = Object.entries(files).flatMap(([name, content]) =>
    content === undefined
      ? []
      : [
          {
            name: name as ByteString,
            mode: S_IFREG | (name.endsWith('seal-root') ? 0o755 : 0o644),
            content: Buffer.from(content),
          },
        ],
  );
  return Buffer.concat([standInInitramfs(), writeCpio(own)]);
}

interface Damage {
  /** Changes an installed sysroot. */
  readonly damage: (sysroot: BootableSysroot, policy: Policy) => void | Promise<void>;
  /** What is found then, under `enforce`. */
  readonly enforce: readonly string[];
  /** Under `prefer`, where it differs. */
  readonly prefer?: readonly string[];
  /** What the first finding of that code says, and where. */
  readonly says?: RegExp;
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  'a kernel that is missing': {
    damage: ({ kernels }) => rmSync(kernels[0]),
    enforce: ['error kernel-missing'],
    says: /there is no such file/,
  },
  'a kernel that is empty': {
    damage: ({ kernels }) => replace(kernels[1], ''),
    enforce: ['error kernel-damaged'],
    says: /the kernel is empty/,
  },
  'a kernel that was cut': {
    damage: ({ kernels }) => cut(kernels[1], 3000),
    enforce: ['error kernel-damaged'],
    says: /cut short: the protected-mode code: got 3000, want 6656/,
  },
  'a kernel of zeros': {
    damage: ({ kernels }) => replace(kernels[1], Buffer.alloc(6656)),
    enforce: ['error kernel-damaged'],
    says: /begins with zeros/,
  },
  'a kernel with a changed byte': {
    damage: ({ kernels }) => {
      const bytes = readFileSync(kernels[1]);
      bytes[5000] = 0;
      replace(kernels[1], bytes);
    },
    enforce: ['error kernel-differs'],
  },
  'a kernel of a form that nobody knows': {
    damage: ({ kernels, deploymentPaths }) => {
      const bytes = Buffer.alloc(5000, 'x');
      replace(kernels[1], bytes);
      replace(join(deploymentPaths[2] as string, 'usr/lib/modules', RELEASE, 'vmlinuz'), bytes);
    },
    enforce: ['unchecked kernel-form'],
  },
  'an entry without a kernel': {
    damage: (sysroot) => edit(entryOf(sysroot, 2), (text) => text.replace(/^linux.*\n/m, '')),
    enforce: ['error kernel-missing'],
    says: /names no kernel/,
  },
  'an initramfs that is missing': {
    damage: ({ initrds }) => rmSync(initrds[1]),
    enforce: ['error initrd-missing'],
  },
  'an entry without an initramfs': {
    damage: (sysroot) => edit(entryOf(sysroot, 2), (text) => text.replace(/^initrd.*\n/m, '')),
    enforce: ['error initramfs-without-script', 'error initrd-missing'],
    prefer: ['error initrd-missing', 'warning initramfs-without-script'],
  },
  'an initramfs that is empty': {
    damage: ({ initrds }) => replace(initrds[1], ''),
    enforce: ['error initrd-damaged', 'warning initrd-differs'],
  },
  'an initramfs that was cut in its first archive': {
    damage: ({ initrds }) => cut(initrds[1], 700),
    enforce: ['error initrd-damaged', 'warning initrd-differs'],
  },
  'an initramfs that was cut in our addition': {
    damage: ({ initrds }) => cut(initrds[1], readFileSync(initrds[1]).length - 400),
    enforce: ['error initrd-damaged', 'error initrd-damaged'],
  },
  'an initramfs with a changed byte before our addition': {
    damage: ({ initrds }) => {
      const bytes = readFileSync(initrds[1]);
      const at = bytes.indexOf('a program');
      bytes.write('A', at, 'latin1');
      replace(initrds[1], bytes);
    },
    enforce: ['error initrd-damaged'],
    says: /SHA-256 of the initramfs that was extended/,
  },
  'an initramfs that somebody made anew': {
    damage: async (sysroot, policy) => {
      await addScript(
        sysroot,
        sysroot.initrds[1],
        settingsFor(policy),
        Buffer.concat([standInInitramfs(), standInInitramfs()]),
      );
    },
    enforce: ['warning initrd-differs'],
  },
  'an overlay initrd that is not what its name says': {
    damage: (sysroot) => {
      const name = `/ostree/initramfs-overlays/${'e'.repeat(64)}.img`;
      const path = join(sysroot.path, 'boot', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, writeCpio([]));
      edit(entryOf(sysroot, 2), (text) => `${text}initrd ${name}\n`);
    },
    enforce: ['error initrd-damaged'],
    says: /a SHA-256 that it does not have/,
  },
  'an initramfs without the script': {
    damage: ({ initrds }) => replace(initrds[1], standInInitramfs()),
    enforce: ['error initramfs-without-script'],
    prefer: ['warning initramfs-without-script'],
    says: /boots plain, without a word/,
  },
  'an initramfs where nothing calls the script': {
    damage: (sysroot) => {
      const bytes = generated({ 'usr/lib/sealtree/seal-root': '#!/bin/sh\n' });
      for (const path of sysroot.deploymentPaths.slice(2))
        replace(join(path, 'usr/lib/modules', RELEASE, 'initramfs.img'), bytes);
      replace(sysroot.initrds[1], bytes);
    },
    enforce: [
      'error initramfs-hook',
      'error initramfs-incomplete',
      'error initramfs-incomplete',
      'error initramfs-settings',
      'error initramfs-without-script',
      'warning initramfs-outdated',
    ],
    prefer: [
      'error initramfs-settings',
      'warning initramfs-hook',
      'warning initramfs-incomplete',
      'warning initramfs-incomplete',
      'warning initramfs-outdated',
      'warning initramfs-without-script',
    ],
  },
  'an initramfs with other settings than configured': {
    damage: async (sysroot, policy) => {
      const other = policy === 'enforce' ? 'prefer' : 'enforce';
      await addScript(sysroot, sysroot.initrds[1], settingsFor(other), standInInitramfs());
    },
    enforce: ['error initramfs-settings'],
    says: /policy is prefer, wanted is enforce|policy is enforce, wanted is prefer/,
  },
  'an initramfs without a program that the script runs': {
    damage: (sysroot, policy) => rebase(sysroot, standInInitramfs(['usr/bin/ln']), policy),
    enforce: ['error initramfs-program', 'error initramfs-program'],
    prefer: ['warning initramfs-program', 'warning initramfs-program'],
    says: /lacks ln$/,
  },
  'an initramfs that boots no deployment': {
    damage: (sysroot, policy) => rebase(sysroot, standInInitramfs(['ostree-prepare-root']), policy),
    enforce: ['error initramfs-without-ostree', 'error initramfs-without-ostree'],
  },
  'modules in the initramfs that are for another kernel': {
    damage: async (sysroot, policy) => {
      for (const path of sysroot.deploymentPaths)
        rmSync(join(path, 'usr/lib/modules', RELEASE, 'kernel/fs/erofs.ko'));
      await rebase(sysroot, standInInitramfs(['erofs.ko']), policy);
      for (const path of sysroot.deploymentPaths)
        renameSync(join(path, 'usr/lib/modules', RELEASE), join(path, 'usr/lib/modules/6.13.0'));
    },
    enforce: [
      'error initramfs-modules',
      'error initramfs-modules',
      'error initramfs-modules',
      'error initramfs-modules',
    ],
    prefer: [
      'warning initramfs-modules',
      'warning initramfs-modules',
      'warning initramfs-modules',
      'warning initramfs-modules',
    ],
  },
  'a device tree that is missing': {
    damage: (sysroot) => edit(entryOf(sysroot, 2), (text) => `${text}devicetree /ostree/board.dtb\n`),
    enforce: ['error devicetree-missing'],
  },
  'an entry without a pin': {
    damage: (sysroot) => edit(entryOf(sysroot), (text) => text.replace(/ sealtree\.pin=\S+/, '')),
    enforce: ['error pin-missing'],
    prefer: ['warning pin-missing'],
    says: /no seal pin: it will (refuse to boot|boot plain)/,
  },
  'an entry with the pin of another commit': {
    damage: (sysroot) => {
      const pin = / sealtree\.pin=\S+/;
      const other = pin.exec(readFileSync(entryOf(sysroot, 1), 'latin1'))?.[0] ?? '';
      edit(entryOf(sysroot), (text) => text.replace(pin, other));
    },
    enforce: ['error pin-stale'],
    prefer: ['warning pin-stale'],
  },
  'an entry with the pin of another image': {
    damage: (sysroot) =>
      edit(entryOf(sysroot), (text) => text.replace(/(pin=\w+:)\w+/, `$1${'0'.repeat(64)}`)),
    enforce: ['error pin-wrong'],
    prefer: ['warning pin-wrong'],
    says: /demands the image 0{64}, there is [0-9a-f]{64}/,
  },
  'an entry with something that is no pin': {
    damage: (sysroot) => edit(entryOf(sysroot), (text) => text.replace(/(pin=\w+:)\w+/, '$1short')),
    enforce: ['error pin-malformed', 'error pin-malformed'],
    prefer: ['error pin-malformed', 'warning pin-malformed'],
  },
  'a pin that is right, and no record of it': {
    damage: ({ repositoryPath, commits }) =>
      rmSync(join(repositoryPath, 'extensions/sealtree/commits', commits[1])),
    enforce: ['warning image-not-ours', 'warning pin-unrecorded'],
  },
  'an image that is missing': {
    damage: (sysroot) => rmSync(imageOf(sysroot)),
    enforce: ['error image-missing'],
    prefer: ['warning image-missing'],
  },
  'an image that was replaced': {
    damage: (sysroot) => replace(imageOf(sysroot), readFileSync(imageOf(sysroot, 1))),
    enforce: ['error entry-differs', 'error entry-differs', 'error image-digest', 'error image-verity'],
    prefer: [
      'warning entry-differs',
      'warning entry-differs',
      'warning image-digest',
      'warning image-verity',
    ],
  },
  'an image that was cut': {
    damage: (sysroot) => cut(imageOf(sysroot), 4096),
    enforce: ['error image-damaged', 'error image-digest', 'error image-verity'],
    prefer: ['warning image-damaged', 'warning image-digest', 'warning image-verity'],
  },
  'an image that lost its fs-verity': {
    damage: (sysroot) => {
      const bytes = readFileSync(imageOf(sysroot));
      replace(imageOf(sysroot), bytes);
    },
    enforce: ['error image-verity', 'warning image-not-shared'],
    prefer: ['warning image-not-shared', 'warning image-verity'],
  },
  'an object that is missing': {
    damage: (sysroot) => rmSync(ownObject(sysroot)),
    enforce: ['error commit-damaged', 'error object-missing'],
    prefer: ['error object-missing', 'warning commit-damaged'],
  },
  'an object that was cut': {
    damage: (sysroot) => cut(ownObject(sysroot), 100),
    enforce: ['error entry-differs', 'error object-size', 'error object-without-verity'],
    prefer: ['error object-size', 'error object-without-verity', 'warning entry-differs'],
  },
  'an object that lost its fs-verity': {
    damage: (sysroot) => {
      const path = ownObject(sysroot);
      replace(path, readFileSync(path));
    },
    enforce: ['error object-without-verity'],
  },
  'a deployment that is gone': {
    damage: ({ deploymentPaths }) => renameSync(deploymentPaths[2] as string, `${deploymentPaths[2]}-moved`),
    enforce: ['error entry-without-deployment'],
  },
  'a transaction that was cut off': {
    damage: ({ repositoryPath }) => {
      mkdirSync(bootFolder(repositoryPath), { recursive: true });
      writeFileSync(journalPath(repositoryPath), formatJournal({ verb: 'remove', steps: ['a step'] }));
      writeFileSync(join(bootFolder(repositoryPath), '.sealtree-tmp-0123456789ab'), '');
    },
    enforce: ['warning leftover', 'warning transaction-unfinished'],
    says: /nothing reads it/,
  },
  'a journal that cannot be read': {
    damage: ({ repositoryPath }) => {
      mkdirSync(bootFolder(repositoryPath), { recursive: true });
      writeFileSync(journalPath(repositoryPath), '{');
    },
    enforce: ['error journal-unreadable'],
  },
  'a temporary file among the entries': {
    damage: (sysroot) => writeFileSync(join(dirname(entryOf(sysroot)), '.sealtree-tmp-0123456789ab'), ''),
    enforce: ['warning leftover'],
  },
  'a deployment that ostree could not finish': {
    damage: ({ path }) => writeFileSync(join(path, 'boot/ostree/finalize-failure.stamp'), 'No space left\n'),
    enforce: ['warning finalize-failure'],
    says: /No space left/,
  },
  'an entry that has failed too often': {
    damage: (sysroot) => renameSync(entryOf(sysroot), entryOf(sysroot).replace('.conf', '+0-3.conf')),
    enforce: ['warning entry-bad'],
  },
  'entries that have all failed too often': {
    damage: ({ entries }) => {
      for (const path of entries) renameSync(path, path.replace('.conf', '+0-3.conf'));
    },
    enforce: ['warning entries-all-bad', 'warning entry-bad', 'warning entry-bad', 'warning entry-bad'],
  },
  'a foreign entry whose kernel is missing': {
    damage: (sysroot) =>
      writeFileSync(join(dirname(entryOf(sysroot)), 'rescue.conf'), 'title Rescue\nlinux /no-such-file\n'),
    enforce: ['warning kernel-missing'],
  },
  'a foreign entry that starts a program': {
    damage: (sysroot) =>
      writeFileSync(join(dirname(entryOf(sysroot)), 'memtest.conf'), 'title Test\nefi /memtest.efi\n'),
    enforce: ['unchecked kernel-missing'],
  },
  'an entry that nobody can read': {
    damage: (sysroot) => replace(entryOf(sysroot), 'title x\0\n'),
    enforce: ['error entry-unreadable', 'warning deployment-without-entry'],
  },
};

describe('boot check', () => {
  for (const policy of ['enforce', 'prefer'] as const) {
    it(`finds nothing wrong with what install leaves, policy ${policy}`, async () => {
      using work = new Sandbox({ inMemory: true });
      const sysroot = await installed(work, policy);
      const state = await readState(sysroot, `policy=${policy}\n`);
      assert.deepEqual(await findingsOf(state, sysroot.system, { depth: 'paranoid' }), []);
    });

    for (const [name, { damage, enforce, prefer = enforce, says }] of Object.entries(DAMAGES))
      it(`finds ${name}, policy ${policy}`, async () => {
        using work = new Sandbox({ inMemory: true });
        const sysroot = await installed(work, policy);
        await damage(sysroot, policy);
        const findings = await findingsOf(await readState(sysroot, `policy=${policy}\n`), sysroot.system);
        assert.deepEqual(
          summary(findings),
          policy === 'enforce' ? enforce : prefer,
          JSON.stringify(findings, undefined, 2),
        );
        if (says !== undefined)
          assert(
            findings.some(({ message }) => says.test(message)),
            String(says),
          );
      });
  }
});

/** As `sysroot.bootprefix` makes them. */
function addPrefix({ path, entries }: BootableSysroot): void {
  symlinkSync('.', join(path, 'boot/boot'));
  for (const entry of entries) edit(entry, (text) => text.replace(/^(linux|initrd) /gm, '$1 /boot'));
}

/** syslinux, with the menu that ostree's back end would write for the entries as they are. */
function addSyslinux({ path, entries }: BootableSysroot): string {
  const value = (text: string, key: string): string => new RegExp(`^${key} (.*)$`, 'm').exec(text)?.[1] ?? '';
  const labels = entries.map((entry) => {
    const text = readFileSync(entry, 'latin1');
    return `LABEL ${value(text, 'title')}\n\tKERNEL ${value(text, 'linux')}\n\tAPPEND ${value(text, 'options')}\n\tINITRD ${value(text, 'initrd')}\n`;
  });
  const menu = join(path, 'boot/loader.0/syslinux.cfg');
  writeFileSync(menu, `DEFAULT ${/LABEL (.*)/.exec(labels[0] ?? '')?.[1]}\n\n${labels.join('')}`);
  mkdirSync(join(path, 'boot/syslinux'));
  symlinkSync('../loader/syslinux.cfg', join(path, 'boot/syslinux/syslinux.cfg'));
  return menu;
}

describe('boot check of a generated menu', () => {
  const check = async (
    work: Sandbox,
    change: (menu: string, sysroot: BootableSysroot) => void | Promise<void>,
  ) => {
    const sysroot = await installed(work, 'enforce');
    addPrefix(sysroot);
    await change(addSyslinux(sysroot), sysroot);
    return await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system);
  };

  const MENUS: Readonly<
    Record<string, readonly [change: (text: string) => string, want: readonly string[]]>
  > = {
    'the same as the entries': [(text) => text, []],
    'no pins, as before the install': [
      (text) => text.replace(/ sealtree\.pin=\S+/g, ''),
      ['error menu-pin', 'error menu-pin', 'error menu-pin'],
    ],
    'the pin of another image': [
      (text) => text.replace(/(pin=\w+:)\w+/, `$1${'0'.repeat(64)}`),
      ['error menu-pin'],
    ],
    'other arguments': [
      (text) => text.replace('root=LABEL=root', 'root=LABEL=old'),
      ['warning menu-options'],
    ],
    'another kernel': [
      (text) => text.replace(/KERNEL \S+/, 'KERNEL /ostree/old/vmlinuz'),
      ['error menu-kernel'],
    ],
    'another initramfs': [(text) => text.replace(/INITRD \S+/, 'INITRD /old.img'), ['error menu-initrd']],
    'no initramfs': [(text) => text.replace(/\tINITRD .*\n/, ''), ['error menu-initrd']],
    'the deployments of before': [
      (text) => text.replaceAll('/ostree/boot.0/', '/ostree/boot.1/'),
      [
        'error menu-entry-missing',
        'error menu-entry-stale',
        'warning menu-entry-missing',
        'warning menu-entry-missing',
        'warning menu-entry-stale',
        'warning menu-entry-stale',
      ],
    ],
  };
  for (const [name, [change, want]] of Object.entries(MENUS))
    it(`with ${name}`, async () => {
      using work = new Sandbox({ inMemory: true });
      const findings = await check(work, (menu) => {
        const text = readFileSync(menu, 'latin1');
        writeFileSync(menu, change(text), 'latin1');
      });
      assert.deepEqual(summary(findings), want, JSON.stringify(findings, undefined, 2));
      for (const { remedy } of findings) assert.match(remedy?.[0] ?? '', /^sealtree boot install --sysroot /);
    });

  it('of a loader that looks for the kernel where it is not', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    addSyslinux(sysroot);
    const findings = await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system);
    assert.deepEqual([...new Set(summary(findings))], ['warning boot-prefix']);
    assert.match(findings[0]?.remedy?.[0] ?? '', /set sysroot\.bootprefix true$/);
  });

  it('knows that syslinux loads only the first initrd', async () => {
    using work = new Sandbox({ inMemory: true });
    const findings = await check(work, (_, sysroot) => {
      // The way for loaders that load all of them.
      const bytes = readFileSync(sysroot.initrds[1]);
      const { additionStart, additionEnd } = splitAddition(bytes, 'initrd') as ExtendedInitramfs;
      const addition = bytes.subarray(additionStart, additionEnd);
      const name = `/ostree/initramfs-overlays/${createHash('sha256').update(addition).digest('hex')}.img`;
      const path = join(sysroot.path, 'boot', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, addition);
      replace(sysroot.initrds[1], standInInitramfs());
      edit(entryOf(sysroot, 2), (text) => `${text}initrd ${name}\n`);
    });
    assert.deepEqual(summary(findings), ['error initramfs-without-script']);
  });
});

describe('boot check of copies of the entries', () => {
  const inEfi = (path: string, { path: sysroot }: BootableSysroot): string =>
    path.replace(join(sysroot, 'boot'), join(sysroot, 'efi'));

  /** systemd-boot, with copies of all that it reads. */
  const addSystemdBoot = (sysroot: BootableSysroot): void => {
    const { path, entries, kernels, initrds } = sysroot;
    const program = join(path, 'efi/EFI/systemd/systemd-bootx64.efi');
    mkdirSync(dirname(program), { recursive: true });
    writeFileSync(program, 'MZ');
    const copies = entries.map(
      (entry) => [entry, join(path, 'efi/loader/entries', basename(entry))] as const,
    );
    for (const [from, to] of [
      ...copies,
      ...[...kernels, ...initrds].map((one) => [one, inEfi(one, sysroot)]),
    ]) {
      mkdirSync(dirname(to as string), { recursive: true });
      copyFileSync(from as string, to as string);
    }
  };

  const COPIES: Readonly<
    Record<string, readonly [change: (sysroot: BootableSysroot) => void, want: readonly string[]]>
  > = {
    'that are right': [() => {}, []],
    'without the initramfs': [
      (sysroot) => rmSync(inEfi(sysroot.initrds[0], sysroot)),
      ['error menu-file', 'error menu-file'],
    ],
    'with the initramfs of before the install': [
      (sysroot) => replace(inEfi(sysroot.initrds[1], sysroot), standInInitramfs()),
      ['error menu-file'],
    ],
    'with another kernel': [
      (sysroot) => replace(inEfi(sysroot.kernels[1], sysroot), standInKernel(7)),
      ['error menu-file'],
    ],
    'without the seal pin': [
      ({ path }) =>
        edit(join(path, 'efi/loader/entries/ostree-3.conf'), (text) =>
          text.replace(/ sealtree\.pin=\S+/, ''),
        ),
      ['error menu-pin'],
    ],
  };
  for (const [name, [change, want]] of Object.entries(COPIES))
    it(name, async () => {
      using work = new Sandbox({ inMemory: true });
      const sysroot = await installed(work, 'enforce');
      addSystemdBoot(sysroot);
      change(sysroot);
      const findings = await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system);
      assert.deepEqual(summary(findings), [...want, 'warning entries-copied'], JSON.stringify(findings));
      // No command of ours brings them up to date.
      for (const { remedy = [] } of findings) assert.deepEqual(remedy, []);
    });
});

describe('boot check of what is around the entries', () => {
  const TITLE: Readonly<Record<string, (sysroot: BootableSysroot) => Promise<void>>> = {
    'as ostree left it': async () => {},
    'pinned, but without the script': async (sysroot) => {
      await installBoot(sysroot, settingsFor('prefer'));
      for (const path of sysroot.initrds) replace(path, standInInitramfs());
    },
  };
  const WANTED: Readonly<Record<string, readonly string[]>> = {
    'as ostree left it': ['warning not-installed'],
    'pinned, but without the script': [
      'warning initramfs-without-script',
      'warning initramfs-without-script',
    ],
  };
  for (const [name, make] of Object.entries(TITLE))
    it(`says that a machine boots plain: ${name}`, async () => {
      using work = new Sandbox({ inMemory: true });
      const sysroot = await makeBootableSysroot(work.join('sysroot'));
      await make(sysroot);
      const findings = await findingsOf(await readState(sysroot, ''), sysroot.system);
      assert.deepEqual(summary(findings), WANTED[name]);
    });

  for (const [policy, severity] of [
    ['enforce', 'error'],
    ['prefer', 'warning'],
  ] as const)
    it(`names the one entry that has neither pin nor script, under ${policy}`, async () => {
      using work = new Sandbox({ inMemory: true });
      const sysroot = await installed(work, policy);
      replace(sysroot.initrds[1], standInInitramfs());
      edit(entryOf(sysroot, 2), (text) => text.replace(/ sealtree\.pin=\S+/, ''));
      const findings = await findingsOf(await readState(sysroot, `policy=${policy}\n`), sysroot.system);
      assert.deepEqual(summary(findings), [`${severity} entry-unsealed`]);
      assert.equal(findings[0]?.where, entryOf(sysroot, 2));
    });

  it('does not say ok of a boot loader that it does not know', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const state = await readState(sysroot, 'policy=enforce\n');
    const options = { depth: 'metadata', progress: silent(), rehearse: undefined } as const;
    const findings = await collect(checkBoot(state, options, sysroot.system));
    assert.deepEqual(summary(findings), ['unchecked loader-unknown']);
  });

  it('names the file system that cannot have fs-verity, and what turns it on', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const state = await readState(sysroot, 'policy=enforce\n');
    const device = { path: '/dev/vda1', number: '254:1', kind: 'disk', isReadOnly: false } as const;
    const judged = (answer: string, type = 'ext4'): BootState => ({
      ...state,
      storage: {
        ...state.storage,
        verity: judgeVerity({
          volume: { ...state.storage.sysroot, type, device, blockSizeBytes: 4096, isReadOnly: false },
          mountOptions: [],
          answer,
          kernelRelease: '6.12.0',
          kernelHasVerity: 'yes',
          pageSizeBytes: 4096,
        }),
      },
    });
    const [feature] = await findingsOf(judged('EOPNOTSUPP'), sysroot.system);
    assert.equal(feature?.code, 'storage-feature');
    assert.deepEqual(feature?.remedy, ['tune2fs -O verity /dev/vda1']);
    assert.deepEqual(summary(await findingsOf(judged('ENOTTY', 'xfs'), sysroot.system)), [
      'error storage-xfs',
    ]);
  });

  it('sees that the next update has no room', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const state = await readState(sysroot, 'policy=enforce\n');
    const small = (volume: Volume): Volume => ({ ...volume, availableBytes: 1000 });
    const { storage } = state;
    const full = {
      ...state,
      storage: { ...storage, boot: small(storage.boot), sysroot: small(storage.sysroot) },
    };
    const findings = await findingsOf(full, sysroot.system);
    assert.deepEqual(summary(findings), ['warning boot-space', 'warning sysroot-space']);
    const [needed] = findings.filter(({ code }) => code === 'boot-space');
    const bytes = readFileSync(sysroot.initrds[0]).length;
    assert.match(needed?.message ?? '', new RegExp(`^1000 bytes are free, .* need about ${bytes}$`));
  });

  it('counts the kernel too where /boot is a file system of its own', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const state = await readState(sysroot, 'policy=enforce\n');
    const initrd = readFileSync(sysroot.initrds[0]).length;
    const withSpace = (availableBytes: number, bootIsSeparate: boolean): BootState => ({
      ...state,
      storage: { ...state.storage, bootIsSeparate, boot: { ...state.storage.boot, availableBytes } },
    });
    assert.deepEqual(summary(await findingsOf(withSpace(initrd, false), sysroot.system)), []);
    assert.deepEqual(summary(await findingsOf(withSpace(initrd, true), sysroot.system)), [
      'warning boot-space',
    ]);
  });

  const SPACE: readonly (readonly [config: string, want: readonly string[]])[] = [
    ['min-free-space-size=1MB', []],
    ['min-free-space-size=4000000TB', ['warning sysroot-space']],
    ['min-free-space-size=much', ['unchecked sysroot-space']],
    ['min-free-space-percent=100', ['warning sysroot-space']],
    ['min-free-space-percent=0', []],
  ];
  for (const [line, want] of SPACE)
    it(`heeds core.${line}`, async () => {
      using work = new Sandbox({ inMemory: true });
      const sysroot = await installed(work, 'enforce');
      edit(join(sysroot.repositoryPath, 'config'), (text) => text.replace('[core]\n', `[core]\n${line}\n`));
      const state = await readState(sysroot, 'policy=enforce\n');
      assert.deepEqual(summary(await findingsOf(state, sysroot.system)), want);
    });

  it('judges an initramfs that was made anew by itself, not by the one of the deployment', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const units = 'usr/lib/systemd/system';
    const made = generated({
      'usr/lib/sealtree/seal-root': '#!/bin/sh\n',
      'usr/lib/sealtree/settings': renderSettings(settingsFor('enforce')),
      [`${units}/sealtree-root.service`]: '',
      [`${units}/initrd-root-fs.target.requires/sealtree-root.service`]: '',
    });
    replace(sysroot.initrds[0], made);
    const state = await readState(sysroot, 'policy=enforce\n');
    assert.deepEqual(
      planRemove(state).refusals.map(({ code, where }) => [code, where]),
      [['script-in-initramfs', sysroot.initrds[0]]],
    );
  });

  it('warns of a repository whose ostree does not wait for the disk', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const config = join(sysroot.repositoryPath, 'config');
    edit(config, (text) => text.replace('[core]\n', '[core]\nfsync=false\n'));
    const [finding, ...others] = await findingsOf(
      await readState(sysroot, 'policy=enforce\n'),
      sysroot.system,
    );
    assert.deepEqual(
      [finding?.severity, finding?.code, finding?.where, others],
      ['warning', 'fsync-off', config, []],
    );
    assert.deepEqual(finding?.remedy, [`ostree --repo=${sysroot.repositoryPath} config set core.fsync true`]);
  });

  it('warns of a refusal that would restart for ever', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await makeBootableSysroot(work.join('sysroot'));
    const settings: InitramfsSettings = { policy: 'enforce', unpinned: 'refuse', onRefusal: 'reboot' };
    await installBoot(sysroot, settings);
    const lines = 'policy=enforce\non-refusal=reboot\n';
    assert.deepEqual(summary(await findingsOf(await readState(sysroot, lines), sysroot.system)), [
      'warning refusal-loop',
    ]);
    const [first = ''] = sysroot.entries;
    renameSync(first, first.replace('.conf', '+3.conf'));
    assert.deepEqual(summary(await findingsOf(await readState(sysroot, lines), sysroot.system)), []);
  });

  it('rehearses what has the script, and only that', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    replace(sysroot.initrds[1], standInInitramfs());
    const rehearsed: string[] = [];
    const findings = await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system, {
      rehearse: ({ deployment }) => {
        rehearsed.push(deployment.id);
        const { id: where } = deployment;
        return Promise.resolve([{ severity: 'unchecked', code: 'rehearsal', where, message: 'not here' }]);
      },
    });
    assert.equal(rehearsed.length, 2);
    for (const id of rehearsed) assert.match(id, /^alpha\//);
    assert.deepEqual(summary(findings), [
      'error initramfs-without-script',
      'unchecked rehearsal',
      'unchecked rehearsal',
    ]);
  });

  it('says what a kernel of a deployment cannot do', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const folder = join(sysroot.deploymentPaths[2] as string, 'usr/lib/modules', RELEASE);
    edit(join(folder, 'config'), (text) => text.replace('CONFIG_FS_VERITY=y\n', ''));
    const findings = await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system);
    assert.deepEqual(summary(findings), ['error kernel-cannot', 'error kernel-cannot']);
    assert.match(findings[0]?.message ?? '', /cannot refuse changed objects: .*CONFIG_FS_VERITY/);
  });

  it('says what is not known of a kernel', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const folder = join(sysroot.deploymentPaths[2] as string, 'usr/lib/modules', RELEASE);
    rmSync(join(folder, 'config'));
    const findings = await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system);
    assert.deepEqual([...new Set(summary(findings))], ['unchecked kernel-unknown']);
  });

  it('tells a person why a soft reboot is refused that went before', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const state = await readState(sysroot, 'policy=enforce\n');
    assert.deepEqual(softRebootNotes(state.targets), []);
    const [first, ...others] = state.targets as [BootTarget, ...BootTarget[]];
    const booted = { ...first, deployment: { ...first.deployment, booted: true } };
    const notes = softRebootNotes([booted, ...others]);
    // The others are of another commit: other image, other pin.
    assert.equal(notes.length, 2);
    assert.match(notes[0] ?? '', /^ostree refuses a soft reboot to alpha\/[0-9a-f]{64}\.0: its seal pin/);
  });

  it("says how to put the deployment's files back, and that works", async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    replace(sysroot.kernels[0], '');
    cut(sysroot.initrds[0], 100);
    const findings = await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system);
    const remedies = new Set(findings.flatMap(({ remedy }) => remedy ?? []));
    const copies = [...remedies].filter((command) => command.startsWith('cp '));
    assert.equal(copies.length, 2);
    for (const command of copies) execFileSync('sh', ['-c', command]);
    assert.deepEqual(readFileSync(sysroot.kernels[0]), standInKernel(1));
    assert.deepEqual(readFileSync(sysroot.initrds[0]), standInInitramfs());
    const [install] = [...remedies].filter((command) => command.startsWith('sealtree boot install'));
    assert(install !== undefined);
  });

  it('sees that the way out of enforce was left in an entry', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    // No pin either: without the way out that entry would refuse to boot.
    edit(entryOf(sysroot), (text) => text.replace(/sealtree\.pin=\S+/, 'sealtree.policy=prefer'));
    const findings = await findingsOf(await readState(sysroot, 'policy=enforce\n'), sysroot.system);
    assert.deepEqual(summary(findings), ['warning pin-missing', 'warning policy-overridden']);
    assert(findings.some(({ message }) => message === 'no seal pin: it will boot plain'));
  });

  it('changes nothing', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const counted = faultSystem(sysroot.system);
    const state = await readState({ ...sysroot, system: counted }, 'policy=enforce\n');
    await findingsOf(state, counted, { depth: 'deep' });
    assert.deepEqual(counted.steps, []);
  });

  it('ends when it is told to', async () => {
    using work = new Sandbox({ inMemory: true });
    const sysroot = await installed(work, 'enforce');
    const state = await readState(sysroot, 'policy=enforce\n');
    const progress = new Progress({ signal: AbortSignal.abort() });
    await assert.rejects(findingsOf(state, sysroot.system, { progress }), InterruptedError);
  });
});

describe('a kernel file', () => {
  const pe = (): Buffer => {
    const bytes = Buffer.alloc(2048, 1);
    bytes.fill(0, 0, 0x40);
    bytes.write('MZ', 0, 'latin1');
    bytes.writeUInt32LE(0x40, 0x3c);
    bytes.write('PE\0\0', 0x40, 'latin1');
    bytes.writeUInt16LE(1, 0x46);
    bytes.writeUInt16LE(152, 0x54);
    // PE32+: 16 data directories, the fifth of which is where the certificates are.
    bytes.fill(0, 0x58, 0x58 + 152);
    bytes.writeUInt16LE(0x20b, 0x58);
    bytes.writeUInt32LE(5, 0x58 + 108);
    bytes.writeUInt32LE(1900, 0x58 + 112 + 32);
    bytes.writeUInt32LE(148, 0x58 + 112 + 36);
    const section = 0x58 + 152;
    bytes.write('.text\0\0\0', section, 'latin1');
    bytes.writeUInt32LE(1000, section + 16);
    bytes.writeUInt32LE(512, section + 20);
    return bytes;
  };
  const elf = (isWide: boolean, isLittle: boolean): Buffer => {
    const bytes = Buffer.alloc(1000, 1);
    bytes.fill(0, 0, 64 + 56);
    bytes.write('\x7fELF', 0, 'latin1');
    bytes[4] = isWide ? 2 : 1;
    bytes[5] = isLittle ? 1 : 2;
    const u16 = (value: number, at: number) =>
      isLittle ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at);
    const word = (value: number, at: number) => {
      if (isWide && isLittle) bytes.writeBigUInt64LE(BigInt(value), at);
      else if (isWide) bytes.writeBigUInt64BE(BigInt(value), at);
      else if (isLittle) bytes.writeUInt32LE(value, at);
      else bytes.writeUInt32BE(value, at);
    };
    word(64, isWide ? 0x20 : 0x1c);
    u16(isWide ? 56 : 32, isWide ? 0x36 : 0x2a);
    u16(1, isWide ? 0x38 : 0x2c);
    word(200, 64 + (isWide ? 8 : 4));
    word(800, 64 + (isWide ? 32 : 16));
    return bytes;
  };
  const zImage = (): Buffer => {
    const bytes = Buffer.alloc(600, 1);
    bytes.writeUInt32LE(0x016f2818, 0x24);
    bytes.writeUInt32LE(0x8000, 0x28);
    bytes.writeUInt32LE(0x8000 + 600, 0x2c);
    return bytes;
  };
  const FORMS: readonly (readonly [name: string, bytes: Buffer, form: string])[] = [
    ['for x86', standInKernel(1), 'bzImage'],
    ['with an EFI stub', pe(), 'EFI'],
    ['for ARM', zImage(), 'zImage'],
    ['as ELF, 64 bits', elf(true, true), 'ELF'],
    ['as ELF, 64 bits, big-endian', elf(true, false), 'ELF'],
    ['as ELF, 32 bits', elf(false, true), 'ELF'],
    ['as ELF, 32 bits, big-endian', elf(false, false), 'ELF'],
    ['compressed', gzipSync(Buffer.alloc(9000, 'kernel')), 'gzip'],
  ];
  for (const [name, bytes, form] of FORMS)
    it(`${name} is whole only to its last byte`, () => {
      assert.equal(checkKernelImage(bytes, 'kernel'), form);
      for (const size of [bytes.length - 1, bytes.length >> 1])
        assert.throws(
          () => checkKernelImage(bytes.subarray(0, size), 'kernel'),
          FormatError,
          `${size} bytes`,
        );
    });

  it('without a known form is not called whole', () => {
    assert.equal(checkKernelImage(Buffer.alloc(100, 'x'), 'kernel'), undefined);
  });

  it('that holds anything ends in an answer or a FormatError', () => {
    const starts = [...FORMS.map(([, bytes]) => bytes), Buffer.alloc(100, 'x')];
    const change = fc.record({ at: fc.nat(1200), value: fc.nat(255) });
    fc.assert(
      fc.property(
        fc.nat(starts.length - 1),
        fc.array(change, { maxLength: 8 }),
        fc.nat(),
        (i, changes, size) => {
          const start = starts[i] as Buffer;
          const bytes = Buffer.from(start.subarray(0, size % (start.length + 1)));
          for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
          try {
            checkKernelImage(bytes, 'kernel');
          } catch (error) {
            assert(error instanceof FormatError, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
