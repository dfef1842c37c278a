/** States of the interface, made of facts as the library reports them; no disk is read. */
import { type ByteString, textToBytes } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import type { Deployment } from '../../src/deployment/deployment.ts';
import type { SealOutlook } from '../../src/deployment/outlook.ts';
import type { ImageReport } from '../../src/deployment/status.ts';
import type { Sysroot } from '../../src/deployment/sysroot.ts';
import { createBlsEntry } from '../../src/formats/bls.ts';
import type { Commit } from '../../src/formats/objects.ts';
import type { Finding } from '../../src/image/findings.ts';
import type { ImageObject } from '../../src/image/inspect.ts';
import type { Ref } from '../../src/repository/refs.ts';
import type { TreeNode } from '../../src/repository/tree.ts';
import { type EntryFacts, NO_FACTS } from '../../ui/models/entry.ts';
import type { Size } from '../../ui/models/layout.ts';
import type { CommitFacts } from '../../ui/screens/commits/facts.ts';
import { type CommitSource, type HistoryRow, walkForest } from '../../ui/screens/commits/walk.ts';
import type { Change, Status, Totals } from '../../ui/screens/diff/changes.ts';
import type { ImageFile } from '../../ui/screens/images/state.ts';
import { type Event, initialState, type State } from '../../ui/state.ts';
import { step } from '../../ui/store.ts';

/** 2025-01-01, and all ages from there. */
export const NOW_MS = Date.UTC(2025, 0, 1);

export const DIGEST = '9b3e'.repeat(16) as Digest;

export function deploymentOf(index: number, fields: Partial<Deployment> = {}): Deployment {
  const checksum = (fields.checksum ?? (index % 16).toString(16).repeat(64)) as Checksum;
  const { stateroot = 'debian', serial = 0 } = fields;
  const id = `${stateroot}/${checksum}.${serial}`;
  const title = `Debian GNU/Linux 13 (ostree:${index})` as ByteString;
  const conf = `ostree-${index + 1}.conf`;
  return {
    index,
    stateroot,
    checksum,
    serial,
    id,
    path: `/ostree/deploy/${stateroot}/deploy/${checksum}.${serial}`,
    booted: false,
    staged: false,
    pending: false,
    rollback: false,
    pinned: false,
    finalizationLocked: false,
    softRebootTarget: false,
    unlocked: undefined,
    origin: undefined,
    entry: {
      path: `/boot/loader.0/entries/${conf}`,
      name: { stem: conf.slice(0, -5), counters: undefined } as never,
      content: createBlsEntry([['title' as ByteString, title]]),
    },
    kargs: [],
    bootcsum: 'b'.repeat(64),
    bootLink: undefined,
    ...fields,
  };
}

export const SEALED: ImageReport = {
  state: 'sealed',
  path: '/ostree/deploy/debian/deploy/0/.ostree.cfs',
  digest: DIGEST,
  recorded: DIGEST,
  valid: true,
  sizeBytes: 18_200_000,
  madeAt: NOW_MS / 1000 - 2 * 86_400,
  verity: 'enabled',
  problem: undefined,
};

export const UNSEALED: ImageReport = {
  ...SEALED,
  state: 'none',
  digest: undefined,
  recorded: undefined,
  valid: undefined,
  sizeBytes: undefined,
  madeAt: undefined,
  verity: 'unknown',
};

export const CHANGED: ImageReport = {
  ...SEALED,
  valid: false,
  verity: 'disabled',
  digest: 'ffff'.repeat(16) as Digest,
  problem: `its digest is ${'ffff'.repeat(16)}, sealed was ${DIGEST}`,
};

export const PROBLEM: Finding = {
  severity: 'error',
  code: 'entry-without-deployment',
  where: '/boot/loader.0/entries/ostree-9.conf',
  message: 'leads to /ostree/boot.0/debian/0, which does not exist',
  remedy: ['ostree admin cleanup --sysroot=/'],
};

export const OUTLOOK: SealOutlook = {
  obstacles: [
    {
      severity: 'warning',
      code: 'file-system-verity',
      message: 'no fs-verity where the objects lie: ext4 without the feature verity',
    },
  ],
  next: 'sealtree seal',
};

