/**
 * The way back for the day sealtree itself is gone: `contrib/boot/remove`, POSIX sh and coreutils, with what only
 * install knows written into it. It lies in REPO/extensions/sealtree/boot/remove.sh as long as something is installed.
 */
import { relative } from 'node:path';
import { OperationError } from '../base/errors.ts';
import { extendInitramfs } from './initramfs/extended.ts';
import type { Installed } from './journal.ts';
import { UNIT_NAMES } from './keep/units.ts';
import type { LoaderState } from './loaders/loader.ts';
import { payloadFile } from './payload.ts';
import { needsPins } from './refusals.ts';
import type { BootInitramfs } from './state.ts';

const BEGIN = '# --- What install wrote here\n';
const END = '# --- End of what install wrote here\n';

/** Bytes of a gzip header before the name in it (RFC 1952). */
const GZIP_NAME_OFFSET = 10;

/** What of the state the remover has to know. */
export interface RemoverState {
  readonly loader: Pick<LoaderState, 'regenerate' | 'command' | 'menus'>;
  readonly boot: { readonly path: string };
  readonly initramfs: readonly Pick<BootInitramfs, 'facts'>[];
}

/** The remover of one installation; the same bytes for the same one. */
export function renderRemover(
  { integrityBefore }: Pick<Installed, 'integrityBefore'>,
  { loader, boot, initramfs }: RemoverState,
): Buffer {
  const text = payloadFile('remove').toString('latin1');
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (start < 0 || end < start)
    throw new OperationError('payload', 'contrib/boot/remove has no place for what install writes');
  const [, , , mark = Buffer.alloc(0)] = extendInitramfs(Buffer.alloc(0), Buffer.alloc(0));
  const variables: Record<string, string> = {
    config_edited: flag(integrityBefore !== undefined),
    config_line_known: flag(typeof integrityBefore?.line === 'string'),
    config_line: integrityBefore?.line ?? '',
    config_group: flag(integrityBefore?.group ?? false),
    config_newline: flag(integrityBefore?.newline ?? false),
    ...menuVariables(loader, boot.path),
    menu_others: loader.regenerate === undefined ? loader.menus.map(({ path }) => path).join(' ') : '',
    units: UNIT_NAMES.join(' '),
    pins_needed: flag(initramfs.some(needsPins)),
    mark_bytes: String(mark.length),
    mark_name_bytes: String(mark.indexOf(0, GZIP_NAME_OFFSET) - GZIP_NAME_OFFSET),
  };
  const block = text
    .slice(start, end)
    .replace(/^([a-z_]+)=$/gm, (_, name: string) => `${name}=${quoted(variables[name] ?? '')}`);
  return Buffer.from(text.slice(0, start) + block + text.slice(end), 'latin1');
}

const flag = (is: boolean): string => (is ? 'yes' : '');

/** A word that every shell reads back as it is. */
const quoted = (text: string): string => (text === '' ? '' : `'${text.replaceAll("'", "'\\''")}'`);

/** The folder of the entries changes with each deployment: `LOADER` stands for the one that is in use then. */
function menuVariables(
  { regenerate, command = '' }: Pick<LoaderState, 'regenerate' | 'command'>,
  bootPath: string,
): Record<string, string> {
  const none = {
    menu_edits: '',
    menu_program: '',
    menu_arguments: '',
    menu_environment: '',
    menu_output: '',
  };
  if (regenerate === undefined) return { ...none, menu_command: command };
  const inLoader = relative(bootPath, regenerate.output).replace(/^loader\.[01]\//, '');
  const isInLoader = inLoader !== relative(bootPath, regenerate.output);
  if (regenerate.kind === 'edit') return { ...none, menu_edits: inLoader, menu_command: '' };
  const [program = '', ...args] = regenerate.argv;
  const environment = Object.entries(regenerate.env)
    .filter(([name]) => name !== '_OSTREE_GRUB2_BOOTVERSION')
    .map(([name, value]) => `${name}=${value}`);
  return {
    ...none,
    menu_program: program,
    menu_arguments: args.join(' '),
    menu_environment: environment.join(' '),
    menu_output: isInLoader ? `LOADER/${inLoader}` : regenerate.output,
    menu_command: command,
  };
}
