/** Answers of the program, as the interface gets them: what boots, what is shared, plans, and jobs at work. */
import type { Finding } from '../../src/image/findings.ts';
import type { Outcome, StageFacts } from '../../ui/program.ts';
import type { BootReport } from '../../ui/screens/boot/report.ts';
import type { AmountReport, SharingReport } from '../../ui/screens/sharing/report.ts';
import type { Event } from '../../ui/state.ts';
import {
  DIGEST,
  deploymentOf,
  FACTS,
  HISTORY,
  keys,
  PROBLEM,
  readingOf,
  SEALED,
  UNSEALED,
} from './interface-state.ts';

const NEW = deploymentOf(6, { index: 0, booted: true });
const OLD = deploymentOf(12, { index: 1, rollback: true });

const CORRUPT: Finding = {
  severity: 'error',
  code: 'object-corrupt',
  where: `object ${'01e1'.repeat(16)}.file`,
  message: 'content and metadata hash to 5476; the image says e999 (native)',
  paths: ['/usr/lib/libshared.so.1'],
  deployments: [NEW.id],
  remedy: ['ostree fsck --repo=/ostree/repo --delete'],
};

/** Two deployments, one of them sealed and installed; an entry of another system and one that leads nowhere. */
export const BOOT: BootReport = {
  deployments: [
    {
      index: 0,
      id: NEW.id,
      entry: 'e1',
      sealPin: 'right',
      boots: { as: 'sealed', reason: '' },
      obstacles: [],
    },
    {
      index: 1,
      id: OLD.id,
      entry: 'e2',
      sealPin: 'stale',
      boots: { as: 'plain', reason: 'its seal pin is of another commit' },
      obstacles: [],
    },
  ],
  entries: [
    entryOf('ostree-2.conf', NEW.id, 'right'),
    entryOf('ostree-1.conf', OLD.id, 'stale'),
    { ...entryOf('windows.conf', null, 'none'), owner: 'foreign', title: 'Windows' },
    { ...entryOf('ostree-9.conf', null, 'none'), title: 'Debian, gone' },
  ],
  initramfs: [
    {
      path: '/boot/ostree/debian-b/initramfs.img',
      content: 'extended',
      deployments: [NEW.id, OLD.id],
      kernelRelease: '6.12.0-amd64',
    },
  ],
  policy: 'prefer',
  loader: { name: 'systemd-boot', readsEntries: 'bls', initrds: 'all', evidence: ['/sys/firmware/efi'] },
  way: 'append',
  verity: 'ready',
  protectedFiles: 53_812,
  files: 53_812,
  installed: true,
  running: { as: 'sealed', imageDigest: DIGEST },
  unfinished: null,
  refusals: [],
  problems: [],
};

function entryOf(name: string, deployment: string | null, sealPin: BootReport['entries'][number]['sealPin']) {
  return {
    path: `/boot/loader.0/entries/${name}`,
    name,
    owner: 'ostree' as const,
    title: `Debian GNU/Linux 13 (${name})`,
    deployment,
    kernel: '/ostree/debian-b/vmlinuz',
    initrds: ['/ostree/debian-b/initramfs.img'],
    options: 'root=LABEL=debian rw quiet',
    sealPin,
    triesLeft: null,
    problems: [],
  };
}

const amount = (bytes: number, objects: number, again = 0): AmountReport => ({
  bytes,
  inodes: objects + 5000,
  objects,
  objectBytes: bytes,
  contents: objects - again,
  contentBytes: bytes - again * 4096,
});

const share = (
  totalBytes: number,
  uniqueBytes: number,
  freedBytes: number,
  keptBy: readonly string[] = [],
) => ({
  total: amount(totalBytes, 53_812, totalBytes === uniqueBytes ? 0 : 900),
  unique: amount(uniqueBytes, 1204),
  shared: totalBytes === uniqueBytes ? amount(0, 0) : amount(totalBytes - uniqueBytes, 52_608, 900),
  freed: amount(freedBytes, 12),
  folderBytes: totalBytes,
  keptBy,
  sharesWith: [{ name: OLD.id, bytes: totalBytes - uniqueBytes }],
  folders: [
    { path: '/usr/lib/modules', objects: 4100, bytes: totalBytes / 2, sharedBytes: totalBytes / 4 },
    { path: { base64: 'L3Vzci/8' }, objects: 3, bytes: 12_288, sharedBytes: 0 },
  ],
});

