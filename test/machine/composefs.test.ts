/**
 * A machine whose ostree was built with composefs: its own ostree-prepare-root mounts the image that is pinned, and
 * what it is not to mount comes up as the policy says. Each boot is one of a small machine of its own.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { InitramfsSettings } from '../../src/boot/initramfs-settings.ts';
import { describeSystem, ORACLES } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import type { SmallBoot } from '../support/small-machine.ts';
import { type BootOptions, REPLACEMENTS, TamperMachine } from '../support/tamper-machine.ts';

const LEFT_ALONE =
  'ostree mounted the root from its own composefs image, which is the pinned one: left alone';

/** What ostree-prepare-root says where it mounts no image. */
const BIND_MOUNT = /^Using legacy ostree bind mount for \/$/m;

describeSystem('a machine with an ostree that mounts images', ['sid', 'guest', 'machine'], () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let machine: TamperMachine;
  before(async () => {
    const prepareRootOf = join(ORACLES, 'sid');
    machine = await TamperMachine.make(work, 'sid', { hasPrepareRoot: true, prepareRootOf });
  });

  const boot = async (
    name: string,
    policy: InitramfsSettings['policy'],
    options: Partial<BootOptions> = {},
  ): Promise<SmallBoot & { readonly said: readonly string[]; readonly context: string }> => {
    const settings = { policy, unpinned: 'refuse', onRefusal: 'emergency' } as const;
    const addition = await machine.addition(settings);
    const found = await machine.boot({ name, pins: [machine.rightPin], addition, ...options });
    const said = found.console.filter((line) => line.startsWith('sealtree: ')).map((line) => line.slice(10));
    return { ...found, said, context: found.console.join('\n') };
  };

  /** Another deployment's image, under fs-verity as it should be. */
  const otherImage: BootOptions['tamper'] = (disk, { image, other }) =>
    disk.replace(image, join(other.path, '.ostree.cfs'));

  it('has it mount the pinned image, and the kernel check what is read', async () => {
    const { root, sealed, said, writable, reads, context } = await boot('right', 'enforce');
    assert.deepEqual([root, sealed], ['sealed', machine.deployment.imageDigest], context);
    assert.deepEqual(said, [LEFT_ALONE], context);
    assert.doesNotMatch(context, BIND_MOUNT);
    assert.deepEqual(writable, ['/etc'], context);
    assert.deepEqual(new Set(reads.values()), new Set(['right']), context);
  });

  it('does not read an object that differs', async () => {
    const { root, reads, context } = await boot('object', 'enforce', {
      tamper: (disk) => disk.replace(machine.objectOfFile('second'), REPLACEMENTS.object),
    });
    assert.equal(root, 'sealed', context);
    assert.deepEqual([reads.get('first'), reads.get('second')], ['right', 'Input/output error'], context);
  });

  it('refuses another image under enforce, before anything of it runs', async () => {
    const { root, said, context } = await boot('other-enforce', 'enforce', { tamper: otherImage });
    assert.equal(root, 'nothing', context);
    assert.match(context, BIND_MOUNT);
    assert.match(said[0] ?? '', /REFUSED TO BOOT: the deployment's image is not the pinned one/, context);
  });

  it('comes up plain with another image under prefer, and says so', async () => {
    const { root, unsealed, said, context } = await boot('other-prefer', 'prefer', { tamper: otherImage });
    assert.equal(root, 'plain', context);
    assert.match(unsealed ?? '', /the deployment's image is not the pinned one/, context);
    assert.match(said[0] ?? '', /NOT SEALED/, context);
  });

  it('comes up plain without an image under prefer', async () => {
    const { root, unsealed, context } = await boot('missing', 'prefer', {
      tamper: (disk, { image }) => disk.unlink(image),
    });
    assert.equal(root, 'plain', context);
    assert.match(unsealed ?? '', /the deployment's image is missing/, context);
  });

  it('comes up as without sealtree where there is no seal pin', async () => {
    const { root, unsealed, context } = await boot('unpinned', 'prefer', { pins: [] });
    assert.equal(root, 'plain', context);
    assert.match(unsealed ?? '', /the boot entry has no seal pin/, context);
  });

  it('is sealed by sealtree itself where the command line keeps ostree from mounting', async () => {
    const { root, sealed, said, context } = await boot('karg', 'enforce', {
      kargs: ['ostree.prepare-root.composefs=0'],
    });
    const { imageDigest } = machine.deployment;
    assert.deepEqual([root, sealed], ['sealed', imageDigest], context);
    assert.deepEqual(said, [`the root is the image ${imageDigest} (pinned, not authenticated)`], context);
  });
});
