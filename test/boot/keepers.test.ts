/** The scripts that need no Node: whether the root is the pinned image, and what mends boot entries at shutdown. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bootFolder, formatJournal, journalPath } from '../../src/boot/journal.ts';
import { payloadPath } from '../../src/boot/payload.ts';
import { change, makeSealedSysroot } from '../support/boot-change.ts';
import { whatBoots } from '../support/boot-model.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { lintScripts, missingShellcheck } from '../support/shellcheck.ts';
import { hasShell, SHELLS } from '../support/shells.ts';

it('the scripts are clean', { skip: missingShellcheck() ?? false }, () => {
  lintScripts([payloadPath('check-root'), payloadPath('mend-entries'), payloadPath('app/sealtree')]);
});

const DIGEST = 'd'.repeat(64);
const PIN = `sealtree.pin=${'c'.repeat(12)}:${DIGEST}`;
const OVERLAY = '74 1 0:32 / / ro,relatime shared:1 - overlay /dev/vda ro,lowerdir=/a::/b,verity=require\n';
const PLAIN = '74 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n';

interface Boot {
  readonly options: string;
  readonly mounts: string;
  /** In /run/sealtree. */
  readonly left?: Readonly<Record<string, string>>;
  readonly isOstree?: boolean;
}

const BOOTS: readonly (readonly [what: string, boot: Boot, status: number, said: RegExp])[] = [
  [
    'sealed',
    { options: PIN, mounts: PLAIN + OVERLAY, left: { sealed: DIGEST } },
    0,
    /<6>the root is the image d{64} \(pinned, not authenticated\)/,
  ],
  ['without a seal pin', { options: 'quiet', mounts: PLAIN }, 0, /<5>not sealed/],
  ['not from ostree', { options: PIN, mounts: PLAIN, isOstree: false }, 0, /^$/],
  [
    'with a pin that nobody looked at',
    { options: PIN, mounts: PLAIN },
    1,
    /<3>NOT SEALED: .*nothing in the initramfs looked at it/,
  ],
  [
    'plain, as the script decided',
    { options: PIN, mounts: PLAIN, left: { unsealed: 'the image is missing; policy=prefer' } },
    1,
    /<3>NOT SEALED: the image is missing; policy=prefer/,
  ],
  [
    'from another image than the pin demands',
    { options: PIN, mounts: OVERLAY, left: { sealed: 'e'.repeat(64) } },
    1,
    /<3>NOT SEALED: .*pin demands d{64}/,
  ],
  [
    'and hidden by another root since',
    { options: PIN, mounts: OVERLAY + PLAIN, left: { sealed: DIGEST } },
    1,
    /<3>NOT SEALED: the root is no overlay, but ext4/,
  ],
  [
    'with an overlay that checks nothing',
    { options: PIN, mounts: OVERLAY.replace(',verity=require', ''), left: { sealed: DIGEST } },
    1,
    /<3>NOT SEALED: .*does not demand fs-verity/,
  ],
];

