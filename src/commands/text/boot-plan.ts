/** A plan for the boot as text, for a person who has never seen one: what, in which order, and what then. */
import { basename, relative } from 'node:path';
import prettyBytes from 'pretty-bytes';
import { displayMessage } from '../../base/bytes.ts';
import { shellWord } from '../../base/shell.ts';
import { bootCommand } from '../../boot/check/context.ts';
import { diffLines, unifiedDiff } from '../../boot/diffs.ts';
import { bootFolder, removerPath } from '../../boot/journal.ts';
import type { BootPlan, BootStep, MenuByHand, StepOf } from '../../boot/plan.ts';
import { planId } from '../../boot/plan-id.ts';
import { findObstacles } from '../../boot/refusals.ts';
import type { BootState } from '../../boot/state.ts';
import type { OnRefusal } from '../../config/settings.ts';
import type { Style } from '../output.ts';
import { renderFindings } from './findings.ts';
import { wrap } from './wrap.ts';

const INDENT = '     ';

const AIMS = {
  install: 'So that this system boots what was sealed, and nothing else unnoticed',
  remove: 'So that this system boots plain ostree deployments again',
};

const kindOf = (step: BootStep): string => (step.kind === 'edit' ? step.what : step.kind);

/** Said where it comes up first. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  'seal-pin':
    'sealtree.pin=COMMIT:DIGEST, a kernel argument: the one image that may be booted for the commit.',
  append: 'The script has the kernel compare the image with the seal pin, mounts it and makes it the root.',
  overlay: 'The script has the kernel compare the image with the seal pin, mounts it and makes it the root.',
  units:
    'They seal what is deployed from now on, check after each boot that it is sealed, and look for damage once a week.',
};

export interface RenderPlanOptions {
  /** Whether every edited file is shown as a diff; it is named in any case. */
  readonly diffs: boolean;
  /** What was asked for, as it comes after `sealtree boot`. */
  readonly name: string;
}

/** The whole plan. */
export function renderBootPlan(
  plan: BootPlan,
  state: BootState,
  style: Style,
  options: RenderPlanOptions,
): string[] {
  const { refusals, warnings, steps, verb } = plan;
  const lines: string[] = [];
  if (refusals.length > 0) {
    lines.push(
      style.bold(
        `sealtree will not ${verb === 'install' ? 'be installed into' : 'be taken out of'} the boot of this system:`,
      ),
      '',
      ...renderFindings(refusals, style),
      '',
      'Nothing is changed.',
    );
    return lines;
  }
  if (steps.length === 0) lines.push(nothingToDo(plan, options));
  else
    lines.push(
      ...wrap(
        `${AIMS[verb]}: ${steps.length === 1 ? 'one step' : `${steps.length} steps, in this order`}. The system boots before and after each of them; a run that is cut off is gone on with by running it again.`,
      ),
      '',
      ...steps.flatMap((step, i) => {
        const isFirst = steps.findIndex((one) => kindOf(one) === kindOf(step)) === i;
        return renderStep(step, i + 1, isFirst, plan, state, style);
      }),
    );
  if (warnings.length > 0) lines.push('', ...renderFindings(warnings, style));
  if (plan.waitsFor !== undefined) lines.push('', ...renderWait(plan.waitsFor, state, style));
  if (steps.length === 0) return lines;
  lines.push(...renderUntouched(plan, state, style), ...renderAfter(plan, state, style));
  const diffs = steps.flatMap((step) => renderDiff(step, state, style));
  if (diffs.length === 0) return lines;
  if (options.diffs) lines.push('', style.bold('Every edited file, as a diff'), '', ...diffs);
  else lines.push('', `Every edit as a diff: sealtree boot ${options.name} --dry-run`);
  return lines;
}

function nothingToDo({ verb, waitsFor }: BootPlan, { name }: RenderPlanOptions): string {
  if (waitsFor !== undefined) return 'There is nothing that sealtree could do now.';
  if (name !== verb) return "Nothing to do: sealtree's part of the boot is as it was then.";
  return verb === 'install'
    ? 'Nothing to do: it is installed, and up to date.'
    : 'Nothing to do: nothing of sealtree is in the boot of this system.';
}

