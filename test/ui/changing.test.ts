/** Stories of changes: the program itself at work beside the interface, on a sysroot on disk. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { Repository } from '../../src/repository/repository.ts';
import { resolveRevision } from '../../src/repository/revisions.ts';
import { lookup, rootOf } from '../../src/repository/tree.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtreeArgv } from '../support/sealtree.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';
import { Story } from '../support/story.ts';

const { start } = await import('../../ui/start.tsx');

const sandbox = new Sandbox();
after(() => sandbox.dispose());

const begin = (
  t: TestContext,
  path: string,
  size: readonly [number, number] = [80, 24],
  signal?: AbortSignal,
) => Story.begin(t, start, path, size, { program: sealtreeArgv([]), ...(signal && { signal }) });

const imageOf = ({ deploymentPaths }: SmallSysroot, index: number): string =>
  join(deploymentPaths[index] as string, '.ostree.cfs');

/** Seals all of them. */
async function seal(ui: Story): Promise<void> {
  await ui.sees(/3 of 3 not sealed/, /read-only/);
  // The outlook is the last row: it stands for all of them.
  await ui.press('W', 'G', 's');
  await ui.sees(/3 deployments to seal/, /→ alpha\/[0-9a-f]{8}\.0: make, check/, /y do it/);
  await ui.press('y');
  await ui.sees(/✓ seal all deployments +done/, /alpha\/[0-9a-f]{8}\.0 sealed, image/);
}

