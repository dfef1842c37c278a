/** `sealtree boot …`: whether the system boots what was sealed, and everything that makes it do so. */
import { check } from './boot/check.ts';
import { history } from './boot/history.ts';
import { install, remove } from './boot/install.ts';
import { preview } from './boot/preview.ts';
import { rollback } from './boot/rollback.ts';
import { status } from './boot/status.ts';
import type { CommandModule } from './command.ts';

const LOCK_TIMEOUT = [
  '--lock-timeout <seconds>',
  'how long to wait for ostree or another run',
  '60',
] as const;
const PLAN = ['--plan <id>', 'only if the plan still is the one that preview has shown by this id'] as const;
const ROOT = ['--root <tree>', 'a tree that is to be committed; nothing of it is run'] as const;

export const command: CommandModule = {
  name: 'boot',
  summary: 'Make the system boot what was sealed',
  details: [
    'A seal pin in each boot entry names the one image that its deployment may be booted from. A small script in the initramfs has the kernel compare the image with it, mounts the image over the objects with verity=require and makes that the root: what differs is refused when it is read.',
    'install puts pins and script there. It first finds out whether that can work with this kernel, file system, boot loader and initramfs, and refuses where it cannot. It shows the plan and asks; the system boots before and after each step, and a run that was cut off is gone on with by running it again. Nothing is done twice: install on a system that has it does nothing. remove takes all of it back but fs-verity, which stays on what has it.',
    'install also copies sealtree and its node to /var/lib/sealtree/app and writes units that keep the system sealed: what ostree deploys later is sealed and pinned by itself, staged or not; each boot is checked before it is blessed, and damage is looked for once a week. Run from its sources sealtree cannot copy itself.',
    'Each change is kept in a history of its own, as long as git is installed: what was there before it and after it, who made it, when and why. rollback goes back to an entry by doing what install or remove would do, with the settings of then: old files are never put back, since their links lead elsewhere now. It says what it cannot bring back. Kernel arguments may hold secrets, so only root can read the history.',
    'preview and status exit with 0 where install would work and where it has; preview with 2 where it would be refused. check exits with 2 when a boot would fail or would not be what the policy asks for.',
  ],
  examples: [
    ['boot status', 'what each deployment comes up as'],
    ['boot preview', 'every change that install would make, with diffs'],
    ['boot install', 'make them, after a question'],
    ['boot check', 'will the next boot work?'],
    ['boot history', 'what was changed, by whom, when and why'],
    ['boot rollback 3', 'back to entry 3, after a question'],
    ['boot install --root /srv/tree', 'for image builders: into a tree before it is committed'],
  ],
  define(command, run) {
    command
      .command('status')
      .description('Show what each deployment comes up as, and what keeps it from booting sealed')
      .action(run(status));
    command
      .command('preview')
      .description('Show every change that install would make; changes nothing')
      .option(...ROOT)
      .action(run(preview));
    command
      .command('install')
      .description('Put seal pins into the boot entries and the mount script into the initramfs')
      .option(...ROOT)
      .option(...PLAN)
      .option(...LOCK_TIMEOUT)
      .action(run(install));
    command
      .command('remove')
      .description('Take all of it back: plain ostree deployments boot again')
      .option(...ROOT)
      .option(...PLAN)
      .option(...LOCK_TIMEOUT)
      .action(run(remove));
    command
      .command('check')
      .description('Find out without a reboot whether the next boot will work')
      .option('--deep', 'read and hash every object')
      .option('--no-rehearsal', 'do not run the mount script in a mount namespace')
      .action(run(check));
    command
      .command('history')
      .description(
        'List what the boot was configured as, or show what an entry changed, or what lies between two',
      )
      .argument('[entry]', 'its number')
      .argument('[other]', 'the number of the one to compare it with')
      .action(run(history));
    command
      .command('rollback')
      .description("Bring sealtree's part of the boot to where it was in an entry of the history")
      .argument('<entry>', 'its number')
      .option(...PLAN)
      .option(...LOCK_TIMEOUT)
      .action(run(rollback));
  },
};
