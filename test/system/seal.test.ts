/**
 * `seal` on sysroots that ostree 2022.7, 2025.2 and 2026.4 deployed: the images are those of
 * `ostree checkout --composefs`, and ostree goes on working.
 */
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { makeOsTree, OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree, sealtreeArgv } from '../support/sealtree.ts';

const SUITES = ['bookworm', 'trixie', 'sid'] as const;

const sid = oracle('sid');

/** Three deployments in two stateroots, of two commits; the first is pinned. */
function deployed(suite: (typeof SUITES)[number], work: Sandbox): OstreeSysroot {
  const sysroot = new OstreeSysroot(oracle(suite), work, ['alpha', 'beta']);
  makeOsTree(work.join('one'), { version: '1', seed: 1 });
  makeOsTree(work.join('two'), { version: '2', seed: 2 });
  const script = `
    ostree --repo="$repo" commit --branch=os/one --tree=dir="$1"
    ostree --repo="$repo" commit --branch=os/two --tree=dir="$2"
    ostree admin deploy --sysroot="$sysroot" --os=alpha --karg=root=LABEL=root os/one
    ostree admin pin --sysroot="$sysroot" 0
    ostree admin deploy --sysroot="$sysroot" --os=alpha os/two
    ostree admin deploy --sysroot="$sysroot" --os=beta os/one`;
  sysroot.script(script, [work.join('one'), work.join('two')]);
  return sysroot;
}

const seal = (sysroot: OstreeSysroot, ...args: string[]) =>
  sealtree(['--sysroot', sysroot.path, 'seal', ...args]);

const imageOf = (deployment: string): string => join(deployment, '.ostree.cfs');

const commitOf = (deployment: string): string => /([0-9a-f]{64})\.\d+$/.exec(deployment)?.[1] as string;

/** `----i---------e-------` */
const attributesOf = (path: string): string => runHost(['lsattr', '-d', path]).stdout.split(' ')[0] as string;

/** Each published image: name in the store without `.cfs`. */
const published = (sysroot: OstreeSysroot): string[] =>
  readdirSync(join(sysroot.repositoryPath, 'extensions/sealtree/images'))
    .map((name) => name.replace(/\.cfs$/, ''))
    .sort();

/** What ostree's own checkout of that commit as an image is. */
function checkedOut(sysroot: OstreeSysroot, commit: string, work: Sandbox): Buffer {
  // ostree makes its temporary file in the working folder, and links it to the name it is given.
  const argv = ['ostree', `--repo=${sysroot.repositoryPath}`, 'checkout', '--composefs', commit, 'checkout'];
  sid.run(argv, { cwd: work.path });
  const path = work.join('checkout');
  const bytes = readFileSync(path);
  runHost(['rm', path]);
  return bytes;
}

/** Asserts that every deployment has the image of its commit, and nothing else is in the store. */
function assertSealed(sysroot: OstreeSysroot, work: Sandbox): void {
  const deployments = sysroot.deployments();
  const digests = new Map<string, string[]>();
  for (const deployment of deployments) {
    const image = imageOf(deployment);
    const bytes = readFileSync(image);
    assert(
      bytes.equals(checkedOut(sysroot, commitOf(deployment), work)),
      `${image} is not what ostree checks out`,
    );
    // fsverity computes it in user space: another implementation than ours, and not the kernel's either.
    const digest = /sha256:([0-9a-f]{64})/.exec(runHost(['fsverity', 'digest', image]).stdout)?.[1] as string;
    digests.set(digest, [...(digests.get(digest) ?? []), image]);
  }
  assert.deepEqual(published(sysroot), [...digests.keys()].sort());
  for (const [digest, images] of digests) {
    const stored = lstatSync(join(sysroot.repositoryPath, `extensions/sealtree/images/${digest}.cfs`));
    assert.equal(stored.mode, 0o100644);
    assert.equal(stored.uid, 0);
    assert.equal(stored.nlink, 1 + images.length);
    for (const image of images)
      assert.equal(lstatSync(image).ino, stored.ino, `${image} is a hard link of the stored image`);
  }
}

/** What can be seen of every file to change: inode, mode, size, times. The lock's folder is left out. */
function snapshot(sysroot: OstreeSysroot): Map<string, string> {
  const format = '%p\\t%i %m %s %n %T@ %C@\\n';
  const { stdout } = runHost(['find', sysroot.path, '-printf', format]);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t') as [string, string]);
  return new Map(
    lines.filter(
      ([path]) => path !== join(sysroot.path, 'ostree') && path !== join(sysroot.path, 'ostree/lock'),
    ),
  );
}

