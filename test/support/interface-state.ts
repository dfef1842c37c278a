/** States of the interface, made of facts as the library reports them; no disk is read. */
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import type { Deployment } from '../../src/deployment/deployment.ts';
import type { SealOutlook } from '../../src/deployment/outlook.ts';
import type { ImageReport } from '../../src/deployment/status.ts';
import type { Sysroot } from '../../src/deployment/sysroot.ts';
import { createBlsEntry } from '../../src/formats/bls.ts';
import type { Finding } from '../../src/image/findings.ts';
import type { Size } from '../../ui/models/layout.ts';
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
