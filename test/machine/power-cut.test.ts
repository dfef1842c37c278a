/**
 * The power goes in the middle of `sealtree boot install`, of `boot remove`, of the remover for the day sealtree is
 * gone. Every block they write is recorded, and the disk as it was at any moment made again. A boot loader, which
 * knows nothing of a journal, finds a system that boots after every single write; the kernel, which replays the
 * journal, finds one as well, and `boot check` says what it is; some are booted; the next install finishes the job.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Finding } from '../../src/image/findings.ts';
import { bootGuest, GUEST_KARGS } from '../support/guest.ts';
import { guestProgram } from '../support/guest-program.ts';
import { type GuestRun, runInGuest } from '../support/guest-script.ts';
import { copyBoot, joinInitrds, type MenuEntry, readMenu } from '../support/machine.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { makeSmallTree, readSmallBoot, type SmallBoot } from '../support/small-machine.ts';
import { type LoggedWrite, readWriteLog, recordedDisk, replayWrites } from '../support/write-log.ts';

const DISK_BYTES = 160 << 20;
/** Behind the file system; what is written there says which moment it is. */
const MARK_BYTES = 4096;
const BLOCK_BYTES = 4096;

/** Disks of `install` that are looked at closely: at a flush, when everything had reached the disk, and between two. */
const AT_FLUSHES = 11;
const BETWEEN_FLUSHES = 9;
const BOOTS = 6;

/** Far more than it takes on a machine with nothing else to do. */
const TIMEOUT_MS = 900_000;

/** `enforce`, since a pin that comes too late is then a machine that does not boot. */
const CONFIG = '[boot]\npolicy=enforce\ninitramfs=append\n';
const KARGS = ['root=/dev/vda', 'rw', ...GUEST_KARGS];
/** A loader that reads the boot entries. */
const GRUB_MENU = 'blscfg --path /boot/loader/entries\n';

const MODULES = ['virtio_blk', 'erofs', 'overlay'];

/** Not in a folder `dist`: an installed program copies itself to the disk, which no loader reads and a log is full of. */
const PROGRAM = 'opt/sealtree/program';
const DEFINE_SEALTREE = `sealtree() { node /${PROGRAM}/sealtree.js "$@"; }`;

const RECORD = `${DEFINE_SEALTREE}
mark() { echo "$1" | dd of=/dev/vda bs=${MARK_BYTES} seek=${DISK_BYTES / MARK_BYTES} conv=sync,fsync,notrunc; }
mkdir /disk
mount /dev/vda /disk
# mke2fs does not copy this flag of theirs.
chattr +i /disk/ostree/deploy/*/deploy/*.0
step seal sealtree --sysroot /disk seal
sync
step mark-begin mark begin
step install sealtree --sysroot /disk --yes boot install
step mark-installed mark installed
step remove sealtree --sysroot /disk --yes boot remove
step mark-removed mark removed
step install-again sealtree --sysroot /disk --yes boot install
step mark-again mark again
step remover sh /disk/ostree/repo/extensions/sealtree/boot/remove.sh
step mark-end mark end
umount /disk
`;

/** What was done between which marks, and what every entry boots into in the end. */
const RECORDED = [
  { what: 'boot install', from: 'begin', to: 'installed', end: 'sealed' },
  { what: 'boot remove', from: 'installed', to: 'removed', end: 'plain' },
  { what: 'the remover', from: 'again', to: 'end', end: 'plain' },
] as const;

/** Runs `boot check` on one sysroot after the other, without starting anew: an emulated machine is slow at that. */
const CHECK_ALL = `
for (const sysroot of process.argv.slice(2)) {
  process.argv = ['node', 'sealtree', '--sysroot', sysroot, '--json', 'boot', 'check'];
  await import('/${PROGRAM}/sealtree.js?' + sysroot);
}
`;

/** On disks as the power cut left them: a mount replays the journal. */
const CHECK = `
for disk in /dev/vd?; do
  mkdir -p "/disks/\${disk##*/}"
  mount "$disk" "/disks/\${disk##*/}"
done
step check node /check-all.mjs /disks/*
umount /disks/*
`;

const FINISH = `${DEFINE_SEALTREE}
mkdir /disk
mount /dev/vda /disk
step install sealtree --sysroot /disk --yes boot install
step check sealtree --sysroot /disk --json boot check
umount /disk
`;

/** What an entry boots into. */
type Outcome = 'plain' | 'sealed' | 'refused';