for (const shell of SHELLS) {
  const skip = hasShell(shell) ? false : `${shell[0]} is not installed`;
  const [program, ...args] = shell;

  describe(`a system that came up, to ${program}`, { skip }, () => {
    const work = new Sandbox();
    after(() => work.dispose());
    for (const [i, [what, boot, status, said]] of BOOTS.entries())
      it(`${what}: ${status === 0 ? 'is blessed' : 'is not'}`, () => {
        const { options, mounts, left = {}, isOstree = true } = boot;
        const run = work.mkdir(`${i}/run`);
        if (isOstree) work.write(`${i}/run/ostree-booted`, '');
        for (const [name, text] of Object.entries(left)) work.write(`${i}/run/sealtree/${name}`, `${text}\n`);
        work.write(`${i}/proc/cmdline`, `root=x ${options} ostree=/ostree/boot.0/a/b/0\n`);
        work.write(`${i}/proc/self/mountinfo`, mounts);
        const env = { SEALTREE_RUN: run, SEALTREE_PROC: work.join(`${i}/proc`), PATH: process.env.PATH };
        const ended = spawnSync(program, [...args, payloadPath('check-root')], { env, encoding: 'utf8' });
        assert.match(ended.stderr.trimEnd(), said);
        assert.equal(ended.status, status);
      });
  });

  describe(`boot entries at shutdown, by ${program}`, { skip }, () => {
    const work = new Sandbox();
    after(() => work.dispose());
    let made = 0;
    const installed = async (initramfs: string): Promise<BootableSysroot> => {
      const sysroot = await makeSealedSysroot(work, `sysroot${made++}`, { initramfs, policy: 'enforce' });
      assert.equal((await change(sysroot, 'install')).outcome, 'done');
      return sysroot;
    };
    const mend = ({ repositoryPath }: BootableSysroot): string => {
      const script = join(bootFolder(repositoryPath), 'mend-entries');
      const { status, stderr, stdout } = spawnSync(program, [...args, script], {
        encoding: 'utf8',
        cwd: '/',
      });
      assert.deepEqual([status, stdout], [0, ''], stderr);
      return stderr;
    };
    const edit = (path: string, pattern: RegExp, by: string): void => {
      const text = readFileSync(path, 'latin1');
      assert.match(text, pattern);
      writeFileSync(path, text.replace(pattern, by));
    };
    const PIN_WORD = /sealtree\.pin=\S+/;

    for (const initramfs of ['append', 'overlay'])
      it(`that are right stay as they are, by ${initramfs}`, async () => {
        const sysroot = await installed(initramfs);
        const before = sysroot.entries.map((path) => readFileSync(path, 'latin1'));
        assert.equal(mend(sysroot), '');
        assert.deepEqual(
          sysroot.entries.map((path) => readFileSync(path, 'latin1')),
          before,
        );
      });

    it('get back a pin that is stale, there twice, or missing; all else stays', async () => {
      const sysroot = await installed('append');
      const [first = '', another = ''] = sysroot.entries;
      // Boot counting is in names; blanks within an argument are part of it.
      const second = another.replace('.conf', '+3-1.conf');
      renameSync(another, second);
      edit(first, /root=LABEL=root/, 'root=LABEL=root  "note=a  b"');
      const breaks: readonly ((path: string) => void)[] = [
        (path) => edit(path, PIN_WORD, `sealtree.pin=${'0'.repeat(12)}:${DIGEST}`),
        (path) => edit(path, PIN_WORD, 'sealtree.pin=x  sealtree.pin=y'),
        (path) => edit(path, / sealtree\.pin=\S+/, ''),
        // The last line, and without an end.
        (path) => {
          edit(path, / sealtree\.pin=\S+/, '');
          const lines = readFileSync(path, 'latin1').trimEnd().split('\n');
          const [options = '', ...rest] = lines.toSorted(
            (a, b) => +b.startsWith('opt') - +a.startsWith('opt'),
          );
          writeFileSync(path, [...rest, options].join('\n'));
        },
      ];
      for (const breakIt of breaks) {
        for (const path of [first, second]) breakIt(path);
        assert.match(mend(sysroot), /^<5>alpha\/\S+: its boot entry has its seal pin again\n<5>alpha/);
        assert.deepEqual([...(await whatBoots(sysroot)).values()], ['sealed', 'sealed', 'sealed']);
        assert.match(readFileSync(first, 'latin1'), / {2}"note=a {2}b"/);
        assert.equal(mend(sysroot), '');
      }
      const names = readdirSync(dirname(first));
      assert.deepEqual(
        names.filter((name) => name.startsWith('.')),
        [],
        'nothing is left beside them',
      );
    });

    it('get back their overlay initrd, and its file', async () => {
      const sysroot = await installed('overlay');
      const [first = ''] = sysroot.entries;
      edit(first, /^initrd \S+initramfs-overlays\S+\n/m, '');
      rmSync(join(sysroot.path, 'boot/ostree/initramfs-overlays'), { recursive: true });
      mend(sysroot);
      assert.deepEqual([...(await whatBoots(sysroot)).values()], ['sealed', 'sealed', 'sealed']);
    });

    it('are said to lack the mount script where that cannot be helped', async () => {
      const sysroot = await installed('append');
      const [initrd = ''] = sysroot.initrds;
      const original = join(
        sysroot.deploymentPaths[0] as string,
        'usr/lib/modules/6.12.0-test/initramfs.img',
      );
      copyFileSync(original, `${initrd}.new`);
      renameSync(`${initrd}.new`, initrd);
      assert.match(mend(sysroot), /^<4>alpha\/\S+: the mount script is not in its initramfs/);
    });

    it('get the mount script behind an initramfs that ostree has just put there', async () => {
      const sysroot = await installed('append');
      const [initrd = ''] = sysroot.initrds;
      const original = readFileSync(
        join(sysroot.deploymentPaths[0] as string, 'usr/lib/modules/6.12.0-test/initramfs.img'),
      );
      const whole = readFileSync(initrd);
      const folder = bootFolder(sysroot.repositoryPath);
      writeFileSync(join(folder, 'tail'), whole.subarray(original.length));
      edit(join(folder, 'values'), /append(?=\n)/g, 'tail');
      writeFileSync(`${initrd}.new`, original);
      renameSync(`${initrd}.new`, initrd);
      assert.match(mend(sysroot), /^<5>alpha\/\S+: the mount script is in its initramfs\n$/);
      assert.deepEqual(readFileSync(initrd), whole);
      assert.deepEqual(
        readdirSync(dirname(initrd)).filter((name) => name.startsWith('.')),
        [],
      );
      assert.equal(mend(sysroot), '');

      // One that is another file than the tail was made for gets none.
      writeFileSync(`${initrd}.new`, `another${original}`);
      renameSync(`${initrd}.new`, initrd);
      assert.match(mend(sysroot), /^<4>alpha\/\S+: the mount script is not in its initramfs/);
      assert.equal(readFileSync(initrd, 'latin1'), `another${original}`);
    });

    it('are said to be ahead of a menu that was made of them', async () => {
      const sysroot = await installed('append');
      const [first = ''] = sysroot.entries;
      edit(first, PIN_WORD, 'sealtree.pin=x');
      const menu = join(sysroot.path, 'boot/loader/grub.cfg');
      writeFileSync(menu, '');
      const said = mend(sysroot).split('\n');
      assert.match(said[0] ?? '', /has its seal pin again$/);
      assert.equal(
        said[1],
        `<4>${menu}: still says what the entry said before; it is renewed after the next boot`,
      );
    });

    it('of what was not sealed before are left alone', async () => {
      const sysroot = await installed('append');
      const [first = ''] = sysroot.entries;
      const name = `${'9'.repeat(64)}.0`;
      mkdirSync(join(sysroot.path, 'ostree/deploy/alpha/deploy', name));
      const link = join(sysroot.path, `ostree/boot.0.0/alpha/${'b'.repeat(64)}/7`);
      symlinkSync(`../../../deploy/alpha/deploy/${name}`, link);
      edit(first, /(ostree=\S+)\/0/, '$1/7');
      const before = readFileSync(first, 'latin1');
      assert.match(mend(sysroot), /^<4>alpha\/9{64}\.0: not sealed before the shutdown/);
      assert.equal(readFileSync(first, 'latin1'), before);
    });

    it('are left alone while it is taken back', async () => {
      const sysroot = await installed('append');
      const [first = ''] = sysroot.entries;
      edit(first, PIN_WORD, 'sealtree.pin=x');
      const before = readFileSync(first, 'latin1');
      const journal = journalPath(sysroot.repositoryPath);
      writeFileSync(journal, formatJournal({ verb: 'remove', steps: [] }));
      assert.equal(mend(sysroot), '');
      assert.equal(readFileSync(first, 'latin1'), before);
      writeFileSync(journal, formatJournal({ verb: 'install', steps: ['remove x'] }));
      assert.match(mend(sysroot), /has its seal pin again/);
    });

    it('are left alone when it was taken back', async () => {
      const sysroot = await installed('append');
      const script = work.join(`kept-${made}`);
      copyFileSync(join(bootFolder(sysroot.repositoryPath), 'mend-entries'), script);
      assert.equal((await change(sysroot, 'remove')).outcome, 'done');
      const { status } = spawnSync(program, [...args, script], { encoding: 'utf8' });
      assert.equal(status, 0);
    });
  });
}
