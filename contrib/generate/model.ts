/** The command line as data, read from the command table: what man pages and completions are made of. */
import type { Command } from 'commander';
import type { CommandText, OptionText } from '../../src/commands/command.ts';
import { buildCommand, inertRun } from '../../src/commands/program.ts';
import { COMMANDS, GLOBAL_OPTIONS } from '../../src/commands/registry.ts';

export type ValueKind = 'file' | 'folder' | 'revision' | 'deployment' | 'other';

export interface OptionModel {
  /** Such as `-n`. */
  readonly short: string | undefined;
  /** Such as `--dry-run`. */
  readonly long: string | undefined;
  /** Name of the value, such as `path`; undefined when it takes none. */
  readonly value: string | undefined;
  /** Whether the value may be left out: then it follows `=`. */
  readonly isOptional: boolean;
  readonly kind: ValueKind;
  readonly choices: readonly string[];
  readonly description: string;
}

export interface ArgumentModel {
  readonly name: string;
  readonly isOptional: boolean;
  readonly isVariadic: boolean;
  readonly kind: ValueKind;
  readonly description: string;
}

export interface CommandModel extends Required<CommandText> {
  /** Words after `sealtree`, such as `image create`. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly options: readonly OptionModel[];
  readonly arguments: readonly ArgumentModel[];
  readonly children: readonly CommandModel[];
  /** Whether it reads its own arguments, so that global options do not apply. */
  readonly isRaw: boolean;
}

export interface ProgramModel {
  readonly options: readonly OptionModel[];
  readonly commands: readonly CommandModel[];
}

/** Loads all commands and asks each what it takes. */
export async function readProgram(): Promise<ProgramModel> {
  const commands: CommandModel[] = [];
  for (const entry of COMMANDS) {
    if (entry.raw) {
      const { command } = await entry.load();
      commands.push({
        path: [command.name],
        summary: command.summary,
        details: command.details ?? [],
        examples: command.examples ?? [],
        options: (command.options ?? []).map(optionOf),
        arguments: (command.arguments ?? []).map((argument) => ({
          ...argument,
          isOptional: false,
          isVariadic: false,
          kind: 'other',
        })),
        children: [],
        isRaw: true,
      });
    } else {
      const { command } = await entry.load();
      commands.push(commandOf(buildCommand(command, inertRun), [command.name], command));
    }
  }
  return { options: GLOBAL_OPTIONS.map(optionOf), commands };
}

function commandOf(command: Command, path: readonly string[], text: CommandText = {}): CommandModel {
  return {
    path,
    summary: command.description(),
    details: text.details ?? [],
    examples: text.examples ?? [],
    options: command.options
      .filter((option) => !option.hidden)
      .map(({ flags, description, defaultValue, argChoices = [] }) =>
        optionOf({
          flags,
          description:
            typeof defaultValue === 'string' ? `${description} (default: ${defaultValue})` : description,
          choices: argChoices,
        }),
      ),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      isOptional: !argument.required,
      isVariadic: argument.variadic,
      kind: kindOf(argument.name()),
      description: argument.description,
    })),
    children: command.commands.map((child) => commandOf(child, [...path, child.name()])),
    isRaw: false,
  };
}

/** Reads flags such as `-o, --output <file>` or `--json [format]`. */
function optionOf({ flags, description, choices = [] }: OptionText): OptionModel {
  const value = /[ =][<[](.+?)(?:\.\.\.)?[>\]]/.exec(flags)?.[1];
  return {
    short: /(?:^|[ ,|])(-[A-Za-z])(?=$|[ ,|=])/.exec(flags)?.[1],
    long: /--[A-Za-z][\w-]*/.exec(flags)?.[0],
    value,
    isOptional: /\[/.test(flags),
    kind: kindOf(value ?? ''),
    choices,
    description,
  };
}

function kindOf(name: string): ValueKind {
  if (/^(rev|object|from|to)$/.test(name)) return 'revision';
  if (/^deployments?$/.test(name)) return 'deployment';
  if (/^(folder|dir|sysroot)$/i.test(name)) return 'folder';
  if (/^(path|file|image|dump|a|b|source)$/i.test(name)) return 'file';
  return 'other';
}
