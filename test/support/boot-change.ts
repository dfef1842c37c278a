/** Install and remove on a bootable stand-in sysroot, and what is left of them. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nativeEngine } from '../../src/base/digest.ts';
import { type Progress, silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import {
  bootSettings,
  type Change,
  type ChangeOptions,
  type ChangeVerb,
  changeBoot,
} from '../../src/boot/change.ts';
import { History } from '../../src/boot/history/history.ts';
import type { KeepState } from '../../src/boot/keep/keep.ts';
import { type BootState, readBootState } from '../../src/boot/state.ts';
import type { Settings } from '../../src/config/settings.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { type BootableSysroot, makeBootableSysroot } from './bootable-sysroot.ts';
import { MemoryHistory } from './memory-history.ts';
import type { Sandbox } from './sandbox.ts';
import { sealAll } from './seal-state.ts';

/** A sealed one, with this sealtree.conf in the deployment that boots first. */
export async function makeSealedSysroot(
  work: Sandbox,
  name: string,
  settings: Readonly<Record<string, string>> = { initramfs: 'append' },
): Promise<BootableSysroot> {
  const sysroot = await makeBootableSysroot(work.join(name));
  configure(sysroot, settings);
  for (const { error } of await sealAll(sysroot, 'require', sysroot.system))
    if (error !== undefined) throw error;
  return sysroot;
}

export function configure(
  { deploymentPaths }: Pick<BootableSysroot, 'deploymentPaths'>,
  settings: Readonly<Record<string, string>>,
): void {
  const path = join(deploymentPaths[0] as string, 'etc/sealtree/sealtree.conf');
  mkdirSync(dirname(path), { recursive: true });
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(path, `[boot]\n${lines.join('')}`);
}

/** Copies of the program and units have tests of their own. */
export const NOTHING_KEPT: Pick<KeepState, 'program' | 'app' | 'otherApps' | 'units'> = {
  program: undefined,
  app: undefined,
  otherApps: [],
  units: [],
};

/** The state, on a file system that is ready for fs-verity: that one is asked of the kernel, not of the port. */
export async function readState(
  { path }: Pick<BootableSysroot, 'path'>,
  system: System,
  adapt: (state: BootState) => BootState = (state) => state,
  settings?: Settings,
): Promise<BootState> {
  const sysroot = readSysroot(path, system);
  const state = await readBootState(sysroot, settings ?? bootSettings(sysroot, system), silent(), system);
  return adapt({
    ...state,
    storage: { ...state.storage, verity: { state: 'ready' } },
    keep: { ...state.keep, ...NOTHING_KEPT },
  });
}

export async function change(
  sysroot: Pick<BootableSysroot, 'path' | 'system'>,
  verb: ChangeVerb,
  system: System = sysroot.system,
  options: Partial<ChangeOptions> & { readonly adapt?: (state: BootState) => BootState } = {},
): Promise<Change> {
  const { adapt, ...rest } = options;
  const read = (_: Progress, settings: Settings | undefined): Promise<BootState> =>
    readState(sysroot, system, adapt, settings);
  return await changeBoot(
    verb,
    sysroot.path,
    {
      lockTimeoutMs: 10_000,
      cause: 'test',
      progress: silent(),
      read,
      history: () => new History(new MemoryHistory()),
      ...rest,
    },
    system,
  );
}

/** What is text and short, so that a difference can be read; of the rest the sum. */
function shown(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  return bytes.length < 4096 && !text.includes('\0') ? text : nativeEngine.sha256(bytes).toString('hex');
}

/** All names, link targets and contents of what a boot reads, and of the repository but its objects. */
export function snapshot(sysrootPath: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (path: string): void => {
    for (const one of readdirSync(join(sysrootPath, path), { withFileTypes: true })) {
      const name = join(path, one.name);
      if (name === 'ostree/repo/objects' || name === 'ostree/deploy' || name === 'ostree/repo/.lock')
        continue;
      if (one.isSymbolicLink()) found.set(name, `-> ${readlinkSync(join(sysrootPath, name))}`);
      else if (one.isDirectory()) {
        found.set(`${name}/`, '');
        walk(name);
      } else found.set(name, shown(readFileSync(join(sysrootPath, name))));
    }
  };
  walk('boot');
  walk('ostree');
  return found;
}
