/** `sealtree sharing`: which bytes on the disk deployments and images share, and what a removal would free. */
import { ExitCode } from '../base/errors.ts';
import { readSharing } from '../deployment/sharing.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { renderSharing, sharingJson } from './text/sharing.ts';

export const command: CommandModule = {
  name: 'sharing',
  summary: 'Show what deployments and images share on the disk',
  details: [
    'Counts blocks on the disk, each inode once, as du does: of a deployment its folder and the objects of its commit, of an image its file and the objects it points to. Unique is what no other deployment, or image, has. Removal frees less than that where a ref keeps objects: what is freed is what ostree admin undeploy and sealtree gc give back together.',
    'The figures are what du says where nothing is shared with other folders. Changes nothing.',
  ],
  examples: [
    ['sharing', 'this system'],
    ['sharing --json --sysroot /mnt', 'another one, for programs'],
  ],
  define(command, run) {
    command.action(run(sharing));
  },
};

async function sharing(context: Context): Promise<number> {
  const sysroot = await context.openSysroot();
  const report = await readSharing(sysroot, context.progress(), context.system);
  context.clearProgress();
  if (context.options.json) context.printJson('sharing', { sysroot: sysroot.path, ...sharingJson(report) });
  else for (const line of renderSharing(report, context.style)) context.print(line);
  return ExitCode.ok;
}
