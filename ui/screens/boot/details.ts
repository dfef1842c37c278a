/** All there is to say about a boot entry, or about the system's boot as a whole. */
import { commandLine } from '../../models/command-line.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { describeFinding } from '../../models/finding.ts';
import type { Verdict } from '../../models/verdict.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import {
  type BootEntryReport,
  type BootReport,
  bootVerdict,
  pinVerdict,
  runningVerdict,
  targetOf,
  textOf,
} from './report.ts';
import { selectedBootRow } from './state.ts';

export function bootTitle(state: State): string {
  const row = selectedBootRow(state);
  switch (row?.kind) {
    case 'system':
      return 'system';
    case 'entry':
      return row.entry.name;
    case 'finding':
      return row.finding.severity;
    case undefined:
      return '';
  }
}

export function bootDetails(state: State, width: number, theme: Theme): string[] {
  const { value: report } = state.boot;
  const row = selectedBootRow(state);
  const lines = new FactLines(width - 1, theme);
  if (report === undefined) return [];
  if (row?.kind === 'system') describeSystem(report, state, lines);
  else if (row?.kind === 'entry') describeEntry(row.entry, report, lines);
  else if (row?.kind === 'finding') describeFinding(row.finding, lines);
  return lines.lines;
}

const READS = {
  bls: 'reads the boot entries',
  generated: 'reads a menu made of the boot entries',
  none: 'does not read the boot entries',
};

const WAYS = {
  append: 'behind the initramfs file',
  overlay: 'an initramfs of its own, named in the entry',
  module: 'in the initramfs, by its generator',
};

const VERITY: Readonly<Record<BootReport['verity'], string>> = {
  ready: '',
  'needs-feature': 'its verity feature is off, and can be turned on',
  impossible: 'cannot have fs-verity',
  unknown: 'whether it can have fs-verity is unknown',
};

function describeSystem(report: BootReport, state: State, lines: FactLines): void {
  const { loader, policy, way, verity, protectedFiles, files, installed, unfinished } = report;
  lines.verdict('this boot', runningVerdict(report));
  if (unfinished !== null)
    lines.verdict('cut off', {
      tone: 'warning',
      sentence: `boot ${unfinished} did not come to its end; running it again goes on`,
    });
  lines.field(
    'loader',
    loader.name === 'none' ? 'none found' : `${loader.name}, ${READS[loader.readsEntries]}`,
  );
  lines.field('seen by', loader.evidence.join('; '));
  lines.field('policy', policy);
  lines.field('script', way === null ? 'has no way into the initramfs' : WAYS[way]);
  lines.field('storage', VERITY[verity] || `${protectedFiles} of ${files} files have fs-verity`);
  lines.field('installed', installed ? 'yes' : 'no');
  lines.blank();
  lines.text(
    installed
      ? 'Told by what is on the disk. To try the next boot without a reboot:'
      : 'A seal pin in each boot entry names the one image it may boot; a script in the initramfs has the kernel check it. To see every change that would be made:',
  );
  lines.command(commandLine(state, 'boot', installed ? 'check' : 'preview'));
}

const CONTENT: Readonly<
  Record<BootReport['initramfs'][number]['content'], Pick<Verdict, 'tone' | 'sentence'>>
> = {
  original: { tone: 'none', sentence: 'as the deployment has it, without the mount script' },
  extended: { tone: 'good', sentence: 'the mount script is behind it' },
  damaged: { tone: 'bad', sentence: 'damaged' },
  foreign: { tone: 'warning', sentence: 'not the one of the deployment' },
  unreadable: { tone: 'unknown', sentence: 'cannot be read' },
};

function describeEntry(entry: BootEntryReport, report: BootReport, lines: FactLines): void {
  const { theme } = lines;
  const target = entry.deployment === null ? undefined : targetOf(report, entry.deployment);
  lines.text(textOf(entry.title) || entry.name, theme.bold);
  lines.blank();
  if (target === undefined)
    lines.verdict(
      'boots',
      entry.owner === 'foreign'
        ? { tone: 'none', sentence: 'something else: it is not of ostree, and is left alone' }
        : { tone: 'bad', sentence: 'nothing: it leads to no deployment' },
    );
  else {
    lines.verdict('boots', bootVerdict(target.boots));
    lines.verdict('seal pin', pinVerdict(entry.sealPin));
  }
  for (const { message } of target?.obstacles ?? []) lines.field('in the way', message, theme.tone.warning);
  const initramfs = report.initramfs.find(({ deployments }) => deployments.includes(entry.deployment ?? ''));
  if (initramfs !== undefined) lines.verdict('initramfs', CONTENT[initramfs.content]);
  if (entry.triesLeft !== null) lines.field('tries left', String(entry.triesLeft));
  for (const { message } of entry.problems) lines.field('problem', message, theme.tone.bad);
  lines.blank();
  lines.field('deployment', entry.deployment ?? '');
  lines.field('file', entry.path);
  lines.field('kernel', textOf(entry.kernel));
  lines.field('release', initramfs?.kernelRelease ?? '');
  for (const initrd of entry.initrds) lines.field('initrd', textOf(initrd));
  lines.field('arguments', textOf(entry.options));
}