/** Counted by content as well. */
export const SHARING_BY_CONTENT: SharingReport = {
  deployments: [
    { index: 0, id: NEW.id, ...share(1_310_000_000, 84_000_000, 2_100_000, ['debian/13']) },
    { index: 1, id: OLD.id, ...share(1_290_000_000, 61_000_000, 61_000_000) },
  ],
  refs: [
    {
      ref: 'debian/13',
      checksum: '6'.repeat(64),
      imageDigest: null,
      ...share(1_240_000_000, 1_240_000_000, 0, [NEW.id]),
      sharesWith: [],
    },
    {
      ref: 'app/web',
      checksum: '7'.repeat(64),
      imageDigest: DIGEST,
      ...share(310_000_000, 290_000_000, 290_000_000),
      sharesWith: [{ name: 'debian/13', bytes: 20_000_000 }],
    },
  ],
  images: [
    { imageDigest: DIGEST, path: `/ostree/repo/${DIGEST}.cfs`, ...share(1_220_000_000, 0, 0, [NEW.id]) },
  ],
  total: amount(1_420_000_000, 61_200, 950),
  sameContent: {
    objectsMore: 950,
    bytesMore: 3_891_200,
    contents: [{ objectDigest: DIGEST, objects: ['1'.repeat(64), '2'.repeat(64)], bytes: 1_228_800 }],
  },
  folders: [{ path: '/usr/lib/modules', objects: 8200, bytes: 812_000_000, sharedBytes: 640_000_000 }],
  problems: [],
};

export const SHARING: SharingReport = { ...SHARING_BY_CONTENT, sameContent: null };

/** The two deployments, what they boot as, an image that nobody has, and a problem that an entry stands for. */
export const INSTALLED: Event[] = [
  ...readingOf(
    {
      deployments: [NEW, OLD],
      problems: [PROBLEM],
    },
    [SEALED, UNSEALED],
  ),
  {
    type: 'orphans-read',
    images: [{ path: '/ostree/repo/x.cfs', digest: DIGEST, sizeBytes: 18_100_000, usedBy: [] }],
  },
  { type: 'boot-read', reading: 0, value: BOOT },
];

export const outcomeOf = (document: unknown, exitCode = 0): Outcome => ({
  exitCode,
  document,
  error: undefined,
});

export const failedOutcome = (message: string, exitCode: number, hint?: string): Outcome => ({
  exitCode,
  document: undefined,
  error: { message, code: 'busy', hint },
});

export const stageOf = (done: number, elapsedMs: number): StageFacts => ({
  name: 'reading objects',
  done,
  total: 53_812,
  bytes: done * 24_000,
  elapsedMs,
  remainingMs: ((53_812 - done) / done) * elapsedMs,
});

/** A verification at work that has found something. */
export const VERIFYING: Event[] = [
  ...INSTALLED,
  ...keys('V'),
  {
    type: 'job-told',
    id: 1,
    told: { kind: 'stage', stage: { ...stageOf(1, 800), name: 'validating the image' } },
  },
  { type: 'job-told', id: 1, told: { kind: 'stage', stage: stageOf(10_000, 2000) } },
  { type: 'job-told', id: 1, told: { kind: 'finding', finding: CORRUPT } },
  { type: 'job-told', id: 1, told: { kind: 'stage', stage: stageOf(31_204, 6000) } },
];

/** It has come to its end. */
export const VERIFIED: Event[] = [
  ...VERIFYING,
  {
    type: 'job-ended',
    id: 1,
    tookMs: 11_000,
    outcome: outcomeOf(
      {
        schema: 'sealtree/verify/v1',
        deployments: 1,
        images: 1,
        objects: 53_812,
        objectsRead: 53_812,
        findings: [CORRUPT],
      },
      2,
    ),
  },
];

const PLAN = {
  schema: 'sealtree/boot-plan/v1',
  verb: 'install',
  id: '3f9c'.repeat(16),
  steps: [
    {
      title: 'Write down what is changed, and a script that takes it back',
      notes: ['ostree/repo/extensions'],
    },
    {
      title: 'Put the seal pin into the boot entry of deployment 0',
      notes: ['boot/loader.0/entries/ostree-2.conf'],
      diff: [
        '--- a/boot/loader.0/entries/ostree-2.conf',
        '+++ b/boot/loader.0/entries/ostree-2.conf',
        '@@ -1,2 +1,2 @@',
        ' title Debian',
        '-options root=LABEL=debian rw quiet',
        `+options root=LABEL=debian rw quiet sealtree.pin=666666666666:${DIGEST}`,
      ].join('\n'),
    },
  ],
  refusals: [],
  warnings: [
    { severity: 'warning', code: 'menu-behind', where: '/boot/grub/grub.cfg', message: 'is behind' },
  ],
  untouched: [{ path: '/boot/loader.0/entries/windows.conf', why: 'not of ostree' }],
};