/** What a boot loader reads. */
interface View {
  readonly menu: readonly MenuEntry[];
  /** By path of the file, as the entries name it. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** What `boot check --json` prints, as far as it is looked at. */
interface Check {
  readonly findings: readonly Finding[];
}

/** The disk at one moment. */
interface Cut {
  readonly name: string;
  /** What had reached it. */
  readonly writes: readonly LoggedWrite[];
  readonly view: View;
}

describeSystem('power cut', ['trixie', 'guest', 'machine'], () => {
  const work = new Sandbox();
  const views = new Sandbox({ inMemory: true });
  after(() => {
    work.dispose();
    views.dispose();
  });
  /** The disk before the first write, and all writes. */
  let base: string;
  let log: readonly LoggedWrite[];
  /** Numbers of the blocks that the journal lies in. */
  let journal: ReadonlySet<number>;
  let program: Record<string, string>;
  let recording: GuestRun;
  let cuts: readonly Cut[];
  /** What a loader reads before and after the install. */
  let plain: View;
  let sealed: View;

  before(async () => {
    base = makeDisk(work);
    const blocks = runHost(['debugfs', '-R', 'blocks <8>', base]).stdout;
    journal = new Set(blocks.trim().split(/\s+/).map(Number));
    const { 'opt/sealtree/dist': bundle = '', ...files } = await guestProgram(work);
    program = { ...files, [PROGRAM]: bundle };
    const logPath = work.join('writes.log');
    recording = await runInGuest(work.mkdir('recording'), {
      script: RECORD,
      disks: [recordedDisk(copyOf(base, work.join('recorded.img')), logPath)],
      modules: MODULES,
      files: program,
      timeoutMs: TIMEOUT_MS,
    });
    for (const [name, { status, stdout, stderr }] of recording.steps)
      assert.equal(status, 0, `${name}: ${stdout}${stderr}`);
    log = readWriteLog(logPath);
    plain = viewAfter(log.slice(0, markAt('begin')));
    sealed = viewAfter(log.slice(0, markAt('installed')));
    cuts = chooseCuts();
  });

  const markAt = (mark: string): number => {
    const found = log.findIndex(
      ({ offset, data }) => offset === DISK_BYTES && data.toString('latin1').startsWith(`${mark}\n`),
    );
    assert(found >= 0, `the log has no mark '${mark}'`);
    return found;
  };

  const diskAt = (name: string, writes: readonly LoggedWrite[]): string => {
    const disk = copyOf(base, work.join(`${name}.img`));
    replayWrites(disk, writes);
    return disk;
  };

  const viewAfter = (writes: readonly LoggedWrite[]): View => {
    const disk = diskAt('view', writes);
    const view = viewOf(disk);
    rmSync(disk);
    return view;
  };

  /** Without the journal, as a loader. */
  const viewOf = (disk: string): View => {
    const boot = copyBoot(disk, views.join('view'));
    const menu = readMenu(boot);
    const paths = new Set(menu.flatMap(({ linux, initrds }) => [linux, ...initrds]));
    return { menu, files: new Map([...paths].map((path) => [path, readFileSync(join(boot, '..', path))])) };
  };

  const chooseCuts = (): Cut[] => {
    const random = new Random(20);
    const [begin, end] = [markAt('begin'), markAt('installed')];
    const flushes = log.flatMap(({ isFlush }, i) => (isFlush && begin < i && i < end ? [i] : []));
    const busy = flushes.flatMap((to, i) => {
      const from = flushes[i - 1];
      return from !== undefined && to - from > 2 ? [{ from, to }] : [];
    });
    const atFlushes = spread(flushes, AT_FLUSHES).map((flush): [string, LoggedWrite[]] => [
      `at-${flush}`,
      log.slice(0, flush + 1),
    ]);
    const between = spread(busy, BETWEEN_FLUSHES).map(({ from, to }, i): [string, LoggedWrite[]] => {
      // A disk carries out what was not flushed in any order.
      const some =
        i % 2 === 0
          ? log.slice(from + 1, random.between(from + 2, to - 1))
          : log.slice(from + 1, to).filter(() => random.chance(0.5));
      return [`after-${from}`, [...log.slice(0, from + 1), ...some]];
    });
    return [...atFlushes, ...between]
      .map(([name, writes]) => ({ name, writes, view: viewAfter(writes) }))
      .sort((a, b) => a.writes.length - b.writes.length);
  };

  /** What becomes of each entry, under `enforce`. Fails where a loader would find less than whole files. */
  const outcomesOf = ({ menu, files }: View): Outcome[] => {
    assert.deepEqual(
      menu.map(({ name }) => name),
      plain.menu.map(({ name }) => name),
    );
    return menu.map((entry, i) => {
      const isPinned = isDeepStrictEqual(entry, sealed.menu[i]);
      if (!isPinned) assert.deepEqual(entry, plain.menu[i]);
      const is = (path: string, from: View): boolean =>
        files.get(path)?.equals(from.files.get(path) ?? Buffer.alloc(0)) === true;
      assert(is(entry.linux, plain), `${entry.linux}: ${files.get(entry.linux)?.length} bytes`);
      const [initramfs = ''] = entry.initrds;
      if (is(initramfs, plain)) return 'plain';
      assert(is(initramfs, sealed), `${initramfs} is neither the old one nor the new one`);
      return isPinned ? 'sealed' : 'refused';
    });
  };

  const boot = async (name: string, disk: string, view: View): Promise<SmallBoot> => {
    const [entry] = view.menu;
    assert(entry !== undefined);
    const folder = work.mkdir(`boot-${name}`);
    const [kernel, initramfs] = [join(folder, 'kernel'), join(folder, 'initramfs')];
    const bytesOf = (path: string): Buffer => view.files.get(path) ?? Buffer.alloc(0);
    writeFileSync(kernel, bytesOf(entry.linux));
    writeFileSync(initramfs, joinInitrds(entry.initrds.map(bytesOf)));
    const end = await bootGuest(folder, {
      kernel,
      initramfs,
      commandLine: entry.options,
      disks: [disk],
      timeoutMs: TIMEOUT_MS,
    });
    assert.equal(end.failure, undefined, `${name}: ${end.console.slice(-4000)}`);
    return readSmallBoot(end.console, end.report.toString('latin1'));
  };

  it('has a plain system sealed', (t) => {
    t.diagnostic(`recorded in ${recording.seconds.toFixed(0)} s: ${log.length} writes and flushes`);
    assert.deepEqual(outcomesOf(plain), ['plain', 'plain']);
    assert.deepEqual(outcomesOf(sealed), ['sealed', 'sealed']);
    for (const { options } of plain.menu) assert.doesNotMatch(options, /sealtree\.pin=/);
    for (const { options } of sealed.menu)
      assert.match(options, / sealtree\.pin=[0-9a-f]{12}:[0-9a-f]{64}( |$)/);
    const outcomes = cuts.flatMap(({ view }) => outcomesOf(view));
    assert(cuts.length >= 20 && outcomes.includes('plain') && outcomes.includes('sealed'));
  });

  // The first one waits for a machine, most of the time.
  describe('in the middle', { concurrency: 2 }, () => {
    it('leaves disks that boot check finds to be what they are', { timeout: TIMEOUT_MS }, async (t) => {
      const disks = cuts.map(({ name, writes }) => diskAt(`check-${name}`, writes));
      const guest = await runInGuest(work.mkdir('checking'), {
        script: CHECK,
        disks,
        modules: [...MODULES, 'loop'],
        files: { ...program, 'check-all.mjs': work.write('check-all.mjs', CHECK_ALL) },
        timeoutMs: TIMEOUT_MS,
      });
      t.diagnostic(`${cuts.length} disks checked in ${guest.seconds.toFixed(0)} s`);
      const { stdout, stderr } = guest.step('check');
      const checks = stdout.split(/(?<=^}\n)/m).map((text) => JSON.parse(text) as Check);
      assert.equal(checks.length, cuts.length, stderr);
      for (const [i, { name }] of cuts.entries()) {
        const disk = disks[i] as string;
        const { findings } = checks[i] as Check;
        t.diagnostic(`${name}: ${findings.map(({ code }) => code).join(' ')}`);
        // The kernel has mended it.
        runHost(['e2fsck', '-f', '-n', disk]);
        const view = viewOf(disk);
        assert.deepEqual(outcomesByCheck(findings, view), outcomesOf(view), name);
        rmSync(disk);
      }
    });

    for (const { what, from, to, end } of RECORDED)
      it(`leaves a loader a system that boots after every single write of ${what}`, (t) => {
        const [begin, done] = [markAt(from), markAt(to)];
        const disk = diskAt('every', log.slice(0, begin));
        // What a loader sees changes with no other.
        const writes = log
          .slice(begin, done)
          .filter(({ offset, data }) => data.length > 0 && !journal.has(offset / BLOCK_BYTES));
        const outcomes = new Set<string>();
        for (const write of writes) {
          replayWrites(disk, [write]);
          outcomes.add(outcomesOf(viewOf(disk)).join());
        }
        t.diagnostic(`${writes.length} writes: ${[...outcomes].join(' | ')}`);
        assert(![...outcomes].join().includes('refused'));
        assert.equal([...outcomes].at(-1), [end, end].join());
      });

    it('leaves file systems that e2fsck mends without a person', () => {
      for (const { name, writes } of cuts) {
        const disk = diskAt(name, writes);
        // 1: mended, as a replayed journal with files that were being deleted is.
        const mend = runHost(['e2fsck', '-f', '-p', disk], { allowFailure: true });
        assert([0, 1].includes(mend.status), `${name}: ${mend.stdout}`);
        runHost(['e2fsck', '-f', '-n', disk]);
        assert(!outcomesOf(viewOf(disk)).includes('refused'), name);
        rmSync(disk);
      }
    });

    it('leaves disks that boot', { timeout: TIMEOUT_MS }, async (t) => {
      const booted: string[] = [];
      for (const { name, writes, view } of spread(cuts, BOOTS)) {
        const disk = diskAt(`boot-${name}`, writes);
        const { root } = await boot(name, disk, view);
        rmSync(disk);
        booted.push(`${name}: ${root}`);
        assert.equal(root, outcomesOf(view)[0], name);
      }
      t.diagnostic(booted.join(', '));
    });

    it('is finished by the next install', { timeout: TIMEOUT_MS }, async () => {
      const isHalfDone = ({ view }: Cut): boolean =>
        view.menu.some(({ options }) => options.includes('sealtree.pin=')) &&
        outcomesOf(view).includes('plain');
      const cut = cuts.find(isHalfDone);
      assert(cut !== undefined);
      const disk = diskAt('finish', cut.writes);
      const guest = await runInGuest(work.mkdir('finishing'), {
        script: FINISH,
        disks: [disk],
        modules: [...MODULES, 'loop'],
        files: program,
        timeoutMs: TIMEOUT_MS,
      });
      const { status, stdout, stderr } = guest.step('install');
      assert.equal(status, 0, stdout + stderr);
      const { findings } = JSON.parse(guest.step('check').stdout) as Check;
      assert.deepEqual(
        findings.map(({ code }) => code),
        ['app-missing'],
      );
      const view = viewOf(disk);
      assert.deepEqual(outcomesOf(view), ['sealed', 'sealed']);
      assert.equal((await boot('finished', disk, view)).root, 'sealed');
    });
  });
});

