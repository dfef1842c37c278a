/** `sealtree import …`: trees from elsewhere become commits. */

import type { CommandModule } from './command.ts';
import { importDir } from './import-dir.ts';
import { importOci } from './import-oci.ts';
import { declareCommit, declareLimits } from './import-options.ts';
import { importTarFile } from './import-tar.ts';

export const command: CommandModule = {
  name: 'import',
  summary: 'Make commits of folders, archives and container images',
  details: [
    'A folder is taken as ostree commit --tree=dir= takes it: files, folders and symlinks with owners, modes and all xattrs, the top folder among them; of a file with several names each name counts. The checksums of all objects are those of ostree.',
    'Files, folders, symlinks and hard links with owners, modes and all xattrs, ACLs and capabilities become objects as ostree commit --tree=tar= would write them; times are left out, as ostree has it. Archives are read as they come, in constant memory: plain, gzip and zstd, and xz through the program xz.',
    'What has two readings is refused by name: a cut off archive, paths through symlinks or "..", a file where a folder was. contrib/doc/import.md lists the rules, and where ostree does otherwise.',
    'A container image lies in an OCI image layout (a folder or a tar archive) or in a docker-archive; skopeo copy docker://IMAGE oci:FOLDER:TAG fetches one from a registry, sealtree itself opens no network connection. The digests of manifest, configuration and layers are verified, the layers laid over one another with their whiteouts. A layer that came with an image before is not unpacked again. The commit keeps manifest and configuration in its metadata (ostree.manifest, ostree.manifest-digest, ostree.container.image-config).',
    'Nothing is visible in the repository before all of it is on disk.',
  ],
  examples: [
    ['import dir --ref os/base --parent /srv/rootfs', 'the next commit, of a folder'],
    ['import tar --ref os/base rootfs.tar.zst', 'a commit of an archive'],
    ['import tar --ref os/base --parent -', 'the next commit, from standard input'],
    ['import oci --ref app/web images:web', 'the image that an OCI layout calls web'],
    ['import oci --ref app/web --platform linux/arm64 images.tar', 'of an archive, for another processor'],
  ],
  define(command, run) {
    const dir = command
      .command('dir')
      .description('Commit a folder; prints the checksum')
      .argument('<dir>', 'the folder');
    declareCommit(dir)
      .option('--no-xattrs', 'leave out all extended attributes')
      .option('--owner-uid <uid>', 'take this owner for all files')
      .option('--owner-gid <gid>', 'take this group for all files')
      .option('--skip-special', 'leave device nodes, FIFOs and sockets out, which no commit can hold')
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(run(importDir));
    const tar = command
      .command('tar')
      .description('Commit a tar archive; prints the checksum')
      .argument('<file>', 'the archive; - is standard input');
    declareLimits(declareCommit(tar))
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(run(importTarFile));
    const oci = command
      .command('oci')
      .description('Commit a container image; prints the checksum')
      .argument('<layout>', 'OCI image layout or docker-archive, and :TAG where it has several images');
    declareLimits(declareCommit(oci))
      .option(
        '--platform <platform>',
        'of an image for several: OS/ARCHITECTURE[/VARIANT] (default: as here)',
      )
      .option('--layers', 'commit each layer too, as sealtree/layer/DIFFID')
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(run(importOci));
  },
};