for (const suite of SUITES) {
  describeSystem(`seal, deployed by ostree of ${suite}`, [suite, 'sid'], () => {
    it('gives every deployment the image that ostree checks out', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      const attributes = sysroot.deployments().map(attributesOf);
      assert(
        attributes.every((flags) => flags.includes('i')),
        'ostree makes deployments immutable',
      );
      seal(sysroot, '--all');
      assertSealed(sysroot, work);
      assert.deepEqual(sysroot.deployments().map(attributesOf), attributes);
      assert.equal(published(sysroot).length, 2);
    });

    it('gives one deployment its image and leaves the others alone', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      const before = snapshot(sysroot);
      seal(sysroot, '1');
      const after = snapshot(sysroot);
      const touched = sysroot.deployments().filter((path) => before.get(path) !== after.get(path));
      assert.equal(touched.length, 1);
      assert.equal(published(sysroot).length, 1);
    });

    it('does nothing the second time', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      seal(sysroot, '--all');
      const before = snapshot(sysroot);
      seal(sysroot, '--all');
      assert.deepEqual(snapshot(sysroot), before);
    });

    it('changes nothing with --dry-run', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      const before = snapshot(sysroot);
      const { stdout } = sealtree(['--sysroot', sysroot.path, '--dry-run', 'seal', '--all']);
      assert.deepEqual(snapshot(sysroot), before);
      assert.match(stdout, /\.ostree\.cfs|images/);
    });

    it('leaves a deployment mutable that was', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      const [first = '', ...others] = sysroot.deployments();
      runHost(['chattr', '-i', first]);
      seal(sysroot, '--all');
      assert(!attributesOf(first).includes('i'));
      for (const other of others) assert(attributesOf(other).includes('i'));
    });

    it('replaces an image that is damaged', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      seal(sysroot, '--all');
      const [first = ''] = sysroot.deployments();
      chmodSync(imageOf(first), 0o600);
      runHost([
        'dd',
        'if=/dev/zero',
        `of=${imageOf(first)}`,
        'bs=1',
        'seek=2000',
        'count=100',
        'conv=notrunc',
      ]);
      seal(sysroot, '--all');
      assertSealed(sysroot, work);
    });

    it('lets ostree check, deploy, pin, clean up and undeploy afterwards', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      const status = sysroot.admin('status').stdout;
      seal(sysroot, '--all');
      assert.match(sysroot.repo('fsck').stdout, /no errors found/);
      assert.equal(sysroot.admin('status').stdout, status);

      sysroot.commit('os/three', { version: '3', seed: 3 });
      const added = sysroot.deploy('alpha', 'os/three');
      sysroot.admin('cleanup');
      seal(sysroot, '--all');
      assertSealed(sysroot, work);
      assert.equal(sysroot.deployments().length, 4);
      assert.equal(published(sysroot).length, 3);

      sysroot.admin('pin', ['0']);
      sysroot.admin('pin', ['--unpin', '0']);
      sysroot.admin('undeploy', ['0']);
      sysroot.admin('cleanup');
      sysroot.repo('prune', ['--refs-only']);
      assert(!sysroot.deployments().includes(added));
      for (const deployment of sysroot.deployments())
        assert(readFileSync(imageOf(deployment)).equals(checkedOut(sysroot, commitOf(deployment), work)));
      assert.match(sysroot.repo('fsck').stdout, /no errors found/);

      sealtree(['--sysroot', sysroot.path, '--yes', 'gc']);
      assertSealed(sysroot, work);
      assert.equal(published(sysroot).length, 2);
    });

    it('agrees with the digest that the commit records', () => {
      using work = new Sandbox();
      const sysroot = new OstreeSysroot(oracle(suite), work, ['alpha']);
      const commit = sysroot.commit('os/one', { version: '1', seed: 7 }, sid, [
        '--generate-composefs-metadata',
      ]);
      sysroot.deploy('alpha', 'os/one');
      seal(sysroot, '--all');
      const key = ['--print-metadata-key=ostree.composefs.digest.v0', '--print-hex', commit];
      const recorded = sid.run(['ostree', `--repo=${sysroot.repositoryPath}`, 'show', ...key]).stdout.trim();
      assert.deepEqual(published(sysroot), [recorded]);
    });

    it('seals a sysroot that is mounted read-only', () => {
      using work = new Sandbox();
      const sysroot = deployed(suite, work);
      const script =
        'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; if touch "$0/x" 2>/dev/null; then exit 9; fi; exec "$@"';
      const argv = sealtreeArgv(['--sysroot', sysroot.path, 'seal', '--all']);
      runHost([
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-euc',
        script,
        sysroot.path,
        ...argv,
      ]);
      assertSealed(sysroot, work);
    });
  });
}