describe('changes', () => {
  it('seal what is not sealed; then an object is damaged, and found', async (t) => {
    const sysroot = await makeSmallSysroot(sandbox.join('seal'));
    const ui = begin(t, sysroot.path);
    await ui.sees(/3 of 3 not sealed/);
    await ui.press('s');
    await ui.sees(/read-only: W allows changes/);
    assert(!existsSync(imageOf(sysroot, 0)));
    await seal(ui);
    assert(existsSync(imageOf(sysroot, 0)));
    await ui.press('q');
    await ui.sees(/3 sealed/, /0 alpha [0-9a-f]{8}\.0 +✓ sealed/);

    damage(sysroot);
    await ui.press('V');
    await ui.sees(/✗ verify all deployments +failed/, /1 error/);
    await ui.press('j');
    await ui.sees(/── error/, /seen as +\/usr\/bin\/same/);
    await ui.press('q', 'q');
    const summary = await ui.summary();
    assert.match(summary, /^seal all deployments: alpha\/.* sealed, image /);
    assert.match(summary, /\nverify all deployments: .*1 error/);
  });

  it('pin a deployment, and take that back', async (t) => {
    const sysroot = await makeSmallSysroot(sandbox.join('pin'));
    for (const path of sysroot.deploymentPaths)
      writeFileSync(`${path}.origin`, '[origin]\nrefspec=os/stable\n');
    const ui = begin(t, sysroot.path, [120, 40]);
    await ui.sees(/3 of 3 not sealed/);
    await ui.press('W', 'j', 'p');
    await ui.sees(/: keep it/, /a pinned deployment: no upgrade/, /sealtree --sysroot/);
    await ui.press('y');
    await ui.sees(/is pinned/);
    await ui.press('q');
    await ui.sees(/1 alpha .* pinned/);
    await ui.press('p');
    await ui.sees(/keep it no more/);
    await ui.press('y');
    await ui.sees(/is not pinned any more/);
    await ui.press('q', 'q');
    assert.equal((await ui.summary()).split('\n').length, 2);
  });

  it('remove an image that nobody has', async (t) => {
    const sysroot = await makeSmallSysroot(sandbox.join('gc'));
    const ui = begin(t, sysroot.path);
    await seal(ui);
    rmSync(sysroot.deploymentPaths[0] as string, { recursive: true });
    await ui.press('q', 'R');
    await ui.sees(/image [0-9a-f]{12}, [\d.]+ kB: no deployment has it/);
    await ui.press('C');
    await ui.sees(/1 image to remove/, /→ remove image/);
    await ui.press('y');
    await ui.sees(/1 image removed/);
    await ui.press('q');
    await ui.misses(/no deployment has it/);
  });

  it('import a folder as a commit', async (t) => {
    const sysroot = await makeSmallSysroot(sandbox.join('import'));
    sandbox.write('offered/rootfs/etc/motd', 'welcome\n');
    // What is offered first is in the folder that the interface was started in.
    const before = process.cwd();
    t.after(() => process.chdir(before));
    process.chdir(sandbox.join('offered'));
    const ui = begin(t, sysroot.path);
    await ui.sees(/3 of 3 not sealed/);
    await ui.press('W', '2');
    await ui.sees(/2 commits/);
    await ui.press('i');
    await ui.sees(/folder +\.\./, /folder +rootfs\//);
    await ui.press('j', 'i');
    await ui.sees(/ref: import\/rootfs/);
    await ui.press('enter');
    await ui.sees(/make a commit of 1 file/, /The ref import\/rootfs will name it/, /y do it/);
    const repository = Repository.open(sysroot.repositoryPath, linuxSystem);
    assert.throws(() => resolveRevision(repository, 'import/rootfs'));
    await ui.press('y');
    await ui.sees(/import\/rootfs is commit [0-9a-f]{12}: 1 file/);
    const commit = resolveRevision(repository, 'import/rootfs');
    const motd = lookup(repository, rootOf(repository, commit), textToBytes('/etc/motd'));
    assert(motd.kind === 'file');
    assert.equal(repository.content(motd.checksum).size, 8);
  });

  it('are not needed to look at what boots and what is shared, at any size', async (t) => {
    const { path } = await makeSmallSysroot(sandbox.join('look'));
    const ui = begin(t, path, [120, 40]);
    await ui.press('3');
    await ui.sees(/no boot loader found, not installed/, /ostree-\d\.conf .* 0 [0-9a-f]{8}\.0 +– none/);
    await ui.press('5');
    await ui.sees(/together/, /▸0 alpha\/[0-9a-f]{8}\.0 +[\d.]+ kB/, /removal +frees/);
    ui.resize(40, 15);
    await ui.sees(/total +frees$/, /together/);
    await ui.press('J');
    await ui.sees(/Nothing runs/);
  });

  it('that cannot be planned say why, and cannot be accepted', async (t) => {
    const { path, repositoryPath } = await makeSmallSysroot(sandbox.join('broken'));
    const ui = begin(t, path);
    await ui.sees(/3 of 3 not sealed/);
    rmSync(join(repositoryPath, 'config'));
    await ui.press('W', 's');
    await ui.sees(/✗ .*repo/, /Esc leave it/);
    await ui.press('y');
    await ui.sees(/Esc leave it/);
  });

  it('and all else end with a signal from outside, the terminal given back', async (t) => {
    const { path } = await makeSmallSysroot(sandbox.join('end'));
    const ending = new AbortController();
    const ui = begin(t, path, [80, 24], ending.signal);
    await ui.sees(/3 of 3 not sealed/);
    await ui.press('V');
    await ui.sees(/[▶✓] verify alpha/);
    ending.abort();
    assert.match(await ui.summary(), /^verify alpha/);
  });
});

/** Flips a bit in the object of a file that all commits have. */
function damage({ repositoryPath }: SmallSysroot): void {
  const objects = join(repositoryPath, 'objects');
  for (const folder of linuxSystem.readdir(objects))
    for (const name of linuxSystem.readdir(join(objects, folder))) {
      const path = join(objects, folder, name);
      if (!name.endsWith('.file') || !lstatSync(path).isFile()) continue;
      const bytes = readFileSync(path);
      if (!bytes.toString().startsWith('in all versions')) continue;
      bytes[0] = (bytes[0] as number) ^ 1;
      writeFileSync(path, bytes);
      return;
    }
  assert.fail('there is no such object');
}