export interface SysrootFacts {
  readonly deployments?: readonly Deployment[];
  readonly problems?: readonly Finding[];
}

export function sysrootOf({ deployments = [], problems = [] }: SysrootFacts): Sysroot {
  return {
    path: '/',
    repositoryPath: '/ostree/repo',
    deployments,
    bootVersion: 0,
    subbootVersion: 0,
    stateroots: [...new Set(deployments.map(({ stateroot }) => stateroot))],
    isBooted: true,
    runDirectory: '/run',
    unlistedFolders: [],
    problems,
    resolve: () => {
      throw new Error('not for the interface');
    },
  };
}

/** The events of a reading that went well. */
export function readingOf(
  facts: SysrootFacts,
  images: readonly ImageReport[] = [],
  outlook: SealOutlook = OUTLOOK,
): Event[] {
  const { deployments = [] } = facts;
  return [
    { type: 'sysroot-read', sysroot: sysrootOf(facts), outlook },
    ...deployments.map(({ id }, i): Event => ({ type: 'image-read', id, image: images[i] ?? SEALED })),
    { type: 'reading-done', nowMs: NOW_MS },
  ];
}

/** The state after some events. */
export function stateAfter(size: Size, ...events: readonly Event[]): State {
  return run(initialState('/', size, NOW_MS), ...events);
}

export function run(state: State, ...events: readonly Event[]): State {
  return events.reduce((before, event) => step(before, event).state, state);
}

export const keys = (...names: readonly string[]): Event[] => names.map((key) => ({ type: 'key', key }));

/** One of everything: what the first screen has to show on a host with a past. */
export const MIXED: Event[] = readingOf(
  {
    deployments: [
      deploymentOf(10, { index: 0, staged: true, pending: true, entry: undefined }),
      deploymentOf(6, { index: 1, booted: true, pinned: true }),
      deploymentOf(12, { index: 2, rollback: true, unlocked: 'hotfix' }),
    ],
    problems: [PROBLEM],
  },
  [UNSEALED, SEALED, CHANGED],
);

const sumOf = (digits: string): Checksum => digits.repeat(64).slice(0, 64) as Checksum;

/** A commit in few words; a checksum is repeated digits. */
export interface CommitSketch {
  readonly parent?: string;
  /** Days since 2025-01-01. */
  readonly day?: number;
  readonly subject?: string;
  readonly version?: string;
}

/** The rows of a history, without a repository. */
export function historyOf(
  sketches: Readonly<Record<string, CommitSketch>>,
  refs: Readonly<Record<string, string>>,
  source: Partial<CommitSource> = {},
): HistoryRow[] {
  const commits = new Map(
    Object.entries(sketches).map(([digits, { parent, day = 0, subject = '', version }]): [string, Commit] => [
      sumOf(digits),
      {
        metadata: new Map(version === undefined ? [] : [['version', { type: 's', value: version }]]) as never,
        parent: parent === undefined ? undefined : sumOf(parent),
        related: [],
        subject: textToBytes(subject),
        body: '' as ByteString,
        timestamp: NOW_MS / 1000 + day * 86_400,
        rootTree: sumOf('0'),
        rootMeta: sumOf('0'),
      },
    ]),
  );
  const named = Object.entries(refs).map(
    ([refspec, digits]): Ref => ({
      kind: 'head',
      scope: undefined,
      name: refspec,
      refspec,
      checksum: sumOf(digits),
      aliasOf: undefined,
    }),
  );
  const whole: CommitSource = {
    commitIfExists: (checksum) => commits.get(checksum),
    hasObject: () => true,
    hasTombstone: () => false,
    detachedMetadata: () => undefined,
    partialState: () => 'complete',
    ...source,
  };
  return [...walkForest(whole, named)];
}

/** The events of a history that was read to its end, shown on the second screen. */
export function commitsOf(rows: readonly HistoryRow[], refCount: number): Event[] {
  return [...keys('2'), { type: 'commits-read', reading: 0, rows, refCount, isComplete: true }];
}

