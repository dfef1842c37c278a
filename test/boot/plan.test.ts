/** Plans as a person sees them, and everything that is refused before anything is changed. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Fact } from '../../src/base/capabilities.ts';
import type { EntryState } from '../../src/boot/entries.ts';
import type { AppState } from '../../src/boot/keep/app.ts';
import { type BootPlan, planInstall, planRemove } from '../../src/boot/plan.ts';
import { findObstacles } from '../../src/boot/refusals.ts';
import type { BootState, BootTarget } from '../../src/boot/state.ts';
import { makeStyle } from '../../src/commands/output.ts';
import { renderBootPlan } from '../../src/commands/text/boot-plan.ts';
import { renderBootStatus } from '../../src/commands/text/boot-status.ts';
import { change, makeSealedSysroot, readState } from '../support/boot-change.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { assertGolden } from '../support/golden.ts';
import { Sandbox } from '../support/sandbox.ts';

const style = makeStyle(false);

/** An addition that does not change with the script. */
const ADDITION = { sha256: 'ad'.repeat(32), bytes: Buffer.alloc(60_000, 1), lacks: [] };

/** The state with what differs from machine to machine and from version to version made the same. */
const steady = (state: BootState): BootState => ({
  ...state,
  storage: {
    ...state.storage,
    sysroot: {
      ...state.storage.sysroot,
      type: 'ext4',
      device: { path: '/dev/vda2', number: '254:2', kind: 'disk', isReadOnly: false },
    },
  },
  initramfs: state.initramfs.map((one) => ({ ...one, wanted: one.wanted && ADDITION })),
});

const NEEDS_FEATURE: BootState['storage']['verity'] = {
  state: 'needs-feature',
  step: {
    argv: ['tune2fs', '-O', 'verity', '/dev/vda2'],
    device: { path: '/dev/vda2', number: '254:2', kind: 'disk', isReadOnly: false },
    mountPoint: '/',
    consequences: ['It cannot be taken back.', 'Linux older than 5.4 then mounts it read-only.'],
  },
};

