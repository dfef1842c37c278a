/** What a REV on the command line means: a revision of the repository, or a deployment of the sysroot. */
import { resolve } from 'node:path';
import type { Checksum } from '../base/digest.ts';
import { NotFoundError, SealtreeError } from '../base/errors.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import type { Repository } from '../repository/repository.ts';
import type { Context } from './context.ts';

/** Names a deployment could have; what else looks so is a ref first. */
const DEPLOYMENT = /^(booted|pending|rollback|staged|[^/]+\/[0-9a-f]{4,64}(\.\d+)?|[0-9a-f]{4,64}\.\d+)$/;
const INDEX = /^\d{1,3}$/;
const ONLY_DEPLOYMENT = /^(booted|pending|rollback|staged|\d{1,3}|.*[0-9a-f]{4,64}\.\d+)$/;

/**
 * Resolves a ref, `REMOTE:REF`, a checksum or the start of one, or a deployment (an index, `OS/CHECKSUM.SERIAL`,
 * `booted`, …), each with `^` for its parent. A small number is a deployment where the sysroot has it: nobody means
 * a checksum by one digit.
 *
 * @throws NotFoundError
 */
export async function resolveRev(context: Context, repository: Repository, rev: string): Promise<Checksum> {
  const [, name = rev, parents = ''] = /^(.*?)(\^*)$/.exec(rev) ?? [];
  if (INDEX.test(name)) {
    const found = await deploymentChecksum(context, repository, name);
    if (found !== undefined) return repository.resolve(found + parents);
  }
  try {
    return repository.resolve(rev);
  } catch (error) {
    if (!(error instanceof SealtreeError) || !(DEPLOYMENT.test(name) || INDEX.test(name))) throw error;
    const sysroot = await ownSysroot(context, repository);
    if (sysroot === undefined) throw error;
    try {
      return repository.resolve(sysroot.resolve(name).checksum + parents);
    } catch (missing) {
      // What can be nothing but a deployment is looked for in the list of these.
      throw missing instanceof NotFoundError && !ONLY_DEPLOYMENT.test(name) ? error : missing;
    }
  }
}

/** The deployment that a name means; undefined where that can mean a commit alone, or means none. */
export function namedDeployment(sysroot: Sysroot | undefined, name: string): Deployment | undefined {
  if (!DEPLOYMENT.test(name) && !INDEX.test(name)) return undefined;
  try {
    return sysroot?.resolve(name);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** The commit of a deployment; undefined where `repository` is not the sysroot's or has no such deployment. */
async function deploymentChecksum(
  context: Context,
  repository: Repository,
  name: string,
): Promise<Checksum | undefined> {
  return namedDeployment(await ownSysroot(context, repository), name)?.checksum;
}

/** The sysroot, where `repository` is its own. */
export async function ownSysroot(context: Context, repository: Repository): Promise<Sysroot | undefined> {
  const path = resolve(context.options.sysroot, 'ostree/repo');
  const own = context.system.lstatIfExists(path);
  const used = context.system.lstatIfExists(repository.path);
  if (own === undefined || own.ino !== used?.ino || own.dev !== used.dev) return undefined;
  try {
    return await context.openSysroot();
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
