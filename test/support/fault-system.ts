/**
 * A {@link System} that counts the steps of a transaction and, at one of them, fails or stops the world. A step is
 * a call of {@link SystemWrites}; reads and locks are none.
 */
import { IoError } from '../../src/base/errors.ts';
import type { Path, System, SystemWrites } from '../../src/base/system.ts';

/** The power went: nothing after it may reach the disk, not even what a `finally` does. */
export class PowerCut extends Error {
  constructor(step: number) {
    super(`power cut before step ${step}`);
    this.name = 'PowerCut';
  }
}

export type Fault =
  /** Step `at` (counted from 0) fails with the errno; all others work. */
  | { readonly kind: 'fail'; readonly at: number; readonly errno: string }
  /** Step `at` and all later ones throw {@link PowerCut} and do nothing; of a write the first half is done. */
  | { readonly kind: 'power-cut'; readonly at: number }
  /** Nothing goes wrong: `before` is called before each step. */
  | { readonly kind: 'watch'; readonly before: (step: number) => void }
  /** Calls `stop` instead of step `at`: a real end of the process, say. */
  | { readonly kind: 'stop'; readonly at: number; readonly stop: () => void };

export interface Step {
  readonly call: keyof SystemWrites;
  /** The first argument as text: a path, or `fd`. */
  readonly subject: string;
}

export interface FaultSystem extends System {
  /** The steps asked for so far, those that failed among them. */
  readonly steps: readonly Step[];
}

/** A table, so that the type checker sees to it that no call is forgotten. */
const WRITES: Readonly<Record<keyof SystemWrites, true>> = {
  create: true,
  openWrite: true,
  write: true,
  ftruncate: true,
  fchmod: true,
  fchown: true,
  lchown: true,
  utimes: true,
  futimes: true,
  fsync: true,
  fsyncDirectory: true,
  syncfs: true,
  checkpoint: true,
  mkdir: true,
  rmdir: true,
  rename: true,
  renameIfAbsent: true,
  link: true,
  symlink: true,
  unlink: true,
  setxattr: true,
  removexattr: true,
  setImmutable: true,
  enableVerity: true,
};

/** `system` with every write counted, and `fault` (if any) built in. Other members may be replaced by `overrides`. */
export function faultSystem(system: System, fault?: Fault, overrides: Partial<System> = {}): FaultSystem {
  const steps: Step[] = [];
  const target: System = { ...system, ...overrides };
  const step = (call: keyof SystemWrites, args: readonly unknown[]): void => {
    const subject = args[0] as Path | number;
    const number = steps.push({ call, subject: typeof subject === 'number' ? 'fd' : subject.toString() }) - 1;
    if (fault?.kind === 'watch') fault.before(number);
    if (fault === undefined || fault.kind === 'watch' || number < fault.at) return;
    if (fault.kind === 'power-cut') {
      if (number === fault.at && call === 'write')
        halfWrite(target, args[0] as number, args[1] as Uint8Array);
      throw new PowerCut(fault.at);
    }
    if (number > fault.at) return;
    if (fault.kind === 'fail') throw new IoError(call, String(subject), fault.errno);
    fault.stop();
  };
  const counted: Record<string, unknown> = {};
  for (const call of Object.keys(WRITES) as (keyof SystemWrites)[]) {
    const inner = target[call] as (...args: unknown[]) => unknown;
    counted[call] = (...args: unknown[]) => {
      step(call, args);
      return inner(...args);
    };
  }
  return { ...target, ...counted, steps } as FaultSystem;
}

function halfWrite(system: System, fd: number, bytes: Uint8Array): void {
  system.write(fd, bytes.subarray(0, bytes.length >> 1));
}