/** The plan of an install, in write mode; {@link DIGITS} accept it. */
export const PLANNED: Event[] = [
  ...INSTALLED,
  ...keys('W', '3', 'i'),
  { type: 'plan-read', id: 1, outcome: outcomeOf(PLAN) },
];
export const DIGITS = '6666';

/** The same where it is refused. */
export const REFUSED: Event[] = [
  ...INSTALLED,
  ...keys('W', '3', 'i'),
  {
    type: 'plan-read',
    id: 1,
    outcome: outcomeOf({
      ...PLAN,
      steps: [],
      refusals: [{ severity: 'error', code: 'storage-xfs', where: '/', message: 'XFS has no fs-verity' }],
      warnings: [],
    }),
  },
];

/** What `seal --ref` answers, as a plan or as what was done. */
export const sealRefOutcome = (action: 'sealed' | 'unchanged' | 'unsealed', ref = 'demo/server'): Outcome =>
  outcomeOf({
    schema: 'sealtree/seal/v1',
    refs: [
      {
        ref,
        checksum: 'a1'.repeat(32),
        action,
        imageDigest: DIGEST,
        ...(action === 'unsealed'
          ? {}
          : { imageBytes: 18_100_000, steps: [`write ${DIGEST}.cfs`, `keep it for ${ref}`] }),
      },
    ],
  });

/** A folder with archives and an OCI layout, in write mode. */
export const IMPORTS: Event[] = [
  ...HISTORY,
  ...keys('W', 'i'),
  {
    type: 'imports-read',
    reading: 0,
    path: '/srv/images',
    rows: [
      { kind: 'folder', name: '..', path: '/srv' },
      { kind: 'folder', name: 'old', path: '/srv/images/old' },
      { kind: 'broken', name: 'torn', path: '/srv/images/torn', message: 'index.json: not JSON' },
      { kind: 'image', name: 'apps', path: '/srv/images/apps', tag: 'web' },
      { kind: 'image', name: 'apps', path: '/srv/images/apps', tag: 'docker.io/library/db:13' },
      {
        kind: 'archive',
        name: 'rootfs 1.tar.zst',
        path: '/srv/images/rootfs 1.tar.zst',
        sizeBytes: 84_000_000,
      },
    ],
  },
];

/** What the imports answer, as a plan or as what was done. */
export const IMPORTED_TAR: Outcome = outcomeOf({
  schema: 'sealtree/import-tar/v1',
  checksum: 'e5'.repeat(32),
  parent: null,
  ref: 'import/rootfs-1',
  entries: 61_004,
  bytes: 1_310_000_000,
  skipped: [],
});

export const IMPORTED_DIR: Outcome = outcomeOf({
  schema: 'sealtree/import-dir/v1',
  checksum: 'e4'.repeat(32),
  parent: 'e3'.repeat(32),
  ref: 'import/old',
  files: 5120,
  bytes: 71_000_000,
  skipped: [],
});

export const IMPORTED_OCI: Outcome = outcomeOf({
  schema: 'sealtree/import-oci/v1',
  checksum: 'e6'.repeat(32),
  ref: 'import/web',
  manifestDigest: `sha256:${'ab'.repeat(32)}`,
  platform: 'linux/amd64',
  layers: [
    { diffId: `sha256:${'c1'.repeat(32)}`, known: true },
    { diffId: `sha256:${'c2'.repeat(32)}`, known: false },
  ],
  skipped: [],
});

/** Commits in write mode, the first of which has a ref that is sealed. */
export const SEALED_REF: Event[] = [...HISTORY, { type: 'commit-read', facts: FACTS }, ...keys('W')];

export const sealOutcome = (action: string): Outcome =>
  outcomeOf({
    schema: 'sealtree/seal/v1',
    deployments: [
      {
        id: OLD.id,
        action,
        imageDigest: DIGEST,
        imageBytes: 18_100_000,
        steps: [`write ${DIGEST}.cfs`, 'link it into the deployment'],
      },
    ],
  });
