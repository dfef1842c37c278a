/** Every row of the table: what is run, against whom, what is to be reached, and how it is known that both did the same. */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runHost } from '../support/oracle.ts';
import type { Contest, Contestant } from './contest.ts';
import { debianInputs, type Inputs, syntheticDump, WORK } from './inputs.ts';
import { peer, runPeer } from './peers.ts';
import { runSealtree, sealtree } from './program.ts';

/** A contest, made ready when it is its turn. */
export interface Entry {
  /** Words that pick it. */
  readonly name: string;
  readonly contest: () => Contest;
  /** The contestants of ours of which stages are told. */
  readonly staged?: readonly string[];
}

export const CONTESTS: readonly Entry[] = [
  { name: 'first image warm', contest: firstImage, staged: ['sealtree', 'sealtree, plain engine'] },
  { name: 'first image cold', contest: firstImageCold, staged: ['sealtree'] },
  { name: 'first image archive', contest: archiveImage },
  { name: 'next deployment warm', contest: () => nextDeployment(false), staged: ['sealtree'] },
  { name: 'next deployment cold', contest: () => nextDeployment(true) },
  { name: 'nothing to do', contest: nothingToDo },
  { name: 'start', contest: start },
  { name: 'dump to image', contest: dumpToImage },
  { name: 'image to dump', contest: imageToDump },
  { name: 'ls', contest: list },
  { name: 'diff', contest: compare },
  { name: 'verify deep', contest: verify },
  { name: 'import dir', contest: importDirectory },
  { name: 'import tar', contest: importTar },
];

const MANY_ENTRIES = 1_000_000;
const IMAGE_ENTRIES = 65_000;
/** Less than what a Debian system has in its files: who reads them all has read that much. */
const ALL_CONTENT = 1_000_000_000;
/** Less than what changes from `first` to `second`. */
const CHANGED_CONTENT = 5_000_000;
const FEW = 3;
/** For what takes a minute. */
const TWO = 2;

const extensions = ({ repository }: Inputs): string => join(repository, 'extensions/sealtree');

/** What sealtree made and learnt in a repository is gone. */
function forget(repository: string): void {
  rmSync(join(repository, 'extensions/sealtree'), { recursive: true, force: true });
}

/** Makes `first` known: its image and what was learnt of its objects. Returns what puts the repository into that state again. */
function rememberFirst(inputs: Inputs): () => void {
  const kept = join(WORK, 'known');
  rmSync(kept, { recursive: true, force: true });
  forget(inputs.repository);
  runSealtree('seal', '--repo', inputs.repository, '--ref=first', '--quiet');
  cpSync(extensions(inputs), kept, { recursive: true, preserveTimestamps: true });
  return () => {
    forget(inputs.repository);
    cpSync(kept, extensions(inputs), { recursive: true, preserveTimestamps: true });
  };
}

const seal = (repository: string, ref: string): string[] =>
  sealtree('seal', '--repo', repository, `--ref=${ref}`, '--json');

function sealers({ repository, checkouts }: Inputs, ref: 'first' | 'second', prepare: () => void) {
  return {
    sealtree: { name: 'sealtree', argv: seal(repository, ref), prepare },
    plain: {
      name: 'sealtree, plain engine',
      argv: seal(repository, ref),
      env: { SEALTREE_HASH: 'plain' },
      prepare,
    },
    mkcomposefs: {
      name: 'mkcomposefs',
      argv: peer('mkcomposefs', '--threads=2', checkouts[ref], 'image.cfs'),
    },
    ostree: { name: 'ostree', argv: checkoutComposefs(repository, ref) },
  } satisfies Record<string, Contestant>;
}

/** ostree replaces no image. */
const checkoutComposefs = (repository: string, ref: string): string[] => [
  '/bin/sh',
  '-euc',
  'rm -f image.cfs; exec "$@"',
  'checkout',
  ...peer('ostree', `--repo=${repository}`, 'checkout', '--composefs', ref, 'image.cfs'),
];

function firstImage(): Contest {
  const inputs = debianInputs();
  const all = sealers(inputs, 'first', () => forget(inputs.repository));
  return {
    contestants: [all.sealtree, all.plain, all.mkcomposefs, all.ostree],
    goals: [
      { work: 'first image, warm', ours: 'sealtree', peer: 'mkcomposefs', atMost: 0.55 },
      {
        work: 'first image, warm, plain engine',
        ours: 'sealtree, plain engine',
        peer: 'mkcomposefs',
        atMost: 1,
      },
      { work: 'first image, warm', ours: 'sealtree', peer: 'ostree', atMost: 0.3 },
    ],
    agree: (deskOf) => {
      const image = join(deskOf('ostree'), 'image.cfs');
      for (const name of ['sealtree', 'sealtree, plain engine']) sameDigest(deskOf(name), image);
      sameFiles(image, join(deskOf('mkcomposefs'), 'image.cfs'));
    },
  };
}

