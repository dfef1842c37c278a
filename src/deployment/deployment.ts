/**
 * A deployment: one bootable tree of a sysroot, the names it goes by, and how a person's word for it is resolved.
 * Names and links follow ostree (ostree-sysroot.c: deployment folders, `ostree=` boot links).
 */
import type { ByteString } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { NotFoundError, UsageError } from '../base/errors.ts';
import type { BlsEntry, BlsName } from '../formats/bls.ts';
import type { Origin } from './origin.ts';

/** `development` and `transient` end with the boot; `hotfix` stays until the next deployment. */
export type Unlocked = 'development' | 'transient' | 'hotfix';

/** A boot entry as found in `boot/loader/entries`. */
export interface BootEntry {
  /** Absolute path of the file. */
  readonly path: string;
  readonly name: BlsName;
  readonly content: BlsEntry;
}

export interface Deployment {
  /** Place in the list of `ostree admin status`; 0 is what boots next. */
  readonly index: number;
  /** Operating system name: the folder in `ostree/deploy`. */
  readonly stateroot: string;
  readonly checksum: Checksum;
  readonly serial: number;
  /** `STATEROOT/CHECKSUM.SERIAL`: unique in a sysroot. */
  readonly id: string;
  /** Absolute path of the deployment's folder. */
  readonly path: string;
  /** Whether it is the running root. */
  readonly booted: boolean;
  /** Whether it gets its boot entry only at shutdown; then it is the first one. */
  readonly staged: boolean;
  /** Whether it boots next instead of the booted one. */
  readonly pending: boolean;
  /** Whether it is the one after the booted one. */
  readonly rollback: boolean;
  readonly pinned: boolean;
  /** Staged, and not to be finalized before it is unlocked. */
  readonly finalizationLocked: boolean;
  /** What the next soft reboot goes to. */
  readonly softRebootTarget: boolean;
  readonly unlocked: Unlocked | undefined;
  /** What it was deployed from; undefined without a readable `.origin` file. */
  readonly origin: Origin | undefined;
  /** Its boot entry; undefined for a staged deployment. */
  readonly entry: BootEntry | undefined;
  /** Kernel arguments as written, of the entry or the staged state; undefined when staged without any of its own. */
  readonly kargs: readonly ByteString[] | undefined;
  /** Checksum over kernel, initramfs and device trees. */
  readonly bootcsum: string;
  /** The `ostree=` link, such as `/ostree/boot.1/os/BOOTCSUM/0`; undefined for a staged deployment. */
  readonly bootLink: string | undefined;
}

export interface DeploymentName {
  readonly checksum: Checksum;
  readonly serial: number;
}

/** Reads `CHECKSUM.SERIAL`; undefined for anything else, such as the `.origin` file beside the folder. */
export function parseDeploymentName(name: string): DeploymentName | undefined {
  const match = /^([0-9a-f]{64})\.(0|[1-9][0-9]{0,8})$/.exec(name);
  return match === null ? undefined : { checksum: match[1] as Checksum, serial: Number(match[2]) };
}

/** The parts of `/ostree/boot.B/STATEROOT/BOOTCSUM/BOOTSERIAL`. */
export interface BootLink {
  readonly bootVersion: 0 | 1;
  readonly stateroot: string;
  readonly bootcsum: string;
  readonly bootSerial: number;
}

/** Reads the value of an `ostree=` kernel argument; undefined when it is not such a link. */
export function parseBootLink(link: string): BootLink | undefined {
  const match = /^\/ostree\/boot\.([01])\/([^/]+)\/([^/]+)\/([0-9]{1,9})$/.exec(link);
  if (match === null) return undefined;
  const [, bootVersion, stateroot = '', bootcsum = '', serial] = match;
  if (isDots(stateroot) || isDots(bootcsum)) return undefined;
  return { bootVersion: bootVersion === '0' ? 0 : 1, stateroot, bootcsum, bootSerial: Number(serial) };
}

/** Whether a name would lead out of its folder. */
export function isDots(name: string): boolean {
  return name === '.' || name === '..';
}

/**
 * Finds the one deployment that `spec` names: an index, `booted`, `pending`, `rollback`, `staged`,
 * `STATEROOT/CHECKSUM.SERIAL`, or a checksum, which may be cut to 4 or more digits, may lack `.SERIAL`, and may have
 * `STATEROOT/` before it.
 *
 * @throws NotFoundError when nothing fits, UsageError when several do.
 */
export function resolveDeployment(deployments: readonly Deployment[], spec: string): Deployment {
  const state = STATES.get(spec);
  if (state !== undefined) {
    const found = deployments.find(state);
    if (found === undefined)
      throw new NotFoundError(`no deployment is ${spec}`, { hint: listed(deployments), details: { spec } });
    return found;
  }
  if (/^(0|[1-9][0-9]{0,3})$/.test(spec)) {
    const found = deployments[Number(spec)];
    if (found !== undefined) return found;
    if (spec.length < MIN_PREFIX)
      throw new NotFoundError(`there is no deployment ${spec}`, {
        hint: listed(deployments),
        details: { spec },
      });
  }
  const matching = deployments.filter((deployment) => isNamedBy(deployment, spec));
  if (matching.length > 1)
    throw new UsageError(`${spec} names ${matching.length} deployments`, {
      hint: listed(matching),
      details: { spec, deployments: matching.map((deployment) => deployment.id) },
    });
  const [found] = matching;
  if (found === undefined)
    throw new NotFoundError(`no deployment is called ${spec}`, {
      hint: listed(deployments),
      details: { spec },
    });
  return found;
}

const MIN_PREFIX = 4;

const STATES: ReadonlyMap<string, (deployment: Deployment) => boolean> = new Map([
  ['booted', (deployment: Deployment) => deployment.booted],
  ['pending', (deployment: Deployment) => deployment.pending],
  ['rollback', (deployment: Deployment) => deployment.rollback],
  ['staged', (deployment: Deployment) => deployment.staged],
]);

function isNamedBy(deployment: Deployment, spec: string): boolean {
  const match = /^(?:([^/]+)\/)?([0-9a-f]{4,64})(?:\.(0|[1-9][0-9]*))?$/.exec(spec);
  if (match === null) return false;
  const [, stateroot, prefix = '', serial] = match;
  return (
    (stateroot === undefined || stateroot === deployment.stateroot) &&
    deployment.checksum.startsWith(prefix) &&
    (serial === undefined || Number(serial) === deployment.serial)
  );
}

function listed(deployments: readonly Deployment[]): string {
  if (deployments.length === 0) return 'this sysroot has no deployments';
  return `deployments: ${deployments.map((deployment) => `${deployment.index} (${deployment.id})`).join(', ')}`;
}
