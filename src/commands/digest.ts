/** `sealtree digest REV`: the image digest of a commit, nothing written. */
import { ExitCode } from '../base/errors.ts';
import { recordedDigest } from '../image/validate.ts';
import type { CommandModule } from './command.ts';
import { buildCommitImage } from './commit-image.ts';
import { resolveRev } from './revision.ts';

export const command: CommandModule = {
  name: 'digest',
  summary: "Print the digest of a commit's image",
  details: [
    'Works on every repository, archive too, and writes nothing. The digest is the fs-verity digest of the image that seal would make, and what ostree commit --generate-composefs-metadata records.',
  ],
  examples: [
    ['digest debian/13/x86_64', 'the digest to put into a boot entry or a signed manifest'],
    ['digest --json --repo /srv/repo debian/13/x86_64', 'of another repository, with sizes and counts'],
  ],
  define(command, run) {
    command
      .argument('<rev>', 'commit to digest')
      .option(
        '--digests <mode>',
        'object digests in the image: yes, maybe (only what the kernel measures) or no',
        'yes',
      )
      .action(
        run(async (context, rev: string, options: { digests: string }) => {
          const repository = await context.openRepository();
          const commit = await resolveRev(context, repository, rev);
          const progress = context.progress();
          const image = await buildCommitImage(context, repository, commit, options.digests, progress);
          progress.end();
          const recorded = image.mode === 'yes' ? recordedDigest(repository, commit) : undefined;
          if (context.options.json) {
            context.printJson('digest', {
              checksum: commit,
              imageDigest: image.digest,
              imageBytes: image.bytes.length,
              composefsVersion: image.version,
              objects: image.objects.backingCount,
              objectBytes: image.objects.backingBytes,
              recordedDigest: recorded ?? null,
            });
          } else {
            context.print(image.digest);
          }
          if (recorded !== undefined && recorded !== image.digest) {
            context.say('error', `commit ${commit} records another digest: ${recorded}`);
            return ExitCode.findings;
          }
          return ExitCode.ok;
        }),
      );
  },
};
