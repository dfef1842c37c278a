/**
 * systemd-boot reads entries on the EFI system partition and on the one of type XBOOTLDR (bootctl(1),
 * systemd-boot(7)). Firmware reads FAT, which has no symlinks, and ostree swaps entries by a symlink: so the entries it
 * reads are mostly copies that somebody makes.
 */
import { join } from 'node:path';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import { blsOptions, blsValue, blsValues, parseBlsEntry, parseBlsName } from '../../formats/bls.ts';
import type { Finding } from '../../image/findings.ts';
import { listIfExists } from './back-end.ts';
import { attempt, type Candidate, loaderProblem } from './candidate.ts';
import { type Menu, type MenuEntry, ostreeLink } from './menu.ts';

/** Where an EFI system partition is mounted, by systemd-gpt-auto-generator(8) and by ostree. */
const EFI_MOUNTS = ['efi', 'boot/efi', 'boot'];

/** Partition type of XBOOTLDR (UAPI.2, "Discoverable Partitions Specification"). */
const XBOOTLDR_TYPE = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

/** Undefined when it is not installed. */
export function findSystemdBoot(
  sysroot: Sysroot,
  runDirectory: string,
  system: SystemReads,
): Candidate | undefined {
  const mount = EFI_MOUNTS.find((path) => hasSystemdBoot(join(sysroot.path, path), system));
  if (mount === undefined) return undefined;
  const partition = join(sysroot.path, mount);
  const problems: Finding[] = [];
  const base = {
    name: 'systemd-boot',
    initrds: 'all',
    regenerate: undefined,
    command: undefined,
    problems,
  } as const;
  const installed = `systemd-boot is installed in ${partition}`;
  if (mount === 'boot')
    return {
      ...base,
      readsEntries: 'bls',
      menus: [],
      ways: ['overlay', 'append', 'module'],
      evidence: [installed, 'it is the file system of the boot entries'],
    };

  const copies = readCopies(join(partition, 'loader/entries'), system, problems);
  if (copies.entries.length > 0) {
    problems.push(
      loaderProblem(
        'warning',
        'entries-copied',
        copies.path,
        'systemd-boot reads copies of the boot entries: a change has an effect once whoever made them copies entries, kernel and initrds again',
      ),
    );
    return {
      ...base,
      readsEntries: 'bls',
      menus: [copies],
      ways: ['overlay', 'append', 'module'],
      evidence: [installed, `${copies.path} has ${copies.entries.length} entries of deployments`],
    };
  }
  if (isXbootldr(join(sysroot.path, 'boot'), runDirectory, system))
    return {
      ...base,
      readsEntries: 'bls',
      menus: [],
      ways: ['overlay', 'append', 'module'],
      evidence: [installed, `the partition of ${join(sysroot.path, 'boot')} is an XBOOTLDR partition`],
    };
  return {
    ...base,
    readsEntries: 'none',
    menus: [],
    ways: [],
    evidence: [
      installed,
      `${copies.path} has no entry of a deployment, and /boot is not known to be an XBOOTLDR partition`,
    ],
  };
}

function hasSystemdBoot(partition: string, system: SystemReads): boolean {
  return listIfExists(join(partition, 'EFI/systemd'), system).some((name) =>
    /^systemd-boot[a-z0-9]+\.efi(\.signed)?$/i.test(name),
  );
}

/** The entries there that boot a deployment. */
function readCopies(folder: string, system: SystemReads, problems: Finding[]): Menu {
  const entries = listIfExists(folder, system).flatMap((name): MenuEntry[] => {
    if (parseBlsName(name) === undefined) return [];
    const path = join(folder, name);
    const entry = attempt(path, problems, () => parseBlsEntry(system.readFile(path), path));
    const options = entry === undefined ? undefined : blsOptions(entry);
    if (entry === undefined || options === undefined || ostreeLink(options) === undefined) return [];
    return [
      {
        title: blsValue(entry, 'title') ?? ('' as MenuEntry['title']),
        kernel: blsValue(entry, 'linux'),
        initrds: blsValues(entry, 'initrd'),
        options,
        optionsLine: 0,
      },
    ];
  });
  return { path: folder, format: 'bls', bytes: Buffer.alloc(0), entries };
}

/** What udev knows of the partition a folder is on; false where it knows nothing. */
function isXbootldr(folder: string, runDirectory: string, system: SystemReads): boolean {
  const { dev } = system.stat(folder);
  // The kernel's encoding of device numbers (gnu_dev_major, gnu_dev_minor) below 2^32.
  const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  const record = readIfExists(join(runDirectory, `udev/data/b${major}:${minor}`), system);
  return record?.toString('latin1').split('\n').includes(`E:ID_PART_ENTRY_TYPE=${XBOOTLDR_TYPE}`) === true;
}
