/** Sysroots that three releases of ostree laid out, whole and damaged; and what /run says of the running system. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readSysroot, type Sysroot } from '../../src/deployment/sysroot.ts';
import { type Value, type Variant, writeVariant } from '../../src/formats/gvariant.ts';
import { parseOstreeStatus, seenDeployment } from '../support/ostree-status.ts';
import { Sandbox } from '../support/sandbox.ts';
import { layOutTextSysroot, OSTREE_VERSIONS } from '../support/text-sysroot.ts';

const BOOTCSUM = '4fd03274c5449bba753c49d797caba0e082ad7fa4ef8cdbe7e83e9127393b1b3';
const OLD = '74edc27cb62e73638557ff941097748b9cad5dab9e0054469e71920ed1a6caa3';
const NEW = 'f87257edbacb2183022b64464847d237557a9ddfa088d261ae0bc3a7f6da067f';
/** In the order of `ostree admin status`. */
const IDS = [`beta/${NEW}.0`, `alpha/${NEW}.0`, `alpha/${OLD}.0`];

let work: Sandbox;
let path: string;
beforeEach(() => {
  work = new Sandbox();
  path = work.join('sysroot');
});
afterEach(() => work.dispose());

const read = (): Sysroot => readSysroot(path, linuxSystem);
const readBooted = (): Sysroot => readSysroot(path, linuxSystem, { runDirectory: work.join('run') });
const ids = ({ deployments }: Sysroot): string[] => deployments.map(({ id }) => id);
const codes = ({ problems }: Sysroot): string[] => problems.map(({ code }) => code);
const folderOf = (id: string): string => join(path, 'ostree/deploy', id.replace('/', '/deploy/'));

for (const version of OSTREE_VERSIONS) {
  describe(`a sysroot of ostree ${version}`, () => {
    it('is read as ostree admin status shows it', () => {
      const status = layOutTextSysroot(version, path);
      const sysroot = read();
      assert.deepEqual(sysroot.problems, []);
      assert.deepEqual(sysroot.deployments.map(seenDeployment), parseOstreeStatus(status));
      assert.deepEqual(
        sysroot.deployments.map(({ index }) => index),
        [0, 1, 2],
      );
    });

    it('gives of each deployment its folder, kernel, arguments and boot link', () => {
      layOutTextSysroot(version, path);
      const sysroot = read();
      assert.deepEqual(sysroot.stateroots, ['alpha', 'beta']);
      assert.deepEqual([sysroot.bootVersion, sysroot.subbootVersion], [1, 1]);
      assert.equal(sysroot.isBooted, false);
      const [beta, , alpha] = sysroot.deployments;
      assert.equal(alpha?.path, folderOf(IDS[2] as string));
      assert.equal(alpha?.bootcsum, BOOTCSUM);
      assert.equal(alpha?.bootLink, `/ostree/boot.1/alpha/${BOOTCSUM}/2`);
      assert.deepEqual(alpha?.kargs, ['root=LABEL=root', 'quiet', `ostree=${alpha.bootLink}`]);
      assert.equal(alpha?.origin?.refspec, 'os/main');
      assert.equal(beta?.bootLink, `/ostree/boot.1/beta/${BOOTCSUM}/0`);
      assert.match(beta?.entry?.path ?? '', /boot\/loader\.1\/entries\/ostree-3(-beta)?\.conf$/);
    });
  });
}

describe('names of boot entries', () => {
  const FORMS = [
    ['before 2018', 'ostree-beta-0.conf', 'ostree-alpha-1.conf', 'ostree-alpha-2.conf'],
    ['2018 to 2024', 'ostree-3-beta.conf', 'ostree-2-alpha.conf', 'ostree-1-alpha.conf'],
    ['since 2024', 'ostree-3.conf', 'ostree-2.conf', 'ostree-1.conf'],
    ['with boot counting', 'ostree-3+3.conf', 'ostree-2+02-1.conf', 'ostree-1+0-3.conf'],
  ] as const;
  for (const [when, ...names] of FORMS) {
    it(`${when} do not matter: the version orders`, () => {
      layOutTextSysroot('2026.4', path);
      const entries = join(path, 'boot/loader.1/entries');
      for (const [i, name] of names.entries())
        renameSync(join(entries, `ostree-${3 - i}.conf`), join(entries, `x-${name}`));
      for (const name of names) renameSync(join(entries, `x-${name}`), join(entries, name));
      const sysroot = read();
      assert.deepEqual(ids(sysroot), IDS);
      assert.deepEqual(sysroot.problems, []);
    });
  }
});

