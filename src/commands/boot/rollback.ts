/** `sealtree boot rollback N`: what sealtree owns of the boot becomes what it was in an entry of the history. */
import { openHistory } from '../../boot/history/history.ts';
import { rollbackTitle } from '../../boot/history/rollback.ts';
import type { Context } from '../context.ts';
import { entryNumber } from './history.ts';
import { type ChangeCommandOptions, change } from './install.ts';

export async function rollback(
  context: Context,
  number: string,
  options: ChangeCommandOptions,
): Promise<number> {
  const to = await openHistory(await context.openSysroot(), context.system).entry(entryNumber(number));
  return await change(
    context,
    { name: `rollback ${to.number}`, verb: { to }, question: `Go back to ${rollbackTitle(to)}?` },
    options,
  );
}