function firstImageCold(): Contest {
  const inputs = debianInputs();
  const all = sealers(inputs, 'first', () => forget(inputs.repository));
  return {
    contestants: [all.sealtree, all.mkcomposefs].map((each) => ({ ...each, coldBytes: ALL_CONTENT })),
    goals: [{ work: 'first image, page cache dropped', ours: 'sealtree', peer: 'mkcomposefs', atMost: 0.6 }],
    agree: (deskOf) => sameFiles(sealedImage(deskOf('sealtree')), join(deskOf('mkcomposefs'), 'image.cfs')),
    mostRounds: FEW,
  };
}

function archiveImage(): Contest {
  const { archive } = debianInputs();
  return {
    contestants: [
      {
        name: 'sealtree',
        argv: sealtree('image', 'create', '--repo', archive, 'first', '--output=image.cfs', '--json'),
        prepare: () => forget(archive),
      },
      { name: 'ostree', argv: checkoutComposefs(archive, 'first') },
    ],
    goals: [{ work: 'first image of an archive repository', ours: 'sealtree', peer: 'ostree', atMost: 0.35 }],
    agree: (deskOf) => sameBytes(deskOf('sealtree'), deskOf('ostree'), 'image.cfs'),
    mostRounds: FEW,
  };
}

function nextDeployment(cold: boolean): Contest {
  const inputs = debianInputs();
  const all = sealers(inputs, 'second', rememberFirst(inputs));
  const state = cold ? 'cold' : 'warm';
  const work = `next deployment, 1 % changed, ${state}`;
  const agreeWithMkcomposefs = (deskOf: (name: string) => string): void =>
    sameFiles(sealedImage(deskOf('sealtree')), join(deskOf('mkcomposefs'), 'image.cfs'));
  if (cold)
    return {
      contestants: [
        { ...all.sealtree, coldBytes: CHANGED_CONTENT },
        { ...all.mkcomposefs, coldBytes: ALL_CONTENT },
      ],
      goals: [{ work, ours: 'sealtree', peer: 'mkcomposefs', atMost: 0.12 }],
      agree: agreeWithMkcomposefs,
      mostRounds: FEW,
    };
  return {
    contestants: [all.sealtree, all.mkcomposefs, all.ostree],
    goals: [
      { work, ours: 'sealtree', peer: 'mkcomposefs', atMost: 0.25 },
      { work, ours: 'sealtree', peer: 'ostree', atMost: 0.13 },
    ],
    agree: (deskOf) => {
      sameDigest(deskOf('sealtree'), join(deskOf('ostree'), 'image.cfs'));
      agreeWithMkcomposefs(deskOf);
    },
  };
}

function nothingToDo(): Contest {
  const { sysroot } = debianInputs();
  runSealtree('seal', '--sysroot', sysroot, '--all', '--quiet');
  return {
    contestants: [
      { name: 'sealtree', argv: sealtree('seal', '--sysroot', sysroot, '--all') },
      { name: 'node -e 0', argv: [process.execPath, '-e', '0'] },
    ],
    goals: [{ work: 'seal --all, nothing to do', ours: 'sealtree', peer: 'node -e 0', atMost: 2 }],
    agree: (deskOf) => {
      const text = readFileSync(join(deskOf('sealtree'), 'out'), 'utf8');
      if (text.match(/already sealed/g)?.length !== 2) throw new Error(`there was something to do:\n${text}`);
    },
    leastRounds: 15,
  };
}

/** What hooks and people wait for before anything is done. */
function start(): Contest {
  const { sysroot } = debianInputs();
  const commands: readonly (readonly [work: string, args: readonly string[], atMost: number])[] = [
    ['--version', ['--version'], 1.3],
    ['hook, nothing new', ['hook', 'bench', '--sysroot', sysroot], 2.5],
    ['--help', ['--help'], 2.5],
  ];
  return {
    contestants: [
      ...commands.map(([name, args]) => ({ name, argv: sealtree(...args) })),
      { name: 'node -e 0', argv: [process.execPath, '-e', '0'] },
    ],
    goals: commands.map(([work, , atMost]) => ({ work, ours: work, peer: 'node -e 0', atMost })),
    agree: (deskOf) => {
      for (const [name] of commands.filter(([work]) => work.startsWith('--')))
        if (readFileSync(join(deskOf(name), 'out')).length === 0) throw new Error(`${name} printed nothing`);
    },
    leastRounds: 15,
  };
}