/** Two refs that part, one of them not whole, and where the repository ends. */
export const HISTORY: Event[] = commitsOf(
  historyOf(
    {
      a1: { parent: 'a2', day: 9, subject: 'Update libdemo, tighten permissions', version: '1.2' },
      b1: { parent: 'a2', day: 7, subject: 'New screen, without the shell tools', version: '1.1+kiosk' },
      a2: { parent: 'a3', day: 5, subject: 'Fix greeting, add a manual', version: '1.1' },
      c1: { parent: 'c2', day: 4 },
      a3: { day: 1, subject: 'First release', version: '1.0' },
    },
    { 'demo/server': 'a1', 'demo/kiosk': 'b1', 'remote:test': 'c1' },
    {
      partialState: (checksum) => (checksum.startsWith('b') ? 'partial' : 'complete'),
      detachedMetadata: (checksum) =>
        checksum.startsWith('a1')
          ? (new Map([['ostree.sign.ed25519', { type: 'aay', value: [Buffer.alloc(64)] }]]) as never)
          : undefined,
    },
  ),
  3,
);

/** What was read of the first commit of {@link HISTORY}. */
export const FACTS: CommitFacts = {
  checksum: sumOf('a1'),
  parent: sumOf('a2'),
  contentChecksum: sumOf('cc'),
  rootTree: sumOf('0'),
  timestamp: NOW_MS / 1000 + 9 * 86_400,
  subject: 'Update libdemo, tighten permissions',
  body: 'Two files change.\nNo new ones.',
  metadata: [
    ['version', "'1.2'"],
    ['ostree.composefs.digest.v0', DIGEST],
  ],
  detached: [],
  signatures: [{ type: 'ed25519', bytes: Buffer.alloc(64), keyId: undefined, createdSec: undefined }],
  partial: 'complete',
  deltas: [
    { from: undefined, to: sumOf('a1'), sizeBytes: 84_000_000 },
    { from: sumOf('a2'), to: sumOf('a1'), sizeBytes: 1_200_000 },
  ],
  sealedRefs: [{ ref: 'demo/server', commit: sumOf('a1'), digest: DIGEST, path: '/ostree/repo/refs/demo' }],
  problem: undefined,
};

export function fileNode(path: string): TreeNode {
  const bytes = textToBytes(path);
  const name = bytes.slice(bytes.lastIndexOf('/') + 1) as ByteString;
  return { kind: 'file', path: bytes, name, checksum: sumOf('f1') };
}

export function folderNode(path: string): TreeNode {
  const bytes = textToBytes(path);
  const name = bytes.slice(bytes.lastIndexOf('/') + 1) as ByteString;
  return { kind: 'directory', path: bytes, name, tree: sumOf('d1'), meta: sumOf('e1') };
}

export const FILE: EntryFacts = {
  ...NO_FACTS,
  mode: 0o100644,
  sizeBytes: 11_402_240,
  ids: [['object', sumOf('f1')]],
  object: sumOf('f1'),
  objectPath: '/ostree/repo/objects/f1/f1.file',
  links: 1,
};

/** The commit whose tree is open in {@link TREE}, as answers name it. */
export const TREE_COMMIT = `commit ${sumOf('a1')}`;

/** Answers for the tree of that commit. */
export const folderRead = (path: string, nodes: readonly TreeNode[]): Event => ({
  type: 'folder-read',
  of: TREE_COMMIT,
  path: textToBytes(path),
  nodes,
});

export const entriesRead = (entries: Readonly<Record<string, Partial<EntryFacts>>>): Event => ({
  type: 'entries-read',
  of: TREE_COMMIT,
  entries: new Map(
    Object.entries(entries).map(([path, facts]) => [textToBytes(path), { ...FILE, ...facts }]),
  ),
});

