/**
 * A sysroot with three deployments of two commits, made without ostree and without root: enough for everything that
 * reads deployments and seals them. The folders hold no checkout; nothing but boot needs it.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checksum } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import {
  type SourceDirectory,
  sourceDirectory,
  sourceFile,
  sourceSymlink,
} from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';

export interface SmallSysroot {
  readonly path: string;
  readonly repositoryPath: string;
  readonly commits: readonly [Checksum, Checksum];
  /** Folders of the deployments, in the order in which they boot. */
  readonly deploymentPaths: readonly string[];
}

const BOOTCSUM = 'b'.repeat(64);

function osTree(version: string): SourceDirectory {
  return sourceDirectory({
    usr: sourceDirectory({
      bin: sourceDirectory({
        tool: sourceFile(Buffer.alloc(10_000, version), { permissions: 0o755 }),
        same: sourceFile(Buffer.alloc(5000, 'in all versions'), { permissions: 0o755 }),
        alias: sourceSymlink('tool'),
      }),
      lib: sourceDirectory({ 'os-release': sourceFile(`NAME=Test\nVERSION_ID=${version}\n`) }),
    }),
    bin: sourceSymlink('usr/bin'),
  });
}

/** Makes the sysroot in the folder `path`, which must not exist. */
export async function makeSmallSysroot(path: string): Promise<SmallSysroot> {
  const repositoryPath = join(path, 'ostree/repo');
  mkdirSync(join(path, 'ostree'), { recursive: true });
  initRepository(repositoryPath, 'bare-user-only', linuxSystem);
  const writer = await RepositoryWriter.open(Repository.open(repositoryPath, linuxSystem), { fsync: false });
  const first = await writeCommitOf(writer, osTree('1'), { timestamp: 1, ref: 'os/stable' });
  const second = await writeCommitOf(writer, osTree('2'), { timestamp: 2, ref: 'os/testing', parent: first });
  writer.commit();
  const deployed = [
    { stateroot: 'alpha', commit: second, serial: 0 },
    { stateroot: 'alpha', commit: first, serial: 0 },
    { stateroot: 'beta', commit: first, serial: 0 },
  ];
  mkdirSync(join(path, 'boot/loader.0/entries'), { recursive: true });
  symlinkSync('loader.0', join(path, 'boot/loader'));
  symlinkSync('boot.0.0', join(path, 'ostree/boot.0'));
  const serials = new Map<string, number>();
  const deploymentPaths = deployed.map(({ stateroot, commit, serial }, index) => {
    const name = `${commit}.${serial}`;
    const folder = join(path, 'ostree/deploy', stateroot, 'deploy', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}.origin`, '[origin]\nrefspec=os/stable\n');
    const bootSerial = serials.get(stateroot) ?? 0;
    serials.set(stateroot, bootSerial + 1);
    const links = join(path, 'ostree/boot.0.0', stateroot, BOOTCSUM);
    mkdirSync(links, { recursive: true });
    symlinkSync(`../../../deploy/${stateroot}/deploy/${name}`, join(links, String(bootSerial)));
    const version = deployed.length - index;
    writeFileSync(
      join(path, `boot/loader.0/entries/ostree-${version}.conf`),
      `title Test OS (ostree:${index})\nversion ${version}\noptions root=LABEL=root ostree=/ostree/boot.0/${stateroot}/${BOOTCSUM}/${bootSerial}\nlinux /ostree/${stateroot}-${BOOTCSUM}/vmlinuz\n`,
    );
    return folder;
  });
  return { path, repositoryPath, commits: [first, second], deploymentPaths };
}
