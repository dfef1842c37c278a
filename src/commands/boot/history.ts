/** `sealtree boot history`: what the boot configuration was, who changed it, when and why. */
import { ExitCode, UsageError } from '../../base/errors.ts';
import { diffFiles } from '../../boot/history/compare.ts';
import { type History, type HistoryEntry, openHistory } from '../../boot/history/history.ts';
import type { Context } from '../context.ts';
import {
  comparisonJson,
  entryJson,
  renderComparison,
  renderEntry,
  renderHistory,
} from '../text/boot-history.ts';

/** Lists all entries; with one number shows that entry and what it changed; with two, what lies between them. */
export async function history(context: Context, first?: string, second?: string): Promise<number> {
  const opened = openHistory(await context.openSysroot(), context.system);
  if (first === undefined) return await list(context, opened);
  const from = await opened.entry(entryNumber(first));
  if (second === undefined) return await show(context, opened, from);
  return await compare(context, opened, from, await opened.entry(entryNumber(second)));
}

/** @throws UsageError for what is no number of an entry */
export function entryNumber(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text))
    throw new UsageError(`${JSON.stringify(text)} is no entry: they are counted from 1`, {
      hint: 'sealtree boot history lists them',
    });
  return Number(text);
}

async function list(context: Context, opened: History): Promise<number> {
  const entries = await opened.list();
  if (context.options.json)
    context.printJsonList(
      'boot-history',
      'entries',
      entries.map((entry) => entryJson(entry)),
    );
  else for (const line of renderHistory(entries, context.style)) context.print(line);
  return ExitCode.ok;
}

async function show(context: Context, opened: History, entry: HistoryEntry): Promise<number> {
  const before = entry.number === 1 ? undefined : await opened.entry(entry.number - 1);
  const kept = await opened.kept(entry);
  const diff = before && diffFiles(await opened.kept(before), kept);
  if (context.options.json)
    context.printJson('boot-history-entry', {
      ...entryJson(entry),
      ...(before === undefined ? {} : comparisonJson(before, entry, diff ?? '')),
    });
  else for (const line of renderEntry(entry, before, diff, context.style)) context.print(line);
  return ExitCode.ok;
}

async function compare(
  context: Context,
  opened: History,
  from: HistoryEntry,
  to: HistoryEntry,
): Promise<number> {
  const diff = diffFiles(await opened.kept(from), await opened.kept(to));
  if (context.options.json)
    context.printJson('boot-history-diff', {
      from: from.number,
      to: to.number,
      ...comparisonJson(from, to, diff),
    });
  else for (const line of renderComparison(from, to, diff, context.style)) context.print(line);
  return ExitCode.ok;
}
