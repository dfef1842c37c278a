/**
 * What keeps a sealed machine sealed once install is done: a copy of this program, units that call it, and what those
 * that must not wait for Node go by. Read from what is there, and planned as steps of install and remove.
 */
import { basename, join } from 'node:path';
import { NotFoundError } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import { otherStateFolders, stateFolder } from '../../deployment/state-folder.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import { verifiedPath } from '../../deployment/verified.ts';
import type { Finding } from '../../image/findings.ts';
import { bootFolder } from '../journal.ts';
import { payloadFile } from '../payload.ts';
import type { SealPin } from '../pin.ts';
import { type AppState, programInCopy, readApp, readCopy, readKnownSums } from './app.ts';
import { type Program, type ProgramPlaces, readProgram } from './program.ts';
import { readUnits, type UnitsState, type UnitsStep } from './units.ts';

export interface KeepState {
  /** What can be copied; undefined where this program is run from its sources, or is the copy. */
  readonly program: Program | undefined;
  /** Undefined where nobody could say whose /var it is. */
  readonly app: AppState | undefined;
  /** The same in the /var of other stateroots, whose deployments have units that call it, too. */
  readonly otherApps: readonly AppState[];
  /** What a copy for them is made of, where the program itself cannot be. */
  readonly copied: Program | undefined;
  /** Of each deployment that has a boot entry. */
  readonly units: readonly UnitsState[];
  /** Where the weekly check writes down what it finds, if it has. */
  readonly verified: string | undefined;
  /** The files of {@link keeperFiles} that are there, by name. */
  readonly keepers: ReadonlyMap<string, Buffer>;
}

/** Where it could not be read. */
export const NOTHING_KEPT: KeepState = {
  program: undefined,
  app: undefined,
  otherApps: [],
  copied: undefined,
  units: [],
  verified: undefined,
  keepers: new Map(),
};

/** @throws IoError; OperationError where this installation of sealtree lacks something */
export function readKeep(
  sysroot: Sysroot,
  places: ProgramPlaces | undefined,
  system: SystemReads,
): KeepState {
  const app = readAppOf(sysroot, system);
  // The copy need not be compared with itself.
  const isCopy = app?.current !== undefined && places?.root === join(app.folder, `app-${app.current}`);
  const otherApps = otherStateFolders(sysroot).map((folder) => readApp(folder, system));
  const verified = app && verifiedPath(app.folder);
  const isVerified = verified !== undefined && system.lstatIfExists(verified) !== undefined;
  const keepers = KEEPERS.flatMap((name): [string, Buffer][] => {
    const bytes = readIfExists(join(bootFolder(sysroot.repositoryPath), name), system);
    return bytes === undefined ? [] : [[name, bytes]];
  });
  return {
    program:
      places === undefined || isCopy
        ? undefined
        : readProgram(places, system, app && readKnownSums(app, system)),
    app,
    otherApps,
    copied:
      app !== undefined && otherApps.some(({ current }) => current !== app.current)
        ? readCopy(app, system)
        : undefined,
    units: sysroot.deployments
      .filter(({ staged }) => !staged)
      .map((deployment) => readUnits(deployment, sysroot.runDirectory, system)),
    verified: isVerified ? verified : undefined,
    keepers: new Map(keepers),
  };
}

function readAppOf(sysroot: Sysroot, system: SystemReads): AppState | undefined {
  try {
    return readApp(stateFolder(sysroot), system);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    return undefined;
  }
}

/** Files in REPO/extensions/sealtree/boot: two scripts, and what the second one goes by. */
const KEEPERS = ['check-root', 'mend-entries', 'values', 'tail'] as const;

export interface KeeperFile {
  readonly name: (typeof KEEPERS)[number];
  readonly bytes: Buffer;
  readonly mode: number;
}

/** What a boot entry is to have: a line of `values`. */
export interface KeptEntry {
  /** ID of the deployment. */
  readonly deployment: string;
  readonly pin: SealPin;
  /** How the mount script comes along, as contrib/boot/mend-entries has it. */
  readonly script: string;
}

/**
 * The files as they are to be; the same bytes for the same entries.
 * @param tail - what comes behind an initramfs at shutdown, where there was no room for it before
 */
export function keeperFiles(entries: readonly KeptEntry[], tail: Buffer | undefined): KeeperFile[] {
  const lines = entries.map(
    ({ deployment, pin, script }) => `${deployment} ${pin.commitPrefix}:${pin.imageDigest} ${script}\n`,
  );
  return [
    { name: 'check-root', bytes: payloadFile('check-root'), mode: 0o755 },
    { name: 'mend-entries', bytes: payloadFile('mend-entries'), mode: 0o755 },
    { name: 'values', bytes: Buffer.from(lines.sort().join('')), mode: 0o644 },
    ...(tail === undefined ? [] : [{ name: 'tail', bytes: tail, mode: 0o644 } as const]),
  ];
}

/** Whether all of them are there as they are to be. A line of a deployment that ostree has dropped is in nobody's way. */
export const areKept = ({ keepers }: KeepState, files: readonly KeeperFile[]): boolean =>
  files.every(({ name, bytes }) => {
    const found = keepers.get(name);
    if (name !== 'values' || found === undefined) return found?.equals(bytes) === true;
    const lines = new Set(linesOf(found));
    return linesOf(bytes).every((line) => lines.has(line));
  });

