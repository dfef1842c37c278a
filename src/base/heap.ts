/** The memory that V8 takes for what is made in JavaScript. */

/**
 * Keeps the room for new objects as small as it is. V8 doubles it, to 100 MB and more, each time that many of them outlive
 * a collection, as names of entries do for a while: for a million entries that is 200 MB, and saves no time that could be
 * measured. Of the whole process. The factor is read each time that V8 is about to double, so it may be set at any time;
 * but V8 compiles anew what is loaded after that, threads with all they have of Node included: it takes no code that was
 * compiled under other flags.
 */
export function keepYoungHeapSmall(): void {
  process.getBuiltinModule('node:v8').setFlagsFromString('--semi-space-growth-factor=1');
}
