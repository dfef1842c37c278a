/**
 * What the last verification found, kept for `status`: a timer looks for damage when nobody is there to read it. One
 * file in the machine's state folder, JSON.
 */
import { dirname, join } from 'node:path';
import { FormatError } from '../base/errors.ts';
import { makeFolders } from '../base/folders.ts';
import type { System, SystemReads } from '../base/system.ts';
import type { Finding } from '../image/findings.ts';
import { temporaryName, writeSynced } from '../image/store.ts';
import type { Depth } from '../repository/verify-content.ts';
import { readIfExists } from './read-if-exists.ts';

export interface Verified {
  /** When it ended, seconds since 1970. */
  readonly at: number;
  readonly depth: Depth;
  /** IDs of the deployments that were looked at. */
  readonly deployments: readonly string[];
  readonly findings: readonly Finding[];
}

const SCHEMA = 1;

const SEVERITIES: readonly unknown[] = ['error', 'warning', 'unchecked'];

export const verifiedPath = (stateFolder: string): string => join(stateFolder, 'verified.json');

/** Replaces what was kept before. */
export function writeVerified(stateFolder: string, verified: Verified, system: System): void {
  const path = verifiedPath(stateFolder);
  makeFolders(dirname(path), system, { durable: true });
  const temporary = join(dirname(path), temporaryName());
  writeSynced(
    temporary,
    Buffer.from(`${JSON.stringify({ schema: SCHEMA, ...verified }, null, 2)}\n`),
    0o644,
    system,
  );
  system.rename(temporary, path);
  system.fsyncDirectory(dirname(path));
}

/** Undefined where nothing was kept. @throws FormatError for a file that no version of sealtree wrote */
export function readVerified(stateFolder: string, system: SystemReads): Verified | undefined {
  const path = verifiedPath(stateFolder);
  const bytes = readIfExists(path, system);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new FormatError(path, 'not JSON', { cause });
  }
  if (!isVerified(value)) throw new FormatError(path, 'not what sealtree verify keeps');
  const { at, depth, deployments, findings } = value;
  return { at, depth, deployments, findings };
}

function isVerified(value: unknown): value is Verified {
  if (typeof value !== 'object' || value === null) return false;
  const { schema, at, depth, deployments, findings } = value as Readonly<Record<string, unknown>>;
  return (
    schema === SCHEMA &&
    typeof at === 'number' &&
    typeof depth === 'string' &&
    Array.isArray(deployments) &&
    deployments.every((id) => typeof id === 'string') &&
    Array.isArray(findings) &&
    findings.every(isFinding)
  );
}

function isFinding(value: unknown): value is Finding {
  if (typeof value !== 'object' || value === null) return false;
  const {
    severity,
    code,
    where,
    message,
    deployments = [],
    remedy = [],
  } = value as Readonly<Record<string, unknown>>;
  return (
    SEVERITIES.includes(severity) &&
    [code, where, message].every((text) => typeof text === 'string') &&
    [deployments, remedy].every(
      (list) => Array.isArray(list) && list.every((text) => typeof text === 'string'),
    )
  );
}
