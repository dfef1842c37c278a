/** koffi, through which functions of C libraries are called: a binary of its own for each processor and C library. */
import { createRequire } from 'node:module';

/** What is used of it. */
export type Koffi = Pick<typeof import('koffi'), 'load' | 'address' | 'errno'>;

let loaded: Koffi | undefined;

/** Loads it. Throws where it is not there, or has no binary that fits. */
export function loadKoffi(): Koffi {
  loaded ??= find();
  return loaded;
}

/** koffi where it was loaded. */
export const loadedKoffi = (): Koffi | undefined => loaded;

/** Through `createRequire`, so that bundlers leave it alone. */
function find(): Koffi {
  const require = createRequire(import.meta.url);
  const binaries = `@koromix/koffi-${process.platform}-${process.arch}`;
  // The most usual binary; the package that picks one; and koffi itself, which knows where else they may be, and says what
  // is wrong. The first is there in a tenth of the time that the last one takes.
  for (const name of [`${binaries}/${process.platform}_${process.arch}/koffi.node`, binaries]) {
    try {
      return require(name) as Koffi;
    } catch {
      // The next one knows more ways.
    }
  }
  return require('koffi') as Koffi;
}