describe('damage to a sysroot', () => {
  const entry = 'boot/loader.1/entries/ostree-2.conf';
  const link = `ostree/boot.1.1/alpha/${BOOTCSUM}/1`;
  const [beta, newer, older] = IDS as [string, string, string];
  const relink = (name: string, target: string): void => {
    rmSync(join(path, name));
    symlinkSync(target, join(path, name));
  };
  const edit = (name: string, change: (text: string) => string): void =>
    writeFileSync(join(path, name), change(readFileSync(join(path, name), 'latin1')), 'latin1');

  const CASES: readonly (readonly [
    what: string,
    damage: () => void,
    ids: readonly string[],
    codes: readonly string[],
  ])[] = [
    [
      'no boot folder',
      () => rmSync(join(path, 'boot'), { recursive: true }),
      [],
      Array(3).fill('deployment-without-entry'),
    ],
    [
      'no loader link',
      () => rmSync(join(path, 'boot/loader')),
      [],
      Array(3).fill('deployment-without-entry'),
    ],
    [
      'a loader link elsewhere',
      () => relink('boot/loader', 'grub'),
      [],
      ['boot-link-invalid', ...Array(3).fill('deployment-without-entry')],
    ],
    [
      'a folder for the loader link',
      () => {
        rmSync(join(path, 'boot/loader'));
        mkdirSync(join(path, 'boot/loader'));
      },
      [],
      ['boot-link-invalid', ...Array(3).fill('deployment-without-entry')],
    ],
    [
      'a boot link without a subversion',
      () => relink('ostree/boot.1', 'boot.1.7'),
      [],
      [
        'boot-link-invalid',
        ...Array(3).fill('entry-without-deployment'),
        ...Array(3).fill('deployment-without-entry'),
      ],
    ],
    [
      'an entry without ostree=',
      () => edit(entry, (text) => text.replace(/ostree=\S+/, '')),
      [beta, older],
      ['entry-invalid', 'deployment-without-entry'],
    ],
    [
      'an entry without options',
      () => edit(entry, (text) => text.replace(/options.*\n/, '')),
      [beta, older],
      ['entry-invalid', 'deployment-without-entry'],
    ],
    [
      'an entry that leads out',
      () => edit(entry, (text) => text.replace(/ostree=\S+/, `ostree=/ostree/boot.1/../${BOOTCSUM}/0`)),
      [beta, older],
      ['entry-invalid', 'deployment-without-entry'],
    ],
    [
      'an entry of bytes',
      () => edit(entry, () => '\0\x01'),
      [beta, older],
      ['entry-unreadable', 'deployment-without-entry'],
    ],
    [
      'an empty entry',
      () => edit(entry, () => ''),
      [beta, older],
      ['entry-invalid', 'deployment-without-entry'],
    ],
    [
      'a folder for an entry',
      () => {
        rmSync(join(path, entry));
        mkdirSync(join(path, entry));
      },
      [beta, older],
      ['entry-unreadable', 'deployment-without-entry'],
    ],
    [
      'a boot link that is missing',
      () => rmSync(join(path, link)),
      [beta, older],
      ['entry-without-deployment', 'deployment-without-entry'],
    ],
    [
      'a boot link to nothing',
      () => relink(link, `../../../deploy/alpha/deploy/${'0'.repeat(64)}.0`),
      [beta, older],
      ['entry-without-deployment', 'deployment-without-entry'],
    ],
    [
      'a boot link to no deployment',
      () => relink(link, '/etc/passwd'),
      [beta, older],
      ['boot-link-invalid', 'deployment-without-entry'],
    ],
    [
      'a boot link by another way',
      () => relink(link, `/ostree/deploy/alpha/deploy/${NEW}.0`),
      IDS,
      ['boot-link-elsewhere'],
    ],
    [
      'a deployment folder that is gone',
      () => rmSync(folderOf(newer), { recursive: true }),
      [beta, older],
      ['entry-without-deployment'],
    ],
    ['an entry that is gone', () => rmSync(join(path, entry)), [beta, older], ['deployment-without-entry']],
    [
      'an origin that is no keyfile',
      () => writeFileSync(`${folderOf(newer)}.origin`, 'nonsense'),
      IDS,
      ['origin-unreadable'],
    ],
    ['an origin that is gone', () => rmSync(`${folderOf(newer)}.origin`), IDS, []],
    [
      'two options lines',
      () => edit(entry, (text) => `options a=b\n${text}`),
      IDS,
      ['entry-options-repeated'],
    ],
    [
      'an overlay initrd by its name',
      () => edit(entry, (text) => `${text}initrd /ostree/initramfs-overlays/mine.img\n`),
      IDS,
      ['entry-initrd-name'],
    ],
    [
      'an overlay initrd by its digest',
      () => edit(entry, (text) => `${text}initrd /ostree/initramfs-overlays/${'a'.repeat(64)}.img\n`),
      IDS,
      [],
    ],
    [
      'an entry of another system',
      () => writeFileSync(join(path, 'boot/loader.1/entries/other.conf'), 'title Other\n'),
      IDS,
      [],
    ],
    [
      'a name no entry may have',
      () => writeFileSync(join(path, 'boot/loader.1/entries/ostree-ä.conf'), ''),
      IDS,
      ['entry-name-invalid'],
    ],
    [
      'an unbalanced quote before ostree=',
      () => edit(entry, (text) => text.replace('quiet', 'quiet "x')),
      IDS,
      [],
    ],
    [
      'other files beside deployments',
      () => writeFileSync(join(path, 'ostree/deploy/alpha/deploy/note'), ''),
      IDS,
      [],
    ],
  ];
  for (const [what, damage, expectedIds, expectedCodes] of CASES) {
    it(`${what} is reported, and the rest is read`, () => {
      layOutTextSysroot('2026.4', path);
      damage();
      const sysroot = read();
      assert.deepEqual(ids(sysroot), expectedIds);
      assert.deepEqual(codes(sysroot), expectedCodes);
      assert.equal(
        sysroot.unlistedFolders.length,
        expectedCodes.filter((code) => code === 'deployment-without-entry').length,
      );
    });
  }

  it('a folder that is no sysroot is not found', () => {
    assert.throws(() => readSysroot(work.mkdir('empty'), linuxSystem), NotFoundError);
    assert.throws(() => readSysroot(work.join('missing'), linuxSystem), NotFoundError);
  });

  it('a sysroot without deployments is fine', () => {
    work.mkdir('sysroot/ostree/deploy');
    const sysroot = read();
    assert.deepEqual([ids(sysroot), sysroot.problems, sysroot.bootVersion], [[], [], 0]);
  });
});