/** The files of the first commit of {@link HISTORY}, two folders deep. */
export const TREE: Event[] = [
  ...HISTORY,
  ...keys('t'),
  folderRead('/', [fileNode('/bin'), folderNode('/etc'), folderNode('/usr')]),
  ...keys('G', 'enter'),
  folderRead('/usr', [folderNode('/usr/bin'), folderNode('/usr/lib')]),
  ...keys('j', 'enter'),
  folderRead('/usr/bin', [
    fileNode('/usr/bin/bash'),
    fileNode('/usr/bin/ping'),
    fileNode('/usr/bin/sh'),
    fileNode('/usr/bin/torn'),
  ]),
  entriesRead({
    '/bin': { mode: 0o120777, sizeBytes: 0, target: 'usr/bin' as ByteString },
    '/etc': { mode: 0o040755 },
    '/usr': { mode: 0o040755 },
    '/usr/bin': { mode: 0o040755 },
    '/usr/lib': { mode: 0o040755 },
    '/usr/bin/bash': { mode: 0o100755, links: 3 },
    '/usr/bin/ping': {
      mode: 0o104755,
      sizeBytes: 90_568,
      xattrs: [['security.capability' as ByteString, '\x01\x00\x00\x02' as ByteString]],
    },
    '/usr/bin/sh': { mode: 0o120777, sizeBytes: 0, target: 'bash' as ByteString },
    '/usr/bin/torn': { problem: '/usr/bin/torn: /ostree/repo: no object f1.file' },
  }),
];

/** What is known a little later of the set-user-id program in {@link TREE}. */
export const OBJECT_READ: Event = {
  type: 'object-read',
  of: TREE_COMMIT,
  object: {
    path: textToBytes('/usr/bin/ping'),
    digest: DIGEST,
    digestFrom: 'content',
    verity: 'disabled',
    others: [
      { title: 'debian aaaaaaaa.0', has: 'same' },
      { title: 'debian 66666666.0', has: 'same' },
      { title: 'debian cccccccc.0', has: 'nothing' },
    ],
    uses: [
      {
        titles: ['demo/server', 'debian aaaaaaaa.0'],
        paths: [textToBytes('/usr/bin/ping'), textToBytes('/usr/bin/ping4')],
        count: 2,
        problem: undefined,
      },
    ],
    problem: undefined,
  },
};

const totals = (added: number, removed: number, modified: number, bytes: number): Totals => ({
  added,
  removed,
  modified,
  bytes,
});

/** A change of a file, or of a folder with what changed below it. */
function changeOf(path: string, status: Status, own: Totals, children: readonly Change[] = []): Change {
  const kind = children.length === 0 ? 'file' : 'directory';
  const bytes = textToBytes(path);
  const name = bytes.slice(bytes.lastIndexOf('/') + 1) as ByteString;
  const sum = children.reduce(
    (all, { totals: one }) =>
      totals(
        all.added + one.added,
        all.removed + one.removed,
        all.modified + one.modified,
        all.bytes + one.bytes,
      ),
    own,
  );
  return { kind, path: bytes, name, status, children, totals: sum };
}

const NO_TOTALS = totals(0, 0, 0, 0);

/** One of each kind of change, in three folders. */
const CHANGES: Change = changeOf('/', 'same', NO_TOTALS, [
  changeOf('/etc', 'modified', totals(0, 0, 1, 0), [
    changeOf('/etc/demo.conf', 'modified', totals(0, 0, 1, 0)),
  ]),
  changeOf('/usr', 'same', NO_TOTALS, [
    changeOf('/usr/bin', 'same', NO_TOTALS, [
      changeOf('/usr/bin/kiosk', 'added', totals(1, 0, 0, 84_000_000)),
      changeOf('/usr/bin/status', 'removed', totals(0, 1, 0, -12_000)),
    ]),
  ]),
]);

/** The first commit of {@link HISTORY} compared with the one before: asked for, not answered yet. */
export const DIFF_ASKED: Event[] = [...HISTORY, { type: 'commit-read', facts: FACTS }, ...keys('d')];

const DIFF_OF = `commit ${sumOf('a2')} commit ${sumOf('a1')}`;

export const diffRead = (root: Change = CHANGES, isCut = false): Event => ({
  type: 'diff-read',
  of: DIFF_OF,
  comparison: { root, isCut },
});

export const NO_CHANGES: Change = changeOf('/', 'same', NO_TOTALS);

export const DIFF: Event[] = [...DIFF_ASKED, diffRead()];

/** What was read of the changed file. */
export const CHANGE_READ: Event = {
  type: 'change-read',
  of: DIFF_OF,
  facts: {
    key: 'modified /etc/demo.conf',
    before: { ...FILE, sizeBytes: 30 },
    after: {
      ...FILE,
      mode: 0o100600,
      sizeBytes: 30,
      ids: [['object', sumOf('f2')]],
      xattrs: [['user.note' as ByteString, 'new' as ByteString]],
    },
    content: {
      kind: 'text',
      lines: ['@@ -1,2 +1,2 @@', ' # what this machine is', '-version = 1.1', '+version = 1.2'],
    },
  },
};

