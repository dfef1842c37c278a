/** `sealtree config show`: the configuration that holds, and where each value comes from. */
import { ExitCode } from '../base/errors.ts';
import {
  readSettings,
  SETTING_KEYS,
  type Setting,
  type SettingKey,
  type Settings,
} from '../config/settings.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';

export const command: CommandModule = {
  name: 'config',
  summary: 'Show the configuration and its origins',
  details: [
    'What sealtree.conf and its drop-ins come to, as a file of the same format: above each value a comment with the file it comes from. Files that are not read, because a file of the same name comes first or masks them, are named at the end.',
  ],
  examples: [
    ['config show', 'of this system'],
    ['config show --root /srv/tree', 'of a tree that is being built'],
  ],
  define(command, run) {
    command
      .command('show')
      .description('Print every value with its origin')
      .option('--root <folder>', 'the tree to look in', '/')
      .action(run(show));
  },
};

interface Row extends Setting<string>, SettingKey {}

async function show(context: Context, options: { readonly root: string }): Promise<number> {
  const root = context.path(options.root);
  const settings = readSettings(context.system, root);
  const rows = rowsOf(settings);
  for (const { path, message } of settings.problems) context.say('warning', `${path}: ${message}`);
  if (context.options.json) {
    context.printJson('config-show', {
      root,
      settings: rows.map(({ group, key, value, origin }) => ({ group, key, value, origin: origin ?? null })),
      read: settings.files.read.map(({ path }) => path),
      unread: settings.files.unread,
      problems: settings.problems,
    });
    return ExitCode.ok;
  }
  for (const line of render(rows, settings, context)) context.print(line);
  return ExitCode.ok;
}

function rowsOf(settings: Settings): Row[] {
  const names = Object.keys(SETTING_KEYS) as (keyof typeof SETTING_KEYS)[];
  return names.map((name) => ({ ...SETTING_KEYS[name], ...settings[name] }));
}

function render(rows: readonly Row[], { files }: Settings, { style }: Context): string[] {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const lines = groups.flatMap((group, i) => [
    ...(i === 0 ? [] : ['']),
    `[${group}]`,
    ...rows
      .filter((row) => row.group === group)
      .flatMap(({ key, value, origin }) => [style.dim(`# ${origin ?? 'default'}`), `${key}=${value}`]),
  ]);
  const unread = files.unread.map(({ path, because, by }) => `# not read: ${path}, ${because} by ${by}`);
  return [...lines, ...(unread.length === 0 ? [] : ['', ...unread.map(style.dim)])];
}
