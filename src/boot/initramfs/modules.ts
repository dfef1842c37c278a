/**
 * Kernel modules and what they need, from what depmod wrote for a kernel (modules.dep(5), modules.builtin). What they
 * only wish for (modules.softdep) is left out: EROFS' wish is crc32c, and every file system that has fs-verity loads
 * that before it is mounted.
 */
import { type ByteString, bytesToString } from '../../base/bytes.ts';
import { FormatError, NotFoundError } from '../../base/errors.ts';
import type { TreeRoot } from './tree-root.ts';

/** The modules of one kernel. */
export interface KernelModules {
  readonly release: string;
  /** Relative to the tree's root. */
  readonly folder: ByteString;
  /** Names of what is built in. */
  readonly builtin: ReadonlySet<string>;
  /** By name. */
  readonly loadable: ReadonlyMap<string, KernelModule>;
}

export interface KernelModule {
  readonly name: string;
  /** Relative to the modules' folder, such as `kernel/fs/erofs/erofs.ko.xz`. */
  readonly file: ByteString;
  /** Names of the modules it needs, those that these need too; the first is to be loaded first. */
  readonly needs: readonly string[];
}

/** A module's name by its file's: `-` and `_` are the same to the kernel, `_` is what it shows. */
export function moduleName(file: string): string {
  const base = file.slice(file.lastIndexOf('/') + 1);
  return base.replace(/\.ko(\.(gz|xz|zst))?$/, '').replaceAll('-', '_');
}

export const isModuleFile = (name: string): boolean => /\.ko(\.(gz|xz|zst))?$/.test(name);

/** @throws NotFoundError when the tree has no modules for that kernel, FormatError */
export function readModules(root: TreeRoot, release: string): KernelModules {
  const folder = root.resolve(`usr/lib/modules/${release}` as ByteString);
  const dependencies =
    folder === undefined ? undefined : root.readFile(`${folder}/modules.dep` as ByteString);
  if (folder === undefined || dependencies === undefined)
    throw new NotFoundError(`the deployment has no usr/lib/modules/${release}/modules.dep`);
  const builtin = root.readFile(`${folder}/modules.builtin` as ByteString);
  return {
    release,
    folder,
    builtin: new Set(linesOf(builtin).map(moduleName)),
    loadable: parseDependencies(dependencies, `${folder}/modules.dep`),
  };
}

/** Reads modules.dep: `FILE: NEEDED…`, where what comes last is to be loaded first. @throws FormatError */
export function parseDependencies(bytes: Uint8Array, where: string): Map<string, KernelModule> {
  const modules = new Map<string, KernelModule>();
  linesOf(bytes).forEach((line, i) => {
    const colon = line.indexOf(':');
    if (colon < 0)
      throw new FormatError(where, `line ${i + 1}: no module`, { got: JSON.stringify(line.slice(0, 80)) });
    const file = line.slice(0, colon) as ByteString;
    const needs = line
      .slice(colon + 1)
      .split(' ')
      .filter(Boolean)
      .map(moduleName)
      .reverse();
    const name = moduleName(file);
    modules.set(name, { name, file, needs });
  });
  return modules;
}

/**
 * The modules of these names and all they need, in loading order, each once; nothing for what is built in. `missing`
 * are the names that the kernel has in neither way.
 */
export function loadingOrder(
  names: readonly string[],
  { builtin, loadable }: KernelModules,
): { readonly modules: readonly KernelModule[]; readonly missing: readonly string[] } {
  const order = new Map<string, KernelModule>();
  const missing: string[] = [];
  for (const name of names) {
    const module = loadable.get(name);
    if (module === undefined) {
      if (!builtin.has(name)) missing.push(name);
      continue;
    }
    for (const needed of [...module.needs, name]) {
      const one = loadable.get(needed);
      if (one !== undefined) order.set(needed, one);
      else if (!builtin.has(needed)) missing.push(needed);
    }
  }
  return { modules: [...order.values()], missing };
}

function linesOf(bytes: Uint8Array | undefined): string[] {
  return bytes === undefined ? [] : bytesToString(bytes).split('\n').filter(Boolean);
}