for (const suite of SUITES) {
  describeSystem(`seal, staged by ostree of ${suite}`, [suite, 'sid'], () => {
    it('seals a staged deployment, which ostree then finalizes', () => {
      using work = new Sandbox();
      const sysroot = new OstreeSysroot(oracle(suite), work, ['alpha']);
      sysroot.commit('os/one', { version: '1', seed: 1 });
      sysroot.commit('os/two', { version: '2', seed: 2 });
      const booted = sysroot.deploy('alpha', 'os/one', ['--karg=root=LABEL=root']);
      const script = `
        ostree admin status
        ostree admin deploy --stage os/two >&2
        test -e /run/ostree/staged-deployment
        sealtree seal --all >&2
        find /ostree/deploy/alpha/deploy/* -maxdepth 1 -name .ostree.cfs -printf 'sealed %h %i\\n'
        lsattr -d /ostree/deploy/alpha/deploy/*.?
        ostree admin finalize-staged >&2
        test ! -e /run/ostree/staged-deployment
        find /ostree/deploy/alpha/deploy/* -maxdepth 1 -name .ostree.cfs -printf 'finalized %h %i\\n'
        ostree admin status`;
      const { stdout } = sysroot.runBooted(booted, script);
      assert.match(stdout, /^\* alpha/, 'ostree takes the system for booted');
      const [, staged = ''] = /^ {2}alpha ([0-9a-f]{64}\.\d+)/m.exec(stdout) ?? assert.fail(stdout);
      const found = (when: string) =>
        [...stdout.matchAll(new RegExp(`^${when} \\S*/(\\S+) (\\d+)$`, 'gm'))]
          .map(([, id, inode]) => `${id} ${inode}`)
          .sort();
      assert.equal(found('sealed').length, 2);
      assert.deepEqual(found('finalized'), found('sealed'));
      assert.match(stdout, new RegExp(`^-+e-+ \\S+/${staged}$`, 'm'), 'the staged deployment stays mutable');
      assert(attributesOf(join(sysroot.path, 'ostree/deploy/alpha/deploy', staged)).includes('i'));
      assertSealed(sysroot, work);
    });
  });
}

describeSystem('seal, images that ostree made', ['sid'], () => {
  it('adopts the image of a deployment whose tree asks for verity', () => {
    using work = new Sandbox();
    const sysroot = new OstreeSysroot(sid, work, ['alpha']);
    sysroot.commit('os/one', { version: '1', seed: 1, prepareRoot: '[composefs]\nenabled=verity\n' });
    const deployment = sysroot.deploy('alpha', 'os/one');
    const { ino } = lstatSync(imageOf(deployment));
    seal(sysroot, '--all');
    assert.equal(lstatSync(imageOf(deployment)).ino, ino, 'the file is the one that ostree wrote');
    assertSealed(sysroot, work);
  });

  it('replaces an image without object digests by one with them', () => {
    using work = new Sandbox();
    const sysroot = new OstreeSysroot(sid, work, ['alpha']);
    sysroot.commit('os/one', { version: '1', seed: 1 });
    const deployment = sysroot.deploy('alpha', 'os/one');
    const theirs = readFileSync(imageOf(deployment));
    seal(sysroot, '--all');
    assert(!readFileSync(imageOf(deployment)).equals(theirs));
    assertSealed(sysroot, work);
  });

  it('removes no image of its own that a copied sysroot still needs', () => {
    using work = new Sandbox();
    const sysroot = deployed('sid', work);
    seal(sysroot, '--all');
    // cp without --preserve=links turns each hard link into a file of its own.
    const copy = work.join('copy');
    mkdirSync(copy);
    runHost([
      'cp',
      '--recursive',
      '--preserve=mode,ownership,timestamps,xattr',
      '--no-dereference',
      `${sysroot.path}/.`,
      copy,
    ]);
    sealtree(['--sysroot', copy, '--yes', 'gc']);
    assert.equal(readdirSync(join(copy, 'ostree/repo/extensions/sealtree/images')).length, 2);
  });
});