/** What is done, and below it the files and what is to be known of it. */
function renderStep(
  step: BootStep,
  number: number,
  isFirst: boolean,
  { verb }: BootPlan,
  state: BootState,
  style: Style,
): string[] {
  const { what, notes } = describeStep(step, verb, state);
  const explanation = isFirst && verb === 'install' ? EXPLANATIONS[kindOf(step)] : undefined;
  return [
    ...wrap(style.bold(what), INDENT, `${String(number).padStart(2)}.  `),
    ...(explanation === undefined ? [] : wrap(explanation, INDENT)),
    ...notes.flatMap((note) => wrap(note, INDENT)),
  ];
}

interface Description {
  readonly what: string;
  readonly notes: readonly string[];
}

function describeStep(step: BootStep, verb: BootPlan['verb'], state: BootState): Description {
  const name = (path: string): string => shortName(relative(state.sysroot.path, path));
  switch (step.kind) {
    case 'settings':
      return {
        what: step.after === undefined ? 'Take back the settings of a rollback' : 'Bring the settings back',
        notes: [step.path],
      };
    case 'record':
      return {
        what: 'Write down what is changed, and a script that takes it back',
        notes: [name(bootFolder(state.sysroot.repositoryPath))],
      };
    case 'verity-feature':
      return {
        what: `Turn on the verity feature of the file system on ${step.feature.device.path}`,
        notes: [step.feature.argv.map(shellWord).join(' '), ...step.feature.consequences],
      };
    case 'protect':
      return {
        what: `Turn on fs-verity for ${step.missing} of ${step.total} objects and images`,
        notes: ['Their bytes can then be read and removed, but not changed. It stays when sealtree goes.'],
      };
    case 'edit':
      return describeEdit(step, verb, name);
    case 'amend':
      return describeAmend(step, verb);
    case 'menu':
      return {
        what: "Have the boot loader's menu generated again",
        notes: [
          `${step.regenerate.argv.map(shellWord).join(' ')} FILE, which becomes`,
          name(step.regenerate.output),
        ],
      };
    case 'append':
      return {
        what: 'Put the mount script behind the initramfs',
        notes: [
          name(step.path),
          `${prettyBytes(step.originalBytes)} stay as they are, ${prettyBytes(step.addition.bytes.length)} come behind them.`,
        ],
      };
    case 'overlay':
      return {
        what: `Write the mount script as an initramfs of its own (${prettyBytes(step.addition.bytes.length)})`,
        notes: [name(step.path)],
      };
    case 'withdraw':
      return { what: 'Leave the initramfs of the staged deployment to ostree', notes: [name(step.path)] };
    case 'restore':
      return { what: "Put the deployment's own initramfs back", notes: [name(step.path)] };
    case 'unlink':
      return { what: 'Remove what nothing uses any more', notes: step.paths.map(name) };
    case 'forget':
      return { what: 'Remove what install wrote down', notes: step.paths.map(name) };
    case 'app':
      return {
        what: 'Copy this program, with its node, to where units call it',
        notes: [`${step.folder}/app, ${step.program.files.length} files`],
      };
    case 'app-gone':
      return { what: 'Remove the copy of this program', notes: [`${step.folder}/app`] };
    case 'units':
      return describeUnits(step, state);
  }
}

function describeUnits(
  { deployment, writes, removes, isRunning }: StepOf<'units'>,
  state: BootState,
): Description {
  const { index } = state.sysroot.deployments.find(({ id }) => id === deployment) ?? {};
  const of = index === undefined ? deployment : `deployment ${index}`;
  const paths = [...writes.map(({ path }) => path), ...removes];
  const names = [...new Set(paths.map((path) => basename(path)))].join(' ');
  const running = isRunning ? (removes.length > 0 ? ', and stop them' : ', and start them') : '';
  return removes.length > 0
    ? { what: `Remove the units that keep ${of} sealed${running}`, notes: [names] }
    : { what: `Write the units that keep ${of} sealed into its /etc${running}`, notes: [names] };
}