/** What `boot check` may say of an install that was cut off. */
const HONEST = new Set([
  // This one does not copy itself.
  'app-missing',
  'units-missing',
  'transaction-unfinished',
  'leftover',
  'not-installed',
  'initramfs-without-script',
  'entry-unsealed',
]);

/** What becomes of each entry by what `boot check` found. Fails where it found what a power cut does not explain. */
function outcomesByCheck(findings: readonly Finding[], { menu }: View): Outcome[] {
  for (const finding of findings) assert(HONEST.has(finding.code), JSON.stringify(finding));
  return menu.map(({ name, initrds: [initramfs = ''] }) =>
    findings.some(
      ({ code, where }) =>
        code === 'not-installed' ||
        (code === 'entry-unsealed' && where.endsWith(`/${name}`)) ||
        (code === 'initramfs-without-script' && where.endsWith(initramfs)),
    )
      ? 'plain'
      : 'sealed',
  );
}

/** A disk with two deployments, and room for a mark behind its file system, which has no fs-verity yet. */
function makeDisk(work: Sandbox): string {
  const sysroot = new OstreeSysroot(oracle('trixie'), work, ['small']);
  sysroot.repo('config', ['set', 'sysroot.bootprefix', 'true']);
  for (const version of ['1', '2']) {
    const tree = work.join(`tree-${version}`);
    makeSmallTree(tree, version, { hasPrepareRoot: true });
    mkdirSync(join(tree, 'usr/etc/sealtree'));
    writeFileSync(join(tree, 'usr/etc/sealtree/sealtree.conf'), CONFIG);
    sysroot.repo('commit', [`--branch=small/${version}`, `--tree=dir=${tree}`]);
    sysroot.deploy(
      'small',
      `small/${version}`,
      KARGS.map((karg) => `--karg=${karg}`),
    );
  }
  mkdirSync(join(sysroot.path, 'boot/grub'));
  writeFileSync(join(sysroot.path, 'boot/grub/grub.cfg'), GRUB_MENU);
  const disk = work.write('base.img', '');
  runHost(['truncate', `--size=${DISK_BYTES + MARK_BYTES}`, disk]);
  const shape = ['-t', 'ext4', '-b', String(BLOCK_BYTES), '-O', '^verity', '-d', sysroot.path];
  runHost(['mke2fs', '-q', '-F', ...shape, disk, `${DISK_BYTES >> 20}M`]);
  return disk;
}

/** So many of them, at equal distances, the first and the last among them. */
function spread<T>(from: readonly T[], count: number): T[] {
  assert(from.length >= count, `only ${from.length} of ${count}`);
  return Array.from(
    { length: count },
    (_, i) => from[Math.round((i * (from.length - 1)) / (count - 1))] as T,
  );
}

function copyOf(disk: string, path: string): string {
  runHost(['cp', '--sparse=always', disk, path]);
  return path;
}