describe('the running system', () => {
  const bytes = (text: string): ByteString => text as ByteString;
  const dict = (values: Record<string, Variant>): ReadonlyMap<ByteString, Value> =>
    new Map(Object.entries(values).map(([key, value]) => [bytes(key), value]));
  const text = (value: string): Variant => ({ type: 's', value: bytes(value) });

  /** The `(tt)` of a deployment's folder. */
  const folder = (id: string): Variant => {
    const { dev, ino } = lstatSync(folderOf(id), { bigint: true });
    return { type: '(tt)', value: [dev, ino] };
  };
  const writeRun = (name: string, values: Record<string, Variant>): void =>
    void work.write(`run/${name}`, writeVariant('a{sv}', dict(values)));
  const boot = (id: string): void => writeRun('ostree-booted', { 'backing-root-device-inode': folder(id) });
  const stage = (id: string, more: Record<string, Variant> = {}): void => {
    const [stateroot = '', name = ''] = id.split('/');
    mkdirSync(folderOf(id), { recursive: true });
    writeRun('ostree/staged-deployment', {
      target: {
        type: 'a{sv}',
        value: dict({ name: text(name), osname: text(stateroot), bootcsum: text(BOOTCSUM) }),
      },
      ...more,
    });
  };
  const STAGED = `alpha/${NEW}.1`;

  it('is not looked at for another sysroot', () => {
    layOutTextSysroot('2026.4', path);
    assert.equal(read().isBooted, false);
    work.mkdir('run');
    assert.equal(readBooted().isBooted, false);
  });

  it('names the booted deployment, and what is before and after it in its stateroot', () => {
    layOutTextSysroot('2026.4', path);
    boot(`alpha/${NEW}.0`);
    const first = readBooted();
    assert.equal(first.isBooted, true);
    assert.deepEqual(
      first.deployments.map(({ booted }) => booted),
      [false, true, false],
    );
    assert.deepEqual(
      first.deployments.map(({ pending }) => pending),
      [false, false, false],
    );
    assert.deepEqual(
      first.deployments.map(({ rollback }) => rollback),
      [false, false, true],
    );
    boot(`alpha/${OLD}.0`);
    const second = readBooted();
    assert.deepEqual(
      second.deployments.map(({ pending }) => pending),
      [false, true, false],
    );
    assert.deepEqual(
      second.deployments.map(({ rollback }) => rollback),
      [false, false, false],
    );
  });

  it('has a staged deployment first', () => {
    layOutTextSysroot('2026.4', path);
    boot(`alpha/${NEW}.0`);
    stage(STAGED, { kargs: { type: 'as', value: [bytes('root=x'), bytes('rw')] } });
    const sysroot = readBooted();
    assert.deepEqual(ids(sysroot), [STAGED, ...IDS]);
    assert.deepEqual(sysroot.problems, []);
    const [staged] = sysroot.deployments;
    assert.deepEqual(
      [
        staged?.staged,
        staged?.pending,
        staged?.finalizationLocked,
        staged?.kargs,
        staged?.entry,
        staged?.bootcsum,
      ],
      [true, true, false, ['root=x', 'rw'], undefined, BOOTCSUM],
    );
    writeFileSync(work.join('run/ostree/staged-deployment-locked'), '');
    assert.equal(readBooted().deployments[0]?.finalizationLocked, true);
  });

  it('knows what is unlocked, and where a soft reboot leads', () => {
    layOutTextSysroot('2026.4', path);
    boot(`alpha/${NEW}.0`);
    work.write(`run/ostree/deployment-state/${OLD}.0/unlocked-development`, '');
    writeFileSync(`${folderOf(`beta/${NEW}.0`)}.origin`, '[origin]\nrefspec=os/main\nunlocked=hotfix\n');
    writeRun('ostree/nextroot-booted', { 'backing-root-device-inode': folder(`alpha/${OLD}.0`) });
    const { deployments } = readBooted();
    assert.deepEqual(
      deployments.map(({ unlocked }) => unlocked),
      ['hotfix', undefined, 'development'],
    );
    assert.deepEqual(
      deployments.map(({ softRebootTarget }) => softRebootTarget),
      [false, false, true],
    );
  });

  it('takes the root folder for the booted one where ostree-booted is empty', () => {
    layOutTextSysroot('2022.7', path);
    work.write('run/ostree-booted', '');
    assert.deepEqual(codes(readBooted()), ['booted-deployment-not-found']);
  });

  const BROKEN: readonly (readonly [what: string, breakIt: () => void, code: string])[] = [
    [
      'an unreadable ostree-booted',
      () => work.write('run/ostree-booted', 'nonsense'),
      'run-state-unreadable',
    ],
    [
      'an ostree-booted of other types',
      () => writeRun('ostree-booted', { 'backing-root-device-inode': text('x') }),
      'run-state-unreadable',
    ],
    [
      'an unreadable staged deployment',
      () => work.write('run/ostree/staged-deployment', '\x01\x02'),
      'staged-unreadable',
    ],
    [
      'a staged deployment without a name',
      () => writeRun('ostree/staged-deployment', { target: { type: 'a{sv}', value: dict({}) } }),
      'staged-unreadable',
    ],
    ['a staged deployment that leads out', () => stage(`../${NEW}.1`), 'staged-unreadable'],
    [
      'a staged deployment without a folder',
      () => {
        stage(STAGED);
        rmSync(folderOf(STAGED), { recursive: true });
      },
      'entry-without-deployment',
    ],
  ];
  for (const [what, breakIt, code] of BROKEN) {
    it(`${what} is reported`, () => {
      layOutTextSysroot('2026.4', path);
      boot(`alpha/${NEW}.0`);
      breakIt();
      const sysroot = readBooted();
      assert.deepEqual(
        codes(sysroot).filter((one) => one !== 'deployment-without-entry'),
        [code],
      );
      assert.deepEqual(ids(sysroot), IDS);
    });
  }
});

