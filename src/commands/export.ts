/** `sealtree export …`: commits for other programs. */
import { ExitCode, UsageError } from '../base/errors.ts';
import { exportTar } from '../repository/export-tar.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { exportOci } from './export-oci.ts';
import { writeOutput } from './output-file.ts';
import { resolveRev } from './revision.ts';

export const command: CommandModule = {
  name: 'export',
  summary: 'Write commits as tar archives and container images',
  details: [
    'The archive holds everything of the commit, xattrs in records that GNU tar, libarchive and Go read alike; importing it gives the same tree. It has the same bytes whenever and wherever it is written. Every content is hashed on its way: an object that was changed ends the export.',
    'A container image gets the configuration of the image that the commit was imported from, and a layer for each commit named.',
  ],
  examples: [
    ['export tar os/base -o rootfs.tar', 'to a file, which appears when it is whole'],
    ['export oci app/web -o images --tag web', 'an image of one layer: podman run oci:images:web'],
    [
      'export oci app/base app/web -o images --tag web',
      'of two layers: the base, and what makes the other of it',
    ],
    ['export tar os/base | tar --xattrs --xattrs-include=* -xf - -C /mnt', 'unpack it with GNU tar'],
  ],
  define(command, run) {
    command
      .command('tar')
      .description('Write a commit as a tar archive')
      .argument('<rev>', 'commit to write')
      .option('-o, --output <file>', 'where to write it; - is standard output', '-')
      .action(run(exportTarFile));
    command
      .command('oci')
      .description('Write commits as a container image; prints the digest of its manifest')
      .argument('<rev...>', 'commits, the lowest layer first; the image is the tree of the last')
      .requiredOption('-o, --output <layout>', 'a new OCI image layout, or one that gets an image more')
      .option('--tag <tag>', 'what the layout calls the image (default: latest)')
      .option('--command <words>', 'what it runs (default: as the image did that the commit was)')
      .option('--platform <platform>', 'OS/ARCHITECTURE, where the commit does not say (default: as here)')
      .option('--compression <how>', 'of layers: gzip, zstd or none', 'gzip')
      .action(run(exportOci));
  },
};

async function exportTarFile(context: Context, rev: string, options: { output: string }): Promise<number> {
  const repository = await context.openRepository();
  const commit = await resolveRev(context, repository, rev);
  const progress = context.progress();
  const isStdout = options.output === '-';
  if (context.options.json && isStdout)
    throw new UsageError(
      '--json and the archive cannot both go to standard output: name a file with --output',
    );
  progress.begin('reading the commit');
  const pieces = exportTar(repository, commit, progress);
  let bytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      bytes += piece.length;
      progress.advance(0, piece.length);
      yield piece;
    }
  }
  if (context.options.dryRun) for await (const _ of counted());
  else {
    const path = isStdout ? '-' : context.path(options.output);
    await writeOutput(path, counted(), context.stdout, context.system);
  }
  progress.end();
  if (context.options.json)
    context.printJson('export-tar', { checksum: commit, path: context.path(options.output), bytes });
  return ExitCode.ok;
}
