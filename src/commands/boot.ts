/** `sealtree boot …`: whether the machine boots what was sealed, and everything that makes it do so. */
import { preview } from './boot/preview.ts';
import { status } from './boot/status.ts';
import type { CommandModule } from './registry.ts';

export const command: CommandModule = {
  name: 'boot',
  summary: 'Make the machine boot what was sealed',
  details: [
    'A seal pin in each boot entry names the one image a deployment may be booted from, and a small script in the initramfs has the kernel check it before it becomes the root. install puts both there, preview shows every file that would change, remove takes all of it back.',
  ],
  examples: [
    ['boot status', 'what boots next, and from what'],
    ['boot preview', 'every change install would make, as diffs; changes nothing'],
  ],
  define(command, run) {
    command
      .command('status')
      .description('Show what the machine boots, and what keeps it from booting sealed')
      .action(run(status));
    command
      .command('preview')
      .description('Show every change that install would make; changes nothing')
      .action(run(preview));
  },
};