describe('plans', () => {
  const work = new Sandbox();
  after(() => work.dispose());

  const shown = (lines: readonly string[], { path }: BootableSysroot): string =>
    `${lines.join('\n').replaceAll(path, '/SYSROOT')}\n`;
  const show = (plan: BootPlan, state: BootState, sysroot: BootableSysroot): string =>
    shown(renderBootPlan(plan, state, style, { diffs: true, name: plan.verb }), sysroot);

  it('say what will change, in which order, what is left alone, what happens then and how to undo it', async () => {
    const sysroot = await makeSealedSysroot(work, 'append');
    writeFileSync(join(sysroot.path, 'boot/loader.0/entries/windows.conf'), 'title Windows\nefi /w.efi\n');
    const state = steady(await readState(sysroot, sysroot.system));
    const needing = { ...state, storage: { ...state.storage, verity: NEEDS_FEATURE } };
    assertGolden('boot/preview-append.txt', show(planInstall(needing), needing, sysroot));
    assertGolden('boot/status-before.txt', shown(renderBootStatus(state, style), sysroot));
    await change(sysroot, 'install');
    const installed = await readState(sysroot, sysroot.system);
    assertGolden('boot/status-after.txt', shown(renderBootStatus(steadyAfter(installed), style), sysroot));
    assertGolden('boot/preview-again.txt', show(planInstall(installed), installed, sysroot));
    const remove = planRemove(installed);
    const text = show(remove, installed, sysroot);
    assertGolden(
      'boot/preview-remove.txt',
      text.replace(/additions\/[0-9a-f]{12}/, `additions/${'ad'.repeat(6)}`),
    );
  });

  /** With the storage of {@link steady}; the addition is the one that was installed. */
  const steadyAfter = (state: BootState): BootState => ({ ...steady(state), initramfs: state.initramfs });

  it('name the overlay initrd in the entries, and what enforce means', async () => {
    const sysroot = await makeSealedSysroot(work, 'overlay', { initramfs: 'overlay', policy: 'enforce' });
    const state = steady(await readState(sysroot, sysroot.system));
    assertGolden('boot/preview-overlay.txt', show(planInstall(state), state, sysroot));
  });

  it('say what keeps the system sealed, and what does not', async () => {
    const sysroot = await makeSealedSysroot(work, 'kept');
    const state = steady(await readState(sysroot, sysroot.system));
    const folder = '/var/lib/sealtree';
    const [deployment, other] = state.sysroot.deployments.map(({ id }) => id) as [string, string];
    const unit = { path: '/x/etc/systemd/system/sealtree-deploy.path', bytes: Buffer.from('unit') };
    const found = [unit.path, '/x/etc/systemd/system/multi-user.target.wants/sealtree-deploy.path'];
    const units = { deployment, problem: undefined, wanted: [unit], links: [], isRunning: true };
    const none = { deployment: other, problem: 'it has no systemd', wanted: [], links: [], isRunning: false };
    const program = {
      id: '1'.repeat(16),
      files: [{ path: 'node', source: '/usr/bin/node', mode: 0o755 }],
      manifest: '',
      sums: '',
      version: 'sealtree 1',
    };
    const before: BootState = {
      ...state,
      keep: {
        ...state.keep,
        program,
        app: { folder, current: undefined, found: [], isForeign: false },
        units: [
          { ...units, folder: '/x', found: [] },
          { ...none, folder: undefined, found: [] },
        ],
      },
    };
    const text = renderBootPlan(planInstall(before), before, style, { diffs: false, name: 'install' });
    const from = text.findIndex((line) => line.includes('Copy this program'));
    assertGolden('boot/preview-keep.txt', shown(text.slice(from), sysroot));

    const after: BootState = {
      ...before,
      keep: {
        ...before.keep,
        app: { folder, current: program.id, found: [`${folder}/app`], isForeign: false },
        units: [{ ...units, wanted: [], folder: '/x', found }],
      },
    };
    assert.ok(!planInstall(after).steps.some(({ kind }) => kind === 'app' || kind === 'units'));
    const installed = { way: 'append', integrityBefore: undefined, additions: [] } as const;
    const statusOf = (one: BootState): string => renderBootStatus({ ...one, installed }, style).join('\n');
    assert.match(statusOf(after), /^kept: +by units that seal what is deployed$/m);
    assert.match(
      statusOf(before),
      /^kept: +by hand: no copy of this program in \/var\/lib\/sealtree\/app; alpha/m,
    );
    // Of a second stateroot: its deployments have a /var of their own.
    const elsewhere: AppState = { folder: '/beta/sealtree', current: undefined, found: [], isForeign: false };
    const withOther: BootState = { ...after, keep: { ...after.keep, otherApps: [elsewhere] } };
    const copies = planInstall(withOther).steps.flatMap((step) => (step.kind === 'app' ? [step] : []));
    assert.deepEqual(
      copies.map((step) => [step.folder, step.program.files[0]?.source]),
      [[elsewhere.folder, `${folder}/app-${program.id}/node`]],
    );
    assert.match(statusOf(withOther), /^kept: +by hand: no copy of this program in \/beta\/sealtree\/app$/m);
    const copied = { ...elsewhere, current: program.id, found: ['/beta/sealtree/app'] };
    const whole: BootState = { ...after, keep: { ...after.keep, otherApps: [copied] } };
    assert.ok(!planInstall(whole).steps.some(({ kind }) => kind === 'app'));
    assert.deepEqual(
      planRemove(whole).steps.flatMap((step) => (step.kind === 'app-gone' ? [step.folder] : [])),
      ['/beta/sealtree', folder],
    );
    const remove = planRemove(after).steps;
    assert.deepEqual([remove[0]?.kind, remove.at(-1)?.kind], ['units', 'app-gone']);
  });

  it('stay within 80 columns, but for paths and diffs', async () => {
    const sysroot = await makeSealedSysroot(work, 'columns');
    const state = steady(await readState(sysroot, sysroot.system));
    const lines = renderBootPlan(planInstall(state), state, style, { diffs: false, name: 'install' });
    for (const line of lines) assert.ok(line.length <= 80 || line.includes('/'), line);
  });
});