const linesOf = (bytes: Buffer): string[] => bytes.toString('latin1').split('\n');

/** The tail that is there and no longer to be, as a path. */
export const unusedTail = (
  { keepers }: KeepState,
  tail: Buffer | undefined,
  repositoryPath: string,
): string[] => (tail === undefined && keepers.has('tail') ? [join(bootFolder(repositoryPath), 'tail')] : []);

/** Paths of those that are there. */
export const keeperPaths = ({ keepers }: KeepState, repositoryPath: string): string[] =>
  [...keepers.keys()].map((name) => join(bootFolder(repositoryPath), name));

/** Steps of install and remove that are ours. */
export type KeepStep =
  /** The program is copied to where units call it. */
  | { readonly kind: 'app'; readonly folder: string; readonly program: Program }
  | UnitsStep
  /** All copies of the program go, and what it has written down. */
  | { readonly kind: 'app-gone'; readonly folder: string; readonly paths: readonly string[] };

/** The last steps of install: what they keep is done then. The program first, since the units call it. */
export function keepSteps(keep: KeepState): KeepStep[] {
  const { program, app, units } = keep;
  const isBehind = program !== undefined && app !== undefined && !app.isForeign && app.current !== program.id;
  return [
    ...(isBehind ? [{ kind: 'app' as const, folder: app.folder, program }] : []),
    ...otherAppSteps(keep),
    ...units
      .filter(({ wanted, links }) => wanted.length + links.length > 0)
      .map(
        ({ deployment, wanted, links, isRunning }): UnitsStep => ({
          kind: 'units',
          deployment,
          writes: wanted,
          links,
          removes: [],
          isRunning,
        }),
      ),
  ];
}

/** Those of other stateroots are made of our own. */
function otherAppSteps({ program, app, otherApps, copied }: KeepState): KeepStep[] {
  const source = program ?? copied;
  if (app === undefined || app.isForeign || source === undefined) return [];
  return otherApps
    .filter(({ current, isForeign }) => !isForeign && current !== source.id)
    .map(({ folder }) => ({ kind: 'app', folder, program: programInCopy(app.folder, source) }));
}

/** The first steps of remove: nothing must mend what is being taken back. */
export function unitsGoneSteps({ units }: KeepState): KeepStep[] {
  return units
    .filter(({ found }) => found.length > 0)
    .map(({ deployment, found, isRunning }) => ({
      kind: 'units',
      deployment,
      writes: [],
      links: [],
      removes: found,
      isRunning,
    }));
}

/** The last one: the program may be run from there. */
export function appGoneSteps({ app, otherApps, verified }: KeepState): KeepStep[] {
  const own = {
    folder: app?.folder ?? '',
    paths: [...(verified === undefined ? [] : [verified]), ...(app?.found ?? [])],
  };
  return [...otherApps.map(({ folder, found }) => ({ folder, paths: found })), own]
    .filter(({ paths }) => paths.length > 0)
    .map(({ folder, paths }) => ({ kind: 'app-gone', folder, paths }));
}

/** What is not kept although it was installed. */
export function keepFindings({ app, otherApps, units }: KeepState): Finding[] {
  const warning = (code: string, where: string, message: string): Finding => ({
    severity: 'warning',
    code,
    where,
    message,
  });
  const lost =
    app !== undefined && app.current === undefined
      ? [
          warning(
            'app-missing',
            join(app.folder, 'app'),
            'no whole copy of this program: new deployments are sealed by hand alone',
          ),
        ]
      : [];
  const without = units
    .filter(({ wanted }) => wanted.length > 0)
    .map(({ deployment, wanted }) => ({
      ...warning('units-missing', deployment, `lacks ${wanted.map(({ path }) => basename(path)).join(' ')}`),
      deployments: [deployment],
    }));
  const elsewhere = otherApps
    .filter(({ current }) => app?.current !== undefined && current === undefined)
    .map(({ folder }) =>
      warning('app-missing', join(folder, 'app'), 'the units of the deployments of this stateroot call it'),
    );
  return [...lost, ...elsewhere, ...without];
}

/** What will not be kept, and why: install does its work all the same. */
export function keepWarnings({ program, app, units }: KeepState): Finding[] {
  const warning = (code: string, where: string, message: string): Finding => ({
    severity: 'warning',
    code,
    where,
    message,
  });
  const foreign = app?.isForeign
    ? [
        warning(
          'app-foreign',
          join(app.folder, 'app'),
          'no install made this: it is left alone, and units call it',
        ),
      ]
    : [];
  const lost =
    app !== undefined && !app.isForeign && app.current === undefined && program === undefined
      ? [
          warning(
            'app-missing',
            join(app.folder, 'app'),
            'this program is run from its sources and cannot be copied there: new deployments are sealed only by hand',
          ),
        ]
      : [];
  const without = units.flatMap(({ deployment, problem }) =>
    problem === undefined
      ? []
      : [
          {
            ...warning('units-missing', deployment, `no units keep it sealed: ${problem}`),
            deployments: [deployment],
          },
        ],
  );
  return [...foreign, ...lost, ...without];
}