function dumpToImage(): Contest {
  const dump = syntheticDump(MANY_ENTRIES);
  return {
    contestants: [
      { name: 'sealtree', argv: sealtree('mkcomposefs', '--from-file', dump, 'image.cfs') },
      { name: 'mkcomposefs', argv: peer('mkcomposefs', '--from-file', dump, 'image.cfs') },
    ],
    goals: [
      {
        work: 'dump of a million entries to image',
        ours: 'sealtree',
        peer: 'mkcomposefs',
        atMost: 0.3,
        memoryAtMost: 0.6,
      },
    ],
    agree: (deskOf) => sameBytes(deskOf('sealtree'), deskOf('mkcomposefs'), 'image.cfs'),
    mostRounds: FEW,
  };
}

function imageToDump(): Contest {
  const image = join(WORK, 'image-65k.cfs');
  runPeer('mkcomposefs', '--from-file', syntheticDump(IMAGE_ENTRIES), image);
  return {
    contestants: [
      { name: 'sealtree dump', argv: sealtree('image', 'dump', image) },
      { name: 'sealtree verify', argv: sealtree('image', 'verify', image) },
      { name: 'composefs-info dump', argv: peer('composefs-info', 'dump', image) },
    ],
    goals: [
      {
        work: 'image of 65,000 inodes to dump',
        ours: 'sealtree dump',
        peer: 'composefs-info dump',
        atMost: 0.8,
      },
      {
        work: 'image verify, 65,000 inodes',
        ours: 'sealtree verify',
        peer: 'composefs-info dump',
        atMost: 0.8,
      },
    ],
    agree: (deskOf) => sameBytes(deskOf('sealtree dump'), deskOf('composefs-info dump'), 'out'),
  };
}

function list(): Contest {
  const inputs = debianInputs();
  const { repository } = inputs;
  const argv = sealtree('ls', '--repo', repository, '-R', 'first');
  return {
    contestants: [
      { name: 'sealtree', argv, prepare: () => forget(repository) },
      { name: 'sealtree, object-info', argv, prepare: rememberFirst(inputs) },
      { name: 'ostree', argv: peer('ostree', `--repo=${repository}`, 'ls', '-R', 'first') },
    ],
    goals: [
      { work: 'ls -R, nothing known', ours: 'sealtree', peer: 'ostree', atMost: 0.6 },
      { work: 'ls -R, with object-info', ours: 'sealtree, object-info', peer: 'ostree', atMost: 0.35 },
    ],
    agree: (deskOf) => {
      for (const name of ['sealtree', 'sealtree, object-info'])
        sameBytes(deskOf(name), deskOf('ostree'), 'out');
    },
  };
}

function compare(): Contest {
  const { repository } = debianInputs();
  return {
    contestants: [
      {
        name: 'sealtree',
        argv: sealtree('diff', '--repo', repository, 'first', 'second'),
        prepare: () => forget(repository),
      },
      { name: 'ostree', argv: peer('ostree', `--repo=${repository}`, 'diff', 'first', 'second') },
    ],
    goals: [{ work: 'diff, 1 % changed', ours: 'sealtree', peer: 'ostree', atMost: 0.3 }],
    agree: (deskOf) => sameBytes(deskOf('sealtree'), deskOf('ostree'), 'out'),
  };
}

function verify(): Contest {
  const { repository } = debianInputs();
  return {
    contestants: [
      {
        name: 'sealtree',
        argv: sealtree('verify', '--repo', repository, '--repository', '--deep'),
        prepare: () => forget(repository),
      },
      { name: 'ostree', argv: peer('ostree', `--repo=${repository}`, 'fsck') },
    ],
    goals: [{ work: 'verify --deep of a repository', ours: 'sealtree', peer: 'ostree', atMost: 0.5 }],
    agree: (deskOf) => {
      const [counted] =
        /\d+(?= content objects)/.exec(runPeer('ostree', `--repo=${repository}`, 'fsck')) ?? [];
      const text = readFileSync(join(deskOf('sealtree'), 'out'), 'utf8');
      if (counted !== undefined && !text.includes(counted)) throw new Error(`other objects: ${text}`);
    },
    mostRounds: FEW,
  };
}

