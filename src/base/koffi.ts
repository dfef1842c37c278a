/** koffi, through which functions of C libraries are called: a binary of its own for each processor and C library. */
import { createRequire } from 'node:module';

/** What is used of it. */
export type Koffi = Pick<typeof import('koffi'), 'load' | 'address' | 'errno'>;

/**
 * Loads it, through `createRequire` so that bundlers leave it alone. Throws where it is not there, or has no binary that
 * fits.
 */
export function loadKoffi(): Koffi {
  const require = createRequire(import.meta.url);
  try {
    // Its package `koffi` finds the binary's, in several times the time that this one takes.
    return require(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
  } catch {
    // Where packages lie otherwise it knows the way, and what is wrong it says.
    return require('koffi') as Koffi;
  }
}