const imageFile = (digits: string, usedBy: readonly string[], refs: ImageFile['refs'] = []): ImageFile => ({
  path: `/ostree/repo/extensions/sealtree/images/${sumOf(digits)}.cfs`,
  digest: sumOf(digits) as string as Digest,
  sizeBytes: 18_200_000,
  madeAt: NOW_MS / 1000 - 2 * 86_400,
  usedBy,
  refs,
});

const IMAGE = imageFile(
  'd1',
  ['debian 66666666.0'],
  [
    { name: 'app/web', state: 'moved' },
    { name: 'app/old', state: 'gone' },
  ],
);

/** Three images: one in use, one that nothing uses, one that ostree made. */
export const IMAGES: Event[] = [
  ...MIXED,
  ...keys('4'),
  {
    type: 'images-read',
    reading: 0,
    files: [
      IMAGE,
      imageFile('d2', []),
      {
        ...imageFile('d3', ['debian cccccccc.0']),
        digest: undefined,
        path: '/ostree/deploy/debian/deploy/c.0/.ostree.cfs',
      },
    ],
  },
];

/** What is in the first of them. */
export const SURVEYED: Event = {
  type: 'image-surveyed',
  overview: {
    path: IMAGE.path,
    digest: IMAGE.digest,
    verity: 'disabled',
    measured: undefined,
    problem: undefined,
    survey: {
      sizeBytes: 18_200_000,
      digest: IMAGE.digest as Digest,
      composefsVersion: 0,
      hasAcl: false,
      inodes: 61_260,
      blocks: 4444,
      buildTimeSec: 0n,
      buildTimeNsec: 0,
      counts: {
        directories: 6004,
        backedFiles: 51_000,
        inlineFiles: 812,
        symlinks: 3181,
        devices: 0,
        whiteouts: 2,
        fifos: 1,
        sockets: 0,
      },
      hardLinks: 12,
      inlineBytes: 24_000,
      fileBytes: 1_310_000_000,
      objects: [],
      withoutPayload: [],
    },
  },
};

const OBJECTS_OF = `image ${IMAGE.path}`;

const objectOf = (digits: string, ...paths: readonly string[]): ImageObject => ({
  payload: `${sumOf(digits).slice(0, 2)}/${sumOf(digits).slice(2)}.file` as ByteString,
  sizeBytes: 4096,
  digest: DIGEST,
  paths: paths.map(textToBytes),
});

/** The objects of the first image: listed, not looked at. */
export const OBJECTS: Event[] = [
  ...IMAGES,
  ...keys('o'),
  {
    type: 'objects-listed',
    of: OBJECTS_OF,
    objects: [
      objectOf('e1', '/usr/bin/bash'),
      objectOf('e2', '/usr/bin/foo', '/usr/bin/fooctl'),
      objectOf('e3', '/usr/lib/libc.so.6'),
      objectOf('e4', '/usr/share/doc/readme'),
    ],
  },
];

/** The second object is missing, the third not protected, the fourth could not be read. */
export const OBJECTS_CHECKED: Event = {
  type: 'objects-checked',
  of: OBJECTS_OF,
  findings: [
    { checksum: sumOf('e2'), severity: 'error', code: 'object-missing', message: 'the object is missing' },
    {
      checksum: sumOf('e4'),
      severity: 'unchecked',
      code: 'object-unreadable',
      message: '/ostree/repo: permission denied',
    },
  ],
  unprotected: [sumOf('e3')],
  unsupported: 0,
  checked: 4,
  isDone: true,
};

/** Who needs the missing one. */
export const USES_READ: Event = {
  type: 'uses-read',
  of: OBJECTS_OF,
  uses: {
    payload: objectOf('e2').payload,
    uses: [
      { titles: ['debian 66666666.0'], paths: [textToBytes('/usr/bin/foo')], count: 2, problem: undefined },
      { titles: ['debian cccccccc.0'], paths: [], count: 0, problem: undefined },
    ],
    problem: undefined,
  },
};