describe('what deployments are called', () => {
  it('resolves indices, states, identifiers and the start of a checksum', () => {
    layOutTextSysroot('2026.4', path);
    const { resolve } = read();
    const NAMES: readonly (readonly [spec: string, id: string])[] = [
      ['0', IDS[0] as string],
      ['2', IDS[2] as string],
      [IDS[1] as string, IDS[1] as string],
      [OLD, IDS[2] as string],
      [`${OLD}.0`, IDS[2] as string],
      [OLD.slice(0, 4), IDS[2] as string],
      [`alpha/${NEW.slice(0, 12)}`, IDS[1] as string],
      [`beta/${NEW.slice(0, 12)}.0`, IDS[0] as string],
    ];
    for (const [spec, id] of NAMES) assert.equal(resolve(spec).id, id, spec);
  });

  it('refuses what names none, or several', () => {
    layOutTextSysroot('2026.4', path);
    const { resolve } = read();
    for (const spec of [
      '',
      '3',
      '-1',
      '00',
      'booted',
      'staged',
      'alpha',
      `alpha/${OLD}.1`,
      OLD.slice(0, 3),
      `${OLD}x`,
    ])
      assert.throws(() => resolve(spec), NotFoundError, spec);
    assert.throws(
      () => resolve(NEW.slice(0, 8)),
      (error) => error instanceof UsageError && /2 deployments/.test(error.message),
    );
  });
});
