/** The demonstration, as whoever runs the tests: no root, no ostree. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { installRefusals } from '../../src/boot/refusals.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { Repository } from '../../src/repository/repository.ts';
import { change, readState } from '../support/boot-change.ts';
import { playedVerity } from '../support/bootable-tree.ts';
import { Sandbox } from '../support/sandbox.ts';
import { memorySurroundings } from '../support/surroundings.ts';
import { walk } from '../support/walk.ts';

const sealtree = (cwd: string, ...args: string[]) => sealtreeOn(linuxSystem, cwd, ...args);

async function sealtreeOn(system: System, cwd: string, ...args: string[]) {
  const surroundings = memorySurroundings({ cwd, system });
  const exitCode = await runProgram(args, surroundings, { version: '0', commands: COMMANDS });
  return { exitCode, stdout: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

const snapshot = (path: string): string[] =>
  walk(path).map(
    ({ name, stats }) => `${name} ${stats.mode.toString(8)} ${stats.isFile() ? stats.size : ''}`,
  );

describe('sealtree demo', () => {
  it('makes its own repository, so it refuses --repo', async () => {
    using work = new Sandbox();
    const { exitCode, stderr } = await sealtree(work.path, 'demo', '--repo', 'r');
    assert.equal(exitCode, 64);
    assert.match(stderr, /leave out --repo/);
    assert(!existsSync(work.join('demo')));
  });

  it('makes a sealed sysroot with history, and says where to look', async () => {
    using work = new Sandbox();
    const { exitCode, stdout, stderr } = await sealtree(work.path, 'demo', '--progress=none');
    assert.deepEqual([exitCode, stderr], [0, '']);
    const sysroot = readSysroot(work.join('demo'), linuxSystem);
    assert.deepEqual(sysroot.problems, []);
    assert.deepEqual(
      sysroot.deployments.map(({ stateroot, serial, pinned, origin }) => [
        stateroot,
        serial,
        pinned,
        origin?.refspec,
      ]),
      [
        ['server', 0, false, 'demo/server'],
        ['server', 0, false, 'demo/server'],
        ['kiosk', 0, true, 'demo/kiosk'],
      ],
    );
    const repository = Repository.open(sysroot.repositoryPath, linuxSystem);
    const [first, second] = sysroot.deployments;
    assert.equal(repository.commit(first!.checksum).parent, second!.checksum);
    assert.equal(first!.bootcsum, second!.bootcsum);
    for (const { path } of sysroot.deployments) {
      assert(existsSync(`${path}/.ostree.cfs`));
      assert.equal(
        readFileSync(`${path}/etc/hostname`, 'utf8'),
        readFileSync(`${path}/usr/etc/hostname`, 'utf8'),
      );
    }
    for (const text of [
      '5 commits',
      'sealed',
      'Where to look next:',
      'sealtree --sysroot demo log demo/server',
    ])
      assert(stdout.includes(text), text);
  });

  it('gives commands that work', async () => {
    using work = new Sandbox();
    const { stdout } = await sealtree(work.path, 'demo', '--progress=none');
    const lines = stdout.split('\n').flatMap((line) => /^ {2}sealtree (.*)$/.exec(line)?.[1] ?? []);
    assert.equal(lines.length, 6);
    for (const line of lines) {
      // What a shell would make of the only pattern there is.
      const words = line.split(' ').map((word) => {
        const [start, end] = word.split('*');
        return end === undefined
          ? word
          : walk(work.path).find(({ name }) => name.startsWith(start as string) && name.endsWith(end))!.name;
      });
      const { exitCode, stderr } = await sealtree(work.path, ...words, '--progress=none');
      assert.deepEqual([exitCode, stderr], [0, ''], line);
    }
  });

  it('can be installed into the boot: only what this machine lacks is in the way', async () => {
    // Nobody boots from a tmpfs, which lacks fs-verity for good.
    using work = new Sandbox({ onDisk: true });
    const system = playedVerity();
    await sealtreeOn(system, work.path, 'demo', '--progress=none', '--quiet');
    const sysroot = { path: work.join('demo'), system };
    const before = await readState(sysroot, system);
    assert.deepEqual(installRefusals(before), []);
    assert.equal(before.loader.name, 'grub');
    assert.deepEqual(
      before.initramfs.map(({ facts }) => facts?.kind),
      ['initramfs-tools', 'initramfs-tools'],
    );
    assert.equal((await change(sysroot, 'install')).outcome, 'done');
    const { targets } = await readState(sysroot, system);
    assert.deepEqual(
      targets.map(({ entry }) => [entry.pin, entry.initrds.length]),
      Array.from({ length: 3 }, () => ['right', 2]),
    );
    const { stdout } = await sealtree(work.path, '--sysroot', 'demo', 'boot', 'check', '--progress=none');
    assert.match(stdout, /^3 boot entries checked, .*: 0 errors/m);
  });

  it('makes the same commits every time, and anew where it was', async () => {
    using work = new Sandbox();
    await sealtree(work.path, 'demo', '--progress=none', '--quiet');
    const before = snapshot(work.path);
    symlinkSync('/etc/passwd', work.join('demo/ostree/repo/objects/link'));
    work.write('demo/notes', 'mine');
    chmodSync(work.join('demo/boot'), 0o555);
    const { exitCode } = await sealtree(work.path, 'demo', '--progress=none', '--quiet');
    assert.equal(exitCode, 0);
    assert.equal(readFileSync(work.join('demo/notes'), 'utf8'), 'mine');
    assert.deepEqual(
      snapshot(work.path).filter((line) => !line.startsWith('demo/notes')),
      before,
    );
  });

  it('leaves a folder alone that is not a demonstration', async () => {
    using work = new Sandbox();
    work.write('demo/mine', 'x');
    const before = snapshot(work.path);
    const { exitCode, stderr } = await sealtree(work.path, 'demo');
    assert.equal(exitCode, 73);
    assert.match(stderr, /not a demonstration/);
    writeFileSync(work.join('file'), '');
    assert.equal((await sealtree(work.path, 'demo', 'file')).exitCode, 73);
    assert.deepEqual(
      snapshot(work.path).filter((line) => !line.startsWith('file')),
      before,
    );
  });

  it('says with --dry-run what it would do, and with --json what it did', async () => {
    using work = new Sandbox();
    const dry = await sealtree(work.path, 'demo', 'there', '--dry-run');
    assert.match(dry.stdout, /would make the demonstration in .*there/);
    assert.equal(existsSync(work.join('there')), false);
    const { stdout, exitCode } = await sealtree(work.path, 'demo', 'there', '--json', '--progress=none');
    const result = JSON.parse(stdout) as {
      schema: string;
      directory: string;
      deployments: { imageDigest: string }[];
    };
    assert.deepEqual(
      [exitCode, result.schema, result.directory],
      [0, 'sealtree/demo/v1', work.join('there')],
    );
    assert.equal(result.deployments.length, 3);
    for (const { imageDigest } of result.deployments) assert.match(imageDigest, /^[0-9a-f]{64}$/);
  });
});