function describeAmend({ path, initrds }: StepOf<'amend'>, verb: BootPlan['verb']): Description {
  if (verb === 'remove')
    return { what: 'Take the seal pin out of what ostree writes at shutdown', notes: [path] };
  const what =
    initrds.length === 0
      ? 'Have ostree write the seal pin into the boot entry of the staged deployment'
      : 'Have ostree write seal pin and mount script into the boot entry of the staged deployment';
  return { what, notes: [`${path}, which it goes by at shutdown`] };
}

function describeEdit(
  { what, path, entry }: StepOf<'edit'>,
  verb: BootPlan['verb'],
  name: (path: string) => string,
): Description {
  const of = entry?.deployment === undefined ? '' : ` of deployment ${entry.deployment.index}`;
  const whats = {
    install: {
      'repository-config': 'Have ostree turn on fs-verity for all that it writes from now on',
      'seal-pin': `Put the seal pin into the boot entry${of}`,
      'overlay-initrd': `Name the mount script in the boot entry${of}`,
      menu: "Bring the seal pins into the boot loader's menu, as ostree would",
    },
    remove: {
      'repository-config': 'Have ostree decide about fs-verity as it did before',
      'seal-pin': `Take the seal pin out of the boot entry${of}`,
      'overlay-initrd': `Take the mount script out of the boot entry${of}`,
      menu: "Take the seal pins out of the boot loader's menu, as ostree would",
    },
  };
  return { what: whats[verb][what], notes: [name(path)] };
}

/** A path for one line: of a checksum the first digits tell enough. */
const shortName = (path: string): string =>
  displayMessage(path).replace(/([0-9a-f]{12})[0-9a-f]{52}/g, '$1…');

function renderWait({ path, command }: MenuByHand, { sysroot }: BootState, style: Style): string[] {
  const install = bootCommand(sysroot.path, 'install');
  return [
    ...wrap(
      'With policy = enforce the mount script refuses what has no seal pin, and the menu that the boot loader reads is not written by sealtree. The script comes last, once that menu has the seal pins of the boot entries:',
    ),
    ...(command === undefined
      ? wrap(`bring ${shellWord(path)} up to date, then`, '  ')
      : [`  ${style.bold(command)}`]),
    `  ${style.bold(install)}`,
  ];
}

function renderUntouched({ untouched }: BootPlan, { sysroot }: BootState, style: Style): string[] {
  if (untouched.length === 0) return [];
  return [
    '',
    style.bold('Left alone'),
    ...untouched.flatMap(({ path, why }) =>
      wrap(shortName(`${relative(sysroot.path, path)}: ${why}`), '    ', '  '),
    ),
  ];
}

const REFUSAL: Readonly<Record<OnRefusal, string>> = {
  auto: 'the boot stops in the emergency shell, or reboots where the boot loader has counted it',
  emergency: 'the boot stops in the emergency shell',
  reboot: 'the machine reboots',
};

/** What happens at the next boot, and the way back. */
function renderAfter(plan: BootPlan, state: BootState, style: Style): string[] {
  if (plan.verb === 'remove')
    return [
      '',
      style.bold('At the next boot'),
      ...wrap(
        'Every deployment boots plain, as ostree left it. Images stay: sealtree seal and sealtree verify go on to work.',
        '  ',
      ),
    ];
  const { wanted, sysroot } = state;
  const sealed = state.targets.filter((target) => findObstacles(target, state).length === 0);
  const indexes = sealed.map(({ deployment }) => deployment.index).join(', ');
  const otherwise =
    wanted.policy === 'enforce'
      ? `What does not match its seal pin is refused: ${REFUSAL[wanted.onRefusal]}.`
      : 'What does not match its seal pin boots plain, and says so.';
  return [
    '',
    style.bold('At the next boot'),
    ...wrap(
      `${sealed.length === 1 ? 'Deployment' : 'Deployments'} ${indexes}: the kernel checks the image against the seal pin, and every file against the image when it is read. /etc and /var stay writable. ${otherwise}`,
      '  ',
    ),
    ...wrap(
      'The seal pin stands on the kernel command line: pinned, not authenticated. It shows damage, not who did it.',
      '  ',
    ),
    '',
    style.bold('To take it back'),
    `  ${bootCommand(sysroot.path, 'remove')}`,
    '  or, should sealtree itself be gone:',
    `  sh ${shellWord(removerPath(sysroot.repositoryPath))}`,
  ];
}

