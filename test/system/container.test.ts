/** Container images that other programs made, against what these make of them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { FAMILY, makeImageFamily } from '../support/image-family.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT, sealtree, sealtreeArgv } from '../support/sealtree.ts';

interface Report {
  readonly checksum: string;
  readonly layers: readonly { readonly known: boolean }[];
}

interface Counted {
  readonly objects: number;
  readonly objectBytes: number;
  readonly contents: number;
}

/** SHA-256 of no bytes. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describeSystem('container images', ['sid', 'containers'], () => {
  const sid = oracle('sid');
  const containers = oracle('containers');
  let work: Sandbox;
  const at = (...parts: string[]): string => work.join(...parts);
  /** Checksums of the root of a commit: equal only where every entry below it is. */
  const rootOf = (ref: string): string =>
    sid.run(['ostree', `--repo=${at('repo')}`, 'ls', '-dC', ref, '/']).stdout;
  const importOci = (spec: string, ref: string): Report =>
    JSON.parse(
      sealtree(['--json', 'import', 'oci', '--repo', at('repo'), '--ref', ref, spec]).stdout,
    ) as Report;

  before(() => {
    work = new Sandbox();
    makeImageFamily(containers, work.path);
    sid.run(['ostree', 'init', `--repo=${at('repo')}`, '--mode=bare']);
    for (const tag of FAMILY)
      sid.runScript(
        'ostree --repo="$1/repo" commit --branch="unpacked/$2" --tree=dir="$1/unpacked-$2/rootfs" >/dev/null',
        [work.path, tag],
      );
  });
  after(() => work.dispose());

  it('become what umoci unpacks, every entry of it, and each layer is unpacked once', () => {
    const known = FAMILY.map((tag) => {
      const { layers } = importOci(`${at('layout')}:${tag}`, `app/${tag}`);
      assert.equal(rootOf(`app/${tag}`), rootOf(`unpacked/${tag}`));
      return layers.map((layer) => layer.known);
    });
    assert.deepEqual(known, [[false], [true, false], [true, true, false]]);
    assert.equal(sid.run(['ostree', `--repo=${at('repo')}`, 'fsck', '--quiet']).stderr, '');
  });

  const COPIES = {
    'a docker-archive': ['docker-archive:copy.tar:app:shell', 'copy.tar:shell'],
    'an OCI layout in an archive': ['oci-archive:oci.tar:shell', 'oci.tar'],
    'zstd:chunked': ['oci:chunked:shell', 'chunked:shell', '--dest-compress-format', 'zstd:chunked'],
  } as const;
  for (const [name, [destination, spec, ...options]] of Object.entries(COPIES))
    it(`are the same as ${name}, as skopeo writes it`, () => {
      const argv = ['skopeo', 'copy', '--insecure-policy', ...options, 'oci:layout:shell', destination];
      containers.run(argv, { cwd: work.path });
      // Another repository knows none of the layers.
      sid.runScript('rm -rf "$1"; mkdir "$1"', [at('repo/extensions/sealtree/layers')]);
      const { layers } = importOci(at(spec), 'app/copy');
      assert(layers.every(({ known }) => !known));
      assert.equal(rootOf('app/copy'), rootOf('unpacked/shell'));
    });

  /** Runs a script in a mount namespace of its own; `$1` is the work folder. */
  const inNamespace = (script: string): string =>
    runHost(['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', script, 'mounts', work.path])
      .stdout;
  const SEALTREE = sealtreeArgv(['--repo', '"$1/repo"', 'image']).join(' ');
  const LIST = `"${process.execPath}" "${join(PROJECT, 'test/support/list-tree.ts')}"`;

  it('are mounted as what umoci unpacks, and are read-only', () => {
    for (const tag of FAMILY) {
      sealtree(['seal', '--repo', at('repo'), '--ref', `app/${tag}`]);
      const shown = inNamespace(`mkdir -p "$1/mnt"
        ${SEALTREE} mount app/${tag} "$1/mnt" >&2
        if touch "$1/mnt/new" 2>/dev/null; then exit 9; fi
        ${LIST} "$1/mnt"
        ${SEALTREE} umount "$1/mnt"
        [ -z "$(ls "$1/mnt")" ]`);
      // An image has the folders that ostree mounts things on.
      runHost([
        'sh',
        '-c',
        'cd "$0" && mkdir -p -m 755 usr etc boot var sysroot',
        at(`unpacked-${tag}/rootfs`),
      ]);
      const want = runHost(['sh', '-c', `${LIST} "$0"`, at(`unpacked-${tag}/rootfs`)]).stdout.split('\n');
      const got = shown.split('\n');
      assert.deepEqual(
        got.filter((line) => !want.includes(line)),
        [],
      );
      assert.equal(got.length, want.length);
    }
  });

  it('take writes where there is a folder for them, and stay as they are', () => {
    const before = inNamespace(`mkdir -p "$1/upper"
      ${SEALTREE} mount --upper "$1/upper" app/base "$1/mnt" >&2
      echo more >>"$1/mnt/opt/data/c"; rm "$1/mnt/opt/data/d"; cat "$1/mnt/opt/data/c"`);
    assert.equal(before, 'data\nmore\n');
    const after = inNamespace(`${SEALTREE} mount --upper "$1/upper" app/base "$1/mnt" >&2
      cat "$1/mnt/opt/data/c"; ls "$1/mnt/opt/data"; umount "$1/mnt"
      ${SEALTREE} mount app/base "$1/mnt" >&2; cat "$1/mnt/opt/data/d"`);
    assert.equal(after, 'data\nmore\na\nc\ndata\n');
  });

  it('share what sharing says, counted from checkouts of ostree', () => {
    /** By inode, what a checkout has of the disk; of regular files the checksum of the bytes. */
    const found = FAMILY.map((tag) => {
      const folder = at(`linked-${tag}`);
      sid.run(['ostree', `--repo=${at('repo')}`, 'checkout', '-H', `unpacked/${tag}`, folder]);
      const files = runHost(['find', folder, '-not', '-type', 'd', '-printf', '%i %b %y %p\\0']).stdout;
      const sums = runHost(['find', folder, '-type', 'f', '-exec', 'sha256sum', '-z', '{}', '+']).stdout;
      const sumOf = new Map(sums.split('\0').map((line) => [line.slice(66), line.slice(0, 64)]));
      return new Map(
        files
          .split('\0')
          .slice(0, -1)
          .map((line) => {
            const [, inode = '', blocks, type, path = ''] = /^(\d+) (\d+) (.) (.*)$/s.exec(line) ?? [];
            // ostree does not link files of no length.
            const sum = sumOf.get(path);
            const key = sum === EMPTY ? path.slice(folder.length) : inode;
            return [key, { bytes: 512 * Number(blocks), content: type === 'f' ? (sum as string) : inode }];
          }),
      );
    });
    const { refs } = JSON.parse(
      sealtree(['sharing', '--json', '--content', '--repo', at('repo'), ...FAMILY.map((tag) => `app/${tag}`)])
        .stdout,
    ) as { refs: readonly Readonly<Record<'total' | 'unique' | 'shared', Counted>>[] };
    for (const [i, { total, unique, shared }] of refs.entries()) {
      const mine = found[i] as (typeof found)[number];
      const others = found.filter((_, j) => j !== i);
      const bytes = (isMeant: (inode: string) => boolean): number =>
        [...mine].reduce((sum, [inode, file]) => sum + (isMeant(inode) ? file.bytes : 0), 0);
      const isShared = (inode: string): boolean => others.some((other) => other.has(inode));
      assert.equal(
        total.objectBytes,
        bytes(() => true),
      );
      assert.equal(
        shared.objectBytes,
        bytes((inode) => isShared(inode)),
      );
      assert.equal(
        unique.objectBytes,
        bytes((inode) => !isShared(inode)),
      );
      const contents = new Set([...mine.values()].map(({ content }) => content));
      const elsewhere = new Set(others.flatMap((other) => [...other.values()].map(({ content }) => content)));
      assert.equal(total.contents, contents.size);
      assert.equal(unique.contents, [...contents].filter((content) => !elsewhere.has(content)).length);
      assert(shared.objectBytes > 0);
      assert.equal(total.contents < total.objects, FAMILY[i] !== 'base');
    }
  });

  it('keep a file that two of them have in memory once', () => {
    const checksum = sid
      .run(['ostree', `--repo=${at('repo')}`, 'ls', '-C', 'app/base', '/usr/bin/sort'])
      .stdout.match(/[0-9a-f]{64}/)?.[0] as string;
    const object = at('repo/objects', checksum.slice(0, 2), `${checksum.slice(2)}.file`);
    const pages = inNamespace(`mkdir -p "$1/one" "$1/two"
      ${SEALTREE} mount app/base "$1/one" >&2; ${SEALTREE} mount app/shell "$1/two" >&2
      object="${object}" file=usr/bin/sort
      cached() { for path in "$object" "$1/one/$file" "$1/two/$file"; do
        fincore --noheadings --bytes --output RES "$path"
      done; }
      # What is cached of it goes, through the one mount; then it is read through the other.
      drop() { sync; dd of=/dev/null if="$1" iflag=nocache count=0 2>/dev/null; }
      drop "$1/one/$file"; cached "$1"
      cat "$1/one/$file" >/dev/null; cached "$1"
      cat "$1/two/$file" >/dev/null; cached "$1"
      # There is no second copy that would stay.
      drop "$object"; cached "$1"; stat --format %s "$1/two/$file"`)
      .trim()
      .split(/\s+/)
      .map(Number);
    const whole = Math.ceil((pages.at(-1) as number) / 4096) * 4096;
    assert.deepEqual(
      pages.slice(0, -1),
      [0, whole, whole, 0].flatMap((bytes) => [bytes, bytes, bytes]),
    );
  });

  it('are run by podman after they were exported, and unpacked by umoci as they were', () => {
    const options = ['--repo', at('repo'), 'export', 'oci', '-o', at('exported')];
    sealtree([...options, '--tag=one', 'app/shell']);
    sealtree([
      ...options,
      '--tag=three',
      '--compression=zstd',
      '--command',
      '/usr/bin/cat /etc/issue',
      ...FAMILY.map((tag) => `app/${tag}`),
    ]);
    containers.runScript('umoci unpack --image "$1/exported:one" "$1/again"', [work.path]);
    sid.runScript(
      'ostree --repo="$1/repo" commit --branch=unpacked/again --tree=dir="$1/again/rootfs" >/dev/null',
      [work.path],
    );
    assert.equal(rootOf('unpacked/again'), rootOf('app/shell'));
    const { stdout } = containers.runScript(
      `mount -t sysfs sysfs /sys; mount -t cgroup2 cgroup2 /sys/fs/cgroup
      alias run='podman --root "$1/storage" --runroot "$1/run" --storage-driver=vfs run --rm --network=none --cgroups=disabled'
      run "oci:$1/exported:one" /usr/bin/bash -c 'cat /opt/data/a; stat -c %u /opt/data'
      run "oci:$1/exported:three"`,
      [work.path],
    );
    assert.equal(stdout, 'a file now\n4000000\nchanged\n');
  });

  it('that were not sealed are not mounted', () => {
    sealtree([
      'import',
      'oci',
      '--repo',
      at('repo'),
      '--ref=app/new',
      '--subject=again',
      `${at('layout')}:base`,
    ]);
    const { status, stderr } = sealtree(['--repo', at('repo'), 'image', 'mount', 'app/new', at('mnt')], {
      allowFailure: true,
    });
    assert.equal(status, 66);
    assert.match(stderr, /has no image[\s\S]*sealtree seal --ref app\/new makes it/);
  });
});
