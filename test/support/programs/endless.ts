/** A program whose only command works until it is told to stop; says so on stderr. */
import { linuxSystem } from '../../../src/base/system-linux.ts';
import type { CommandModule } from '../../../src/commands/command.ts';
import { runProgram } from '../../../src/commands/program.ts';
import { processSurroundings } from '../../../src/commands/surroundings.ts';

const command: CommandModule = {
  name: 'endless',
  summary: 'Work without end',
  define(command, run) {
    command.option('--deaf', 'never look at the signal').action(
      run(async (context, { deaf }: { deaf?: boolean }) => {
        const progress = deaf ? undefined : context.progress();
        context.stderr.write('working\n');
        context.stderr.flush();
        for (;;) {
          await progress?.breathe();
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }),
    );
  },
};
const entry = { name: 'endless', usage: '', summary: '', group: 'Other' } as const;
const program = { version: '0', commands: [{ ...entry, load: async () => ({ command }) }] };
process.exitCode = await runProgram(process.argv.slice(2), processSurroundings(linuxSystem), program);