describe('what is refused before anything is changed', () => {
  const work = new Sandbox();
  let sysroot: BootableSysroot;
  let state: BootState;
  before(async () => {
    sysroot = await makeSealedSysroot(work, 'sysroot');
    state = await readState(sysroot, sysroot.system);
  });
  after(() => work.dispose());

  const no: Fact = { state: 'no', reason: 'Linux 6.1 is older than 6.5' };
  const withTarget = (index: number, edit: (target: BootTarget) => BootTarget): BootState => ({
    ...state,
    targets: state.targets.map((target, i) => (i === index ? edit(target) : target)),
  });
  const withOld = (target: BootTarget): BootTarget => {
    assert.ok(target.kernel !== undefined);
    const { kernel } = target;
    return {
      ...target,
      kernel: {
        ...kernel,
        release: '6.1.0',
        facts: { ...kernel.facts, overlayDataOnly: no, overlayVerity: no },
      },
    };
  };
  const asPolicy = (policy: 'enforce' | 'prefer', unpinned: 'refuse' | 'plain' = 'refuse') => ({
    settings: {
      ...state.settings,
      policy: { value: policy, origin: undefined },
      unpinned: { value: unpinned, origin: undefined },
    },
    wanted: { policy, unpinned, onRefusal: 'emergency' as const },
  });

  const CASES: readonly (readonly [name: string, code: string, make: () => BootState])[] = [
    ['a kernel that cannot', 'kernel-incapable', () => withTarget(0, withOld)],
    [
      'a deployment without a kernel',
      'kernel-missing',
      () => withTarget(0, (t) => ({ ...t, kernel: undefined })),
    ],
    [
      'a deployment that is not sealed',
      'deployment-unsealed',
      () => withTarget(0, (t) => ({ ...t, image: { ...t.image, kind: 'none' } })),
    ],
    [
      'a hotfixed deployment',
      'deployment-unlocked',
      () => withTarget(0, (t) => ({ ...t, deployment: { ...t.deployment, unlocked: 'hotfix' } })),
    ],
    [
      'an ostree that mounts images by itself',
      'composefs-unsupported',
      () => withTarget(0, (t) => ({ ...t, composefs: 'prepare-root.conf has composefs.enabled = yes' })),
    ],
    [
      'an ostree that does not know a sealed root',
      'ostree-too-old',
      () => withTarget(0, (t) => ({ ...t, oldLibrary: 'usr/lib/libostree-1.so.1' })),
    ],
    ['an archive repository', 'archive-repository', () => ({ ...state, repositoryMode: 'archive' })],
    [
      'a file system that cannot',
      'storage-xfs',
      () => ({
        ...state,
        storage: {
          ...state.storage,
          verity: { state: 'impossible', code: 'storage-xfs', reason: 'XFS has no fs-verity' },
        },
      }),
    ],
    [
      'a file system that cannot be asked here',
      'storage-verity',
      () => ({
        ...state,
        storage: { ...state.storage, verity: { state: 'unknown', reason: 'no fs-verity' } },
      }),
    ],
    [
      'a loader that reads none of the ways',
      'loader-unsupported',
      () => ({
        ...state,
        settings: { ...state.settings, initramfs: { value: 'auto', origin: undefined } },
      }),
    ],
    [
      'a loader that does not follow the way that is set',
      'loader-unsupported',
      () => ({
        ...state,
        loader: { ...state.loader, name: 'grub', initrds: 'first', ways: ['append', 'module'] },
        settings: { ...state.settings, initramfs: { value: 'overlay', origin: undefined } },
      }),
    ],
    ['a full /boot', 'boot-full', () => ({ ...state, boot: { ...state.boot, availableBytes: 1 << 20 } })],
    [
      'an initramfs that somebody else changed',
      'initramfs-foreign',
      () => ({ ...state, initramfs: state.initramfs.map((one) => ({ ...one, content: 'foreign' })) }),
    ],
    ...(['overlay', 'module'] as const).map((way): (typeof CASES)[number] => [
      `an initramfs that somebody else changed, with initramfs = ${way}`,
      'initramfs-foreign',
      () => ({
        ...state,
        settings: { ...state.settings, initramfs: { value: way, origin: undefined } },
        initramfs: state.initramfs.map((one) => ({ ...one, content: 'foreign' })),
      }),
    ]),
    [
      'an initramfs that lacks what nothing has',
      'module-missing',
      () => ({
        ...state,
        initramfs: state.initramfs.map((one) => ({
          ...one,
          wanted: one.wanted && {
            ...one.wanted,
            lacks: [{ severity: 'error', code: 'module-missing', where: 'initramfs', message: 'no erofs' }],
          },
        })),
      }),
    ],
    [
      'an older deployment that enforce would not boot',
      'kernel-incapable',
      () => ({ ...withTarget(2, withOld), ...asPolicy('enforce') }),
    ],
    ['no deployment at all', 'no-deployments', () => ({ ...state, targets: [], initramfs: [] })],
  ];
  for (const [name, code, make] of CASES)
    it(name, () => {
      const { refusals, steps } = planInstall(make());
      assert.deepEqual([...new Set(refusals.map((refusal) => refusal.code))], [code]);
      assert.deepEqual(steps, []);
      for (const { message, where } of refusals) assert.ok(message !== '' && where !== '');
    });

  for (const [policy, unpinned] of [
    ['prefer', 'refuse'],
    ['enforce', 'plain'],
  ] as const)
    it(`not an older deployment under ${policy}, unpinned = ${unpinned}: it stays plain`, () => {
      const older = { ...withTarget(2, withOld), ...asPolicy(policy, unpinned) };
      const { refusals, warnings, steps, untouched } = planInstall(older);
      assert.deepEqual(refusals, []);
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['kernel-incapable'],
      );
      const pinned = steps.flatMap((step) => (step.kind === 'edit' && step.entry ? [step.entry.name] : []));
      assert.deepEqual(pinned, ['ostree-3.conf', 'ostree-2.conf']);
      assert.ok(untouched.some(({ path }) => path.endsWith('ostree-1.conf')));
    });

  it('not what works', () => {
    assert.deepEqual(planInstall(state).refusals, []);
    for (const target of state.targets) assert.deepEqual(findObstacles(target, state), []);
  });

  it('warn of a foreign entry that will have the script and no seal pin, where that is refused', () => {
    const [ours] = state.entries;
    assert(ours !== undefined);
    const rescue = {
      ...ours,
      owner: 'foreign',
      path: '/boot/loader/entries/rescue.conf',
      pin: 'none',
    } as const;
    const warned = (policy: 'enforce' | 'prefer', entry: EntryState): string[] =>
      planInstall({
        ...state,
        entries: [...state.entries, entry],
        wanted: { ...state.wanted, policy, unpinned: 'refuse' },
      })
        .warnings.filter(({ code }) => code === 'entry-foreign')
        .map(({ where }) => where);
    assert.deepEqual(warned('enforce', rescue), [rescue.path]);
    assert.deepEqual(warned('prefer', rescue), []);
    assert.deepEqual(warned('enforce', { ...rescue, pin: 'right' }), []);
    assert.deepEqual(warned('enforce', { ...rescue, options: 'root=/dev/sdb' as ByteString }), []);
    assert.deepEqual(warned('enforce', { ...rescue, initrds: ['/other.img' as ByteString] }), []);
  });

  it('taking the pins out where a generated script would refuse that', () => {
    const generated = state.initramfs.map((one) => ({
      ...one,
      facts: one.facts && {
        ...one.facts,
        sealtree: {
          by: 'generator' as const,
          where: one.path,
          offset: 0,
          isHooked: true,
          settings: { policy: 'enforce', unpinned: 'refuse', onRefusal: 'emergency' } as const,
          kernelRelease: undefined,
          firstFiles: [],
          script: undefined,
        },
      },
    }));
    const plan = planRemove({ ...state, initramfs: generated });
    assert.deepEqual(
      plan.refusals.map(({ code }) => code),
      ['script-in-initramfs', 'script-in-initramfs'],
    );
    assert.deepEqual(plan.steps, []);
    // And with it nothing has to be put into the initramfs.
    const { way, steps } = planInstall({
      ...state,
      initramfs: generated,
      loader: { ...state.loader, name: 'grub', ways: ['overlay', 'append', 'module'] },
      settings: { ...state.settings, initramfs: { value: 'auto', origin: undefined } },
    });
    assert.equal(way, 'module');
    assert.ok(steps.every(({ kind }) => ['record', 'protect', 'edit'].includes(kind)));
  });
});

