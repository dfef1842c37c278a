/** `sealtree boot install --root TREE` and its reverse: what image builders put into a tree before it is committed. */
import { ExitCode } from '../../base/errors.ts';
import { diffLines, unifiedDiff } from '../../boot/diffs.ts';
import {
  installIntoTree,
  planTreeInstall,
  planTreeRemove,
  removeFromTree,
  type TreePlan,
} from '../../boot/tree-install.ts';
import { readSettings } from '../../config/settings.ts';
import type { Context } from '../context.ts';
import { paintDiff } from '../text/boot-plan.ts';
import { renderFindings } from '../text/findings.ts';

/** Writes into the tree and runs nothing; with `dryRun` shows what it would write. */
export async function installTree(context: Context, root: string, dryRun: boolean): Promise<number> {
  const { system, options } = context;
  const tree = context.path(root);
  const { policy, unpinned, onRefusal } = readSettings(system, tree);
  const plan = planTreeInstall(
    tree,
    { policy: policy.value, unpinned: unpinned.value, onRefusal: onRefusal.value },
    system,
  );
  if (!dryRun) installIntoTree(plan, system);
  if (options.json)
    context.printJson('boot-install-tree', {
      dryRun,
      tree,
      files: plan.changes.map(({ path, mode, before }) => ({ path, mode, isNew: before === undefined })),
      unchanged: plan.unchanged,
      warnings: plan.warnings,
    });
  else if (!options.quiet) for (const line of render(plan, dryRun, context)) context.print(line);
  return ExitCode.ok;
}

/** Takes it out of a tree again; with `dryRun` names what would go. */
export async function removeTree(context: Context, root: string, dryRun: boolean): Promise<number> {
  const { system, options } = context;
  const tree = context.path(root);
  const paths = planTreeRemove(tree, system);
  if (!dryRun) removeFromTree(tree, paths, system);
  if (options.json) context.printJson('boot-remove-tree', { dryRun, tree, files: paths });
  else if (!options.quiet) {
    for (const path of paths) context.print(`${dryRun ? 'would remove' : 'removed'} ${path}`);
    if (paths.length === 0) context.print(`Nothing to do: nothing of sealtree is in ${tree}.`);
  }
  return ExitCode.ok;
}

function render({ tree, changes, warnings }: TreePlan, dryRun: boolean, { style }: Context): string[] {
  const lines = renderFindings(warnings, style);
  if (changes.length === 0) return [...lines, `Nothing to do: ${tree} has all of it.`];
  for (const { path, before, after } of changes) {
    lines.push(`${dryRun ? 'would write' : 'wrote'} ${path}`);
    if (!dryRun || after.includes(0)) continue;
    lines.push(...diffLines(unifiedDiff(path, before, after)).map((line) => paintDiff(line, style)));
  }
  lines.push('', 'The initramfs that is generated in this tree now mounts what its boot entry pins.');
  return lines;
}