function renderDiff(step: BootStep, { sysroot }: BootState, style: Style): string[] {
  if (step.kind !== 'edit' && step.kind !== 'settings') return [];
  const name = relative(sysroot.path, step.path);
  return diffLines(unifiedDiff(name, step.before, step.after)).map((line) => paintDiff(line, style));
}

/** As git and diff(1) colour it. */
export function paintDiff(line: string, style: Style): string {
  if (line.startsWith('---') || line.startsWith('+++')) return style.bold(line);
  if (line.startsWith('@@')) return style.cyan(line);
  if (line.startsWith('+')) return style.green(line);
  return line.startsWith('-') ? style.red(line) : line;
}

/** For `--json`. */
export function bootPlanJson(plan: BootPlan, state: BootState): Record<string, unknown> {
  const { sysroot } = state;
  return {
    verb: plan.verb,
    id: planId(plan),
    sysroot: sysroot.path,
    way: plan.way ?? null,
    steps: plan.steps.map((step) => {
      const { what, notes } = describeStep(step, plan.verb, state);
      return { ...stepJson(step, sysroot.path), title: what, notes };
    }),
    refusals: plan.refusals,
    warnings: plan.warnings,
    untouched: plan.untouched,
    waitsFor: plan.waitsFor ?? null,
  };
}

function stepJson(step: BootStep, sysrootPath: string): Record<string, unknown> {
  switch (step.kind) {
    case 'edit':
      return {
        kind: step.kind,
        what: step.what,
        path: step.path,
        diff: diffLines(unifiedDiff(relative(sysrootPath, step.path), step.before, step.after)).join('\n'),
      };
    case 'settings':
      return {
        kind: step.kind,
        path: step.path,
        diff: diffLines(unifiedDiff(relative(sysrootPath, step.path), step.before, step.after)).join('\n'),
      };
    case 'append':
    case 'overlay':
      return {
        kind: step.kind,
        path: step.path,
        additionSha256: step.addition.sha256,
        additionBytes: step.addition.bytes.length,
      };
    case 'amend':
      return {
        kind: step.kind,
        path: step.path,
        deployment: step.deployment,
        overlaySha256: step.initrds.map(({ sha256 }) => sha256),
      };
    case 'withdraw':
      return { kind: step.kind, path: step.path };
    case 'restore':
      return { kind: step.kind, path: step.path, original: step.original };
    case 'verity-feature':
      return { kind: step.kind, argv: step.feature.argv, consequences: step.feature.consequences };
    case 'protect':
      return { kind: step.kind, files: step.total, missing: step.missing };
    case 'menu':
      return { kind: step.kind, argv: step.regenerate.argv, output: step.regenerate.output };
    case 'record':
      return { kind: step.kind, installed: step.installed };
    case 'unlink':
    case 'forget':
      return { kind: step.kind, paths: step.paths };
    case 'app':
      return { kind: step.kind, folder: step.folder, id: step.program.id, files: step.program.files.length };
    case 'app-gone':
      return { kind: step.kind, folder: step.folder, paths: step.paths };
    case 'units':
      return {
        kind: step.kind,
        deployment: step.deployment,
        writes: step.writes.map(({ path }) => path),
        links: step.links.map(({ path }) => path),
        removes: step.removes,
        isRunning: step.isRunning,
      };
  }
}
