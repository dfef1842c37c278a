/**
 * The units that keep a machine sealed, in each deployment's /etc: a machine's /usr is sealed, and ostree brings what
 * was added to /etc along into each deployment that follows. A unit of ours that somebody masked stays masked, and one
 * that was disabled stays disabled: a link that enables it is made together with the unit and never again.
 */
import { basename, dirname, join } from 'node:path';
import type { ByteString } from '../../base/bytes.ts';
import { NotFoundError } from '../../base/errors.ts';
import { makeFolders } from '../../base/folders.ts';
import { run, runAnyway } from '../../base/process.ts';
import type { System, SystemReads } from '../../base/system.ts';
import type { Deployment } from '../../deployment/deployment.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import { temporaryName, writeSynced } from '../../image/store.ts';
import { type PayloadName, payloadFile } from '../payload.ts';
import { renameDurably } from '../replace.ts';

interface Unit {
  readonly name: string;
  /** The folders of links that have it started. */
  readonly wantedBy: readonly string[];
}

/** What is started when it is installed on the running system stands first. */
const UNITS: readonly Unit[] = [
  { name: 'sealtree-deploy.path', wantedBy: ['multi-user.target.wants'] },
  { name: 'sealtree-finalized.service', wantedBy: ['multi-user.target.wants'] },
  { name: 'sealtree-verify.timer', wantedBy: ['timers.target.wants'] },
  { name: 'sealtree-booted.service', wantedBy: ['boot-complete.target.requires', 'multi-user.target.wants'] },
  { name: 'sealtree-deploy.service', wantedBy: ['multi-user.target.wants'] },
  { name: 'sealtree-verify.service', wantedBy: [] },
];

/** What runs all the time. The check of the boot does not: this one came up before it was installed. */
const STARTED = ['sealtree-deploy.path', 'sealtree-finalized.service', 'sealtree-verify.timer'];

/** Names of all units. */
export const UNIT_NAMES: readonly string[] = UNITS.map(({ name }) => name);

/** Below a deployment's /etc. */
const FOLDER = 'systemd/system';

export interface UnitFile {
  readonly path: string;
  readonly bytes: Buffer;
}

export interface UnitLink {
  readonly path: string;
  readonly target: string;
}

/** The units of one deployment. */
export interface UnitsState {
  /** ID of the deployment. */
  readonly deployment: string;
  /** Undefined where units have no place, `problem` says why. */
  readonly folder: string | undefined;
  readonly problem: string | undefined;
  /** What is missing or another one. */
  readonly wanted: readonly UnitFile[];
  readonly links: readonly UnitLink[];
  /** All of ours that is there, links first. */
  readonly found: readonly string[];
  /** Whether systemd runs from this deployment right now. */
  readonly isRunning: boolean;
}

export function readUnits(
  { id, path, booted }: Pick<Deployment, 'id' | 'path' | 'booted'>,
  runDirectory: string | undefined,
  system: SystemReads,
): UnitsState {
  const folder = join(path, 'etc', FOLDER);
  const has = (name: string): boolean => system.lstatIfExists(join(path, name)) !== undefined;
  const problem = !has('usr/lib/systemd/systemd')
    ? 'it has no systemd'
    : !has('etc')
      ? 'its /etc does not outlive a boot'
      : undefined;
  const isRunning =
    booted &&
    runDirectory !== undefined &&
    system.lstatIfExists(join(runDirectory, 'systemd/system')) !== undefined;
  const common = { deployment: id, problem, isRunning, found: findUnits(folder, system) };
  if (problem !== undefined) return { ...common, folder: undefined, wanted: [], links: [] };
  const missing = UNITS.filter(({ name }) => isMissing(join(folder, name), name, system));
  const isNew = ({ name }: Unit): boolean => system.lstatIfExists(join(folder, name)) === undefined;
  return {
    ...common,
    folder,
    wanted: missing.map(({ name }) => ({ path: join(folder, name), bytes: contentOf(name) })),
    links: missing
      .filter(isNew)
      .flatMap(({ name, wantedBy }) =>
        wantedBy.map((target) => ({ path: join(folder, target, name), target: `../${name}` })),
      ),
  };
}

const contentOf = (name: string): Buffer => payloadFile(`systemd/${name}` as PayloadName);

/** A link in its place is a mask, or somebody's own. */
function isMissing(path: string, name: string, system: SystemReads): boolean {
  if (system.lstatIfExists(path)?.isSymbolicLink() === true) return false;
  return readIfExists(path, system)?.equals(contentOf(name)) !== true;
}

/** Units of ours and links to them; no masks. */
function findUnits(folder: string, system: SystemReads): string[] {
  const enabling = UNITS.flatMap(({ name, wantedBy }) =>
    wantedBy.map((target) => join(folder, target, name)),
  );
  const links = enabling.filter((path) => system.lstatIfExists(path)?.isSymbolicLink() === true);
  const files = UNITS.map(({ name }) => join(folder, name)).filter(
    (path) => system.lstatIfExists(path)?.isFile() === true,
  );
  return [...links, ...files];
}

/** A step: units of one deployment are written or taken away. */
export interface UnitsStep {
  readonly kind: 'units';
  readonly deployment: string;
  readonly writes: readonly UnitFile[];
  readonly links: readonly UnitLink[];
  readonly removes: readonly string[];
  readonly isRunning: boolean;
}

/**
 * Carries the step out; on the running system systemd is told, and starts or stops them.
 * @throws OperationError where systemd refuses
 */
export async function changeUnits(step: UnitsStep, system: System): Promise<void> {
  const { writes, links, removes, isRunning } = step;
  // What is not loaded cannot be stopped, and need not be.
  if (isRunning && removes.length > 0) await systemctl(['stop', ...STARTED], { mayFail: true });
  // The links first: a unit that is there has had its own.
  for (const { path, target } of links) {
    makeFolders(dirname(path), system, { durable: true });
    if (system.lstatIfExists(path) !== undefined) continue;
    system.symlink(target as ByteString, path);
    system.fsyncDirectory(dirname(path));
  }
  for (const { path, bytes } of writes) {
    makeFolders(dirname(path), system, { durable: true });
    const temporary = join(dirname(path), temporaryName());
    writeSynced(temporary, bytes, 0o644, system);
    renameDurably(temporary, path, system);
  }
  for (const path of removes) system.unlink(path);
  for (const folder of new Set(removes.map(dirname))) removeIfOurs(folder, system);
  if (!isRunning) return;
  await systemctl(['daemon-reload']);
  // Only what was enabled just now: what somebody disabled stays so.
  const enabled = STARTED.filter((name) => links.some(({ path }) => basename(path) === name));
  if (enabled.length > 0) await systemctl(['start', '--no-block', ...enabled]);
}

/** A folder of links that has none any more, as systemctl leaves it: systemd needs none that is empty. */
function removeIfOurs(folder: string, system: System): void {
  if (/\.(wants|requires)$/.test(folder) && system.readdir(folder).length === 0) {
    system.rmdir(folder);
    system.fsyncDirectory(dirname(folder));
  } else system.fsyncDirectory(folder);
}

async function systemctl(args: readonly string[], { mayFail = false } = {}): Promise<void> {
  try {
    await (mayFail ? runAnyway : run)('systemctl', args);
  } catch (error) {
    // Without it nothing runs that could be told.
    if (!(error instanceof NotFoundError)) throw error;
  }
}

/** Folders in which units are written aside. */
export const unitFolders = (deployments: readonly Pick<Deployment, 'path'>[]): string[] =>
  deployments.map(({ path }) => join(path, 'etc', FOLDER));
