/** `sealtree import …`: trees from elsewhere become commits. */
import { declareCommit, declareLimits } from './import-options.ts';
import { importTarFile } from './import-tar.ts';
import type { CommandModule } from './registry.ts';

export const command: CommandModule = {
  name: 'import',
  summary: 'Make commits of tar archives',
  details: [
    'Files, folders, symlinks and hard links with owners, modes and all xattrs, ACLs and capabilities become objects as ostree commit --tree=tar= would write them; times are left out, as ostree has it. Archives are read as they come, in constant memory: plain, gzip and zstd, and xz through the program xz.',
    'What has two readings is refused by name: a cut off archive, paths through symlinks or "..", a file where a folder was. contrib/doc/import.md lists the rules, and where ostree does otherwise.',
    'Nothing is visible in the repository before all of it is on disk.',
  ],
  examples: [
    ['import tar --ref os/base rootfs.tar.zst', 'a commit of an archive'],
    ['import tar --ref os/base --parent -', 'the next commit, from standard input'],
  ],
  define(command, run) {
    const tar = command
      .command('tar')
      .description('Commit a tar archive; prints the checksum')
      .argument('<file>', 'the archive; - is standard input')
      .option('--ref <ref>', 'the ref that names the commit')
      .option('--parent', 'the commit that REF names now becomes its parent');
    declareLimits(declareCommit(tar))
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(run(importTarFile));
  },
};
