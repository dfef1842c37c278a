/**
 * The sysroot of `sealtree demo`: small, but with all that a real one has. Two operating systems that share files and
 * a kernel, each with a history; owners, set-id bits and xattrs; three deployments. The same commits every time.
 */
import { join } from 'node:path';
import { type ByteString, textToBytes } from '../base/bytes.ts';
import { type Checksum, nativeEngine } from '../base/digest.ts';
import { errnoOf, UnsupportedError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import { randomHex } from '../base/random.ts';
import type { System } from '../base/system.ts';
import type { RepositoryMode } from '../repository/repository.ts';
import {
  type SourceDirectory,
  type SourceNode,
  sourceDirectory,
  sourceFile,
  sourceSymlink,
} from '../repository/source.ts';
import { RepositoryWriter } from '../repository/write.ts';
import { writeCommitOf } from '../repository/write-commit.ts';
import { DEMO_BOOT_PROGRAMS, DEMO_PREPARE_ROOT, demoModules, writeDemoLoader } from './demo-boot.ts';
import { initSysroot, type NewDeployment, writeDeployments } from './new-sysroot.ts';

export interface DemoSysroot {
  readonly mode: RepositoryMode;
  readonly repositoryPath: string;
  /** Refs of the operating systems. */
  readonly refs: readonly string[];
  readonly commits: number;
  readonly deployments: number;
}

/** A version of one of the systems, oldest first in each ref's history. */
interface Release {
  readonly product: Product;
  readonly version: string;
  readonly subject: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

interface Product {
  readonly stateroot: string;
  readonly ref: string;
  readonly title: string;
}

const SERVER: Product = { stateroot: 'server', ref: 'demo/server', title: 'Demo Server' };
const KIOSK: Product = { stateroot: 'kiosk', ref: 'demo/kiosk', title: 'Demo Kiosk' };

const DAY = 86_400;
/** 2026-01-05 12:00 UTC. */
const FIRST = 1_767_614_400;

const RELEASES: readonly Release[] = [
  { product: SERVER, version: '1.0', subject: 'First release', timestamp: FIRST },
  {
    product: KIOSK,
    version: '1.0',
    subject: 'First release, from the same files',
    timestamp: FIRST + 2 * DAY,
  },
  { product: SERVER, version: '1.1', subject: 'Fix greeting, add a manual', timestamp: FIRST + 30 * DAY },
  {
    product: KIOSK,
    version: '2.0',
    subject: 'New screen, without the shell tools',
    timestamp: FIRST + 45 * DAY,
  },
  {
    product: SERVER,
    version: '1.2',
    subject: 'Update libdemo, tighten permissions',
    timestamp: FIRST + 60 * DAY,
  },
];

/** What is deployed, as product and version, the default first; the last one is kept by a pin. */
const DEPLOYED: readonly (readonly [Product, string])[] = [
  [SERVER, '1.2'],
  [SERVER, '1.1'],
  [KIOSK, '2.0'],
];

/** Makes the sysroot in an empty folder. */
export async function makeDemoSysroot(
  path: string,
  system: System,
  progress: Progress,
): Promise<DemoSysroot> {
  const mode = chooseMode(path, system);
  const repository = initSysroot(path, mode, [SERVER.stateroot, KIOSK.stateroot], system);
  progress.begin('committing', RELEASES.length);
  const commits = new Map<string, Checksum>();
  // Nothing here is worth waiting for the disk: a demonstration is made anew, not repaired.
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  for (const release of RELEASES) {
    const { product, version, subject, timestamp } = release;
    const parent = commits.get(product.ref);
    const commit = await writeCommitOf(writer, treeOf(release), {
      ...(parent === undefined ? {} : { parent }),
      subject,
      timestamp,
      metadata: new Map([
        ['version', { type: 's', value: version as ByteString }],
        ['ostree.ref-binding', { type: 'as', value: [textToBytes(product.ref)] }],
      ]),
      ref: product.ref,
    });
    commits.set(product.ref, commit);
    commits.set(`${product.ref} ${version}`, commit);
    progress.advance(1);
  }
  writer.commit();
  const deployments = DEPLOYED.map(
    ([{ stateroot, ref }, version], i): NewDeployment => ({
      stateroot,
      checksum: commits.get(`${ref} ${version}`) as Checksum,
      refspec: ref,
      kargs: ['root=LABEL=demo' as ByteString, 'quiet' as ByteString],
      pinned: i === DEPLOYED.length - 1,
    }),
  );
  progress.begin('deploying');
  await writeDeployments(path, repository, deployments);
  writeDemoLoader(path, system);
  return {
    mode,
    repositoryPath: repository.path,
    refs: [SERVER.ref, KIOSK.ref],
    commits: RELEASES.length,
    deployments: deployments.length,
  };
}

/**
 * What this user can have on this file system: owners and set-id bits as committed (bare) where files can be given
 * away, else all that in user xattrs (bare-user), else without them (bare-user-only). Objects of all three can back
 * a mount, which those of an archive cannot.
 */
function chooseMode(path: string, system: System): RepositoryMode {
  const probe = join(path, `.probe-${randomHex(4)}`);
  const fd = system.create(probe, 0o600);
  try {
    if (!works(() => system.setxattr(probe, 'user.sealtree' as ByteString, '1' as ByteString)))
      return 'bare-user-only';
    return works(() => system.fchown(fd, 0, SHADOW)) ? 'bare' : 'bare-user';
  } finally {
    system.close(fd);
    system.unlink(probe);
  }
}

function works(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (errnoOf(error) !== undefined || error instanceof UnsupportedError) return false;
    throw error;
  }
}

/** Debian's group of that name. */
const SHADOW = 42;

function treeOf({ product, version }: Release): SourceDirectory {
  const isServer = product === SERVER;
  const hasManual = version !== '1.0';
  const script = (text: string, permissions = 0o755) => sourceFile(`#!/bin/sh\n${text}\n`, { permissions });
  const greeting = version === '1.0' ? 'echo helo' : 'echo hello';
  const shellTools =
    isServer || version === '1.0' ? { greet: script(greeting), su: script('exit 1', 0o4755) } : {};
  const libdemo = version === '1.2' || version === '2.0' ? '2' : '1';
  return sourceDirectory({
    bin: sourceSymlink('usr/bin'),
    boot: sourceDirectory({}),
    dev: sourceDirectory({}),
    home: sourceSymlink('var/home'),
    lib: sourceSymlink('usr/lib'),
    ostree: sourceSymlink('sysroot/ostree'),
    proc: sourceDirectory({}),
    run: sourceDirectory({}),
    sys: sourceDirectory({}),
    sysroot: sourceDirectory({}),
    tmp: sourceDirectory({}, { permissions: 0o1777 }),
    usr: sourceDirectory({
      bin: sourceDirectory({
        init: script('exec sleep infinity'),
        ...DEMO_BOOT_PROGRAMS,
        status: script(`echo ${product.title} ${version}`),
        ...shellTools,
        ...(isServer ? { serve: sourceFile(noise('serve', 180_000), { permissions: 0o755 }) } : {}),
        ...(isServer
          ? {}
          : { kiosk: sourceFile(noise(`kiosk ${version}`, 240_000), { permissions: 0o755 }) }),
      }),
      etc: sourceDirectory({
        hostname: sourceFile(`${product.stateroot}\n`),
        passwd: sourceFile('root:x:0:0:root:/root:/bin/sh\n'),
        shadow: sourceFile('root:*:20000:0:99999:7:::\n', { permissions: 0o640, gid: SHADOW }),
        'demo.d': sourceDirectory(
          { '10-defaults.conf': sourceFile(`version = ${version}\n`) },
          { permissions: version === '1.2' ? 0o750 : 0o755 },
        ),
      }),
      lib: sourceDirectory({
        'libdemo.so': sourceSymlink(`libdemo.so.${libdemo}`),
        [`libdemo.so.${libdemo}`]: sourceFile(noise(`libdemo ${libdemo}`, 400_000), {
          xattrs: [['user.origin' as ByteString, `demo build ${libdemo}` as ByteString]],
        }),
        'libshared.so.1': sourceFile(noise('libshared', 600_000)),
        modules: demoModules(noise('vmlinuz', 300_000)),
        ostree: DEMO_PREPARE_ROOT,
        'os-release': sourceFile(
          `ID=demo\nNAME="${product.title}"\nVERSION_ID=${version}\nPRETTY_NAME="${product.title} ${version}"\n`,
        ),
      }),
      share: sourceDirectory({
        doc: sourceDirectory(manuals(hasManual)),
        empty: sourceFile(''),
      }),
    }),
    var: sourceDirectory({}),
  });
}

function manuals(hasManual: boolean): Record<string, SourceNode> {
  const pages = Array.from({ length: 24 }, (_, i): [string, SourceNode] => [
    `page-${String(i + 1).padStart(2, '0')}.txt`,
    sourceFile(`Page ${i + 1} of the handbook.\n`.repeat(i + 1)),
  ]);
  return {
    ...Object.fromEntries(pages),
    ...(hasManual ? { 'Überblick.txt': sourceFile('Was es ist, und für wen.\n') } : {}),
  };
}

/** Bytes that do not compress, the same for the same name: xorshift32 from a start that the name gives. */
function noise(name: string, size: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(size / 4) * 4);
  let state = nativeEngine.sha256(Buffer.from(name)).readUInt32LE(0) | 1;
  for (let at = 0; at < bytes.length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(state, at);
  }
  return bytes.subarray(0, size);
}
