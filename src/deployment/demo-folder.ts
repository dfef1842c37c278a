/** The folder of a demonstration: makes it, and makes it anew where it is one of ours. Never touches another one. */
import { join } from 'node:path';
import { ExitCode, OperationError, SealtreeError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import { child } from './checkout.ts';

/** Says that the folder is ours. Written before anything else, removed after everything else. */
const MARKER = '.sealtree-demo';
const MARKER_TEXT =
  'Made by sealtree demo, which removes boot and ostree beside this file when it is run again.\n';

/** All that a demonstration puts into its folder, in the order in which it is removed. */
const MADE = ['boot', 'mnt', 'ostree', MARKER];

/**
 * - `new`: there is nothing at the path;
 * - `empty`: an empty folder;
 * - `ours`: a demonstration, whole or in part.
 */
export type DemoFolder = 'new' | 'empty' | 'ours';

/** @throws SealtreeError (exit code 73) when something else is there */
export function inspectDemoFolder(path: string, system: System): DemoFolder {
  const stats = system.lstatIfExists(path);
  if (stats === undefined) return 'new';
  if (stats.isDirectory()) {
    if (system.lstatIfExists(join(path, MARKER)) !== undefined) return 'ours';
    if (system.readdir(path).length === 0) return 'empty';
  }
  throw new SealtreeError(
    'exists',
    ExitCode.cannotCreate,
    `${path} exists and is not a demonstration of ours`,
    {
      hint: 'name another folder: sealtree demo DIR',
      details: { path },
    },
  );
}

/** Leaves an empty folder of ours at `path`. */
export function prepareDemoFolder(path: string, system: System): void {
  const found = inspectDemoFolder(path, system);
  if (found === 'new') system.mkdir(path);
  if (found === 'ours') {
    const { dev } = system.lstat(path);
    for (const name of MADE) remove(Buffer.from(join(path, name)), dev, system);
  }
  const fd = system.create(join(path, MARKER), 0o644);
  try {
    system.write(fd, Buffer.from(MARKER_TEXT));
  } finally {
    system.close(fd);
  }
}

/** Removes a tree; stops where another file system is mounted, whose files were never ours. */
function remove(path: Buffer, device: number, system: System): void {
  const stats = system.lstatIfExists(path);
  if (stats === undefined) return;
  if (stats.dev !== device)
    throw new OperationError('mounted', `${path.toString()} is on another file system`, {
      hint: `umount ${path.toString()}`,
    });
  if (!stats.isDirectory()) {
    system.unlink(path);
    return;
  }
  // ostree sets the flag on what it deploys here afterwards.
  if (system.isImmutable(path)) system.setImmutable(path, false);
  for (const name of system.readdir(path)) remove(child(path, name), device, system);
  system.rmdir(path);
}
