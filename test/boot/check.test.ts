/** Damage of every kind to what a boot reads must be found, and nothing else. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  globSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type ByteString, stringToBytes } from '../../src/base/bytes.ts';
import { FormatError, InterruptedError } from '../../src/base/errors.ts';
import { S_IFREG } from '../../src/base/mode.ts';
import { Progress, silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { checkKernelImage } from '../../src/boot/check/kernel-image.ts';
import { type CheckOptions, checkBoot, softRebootNotes } from '../../src/boot/check.ts';
import type { InitramfsSettings } from '../../src/boot/initramfs-settings.ts';
import { bootFolder, formatJournal, journalPath } from '../../src/boot/journal.ts';
import { SEAL_PIN_KARG } from '../../src/boot/pin.ts';
import { type BootState, readBootState } from '../../src/boot/state.ts';
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
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

type Policy = 'enforce' | 'prefer';

const settingsFor = (policy: Policy): InitramfsSettings => ({
  policy,
  unpinned: 'refuse',
  onRefusal: 'emergency',
});

/** The state of a sysroot whose sealtree.conf has these lines in `[boot]`. */
async function readState(sysroot: BootableSysroot, lines: string, work: Sandbox): Promise<BootState> {
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
  const findings = await Array.fromAsync(checkBoot(state, all, system));
  return findings.filter(({ code }) => code !== 'loader-unknown');
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
    enforce: ['error kernel-damaged', 'error kernel-differs'],
    says: /the kernel is empty/,
  },
  'a kernel that was cut': {
    damage: ({ kernels }) => cut(kernels[1], 3000),
    enforce: ['error kernel-damaged', 'error kernel-differs'],
    says: /cut short: the protected-mode code: got 3000, want 6656/,
  },
  'a kernel of zeros': {
    damage: ({ kernels }) => replace(kernels[1], Buffer.alloc(6656)),
    enforce: ['error kernel-damaged', 'error kernel-differs'],
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
      using work = new Sandbox();
      const sysroot = await installed(work, policy);
      const state = await readState(sysroot, `policy=${policy}\n`, work);
      assert.deepEqual(await findingsOf(state, sysroot.system, { depth: 'paranoid' }), []);
    });

    for (const [name, { damage, enforce, prefer = enforce, says }] of Object.entries(DAMAGES))
      it(`finds ${name}, policy ${policy}`, async () => {
        using work = new Sandbox();
        const sysroot = await installed(work, policy);
        await damage(sysroot, policy);
        const findings = await findingsOf(
          await readState(sysroot, `policy=${policy}\n`, work),
          sysroot.system,
        );
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
