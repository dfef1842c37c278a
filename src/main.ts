/**
 * The program. Everything is loaded on demand: what runs at every boot and at every Tab must start at once, and
 * an old Node must get to the message instead of failing in the middle of an import.
 */

/** Set by the build; the sources ask package.json. */
declare const SEALTREE_VERSION: string | undefined;

const NODE_NEEDED = [22, 12] as const;

/** Names this program answers to as a stand-in for libcomposefs' tools. */
const STAND_INS = ['mkcomposefs', 'composefs-info', 'composefs-dump'];

async function main(): Promise<number> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor < NODE_NEEDED[1])) {
    console.error(
      `sealtree: needs Node ${NODE_NEEDED.join('.')} or newer, this is ${process.versions.node} (${process.execPath})`,
    );
    return 69;
  }
  const args = process.argv.slice(2);
  const calledAs = process.argv[1]?.split('/').at(-1) ?? '';
  if (STAND_INS.includes(calledAs)) args.unshift(calledAs);

  if (args.length === 1 && args[0] === '--version') {
    // An import of node:fs would load its streams and promises too.
    process.getBuiltinModule('node:fs').writeSync(1, `sealtree ${version()}\n`);
    return 0;
  }
  keepCompiled();
  if (args[0] === 'hook' || STAND_INS.includes(args[0] ?? '')) {
    const { startRaw } = await import('./commands/raw.ts');
    return startRaw(args[0] as string, args.slice(1));
  }
  const { startProgram } = await import('./commands/program.ts');
  return startProgram(args, version());
}

/**
 * Has Node keep the compiled form of what is loaded from here on, for the next start. Not where it would by itself, below
 * /tmp: code from a folder in which others can write would be theirs, run by root. Whether a file fits its source and is
 * whole Node checks; without such a folder it compiles each time.
 */
function keepCompiled(): void {
  const { lstatSync, mkdirSync } = process.getBuiltinModule('node:fs');
  const user = process.geteuid?.();
  const caches = user === 0 ? '/var/cache' : ownCaches();
  if (caches === undefined) return;
  const folder = `${caches}/sealtree`;
  try {
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined)
      // What is above is for nobody else where it is a person's own; /var/cache is for all, and not ours to make.
      mkdirSync(folder, { recursive: user !== 0, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    if (uid === user && (mode & 0o022) === 0)
      process.getBuiltinModule('node:module').enableCompileCache(`${folder}/compiled`);
  } catch (error) {
    // It is there, but cannot be written or is no folder of ours: then there is nothing kept.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
  }
}

/** Where a person's caches lie, as the XDG Base Directory Specification has it: a relative path counts as none. */
function ownCaches(): string | undefined {
  const { XDG_CACHE_HOME = '', HOME = '' } = process.env;
  if (XDG_CACHE_HOME.startsWith('/')) return XDG_CACHE_HOME;
  return HOME.startsWith('/') ? `${HOME}/.cache` : undefined;
}

function version(): string {
  if (typeof SEALTREE_VERSION === 'string') return SEALTREE_VERSION;
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return String((manifest as { version: unknown }).version);
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'write') throw error;
  if (code !== 'EPIPE') console.error(`sealtree: error: standard output: cannot write: ${code}`);
  // Whoever read our version or help did not wait for the end of it; anything else, such as a full disk, is a failure.
  process.exitCode = code === 'EPIPE' ? 141 : 74;
}

export {};
