/**
 * Which boot loader starts this machine, and what it reads: only a loader that was seen to have a way to a deployment
 * counts. Where several have, the one that says it started the running system is taken; where none says so, all are
 * heeded, and only what works with each of them is offered.
 */
import { join } from 'node:path';
import { SealtreeError } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import type { InitramfsSetting } from '../../config/settings.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import type { Finding } from '../../image/findings.ts';
import { queryBackEnd } from './back-end.ts';
import { attempt, type Candidate, loaderProblem } from './candidate.ts';
import { findGrub } from './grub.ts';
import type { BackEnd, InitramfsWay, LoaderName, LoaderState } from './loader.ts';
import { findSystemdBoot } from './systemd-boot.ts';
import { findTextLoaders } from './text-menus.ts';

export interface DetectOptions {
  /** The running system's root, with its /run, /sys and programs; by default the root folder. */
  readonly root?: string;
}

/** What cannot be read is a problem of the state, and nothing is offered on account of it. */
export function detectLoader(
  sysroot: Sysroot,
  system: SystemReads,
  options: DetectOptions = {},
): LoaderState {
  const { root = '/' } = options;
  const unread: Finding[] = [];
  const boot = join(sysroot.path, 'boot');
  const backEnd =
    attempt(boot, unread, () => queryBackEnd(sysroot, system)) ??
    ({ name: 'none', configured: 'auto', isEfi: false, evidence: 'it cannot be looked at' } as const);
  const candidates = [
    recordLoader(backEnd),
    ...findTextLoaders(sysroot, backEnd, system),
    findGrub(sysroot, backEnd, root, system),
    attempt(boot, unread, () => findSystemdBoot(sysroot, join(root, 'run'), system)),
  ].filter((candidate) => candidate !== undefined);
  const started = sysroot.isBooted ? startedBy(join(root, 'sys/firmware/efi/efivars'), system) : undefined;
  const decided = decide(candidates, started, sysroot);
  return { ...decided, problems: [...decided.problems, ...unread], backEnd };
}

/**
 * The way to take: what the settings name, else the loader's best. A refusal says why there is none, as half a sentence.
 */
export function chooseWay(
  setting: InitramfsSetting,
  loader: LoaderState,
): InitramfsWay | { refusal: string } {
  if (setting === 'auto') {
    const [best] = loader.ways;
    if (best !== undefined) return best;
    return {
      refusal: `no boot loader was found that reads the boot entries or a menu made from them (${loader.evidence.join('; ')}); who knows better names a way with initramfs in sealtree.conf`,
    };
  }
  // Where nothing is known, who sets the way knows more than we do.
  if (loader.name === 'none' || loader.ways.includes(setting)) return setting;
  if (setting === 'overlay' && loader.initrds === 'first')
    return {
      refusal: `initramfs = overlay is set, but ${loader.name} loads only the first initrd of an entry`,
    };
  return { refusal: `initramfs = ${setting} is set, which does not work with ${loader.name}` };
}

/** Loaders that have kernel, initramfs and command line elsewhere: their own program puts them there. */
function recordLoader({ name, evidence }: BackEnd): Candidate | undefined {
  if (name !== 'zipl' && name !== 'aboot') return undefined;
  const where =
    name === 'zipl'
      ? "zipl's boot record names the disk blocks of kernel and initramfs"
      : 'the boot partition holds kernel, initramfs and command line as one signed image';
  return {
    name,
    readsEntries: 'generated',
    initrds: 'first',
    menus: [],
    regenerate: undefined,
    command: name === 'zipl' ? 'zipl' : 'aboot-deploy',
    // A replaced initramfs would leave the boot record with blocks that are free for other files.
    ways: ['module'],
    evidence: [evidence, where],
    problems: [],
  };
}

function decide(
  candidates: readonly Candidate[],
  started: LoaderName | undefined,
  sysroot: Sysroot,
): Omit<LoaderState, 'backEnd'> {
  const able = candidates.filter(({ readsEntries, ways }) => readsEntries !== 'none' && ways.length > 0);
  const ours = able.filter(({ name }) => name === started);
  const [first, ...others] = ours.length > 0 ? ours : able;
  if (first === undefined) return nothing(candidates);
  const evidence = started === undefined ? [] : [`the firmware says that ${started} started this system`];
  if (others.length === 0) return { ...first, evidence: [...first.evidence, ...evidence] };
  return merge([first, ...others], sysroot);
}

/** No loader, or one that cannot get to a deployment. */
function nothing(candidates: readonly Candidate[]): Omit<LoaderState, 'backEnd'> {
  const [seen] = candidates;
  return {
    name: seen?.name ?? 'none',
    readsEntries: seen?.readsEntries ?? 'none',
    // Where nothing is known, who sets the way knows more than we do.
    initrds: seen === undefined ? 'all' : 'first',
    menus: candidates.flatMap(({ menus }) => menus),
    regenerate: undefined,
    command: undefined,
    ways: [],
    evidence:
      seen === undefined
        ? ['no menu of GRUB, syslinux or U-Boot and no systemd-boot was found']
        : candidates.flatMap(({ evidence }) => evidence),
    problems: candidates.flatMap(({ problems }) => problems),
  };
}

/**
 * What holds for all of them. Of several generated menus none is written: which one counts is not known, and one that
 * was forgotten must not pass for written.
 */
function merge(all: readonly [Candidate, ...Candidate[]], sysroot: Sysroot): Omit<LoaderState, 'backEnd'> {
  const [first] = all;
  const names = all.map(({ name }) => name);
  const generated = all.filter(({ readsEntries }) => readsEntries === 'generated');
  return {
    name: first.name,
    readsEntries: generated.length > 0 ? 'generated' : 'bls',
    initrds: all.some(({ initrds }) => initrds === 'first') ? 'first' : 'all',
    menus: all.flatMap(({ menus }) => menus),
    regenerate: generated.length === 1 ? generated[0]?.regenerate : undefined,
    command: all.find(({ command }) => command !== undefined)?.command,
    ways: first.ways.filter((way) => all.every(({ ways }) => ways.includes(way))),
    evidence: all.flatMap(({ evidence }) => evidence),
    problems: [
      ...all.flatMap(({ problems }) => problems),
      loaderProblem(
        'warning',
        'loader-ambiguous',
        join(sysroot.path, 'boot'),
        `${names.join(' and ')} can both boot the deployments, and which of them does is not known`,
      ),
    ],
  };
}

/**
 * What started the running system, by LoaderInfo of the Boot Loader Interface: systemd-boot sets it, and GRUB from 2.12
 * on. Undefined where it says nothing known.
 */
function startedBy(efiVariables: string, system: SystemReads): LoaderName | undefined {
  let bytes: Buffer;
  try {
    bytes = system.readFile(join(efiVariables, 'LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f'));
  } catch (error) {
    // No firmware variables, no such one, or not for this user: nothing is known.
    if (!(error instanceof SealtreeError)) throw error;
    return undefined;
  }
  // Four bytes of attributes, then UTF-16.
  const text = bytes.subarray(4).toString('utf16le');
  if (text.startsWith('systemd-boot')) return 'systemd-boot';
  return text.startsWith('GRUB') ? 'grub' : undefined;
}
