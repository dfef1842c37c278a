/** What goes into a tree that is to be committed, and what is refused there. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { OperationError } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type InitramfsSettings, parseSettings } from '../../src/boot/initramfs-settings.ts';
import { payloadFile } from '../../src/boot/payload.ts';
import { sealTemplate } from '../../src/boot/template.ts';
import {
  installIntoTree,
  integrationsIn,
  planTreeInstall,
  planTreeRemove,
  removeFromTree,
  type TreePlan,
} from '../../src/boot/tree-install.ts';
import { makeElf } from '../support/elf.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { walk } from '../support/walk.ts';

const SETTINGS: InitramfsSettings = { policy: 'enforce', unpinned: 'refuse', onRefusal: 'reboot' };

/** By path below the tree: mode, and whose bytes. */
const FILES: Readonly<Record<string, readonly [mode: number, bytes: () => Buffer]>> = {
  'usr/lib/sealtree/initramfs/template.head': [0o644, () => sealTemplate().head],
  'usr/lib/sealtree/initramfs/template.tail': [0o644, () => sealTemplate().tail],
  'usr/lib/sealtree/initramfs/first-files': [0o644, () => Buffer.from('usr/lib/init\n')],
  'usr/lib/sealtree/initramfs/seal-root': [0o755, () => payloadFile('seal-root')],
  'usr/lib/sealtree/initramfs/sealtree-root.service': [0o644, () => payloadFile('sealtree-root.service')],
  'usr/lib/dracut/modules.d/50sealtree/module-setup.sh': [0o755, () => payloadFile('dracut/module-setup.sh')],
  'usr/lib/dracut/dracut.conf.d/50-sealtree.conf': [0o644, () => payloadFile('dracut/50-sealtree.conf')],
  'usr/share/initramfs-tools/hooks/sealtree': [0o755, () => payloadFile('initramfs-tools/hooks/sealtree')],
  'usr/share/initramfs-tools/scripts/init-bottom/sealtree': [
    0o755,
    () => payloadFile('initramfs-tools/scripts/init-bottom/sealtree'),
  ],
};

/** A tree with an init, a generator and ostree's program. */
function makeTree(work: Sandbox): string {
  const tree = work.join('tree');
  const files = {
    'usr/lib/init': '#!/bin/sh\n',
    'usr/lib/dracut/dracut-init.sh': '',
    'usr/lib/ostree/ostree-prepare-root': '',
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), content, { mode: 0o755 });
  }
  mkdirSync(join(tree, 'usr/sbin'));
  symlinkSync('../lib/init', join(tree, 'usr/sbin/init'));
  symlinkSync('usr/sbin', join(tree, 'sbin'));
  return tree;
}

const plan = (tree: string): TreePlan => planTreeInstall(tree, SETTINGS, linuxSystem);
const install = (tree: string): void => installIntoTree(plan(tree), linuxSystem);

