/** What other programs of a system call: as good citizens, they do little, and nothing where it is not asked for. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type PayloadName, payloadFile, payloadPath } from '../../src/boot/payload.ts';
import { Sandbox } from '../support/sandbox.ts';
import { lintScripts, missingShellcheck } from '../support/shellcheck.ts';

interface World {
  /** Folders and files that are there, of those the hooks look at. */
  readonly has: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Exit code of sealtree; none = it is not installed. */
  readonly sealtree?: number | 'missing';
}

/** Runs a hook in a root of its own; returns what it did and what sealtree was called with. */
function run(name: PayloadName, args: readonly string[], { has, env = {}, sealtree = 0 }: World) {
  using work = new Sandbox();
  const text = payloadFile(name)
    .toString()
    .replaceAll(/(?<= )\/(?=usr\/lib\/sealtree|run\/)/g, `${work.path}/`);
  for (const path of has) mkdirSync(join(work.path, path), { recursive: true });
  const script = work.write('hook', text);
  const calls = work.write('calls', '');
  mkdirSync(work.join('bin'));
  if (sealtree !== 'missing')
    writeFileSync(
      work.join('bin/sealtree'),
      `#!/bin/sh\necho "$*" >>${calls}\necho said\nexit ${sealtree}\n`,
      {
        mode: 0o755,
      },
    );
  const { status, stdout, stderr } = spawnSync('sh', [script, ...args], {
    encoding: 'utf8',
    env: { PATH: `${work.join('bin')}:/usr/bin:/bin`, ...env },
  });
  return { status, stdout, stderr, calls: readFileSync(calls, 'utf8') };
}

const TREE = ['usr/lib/sealtree/initramfs'];
const OSTREE = { KERNEL_INSTALL_LAYOUT: 'ostree' };
const NOTHING = { status: 0, stdout: '', stderr: '', calls: '' };

describe('the plugin of kernel-install', () => {
  const name = 'kernel-install/45-sealtree.install';
  const add = ['add', '6.12', '/boot/x', '/vmlinuz'];

  it('brings its files up to date before an initramfs is made', () => {
    const quiet = run(name, add, { has: TREE, env: OSTREE });
    assert.deepEqual([quiet.status, quiet.calls], [0, 'boot install --root / --quiet\n']);
    const verbose = run(name, add, { has: TREE, env: { ...OSTREE, KERNEL_INSTALL_VERBOSE: '1' } });
    assert.deepEqual([verbose.status, verbose.calls], [0, 'boot install --root /\n']);
  });

  it('hinders no kernel when that fails', () => {
    const { status, stderr } = run(name, add, { has: TREE, env: OSTREE, sealtree: 74 });
    assert.deepEqual(
      [status, stderr],
      [0, 'sealtree: its files for the initramfs could not be brought up to date\n'],
    );
  });

  const IDLE: readonly (readonly [what: string, args: readonly string[], world: World])[] = [
    ['another layout', add, { has: TREE, env: { KERNEL_INSTALL_LAYOUT: 'bls' } }],
    ['no layout', add, { has: TREE }],
    ['a running deployment', add, { has: [...TREE, 'run/ostree-booted'], env: OSTREE }],
    ['a tree that was not installed into', add, { has: [], env: OSTREE }],
    ['no sealtree', add, { has: TREE, env: OSTREE, sealtree: 'missing' }],
    ['a kernel that goes', ['remove', '6.12', '/boot/x'], { has: TREE, env: OSTREE }],
    ['a verb of the future', ['rejoice'], { has: TREE, env: OSTREE }],
    ['no verb', [], { has: TREE, env: OSTREE }],
  ];
  for (const [what, args, world] of IDLE)
    it(`does nothing: ${what}`, () => assert.deepEqual(run(name, args, world), NOTHING));
});

describe("apt's hook", () => {
  it('brings its files up to date in a tree that is being built', () => {
    assert.equal(run('apt/apt-hook', [], { has: TREE }).calls, 'boot install --root / --quiet\n');
  });

  for (const [what, world] of [
    ['a tree that was not installed into', { has: [] }],
    ['a running deployment', { has: [...TREE, 'run/ostree-booted'] }],
    ['a running system', { has: [...TREE, 'run/systemd/system'] }],
    ['no sealtree', { has: TREE, sealtree: 'missing' }],
  ] as const)
    it(`does nothing: ${what}`, () => assert.deepEqual(run('apt/apt-hook', [], world), NOTHING));

  it('is called where it is, and its failure is not that of apt', () => {
    const command = /"(if .*)"/.exec(payloadFile('apt/90sealtree').toString())?.[1] ?? '';
    for (const [hook, said] of [
      ['echo hooked; exit 3', 'hooked\n'],
      [undefined, ''],
    ] as const) {
      using work = new Sandbox();
      if (hook !== undefined) writeFileSync(work.join('apt-hook'), `#!/bin/sh\n${hook}\n`, { mode: 0o755 });
      const { status, stdout } = spawnSync(
        'sh',
        ['-c', command.replaceAll('/usr/libexec/sealtree/apt-hook', work.join('apt-hook'))],
        { encoding: 'utf8' },
      );
      assert.deepEqual([status, stdout], [0, said]);
    }
  });
});

describe("mkinitcpio's hook", () => {
  const build = (hasPrepareRoot: boolean): string[] => {
    using work = new Sandbox();
    const files = work.mkdir('files');
    if (hasPrepareRoot) writeFileSync(join(files, 'prepare-root.conf'), '');
    const hook = work.write(
      'hook',
      payloadFile('mkinitcpio/sealtree')
        .toString()
        .replace('local files=/usr/lib/sealtree/initramfs', `local files=${files}`),
    );
    const stubs = `
      map() { local f=$1; shift; local x; for x; do $f "$x"; done; }
      for name in add_module add_binary add_file add_symlink; do eval "$name() { echo $name \\"\\$@\\"; }"; done
      . ${hook}; build`;
    const { stdout, status, stderr } = spawnSync('bash', ['-euc', stubs], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.replaceAll(files, 'FILES').trimEnd().split('\n');
  };

  it('takes along what the script needs, and has it called', () => {
    const calls = build(false);
    for (const line of [
      'add_module erofs',
      'add_binary mount',
      'add_file FILES/seal-root /usr/lib/sealtree/seal-root 755',
      'add_file FILES/first-files /usr/lib/sealtree/first-files',
      'add_symlink /etc/systemd/system/initrd-root-fs.target.requires/sealtree-root.service /usr/lib/systemd/system/sealtree-root.service',
    ])
      assert.ok(calls.includes(line), `${line}\nnot in\n${calls.join('\n')}`);
    assert.ok(!calls.some((line) => line.includes('prepare')));
  });

  it('takes along what has ostree mount the image, where that can', () => {
    assert.equal(build(true).filter((line) => line.includes('prepare')).length, 3);
  });
});

describe('all of them', () => {
  it('have nothing that shellcheck minds', (t) => {
    const reason = missingShellcheck();
    if (reason !== undefined) return t.skip(reason);
    const names = ['kernel-install/45-sealtree.install', 'apt/apt-hook', 'mkinitcpio/sealtree'] as const;
    lintScripts(names.map(payloadPath));
  });
});