describe('a menu that the loader reads instead of the entries', () => {
  const work = new Sandbox();
  after(() => work.dispose());

  /** A state whose loader has a menu of the entries' options as they are now. */
  const withMenu = (state: BootState, command: string | undefined): BootState => ({
    ...state,
    loader: {
      ...state.loader,
      name: 'grub',
      readsEntries: 'generated',
      initrds: 'first',
      ways: ['append', 'module'],
      command,
      menus: [
        {
          path: join(state.boot.path, 'grub/grub.cfg'),
          format: 'grub',
          bytes: Buffer.alloc(0),
          entries: state.entries.map(({ options }) => ({
            title: 'x' as never,
            kernel: undefined,
            initrds: [],
            options,
            optionsLine: 1,
          })),
        },
      ],
    },
  });

  it('is waited for under enforce: the script would refuse what it has', async () => {
    const sysroot = await makeSealedSysroot(work, 'enforce', { initramfs: 'append', policy: 'enforce' });
    const state = withMenu(await readState(sysroot, sysroot.system), 'grub-mkconfig -o /boot/grub/grub.cfg');
    const first = planInstall(state);
    assert.equal(first.waitsFor?.command, 'grub-mkconfig -o /boot/grub/grub.cfg');
    assert.ok(!first.steps.some(({ kind }) => kind === 'append'));
    assert.ok(first.steps.some((step) => step.kind === 'edit' && step.what === 'seal-pin'));
    const text = renderBootPlan(first, state, style, { diffs: false, name: first.verb }).join('\n');
    assert.match(text, /grub-mkconfig -o/);
    // Once it has the pins, the script follows.
    const adapt = (one: BootState): BootState => withMenu(one, 'grub-mkconfig -o /boot/grub/grub.cfg');
    const pinned = await change(sysroot, 'install', sysroot.system, {
      adapt: (one) => ({ ...adapt(one), loader: { ...adapt(one).loader, menus: state.loader.menus } }),
    });
    assert.equal(pinned.outcome, 'done');
    const next = planInstall(adapt(await readState(sysroot, sysroot.system)));
    assert.equal(next.waitsFor, undefined);
    assert.deepEqual(
      next.steps.map(({ kind }) => kind),
      ['append', 'append'],
    );
  });

  it('is not waited for under prefer, and said to be behind', async () => {
    const sysroot = await makeSealedSysroot(work, 'prefer', { initramfs: 'append' });
    const state = withMenu(await readState(sysroot, sysroot.system), 'grub-mkconfig -o /x');
    const plan = planInstall(state);
    assert.equal(plan.waitsFor, undefined);
    assert.ok(plan.steps.some(({ kind }) => kind === 'append'));
    assert.ok(
      plan.warnings.some(({ code, remedy }) => code === 'menu-behind' && remedy?.[0]?.includes('mkconfig')),
    );
  });

  it('is not waited for by an overlay, which comes with the pin, and is behind until it has both', async () => {
    const sysroot = await makeSealedSysroot(work, 'copies', { initramfs: 'overlay', policy: 'enforce' });
    const withCopies = (state: BootState, keep: (initrd: string) => boolean): BootState => {
      const { loader } = withMenu(state, undefined);
      const entries = state.entries.map((entry) => ({
        title: 'x' as never,
        kernel: entry.linux,
        initrds: entry.initrds.filter(keep),
        options: entry.options,
        optionsLine: 0,
      }));
      const menus = loader.menus.map((menu) => ({ ...menu, format: 'bls' as const, entries }));
      const ways = ['overlay', 'append', 'module'] as const;
      return {
        ...state,
        loader: { ...loader, name: 'systemd-boot', readsEntries: 'bls', initrds: 'all', ways, menus },
      };
    };
    const isBehind = (state: BootState): boolean => {
      const { waitsFor, warnings } = planInstall(state);
      assert.equal(waitsFor, undefined);
      return warnings.some(({ code }) => code === 'menu-behind');
    };
    const before = withCopies(await readState(sysroot, sysroot.system), () => true);
    assert(planInstall(before).steps.some(({ kind }) => kind === 'overlay'));
    assert(isBehind(before));
    const done = await change(sysroot, 'install', sysroot.system, {
      adapt: (one) => ({ ...one, loader: before.loader }),
    });
    assert.equal(done.outcome, 'done');
    const after = await readState(sysroot, sysroot.system);
    assert(isBehind(withCopies(after, (initrd) => !initrd.includes('initramfs-overlays'))));
    assert(!isBehind(withCopies(after, () => true)));
    // Nor does remove say that all is done while the copies have what it took away.
    const { warnings } = planRemove(withCopies(after, () => true));
    assert(warnings.some(({ code }) => code === 'menu-behind'));
  });
});

