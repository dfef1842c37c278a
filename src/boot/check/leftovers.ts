/**
 * What work that did not end has left: ours, which the next run takes up, and ostree's own word of a deployment that
 * it could not finish.
 */
import { join } from 'node:path';
import { bytesToText, displayMessage } from '../../base/bytes.ts';
import { isMissing } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import type { Finding } from '../../image/findings.ts';
import { isTemporaryName } from '../../image/store.ts';
import { entriesFolder } from '../entries.ts';
import { additionsFolder, bootFolder, type Journal, journalPath } from '../journal.ts';
import { bootCommand } from './context.ts';

export function checkLeftovers(
  sysroot: Sysroot,
  journal: Journal | undefined,
  system: SystemReads,
): Finding[] {
  return [
    ...unfinished(sysroot, journal),
    ...temporaryFiles(sysroot, journal?.verb ?? 'install', system),
    ...finalizeFailure(sysroot, system),
  ];
}

function unfinished(sysroot: Sysroot, journal: Journal | undefined): Finding[] {
  if (journal === undefined) return [];
  return [
    {
      severity: 'warning',
      code: 'transaction-unfinished',
      where: journalPath(sysroot.repositoryPath),
      message: `boot ${journal.verb} was cut off, or is under way; the machine boots as the findings say`,
      remedy: [bootCommand(sysroot.path, journal.verb)],
    },
  ];
}

function temporaryFiles(sysroot: Sysroot, verb: Journal['verb'], system: SystemReads): Finding[] {
  const bootOstree = join(sysroot.path, 'boot/ostree');
  const folders = [
    entriesFolder(sysroot),
    join(sysroot.path, 'boot'),
    bootOstree,
    ...names(bootOstree, system).map((name) => join(bootOstree, name)),
    bootFolder(sysroot.repositoryPath),
    additionsFolder(sysroot.repositoryPath),
  ];
  return folders.flatMap((folder) =>
    names(folder, system)
      .filter(isTemporaryName)
      .map(
        (name): Finding => ({
          severity: 'warning',
          code: 'leftover',
          where: join(folder, name),
          message: 'left by a run that was cut off: nothing reads it',
          remedy: [bootCommand(sysroot.path, verb)],
        }),
      ),
  );
}

/** ostree-sysroot-deploy.c: what finalizing a staged deployment at shutdown died of; removed by the next good boot. */
function finalizeFailure(sysroot: Sysroot, system: SystemReads): Finding[] {
  const path = join(sysroot.path, 'boot/ostree/finalize-failure.stamp');
  const text = readIfExists(path, system);
  if (text === undefined) return [];
  const message = `ostree could not finish the deployment that was staged: ${displayMessage(text.toString('utf8').trim()).slice(0, 500)}`;
  return [
    { severity: 'warning', code: 'finalize-failure', where: path, message, remedy: ['ostree admin status'] },
  ];
}

function names(folder: string, system: SystemReads): string[] {
  try {
    return system
      .readdir(folder)
      .map(bytesToText)
      .filter((name) => name !== '.' && name !== '..')
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
