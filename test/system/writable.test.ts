/** Writing to a sysroot that is mounted read-only, each time in a mount namespace of the test's own. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';

const PROGRAM = fileURLToPath(new URL('programs/write-to-sysroot.ts', import.meta.url));

/** Mounts as `script` says ($1 = work folder with `sysroot/ostree` in it), then runs the program; how and on what. */
function writeAfter(work: Sandbox, script: string, prefix: readonly string[] = []) {
  work.mkdir('sysroot/ostree');
  const argv = [...prefix, process.execPath, PROGRAM, work.join('sysroot'), 'a word', '--option'];
  const after = `grep " $1/sysroot " /proc/self/mountinfo || :`;
  const { status, stdout } = runHost(
    [
      'unshare',
      '--mount',
      'sh',
      '-euc',
      `${script}\nwork=$1; shift; set +e; "$@"; status=$?; set -- "$work"; ${after}; exit $status`,
      'sh',
      work.path,
      ...argv,
    ],
    { allowFailure: true, env: { PATH: process.env.PATH ?? '' } },
  );
  const [said = '', ...mounts] = stdout.trimEnd().split('\n');
  return { status, said: JSON.parse(said) as Record<string, unknown>, mounts };
}

const WRITTEN = { words: ['a word', '--option'], isPrivate: true };

describeSystem('a read-only sysroot', [], () => {
  it('is written to by the same program in a mount namespace of its own, and stays read-only for others', () => {
    using work = new Sandbox();
    const { status, said, mounts } = writeAfter(
      work,
      'mount --bind "$1/sysroot" "$1/sysroot"; mount -o remount,bind,ro,nosuid "$1/sysroot"',
    );
    assert.equal(status, 7, 'the exit code is passed on');
    assert.deepEqual(said, WRITTEN);
    assert.ok(existsSync(work.join('sysroot/ostree/written')));
    assert.match(mounts.join(), / ro,nosuid/);
  });

  it('may be an overlay', () => {
    using work = new Sandbox();
    const { said } = writeAfter(
      work,
      `mount -t tmpfs tmpfs "$1/sysroot"
      mkdir -p "$1/sysroot/lower/ostree" "$1/sysroot/upper" "$1/sysroot/work"
      cd "$1/sysroot"
      mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work "$1/sysroot"
      mount -o remount,bind,ro "$1/sysroot"`,
    );
    assert.deepEqual(said, WRITTEN);
  });

  it('may have the folder mounted that is written to', () => {
    using work = new Sandbox();
    const { said } = writeAfter(
      work,
      'mount --bind "$1/sysroot/ostree" "$1/sysroot/ostree"; mount -o remount,bind,ro "$1/sysroot/ostree"',
    );
    assert.deepEqual(said, WRITTEN);
  });

  it('is left alone when it is writable', () => {
    using work = new Sandbox();
    assert.deepEqual(writeAfter(work, ':').said, { ...WRITTEN, isPrivate: false });
  });

  it('is refused when the file system itself is read-only', () => {
    using work = new Sandbox();
    const { status, said } = writeAfter(
      work,
      'mount -t tmpfs tmpfs "$1/sysroot"; mkdir "$1/sysroot/ostree"; mount -o remount,ro "$1/sysroot"',
    );
    assert.equal(status, 69);
    assert.match(String(said.error), /its file system \(tmpfs\) is read-only/);
  });

  it('is refused to others than root, with what to do', () => {
    using work = new Sandbox();
    runHost(['chmod', '755', work.path]);
    const { status, said } = writeAfter(
      work,
      'mount --bind "$1/sysroot" "$1/sysroot"; mount -o remount,bind,ro "$1/sysroot"',
      ['setpriv', '--reuid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'],
    );
    assert.equal(status, 77);
    assert.equal(said.hint, 'run it as root');
  });

  it('is refused to root who may not mount, before the program is started again', () => {
    using work = new Sandbox();
    const { status, said } = writeAfter(
      work,
      'mount --bind "$1/sysroot" "$1/sysroot"; mount -o remount,bind,ro "$1/sysroot"',
      ['setpriv', '--bounding-set=-sys_admin'],
    );
    assert.equal(status, 77);
    assert.match(String(said.error), /cannot be changed: unshare failed/);
  });
});
