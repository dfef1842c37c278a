/** A plan for the boot as text, with every change as a unified diff. */
import { relative } from 'node:path';
import { diffLines, unifiedDiff } from '../../boot/diffs.ts';
import type { BootPlan } from '../../boot/plan.ts';
import type { Style } from '../output.ts';
import { renderFindings } from './findings.ts';

export function renderBootPlan(plan: BootPlan, sysrootPath: string, style: Style): string[] {
  const lines: string[] = [];
  lines.push(...renderFindings([...plan.refusals, ...plan.warnings], style));
  for (const step of plan.steps) {
    if (step.kind === 'edit')
      lines.push(...diffLines(unifiedDiff(relative(sysrootPath, step.path), step.before, step.after)));
  }
  for (const { path, why } of plan.untouched) lines.push(`left alone: ${path} (${why})`);
  return lines;
}