describe('prepare-root.conf, where ostree was built without composefs', () => {
  const work = new Sandbox();
  after(() => work.dispose());

  const CASES: readonly (readonly [etc: string | undefined, usr: string | undefined, isRefused: boolean])[] =
    [
      [undefined, '[composefs]\nenabled=yes\n', true],
      [undefined, '[composefs]\nenabled=maybe\n', true],
      [undefined, '[composefs]\nenabled=verity\n', true],
      [undefined, '[composefs]\nenabled=no\n', false],
      [undefined, '[sysroot]\nreadonly=true\n', false],
      ['[sysroot]\nreadonly=true\n', '[composefs]\nenabled=yes\n', false],
      ['[composefs]\nenabled=signed\n', undefined, true],
    ];
  for (const [i, [etc, usr, isRefused]] of CASES.entries())
    it(`${JSON.stringify(etc)} over ${JSON.stringify(usr)} ${isRefused ? 'is refused' : 'is fine'}`, async () => {
      const sysroot = await makeSealedSysroot(work, `sysroot${i}`);
      const put = (folder: string, text: string | undefined): void => {
        if (text === undefined) return;
        const path = join(sysroot.deploymentPaths[0] as string, folder, 'ostree/prepare-root.conf');
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      };
      put('etc', etc);
      put('usr/lib', usr);
      const { refusals } = planInstall(await readState(sysroot, sysroot.system));
      assert.deepEqual(
        refusals.map(({ code }) => code),
        isRefused ? ['composefs-unsupported'] : [],
      );
    });

  it('gives way to the kernel argument', async () => {
    const sysroot = await makeSealedSysroot(work, 'karg');
    const [entry = ''] = sysroot.entries;
    writeFileSync(
      entry,
      readFileSync(entry, 'latin1').replace('root=', 'ostree.prepare-root.composefs=1 root='),
    );
    const { refusals } = planInstall(await readState(sysroot, sysroot.system));
    assert.deepEqual(
      refusals.map(({ code }) => code),
      ['composefs-unsupported'],
    );
  });

  it('is fine where the ostree-prepare-root of the initramfs mounts images', async () => {
    const sysroot = await makeSealedSysroot(work, 'composefs');
    const path = join(sysroot.deploymentPaths[0] as string, 'usr/lib/ostree/prepare-root.conf');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '[composefs]\nenabled=yes\n');
    const state = await readState(sysroot, sysroot.system, (one) => ({
      ...one,
      initramfs: one.initramfs.map((file) => ({
        ...file,
        facts: file.facts && { ...file.facts, prepareRoot: 'composefs' },
      })),
    }));
    assert.deepEqual(planInstall(state).refusals, []);
  });
});
