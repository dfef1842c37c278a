/** `sealtree boot check`: will the next boot work, and will it be sealed? */
import { ExitCode } from '../../base/errors.ts';
import { bootSettings } from '../../boot/change.ts';
import { checkBoot, softRebootNotes } from '../../boot/check.ts';
import { rehearse } from '../../boot/rehearsal.ts';
import { readBootState } from '../../boot/state.ts';
import type { Finding } from '../../image/findings.ts';
import type { Context } from '../context.ts';
import { countFindings, renderFindings } from '../text/findings.ts';

export interface CheckCommandOptions {
  readonly deep?: boolean;
  readonly rehearsal: boolean;
}

export async function check(context: Context, options: CheckCommandOptions): Promise<number> {
  const { system } = context;
  const progress = context.progress();
  const sysroot = await context.openSysroot();
  const state = await readBootState(sysroot, bootSettings(sysroot, system), progress, system);
  const findings: Finding[] = [];
  const depth = options.deep ? 'deep' : 'metadata';
  const found = checkBoot(
    state,
    {
      depth,
      progress,
      rehearse: options.rehearsal
        ? ({ deployment, entry }) =>
            rehearse(
              {
                sysroot: sysroot.path,
                deployment,
                commandLine: entry.options,
                settings: state.wanted,
              },
              system,
            )
        : undefined,
    },
    system,
  );
  for await (const finding of found) {
    findings.push(finding);
    context.tell({ finding });
  }
  context.clearProgress();
  const notes = softRebootNotes(state.targets);
  if (context.options.json)
    context.printJson('boot-check', {
      sysroot: sysroot.path,
      depth,
      rehearsal: options.rehearsal,
      entries: state.entries.map(({ path }) => path),
      findings,
      notes,
    });
  else {
    for (const line of renderFindings(findings, context.style)) context.print(line);
    if (!context.options.quiet) for (const note of notes) context.print(`note: ${note}`);
    if (!context.options.quiet || findings.length > 0)
      context.print(summary(state.entries.length, findings, options));
  }
  return findings.some(({ severity }) => severity === 'error') ? ExitCode.findings : ExitCode.ok;
}

/** What was looked at, and never more than that. */
function summary(
  entries: number,
  findings: readonly Finding[],
  { deep, rehearsal }: CheckCommandOptions,
): string {
  const content = deep ? 'every object read and hashed' : 'content of objects not read (--deep reads it)';
  const tried = rehearsal ? '' : ', no boot rehearsed';
  return `${entries} boot ${entries === 1 ? 'entry' : 'entries'} checked, ${content}${tried}: ${countFindings(findings)}`;
}