/**
 * A repository to write into, as `repo` of a folder: a new one for each run. None is removed before the end of the whole
 * bench, since the disk would be busy with that.
 */
function newRepository(name: string): { readonly path: string; readonly prepare: () => void } {
  const folder = join(WORK, `import-${name}`);
  const path = join(folder, 'repo');
  let made = 0;
  return {
    path,
    prepare: () => {
      mkdirSync(folder, { recursive: true });
      if (existsSync(path)) renameSync(path, join(folder, `former-${made++}`));
      runPeer('ostree', `--repo=${path}`, 'init', '--mode=bare');
    },
  };
}

function importing(work: string, sealtreeArgs: readonly string[], ostreeArg: string): Contest {
  const [kind = ''] = sealtreeArgs;
  const [ours, theirs] = [newRepository(`${kind}-ours`), newRepository(`${kind}-theirs`)];
  const commit = ['commit', '--branch=x', '--timestamp=@0', '--no-bindings', ostreeArg];
  return {
    contestants: [
      {
        name: 'sealtree',
        argv: sealtree('import', ...sealtreeArgs, '--repo', ours.path, '--ref=x', '--timestamp=0'),
        prepare: ours.prepare,
      },
      {
        name: 'ostree',
        argv: peer('ostree', `--repo=${theirs.path}`, ...commit),
        prepare: theirs.prepare,
      },
    ],
    goals: [{ work, ours: 'sealtree', peer: 'ostree', atMost: 0.7 }],
    agree: () => {
      const [a, b] = [ours.path, theirs.path].map((path) =>
        runPeer('ostree', `--repo=${path}`, 'ls', '--dironly', '--checksum', 'x', '/'),
      );
      if (a !== b) throw new Error(`not the same tree:\n${a}${b}`);
    },
    mostRounds: TWO,
  };
}

function importDirectory(): Contest {
  const { checkouts } = debianInputs();
  return importing('import of a directory', ['dir', checkouts.first], `--tree=dir=${checkouts.first}`);
}

function importTar(): Contest {
  const { tar } = debianInputs();
  return importing('import of a tar archive', ['tar', tar], `--tree=tar=${tar}`);
}

function sameBytes(ours: string, theirs: string, file: string): void {
  const [a, b] = [ours, theirs].map((desk) => readFileSync(join(desk, file)));
  if (a === undefined || b === undefined || a.length === 0 || !a.equals(b))
    throw new Error(`${file} differs in ${ours} and ${theirs}`);
}

interface SealAnswer {
  readonly refs: readonly { readonly imageDigest: string; readonly imagePath: string }[];
}

function sealed(desk: string): SealAnswer['refs'][number] {
  const { refs } = JSON.parse(readFileSync(join(desk, 'out'), 'utf8')) as SealAnswer;
  const [only] = refs;
  if (only === undefined) throw new Error(`nothing was sealed in ${desk}`);
  return only;
}

const sealedImage = (desk: string): string => sealed(desk).imagePath;

/** The image that was sealed has the digest of this one: each of its bytes is the same. */
function sameDigest(desk: string, image: string): void {
  const digest = runHost(['fsverity', 'digest', '--compact', image]).stdout.trim();
  const { imageDigest } = sealed(desk);
  if (imageDigest !== digest) throw new Error(`${desk}: sealed ${imageDigest}, the peer's is ${digest}`);
}

/**
 * The image of a commit and mkcomposefs's of its checkout are not the same (inline content, names of objects), but each
 * file that has a digest in the latter must have it, and size, mode and owner, in the former.
 */
function sameFiles(ours: string, theirs: string): void {
  const [a, b] = [ours, theirs].map(filesWithDigest);
  if (a === undefined || b === undefined || b.size === 0) throw new Error('no files to compare');
  for (const [path, facts] of b)
    if (a.get(path) !== facts) throw new Error(`${path}: ${a.get(path)} in ${ours}, ${facts} in ${theirs}`);
}

/** Size, mode, owner and digest by path. Hard links, which only the peer's image has, are looked up under their first name. */
function filesWithDigest(image: string): ReadonlyMap<string, string> {
  const facts = new Map<string, string>();
  for (const line of runPeer('composefs-info', 'dump', image).split('\n')) {
    const [path = '', size, mode, , uid, gid, , , , , digest = '-'] = line.split(' ');
    if (digest !== '-' && digest !== '') facts.set(path, [size, mode, uid, gid, digest].join(' '));
  }
  return facts;
}