describe('installing into a tree', () => {
  it('puts all files below its usr, with their modes whatever the umask', () => {
    using work = new Sandbox();
    const tree = makeTree(work);
    assert.deepEqual(plan(tree).warnings, []);
    const umask = process.umask(0o077);
    install(tree);
    process.umask(umask);
    for (const [path, [mode, bytes]] of Object.entries(FILES)) {
      assert.equal(statSync(join(tree, path)).mode & 0o7777, mode, path);
      assert.deepEqual(readFileSync(join(tree, path)), bytes(), path);
    }
    const settings = readFileSync(join(tree, 'usr/lib/sealtree/initramfs/settings'));
    assert.deepEqual(parseSettings(settings, 'settings'), SETTINGS);
  });

  it('has an ostree that mounts images by itself mount the pinned one', () => {
    using work = new Sandbox();
    const tree = makeTree(work);
    writeFileSync(
      join(tree, 'usr/lib/ostree/ostree-prepare-root'),
      makeElf({ interpreter: '/lib64/ld.so', needed: ['libcomposefs.so.1'] }),
    );
    mkdirSync(join(tree, 'etc/ostree'), { recursive: true });
    writeFileSync(join(tree, 'etc/ostree/prepare-root.conf'), '[etc]\ntransient=true\n');
    install(tree);
    const folder = 'usr/lib/sealtree/initramfs';
    assert.equal(
      readFileSync(join(tree, folder, 'prepare-root.conf'), 'utf8'),
      '[etc]\ntransient=true\n\n[composefs]\nenabled=verity\n',
    );
    assert.ok(
      readFileSync(join(tree, folder, 'sealtree-prepare.service')).equals(
        payloadFile('sealtree-prepare.service'),
      ),
    );
    // The tree's own settings are the admin's.
    assert.equal(readFileSync(join(tree, 'etc/ostree/prepare-root.conf'), 'utf8'), '[etc]\ntransient=true\n');
  });

  it('has nothing to do the second time, and only what differs after a change', () => {
    using work = new Sandbox();
    const tree = makeTree(work);
    install(tree);
    assert.deepEqual(plan(tree).changes, []);
    assert.equal(plan(tree).unchanged.length, Object.keys(FILES).length + 1);
    const changed = 'usr/lib/sealtree/initramfs/settings';
    writeFileSync(join(tree, changed), 'policy=prefer\n');
    const [change, ...others] = plan(tree).changes;
    assert.deepEqual([change?.path, change?.before?.toString()], [changed, 'policy=prefer\n']);
    assert.deepEqual(others, []);
  });

  it('changes nothing but to plan', () => {
    using work = new Sandbox();
    const tree = makeTree(work);
    const before = namesOf(tree);
    plan(tree);
    assert.deepEqual(namesOf(tree), before);
  });

  it('is carried on where it was stopped', () => {
    using whole = new Sandbox();
    const expected = makeTree(whole);
    install(expected);
    for (let at = 0; ; at++) {
      using work = new Sandbox();
      const tree = makeTree(work);
      const system = faultSystem(linuxSystem, { kind: 'power-cut', at });
      try {
        installIntoTree(plan(tree), system);
        break;
      } catch (error) {
        assert.ok(error instanceof PowerCut);
      }
      install(tree);
      assert.deepEqual(namesOf(tree), namesOf(expected), `after step ${at}`);
    }
  });

  it('leaves no temporary file where a step fails', () => {
    for (let at = 0; ; at++) {
      using work = new Sandbox();
      const tree = makeTree(work);
      const system = faultSystem(linuxSystem, { kind: 'fail', at, errno: 'ENOSPC' });
      try {
        installIntoTree(plan(tree), system);
        break;
      } catch (error) {
        assert.ok(!(error instanceof PowerCut));
      }
      assert.ok(!namesOf(tree).some((name) => name.includes('.sealtree-tmp-')), `step ${at}`);
    }
  });

  it('adds to what the tree has: mkinitcpio, kernel-install, apt', () => {
    using work = new Sandbox();
    const tree = makeTree(work);
    const before = walk(tree).map(({ name }) => name);
    for (const folder of ['usr/lib/initcpio', 'usr/lib/kernel/install.d', 'etc/apt/apt.conf.d'])
      mkdirSync(join(tree, folder), { recursive: true });
    install(tree);
    const modeOf = (path: string): number => statSync(join(tree, path)).mode & 0o777;
    assert.deepEqual(
      [
        'usr/lib/initcpio/install/sealtree',
        'usr/lib/kernel/install.d/45-sealtree.install',
        'usr/libexec/sealtree/apt-hook',
        'etc/apt/apt.conf.d/90sealtree',
      ].map(modeOf),
      [0o644, 0o755, 0o755, 0o644],
    );
    const all = ['dracut', 'initramfs-tools', 'mkinitcpio', 'kernel-install', 'apt'];
    assert.deepEqual(integrationsIn(tree, linuxSystem), all);
    // As ostree commits it.
    renameSync(join(tree, 'etc'), join(tree, 'usr/etc'));
    assert.deepEqual(integrationsIn(tree, linuxSystem), all);
    renameSync(join(tree, 'usr/etc'), join(tree, 'etc'));

    removeFromTree(tree, planTreeRemove(tree, linuxSystem), linuxSystem);
    assert.deepEqual(integrationsIn(tree, linuxSystem), []);
    assert.deepEqual(planTreeRemove(tree, linuxSystem), []);
    const left = walk(tree).map(({ name }) => name);
    assert.deepEqual(
      left.filter((name) => name.includes('sealtree')),
      [],
    );
    assert.deepEqual(
      before.filter((name) => !left.includes(name)),
      [],
    );
  });

  it('warns where nothing would take the script along', () => {
    using work = new Sandbox();
    const tree = work.mkdir('empty/usr');
    const codes = plan(dirname(tree)).warnings.map(({ code }) => code);
    assert.deepEqual(codes, ['tree-generator', 'tree-prepare-root', 'tree-init']);
  });

  const BAD: readonly (readonly [what: string, make: (tree: string) => void])[] = [
    ['a folder without usr', (tree) => mkdirSync(tree)],
    [
      'a usr that is a link',
      (tree) => {
        mkdirSync(tree);
        symlinkSync('/usr', join(tree, 'usr'));
      },
    ],
    [
      'a folder in it that is a link',
      (tree) => {
        mkdirSync(join(tree, 'usr/lib'), { recursive: true });
        symlinkSync('/tmp', join(tree, 'usr/lib/sealtree'));
      },
    ],
    [
      'a file in it that is a link',
      (tree) => {
        mkdirSync(join(tree, 'usr/share/initramfs-tools/hooks'), { recursive: true });
        symlinkSync('/etc/passwd', join(tree, 'usr/share/initramfs-tools/hooks/sealtree'));
      },
    ],
  ];
  for (const [what, make] of BAD)
    it(`refuses ${what}`, () => {
      using work = new Sandbox();
      make(work.join('tree'));
      assert.throws(() => plan(work.join('tree')), OperationError);
    });
});

/** Paths in the tree. */
const namesOf = (tree: string): string[] => walk(tree).map(({ name }) => name);
