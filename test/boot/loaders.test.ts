/**
 * Which boot loader there is and what it reads, on the menus that three releases of ostree wrote for GRUB, syslinux and
 * U-Boot (test/fixtures/make-menus.sh). What is written here by hand says so: it is what ostree does not write.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import { FormatError, IoError } from '../../src/base/errors.ts';
import type { Path, SystemReads } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readBootEntries } from '../../src/boot/entries.ts';
import { chooseWay, detectLoader } from '../../src/boot/loaders/detect.ts';
import { parseGrubMenu } from '../../src/boot/loaders/grub-menu.ts';
import type { LoaderState } from '../../src/boot/loaders/loader.ts';
import { ostreeLink } from '../../src/boot/loaders/menu.ts';
import { parseSyslinuxMenu } from '../../src/boot/loaders/syslinux-menu.ts';
import { menuWithOptions } from '../../src/boot/loaders/text-menus.ts';
import { parseUenvMenu } from '../../src/boot/loaders/uenv-menu.ts';
import { sealPinOf, withSealPin } from '../../src/boot/pin.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT } from '../support/sealtree.ts';
import { layOutMenuSysroot, layOutTextSysroot, OSTREE_VERSIONS } from '../support/text-sysroot.ts';

let work: Sandbox;
let path: string;
beforeEach(() => {
  work = new Sandbox();
  path = work.join('sysroot');
});
afterEach(() => work.dispose());

/** A file of the sysroot. */
const write = (name: string, content: string | Uint8Array): void => {
  mkdirSync(dirname(join(path, name)), { recursive: true });
  writeFileSync(join(path, name), content);
};
const configure = (bootloader: string): void =>
  write('ostree/repo/config', `[core]\nrepo_version=1\nmode=bare\n\n[sysroot]\nbootloader=${bootloader}\n`);
const detect = (): LoaderState =>
  detectLoader(readSysroot(path, linuxSystem), linuxSystem, { root: work.join('host') });
/** The same when the sysroot is the running system's. */
const detectBooted = (): LoaderState => {
  work.write('run/ostree-booted', '');
  const sysroot = readSysroot(path, linuxSystem, { runDirectory: work.join('run') });
  return detectLoader(sysroot, linuxSystem, { root: work.join('host') });
};
const codes = ({ problems }: LoaderState): string[] => problems.map(({ code }) => code);

const MENUS = [
  ['grub', 'grub', 'grub2', 'boot/loader.0/grub.cfg'],
  ['syslinux', 'syslinux', 'syslinux', 'boot/loader.0/syslinux.cfg'],
  ['u-boot', 'u-boot', 'uboot', 'boot/loader.0/uEnv.txt'],
] as const;

for (const version of OSTREE_VERSIONS) {
  for (const [fixture, name, backEnd] of MENUS) {
    it(`${name} reads what ostree ${version} generated: the options, and the first initrd alone`, () => {
      layOutMenuSysroot(fixture, version, path);
      const loader = detect();
      assert.deepEqual(
        [loader.name, loader.readsEntries, loader.initrds, loader.ways, loader.backEnd.name, codes(loader)],
        [name, 'generated', 'first', ['append', 'module'], backEnd, []],
      );
      const entries = readBootEntries(readSysroot(path, linuxSystem), linuxSystem);
      const ofDeployments = loader.menus.flatMap(({ entries }) =>
        entries.filter(({ options }) => ostreeLink(options) !== undefined),
      );
      assert.equal(loader.menus.length, 1);
      const prefix = name === 'grub' ? '' : '/boot';
      assert.deepEqual(
        ofDeployments.map(({ kernel, initrds, options }) => ({ kernel, initrds, options })),
        entries.map(({ linux, initrds, options }) => ({
          kernel: `${prefix}${linux}`,
          initrds: [`${prefix}${initrds[0]}`],
          options,
        })),
      );
      assert.equal(entries[0]?.initrds.length, 2);
    });
  }
}

describe('the menu that follows the entries', () => {
  const pin = sealPinOf('a'.repeat(64) as Checksum, 'b'.repeat(64) as Digest);

  for (const [fixture, , , file] of MENUS.slice(1)) {
    it(`of ${fixture} is edited where ostree wrote it, and back`, () => {
      layOutMenuSysroot(fixture, '2026.4', path);
      const { regenerate } = detect();
      assert.ok(regenerate?.kind === 'edit');
      assert.equal(regenerate.output, join(path, file));
      const { menu } = regenerate;
      const pinned = menuWithOptions(menu, ({ options }) =>
        ostreeLink(options) === undefined ? options : withSealPin(options, pin),
      );
      const text = readFileSync(join(path, file), 'latin1');
      const word = `sealtree.pin=${'a'.repeat(12)}:${'b'.repeat(64)}`;
      assert.equal(pinned.toString('latin1'), text.replaceAll(' ostree=', ` ${word} ostree=`));
      const entries =
        fixture === 'u-boot' ? parseUenvMenu(pinned, 'menu') : parseSyslinuxMenu(pinned, 'menu');
      const back = menuWithOptions({ ...menu, bytes: pinned, entries }, ({ options }) =>
        withSealPin(options, undefined),
      );
      assert.equal(back.toString('latin1'), text);
    });
  }

  it('of GRUB is written by the program that ostree runs', () => {
    layOutMenuSysroot('grub', '2025.2', path);
    work.write('host/usr/sbin/grub-mkconfig', '');
    const { regenerate, command } = detectBooted();
    assert.ok(regenerate?.kind === 'program');
    const { argv, env, output } = regenerate;
    assert.deepEqual(
      { argv, env, output, command },
      {
        argv: ['/usr/sbin/grub-mkconfig', '-o'],
        env: { _OSTREE_GRUB2_BOOTVERSION: '0' },
        output: join(path, 'boot/loader.0/grub.cfg'),
        command: undefined,
      },
    );
  });

  it('of GRUB is written by ostree’s own generator where ostree was built with it', () => {
    layOutMenuSysroot('grub', '2025.2', path);
    work.write('host/usr/sbin/grub2-mkconfig', '');
    work.write('host/usr/lib/ostree/ostree-grub-generator', '');
    const { regenerate } = detectBooted();
    assert.ok(regenerate?.kind === 'program');
    assert.deepEqual(regenerate.argv, ['/usr/lib/ostree/ostree-grub-generator', '-o']);
  });

  it('of GRUB on an EFI machine lies on its partition', () => {
    layOutMenuSysroot('grub', '2025.2', path);
    const menu = readFileSync(join(path, 'boot/loader.0/grub.cfg'));
    rmSync(join(path, 'boot/grub'), { recursive: true });
    write('boot/efi/EFI/fedora/grub.cfg', menu);
    write('boot/efi/EFI/BOOT/grub.cfg', '');
    work.write('host/usr/sbin/grub2-mkconfig', '');
    const { regenerate, backEnd } = detectBooted();
    assert.equal(backEnd.isEfi, true);
    assert.ok(regenerate?.kind === 'program');
    assert.deepEqual(regenerate.env, { _OSTREE_GRUB2_BOOTVERSION: '0', _OSTREE_GRUB2_IS_EFI: '1' });
    assert.equal(regenerate.output, join(path, 'boot/efi/EFI/fedora/grub.cfg'));
  });

  it('of GRUB is a person’s business where ostree does not write it', () => {
    layOutMenuSysroot('grub', '2025.2', path);
    work.write('host/usr/sbin/grub-mkconfig', '');
    const command = `grub-mkconfig -o ${join(path, 'boot/grub/grub.cfg')}`;
    const untouched = () => {
      const { regenerate, ...loader } = detectBooted();
      return [regenerate, loader.command, loader.ways];
    };
    configure('none');
    assert.deepEqual(untouched(), [undefined, command, ['append', 'module']]);
    // The back end writes boot/loader.0/grub.cfg, which this GRUB does not read.
    configure('auto');
    const menu = readFileSync(join(path, 'boot/loader.0/grub.cfg'));
    rmSync(join(path, 'boot/grub/grub.cfg'));
    write('boot/grub/grub.cfg', menu);
    assert.deepEqual(untouched(), [undefined, command, ['append', 'module']]);
  });

  it('of GRUB is not written from outside the running system', () => {
    layOutMenuSysroot('grub', '2025.2', path);
    work.write('host/usr/sbin/grub-mkconfig', '');
    const { regenerate, command } = detect();
    // Nor is anybody told to run what would write this machine's entries there.
    assert.deepEqual([regenerate, command], [undefined, undefined]);
  });

  it('of syslinux is left alone where it is not ostree’s file', () => {
    layOutMenuSysroot('syslinux', '2026.4', path);
    const menu = readFileSync(join(path, 'boot/loader.0/syslinux.cfg'));
    rmSync(join(path, 'boot/syslinux/syslinux.cfg'));
    write('boot/syslinux/syslinux.cfg', menu);
    const loader = detect();
    assert.deepEqual([loader.regenerate, codes(loader)], [undefined, ['menu-not-by-ostree']]);
  });

  it('of U-Boot may be an extlinux.conf that leads to the syslinux back end’s', () => {
    layOutMenuSysroot('syslinux', '2026.4', path);
    mkdirSync(join(path, 'boot/extlinux'));
    symlinkSync('../loader/syslinux.cfg', join(path, 'boot/extlinux/extlinux.conf'));
    rmSync(join(path, 'boot/syslinux'), { recursive: true });
    configure('syslinux');
    const loader = detect();
    assert.deepEqual(
      [loader.name, loader.regenerate?.kind, loader.regenerate?.output, codes(loader)],
      ['extlinux', 'edit', join(path, 'boot/loader.0/syslinux.cfg'), []],
    );
  });
});

/** Written by hand after what Fedora's grub2-mkconfig and bootupd's static configuration do. */
const BLSCFG_MENU = `search --label boot --set boot
if [ -f $prefix/grubenv ]; then
  load_env
fi
# blscfg reads /loader/entries
insmod blscfg
blscfg
if [ "$grub_platform" = "efi" ]; then
  menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
    fwsetup
  }
fi
`;

describe('a menu of GRUB that hands over', () => {
  it('to the one that ostree writes is read there', () => {
    layOutMenuSysroot('grub', '2025.2', path);
    work.write('host/usr/sbin/grub-mkconfig', '');
    rmSync(join(path, 'boot/grub/grub.cfg'));
    write('boot/grub/grub.cfg', 'set timeout=1\nconfigfile ($root)/loader/grub.cfg\n');
    const loader = detectBooted();
    assert.deepEqual(
      [loader.ways, loader.menus.map(({ path: menu }) => menu), loader.regenerate?.output],
      [['append', 'module'], [join(path, 'boot/loader/grub.cfg')], join(path, 'boot/loader.0/grub.cfg')],
    );
  });
});

describe('GRUB with blscfg', () => {
  it('reads the entries themselves, all initrds', () => {
    layOutTextSysroot('2026.4', path);
    write('boot/grub2/grub.cfg', BLSCFG_MENU);
    write('boot/grub2/.grub2-blscfg-supported', '');
    const loader = detect();
    assert.deepEqual(
      [loader.name, loader.readsEntries, loader.initrds, loader.ways, loader.menus, codes(loader)],
      ['grub', 'bls', 'all', ['overlay', 'append', 'module'], [], []],
    );
    assert.deepEqual([loader.regenerate, loader.command], [undefined, undefined]);
    assert.deepEqual(loader.evidence, [
      `${join(path, 'boot/grub2/grub.cfg')} calls blscfg`,
      `${join(path, 'boot/grub2/.grub2-blscfg-supported')} is there`,
    ]);
  });

  it('is left alone by ostree with bootupd’s static configuration', () => {
    layOutTextSysroot('2026.4', path);
    write('boot/grub2/grub.cfg', BLSCFG_MENU);
    write('boot/bootupd-state.json', '{"installed":{},"static-configs":{"timestamp":"x"}}');
    assert.deepEqual([detect().backEnd.name, detect().readsEntries], ['none', 'bls']);
    write('boot/bootupd-state.json', '{"installed":{},"static-configs":null}');
    assert.equal(detect().backEnd.name, 'grub2');
  });

  it('is said to find no entry where it looks in another folder', () => {
    layOutTextSysroot('2026.4', path);
    const codesOf = (menu: string): string[] => {
      write('boot/grub/grub.cfg', menu);
      return codes(detect());
    };
    assert.deepEqual(codesOf('insmod blscfg\nblscfg\n'), ['blscfg-path']);
    assert.deepEqual(codesOf('# blscfg --path /x\nif true; then\n  blscfg\nfi\n'), ['blscfg-path']);
    assert.deepEqual(codesOf('blscfg --path /boot/loader/entries\n'), []);
    assert.deepEqual(codesOf('set blsdir=/boot/loader/entries\nblscfg\n'), []);
    mkdirSync(join(path, 'loader/entries'), { recursive: true });
    assert.deepEqual(codesOf('blscfg\n'), []);
  });

  it('is not believed where a comment or a marker speaks of it', () => {
    layOutTextSysroot('2026.4', path);
    write('boot/grub2/grub.cfg', '# blscfg; blscfg\ninsmod blscfg\nset x=blscfg\n');
    write('boot/grub2/.grub2-blscfg-supported', '');
    const loader = detect();
    assert.deepEqual(
      [loader.name, loader.readsEntries, loader.ways, codes(loader)],
      ['grub', 'generated', [], ['menu-without-deployments']],
    );
  });

  it('counts as generated where menu entries lead to deployments too', () => {
    layOutMenuSysroot('grub', '2026.4', path);
    const menu = readFileSync(join(path, 'boot/loader.0/grub.cfg'), 'latin1');
    write('boot/loader.0/grub.cfg', `${menu}${BLSCFG_MENU}`);
    assert.deepEqual([detect().readsEntries, detect().ways], ['generated', ['append', 'module']]);
  });
});

describe('systemd-boot', () => {
  const install = (partition: string): void => write(`${partition}/EFI/systemd/systemd-bootx64.efi`, 'MZ');
  const copyEntries = (partition: string): void => {
    for (const name of ['ostree-3.conf', 'ostree-2.conf'])
      write(`${partition}/loader/entries/${name}`, readFileSync(join(path, 'boot/loader.1/entries', name)));
    write(`${partition}/loader/entries/windows.conf`, 'title Windows\nefi /w.efi\n');
  };
  beforeEach(() => layOutTextSysroot('2026.4', path));

  for (const partition of ['boot/efi', 'efi']) {
    it(`reads copies of the entries in /${partition}`, () => {
      install(partition);
      copyEntries(partition);
      const loader = detect();
      assert.deepEqual(
        [loader.name, loader.readsEntries, loader.initrds, loader.ways, codes(loader)],
        ['systemd-boot', 'bls', 'all', ['overlay', 'append', 'module'], ['entries-copied']],
      );
      assert.deepEqual(
        loader.menus.map(({ path: folder, format, entries }) => [folder, format, entries.length]),
        [[join(path, partition, 'loader/entries'), 'bls', 2]],
      );
      assert.match(loader.menus[0]?.entries[0]?.options ?? '', / ostree=/);
    });
  }

  it('has no way to a deployment where nobody copied an entry', () => {
    install('boot/efi');
    write('boot/efi/loader/entries/windows.conf', 'title Windows\nefi /w.efi\n');
    const loader = detect();
    assert.deepEqual([loader.name, loader.readsEntries, loader.ways], ['systemd-boot', 'none', []]);
    assert.match(loader.evidence.join(), /has no entry of a deployment/);
  });

  it('reads the entries in place where udev knows /boot as an XBOOTLDR partition', () => {
    install('boot/efi');
    const { dev } = linuxSystem.stat(join(path, 'boot'));
    const number = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
    const record = (type: string) =>
      work.write(`host/run/udev/data/b${number}`, `S:disk\nE:ID_PART_ENTRY_TYPE=${type}\n`);
    record('0fc63daf-8483-4772-8e79-3d69d8477de4');
    assert.deepEqual(detect().ways, []);
    record('bc13c2ff-59e6-4262-a352-b275fd6f7172');
    const loader = detect();
    assert.deepEqual([loader.readsEntries, loader.menus, codes(loader)], ['bls', [], []]);
    assert.deepEqual(loader.ways, ['overlay', 'append', 'module']);
  });

  it('reads the entries in place where it lies in the same file system', () => {
    install('boot');
    const loader = detect();
    assert.deepEqual(
      [loader.name, loader.readsEntries, loader.menus, codes(loader)],
      ['systemd-boot', 'bls', [], []],
    );
  });
});

describe('loaders that keep kernel and command line elsewhere', () => {
  for (const [configured, command] of [
    ['zipl', 'zipl'],
    ['aboot', 'aboot-deploy'],
  ] as const)
    it(`${configured} never gets another initramfs under its record`, () => {
      layOutTextSysroot('2026.4', path);
      configure(configured);
      const loader = detect();
      assert.deepEqual([loader.name, loader.ways, loader.command], [configured, ['module'], command]);
    });
});

describe('no loader', () => {
  beforeEach(() => layOutTextSysroot('2026.4', path));

  it('is said to be none, with no way into the initramfs', () => {
    const loader = detect();
    assert.deepEqual(
      [loader.name, loader.readsEntries, loader.ways, loader.menus, codes(loader)],
      ['none', 'none', [], [], []],
    );
    assert.notDeepEqual(loader.evidence, []);
  });

  it('is what menus without a deployment are', () => {
    configure('none');
    write('boot/grub/grub.cfg', "menuentry 'Other' {\n linux /vmlinuz root=/dev/sda1\n}\n");
    write('boot/extlinux/extlinux.conf', 'LABEL other\n KERNEL /vmlinuz\n APPEND root=/dev/sda1\n');
    assert.deepEqual([detect().name, detect().ways], ['none', []]);
  });

  it('is no reason to fail', () => {
    rmSync(join(path, 'boot'), { recursive: true });
    assert.equal(detect().name, 'none');
    write('boot/grub/grub.cfg', "menuentry 'cut short' {\n");
    const loader = detect();
    assert.deepEqual([loader.ways, codes(loader)], [[], ['menu-unreadable']]);
  });
});

describe('what this user must not read', () => {
  /** The system for somebody who is refused what lies at or below these paths of the sysroot. */
  const refusing = (...names: readonly string[]): SystemReads => {
    const check =
      <A extends readonly unknown[], R>(operation: string, call: (path: Path, ...rest: A) => R) =>
      (file: Path, ...rest: A): R => {
        if (names.some((name) => `${file}/`.startsWith(`${join(path, name)}/`)))
          throw new IoError(operation, String(file), 'EACCES');
        return call(file, ...rest);
      };
    const { readFile, readdir, stat } = linuxSystem;
    return {
      ...linuxSystem,
      readFile: check('read', readFile),
      readdir: check('read', readdir),
      stat: check('look at', stat),
    };
  };
  const unchecked = (system: SystemReads): unknown => {
    const { name, ways, problems } = detectLoader(readSysroot(path, linuxSystem), system, {
      root: work.join('host'),
    });
    return [name, ways, problems.map(({ severity, code }) => `${severity} ${code}`)];
  };

  it('is unchecked: a menu', () => {
    layOutMenuSysroot('grub', '2026.4', path);
    assert.deepEqual(unchecked(refusing('boot/grub/grub.cfg')), ['grub', [], ['unchecked menu-unreadable']]);
    configure('none');
    assert.deepEqual(unchecked(refusing('boot/grub/grub.cfg')), ['grub', [], ['unchecked menu-unreadable']]);
  });

  it('is unchecked: the EFI system partition', () => {
    layOutTextSysroot('2026.4', path);
    mkdirSync(join(path, 'boot/efi/EFI'), { recursive: true });
    const [name, ways, problems] = unchecked(refusing('boot/efi')) as [string, string[], string[]];
    assert.deepEqual([name, ways, [...new Set(problems)]], ['grub', [], ['unchecked menu-unreadable']]);
  });
});

describe('several loaders', () => {
  const started = (by: string): void => {
    const variable = Buffer.concat([Buffer.alloc(4, 6), Buffer.from(`${by}\0`, 'utf16le')]);
    work.write('host/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f', variable);
  };
  beforeEach(() => {
    layOutMenuSysroot('grub', '2026.4', path);
    write('efi/EFI/systemd/systemd-bootx64.efi', 'MZ');
    write(
      'efi/loader/entries/ostree-2.conf',
      readFileSync(join(path, 'boot/loader.0/entries/ostree-2.conf')),
    );
  });

  it('are all heeded where it is not known which one counts', () => {
    const loader = detectBooted();
    assert.deepEqual(
      [loader.readsEntries, loader.initrds, loader.ways, loader.menus.length, codes(loader)],
      ['generated', 'first', ['append', 'module'], 2, ['entries-copied', 'loader-ambiguous']],
    );
  });

  it('are told apart by what started the system', () => {
    started('systemd-boot 257.7');
    assert.deepEqual([detectBooted().name, detectBooted().initrds], ['systemd-boot', 'all']);
    started('GRUB 2.12');
    assert.deepEqual([detectBooted().name, detectBooted().initrds], ['grub', 'first']);
    started('something else');
    assert.ok(codes(detectBooted()).includes('loader-ambiguous'));
  });

  it('are not told apart by what started another system', () => {
    started('systemd-boot 257.7');
    assert.ok(codes(detect()).includes('loader-ambiguous'));
  });

  it('have none of several generated menus written', () => {
    rmSync(join(path, 'efi'), { recursive: true });
    write('boot/extlinux/extlinux.conf', `LABEL a\n KERNEL /k\n APPEND ostree=/ostree/boot.0/os/x/0\n`);
    work.write('host/usr/sbin/grub-mkconfig', '');
    const loader = detectBooted();
    assert.deepEqual([loader.menus.length, loader.regenerate], [2, undefined]);
  });
});

describe('the way into the initramfs', () => {
  it('is what the settings name, unless the loader would pass it over', () => {
    layOutTextSysroot('2026.4', path);
    const none = detect();
    assert.match(JSON.stringify(chooseWay('auto', none)), /no boot loader was found/);
    for (const way of ['append', 'overlay', 'module'] as const) assert.equal(chooseWay(way, none), way);

    write('boot/grub2/grub.cfg', BLSCFG_MENU);
    assert.equal(chooseWay('auto', detect()), 'overlay');
    assert.equal(chooseWay('append', detect()), 'append');
  });

  it('is never a second initrd that is not loaded, nor a file under a boot record', () => {
    layOutMenuSysroot('grub', '2026.4', path);
    assert.equal(chooseWay('auto', detect()), 'append');
    assert.match(JSON.stringify(chooseWay('overlay', detect())), /grub loads only the first initrd/);
    configure('zipl');
    rmSync(join(path, 'boot/grub'), { recursive: true });
    assert.equal(chooseWay('auto', detect()), 'module');
    assert.match(JSON.stringify(chooseWay('append', detect())), /does not work with zipl/);
  });
});

describe('texts of menus', () => {
  const bytes = (text: string) => Buffer.from(text, 'latin1');

  it('of GRUB: titles, quotes, suffixes, nested entries', () => {
    const { entries } = parseGrubMenu(
      bytes(
        `menuentry 'it'\\''s' --class os {\n\tlinux16 /k a b\xc3\xa0  \n\tinitrd16 /i /j\n}\nsubmenu "more" {\n  menuentry "a \\"b\\"" {\n  linuxefi /k2\n  }\n}\nmenuentry plain {\n}\n`,
      ),
      'grub.cfg',
    );
    assert.deepEqual(
      entries.map(({ title, kernel, initrds, options, optionsLine }) => [
        title,
        kernel,
        initrds,
        options,
        optionsLine,
      ]),
      [
        ["it's", '/k', ['/i', '/j'], 'a b\xc3\xa0', 2],
        ['a "b"', '/k2', [], '', 7],
        ['plain', undefined, [], '', 0],
      ],
    );
  });

  it('of syslinux: keywords in any case, several initrds, other lines', () => {
    const entries = parseSyslinuxMenu(
      bytes(
        '# c\nDEFAULT x\nTIMEOUT 1\nlabel x y\n\tmenu label X\n\tlinux /k\n\tInitrd /i,/j\n\tappend a="b c" d \nLABEL z\n',
      ),
      'syslinux.cfg',
    );
    assert.deepEqual(
      entries.map(({ title, kernel, initrds, options, optionsLine }) => [
        title,
        kernel,
        initrds,
        options,
        optionsLine,
      ]),
      [
        ['x y', '/k', ['/i', '/j'], 'a="b c" d', 8],
        ['z', undefined, [], '', 0],
      ],
    );
  });

  it('of U-Boot: numbered variables, the last one counts', () => {
    const entries = parseUenvMenu(
      bytes(
        'kernel_image2=/k2\nbootargs=a\nkernel_image=/k\nbootargs=b=c d\nramdisk_image=/i\nbootargs10=z\nother=1\nbootargs1=no\n',
      ),
      'uEnv.txt',
    );
    assert.deepEqual(
      entries.map(({ kernel, initrds, options, optionsLine }) => [kernel, initrds, options, optionsLine]),
      [
        ['/k', ['/i'], 'b=c d', 4],
        ['/k2', [], '', 0],
        [undefined, [], 'z', 6],
      ],
    );
  });

  it('that are no text are refused', () => {
    for (const parse of [parseGrubMenu, parseSyslinuxMenu, parseUenvMenu]) {
      assert.throws(() => parse(bytes('a\0b'), 'menu'), FormatError);
      assert.throws(() => parse(Buffer.alloc((4 << 20) + 1, 'a'), 'menu'), FormatError);
    }
  });

  it('that are made of blanks are read quickly', () => {
    const started = performance.now();
    for (const middle of [' '.repeat(3_000_000), '{ '.repeat(1_000_000), 'blscfg;'.repeat(400_000)])
      for (const parse of [parseGrubMenu, parseSyslinuxMenu, parseUenvMenu]) {
        parse(bytes(`LABEL a\n append x${middle}y\n`), 'menu');
        parse(bytes(`menuentry 'a' {\n linux /k x${middle}y\n}\n`), 'menu');
      }
    assert.ok(performance.now() - started < 5000);
  });

  it('are edited at the end of the line, where the options stand', () => {
    const text = 'LABEL x\n\tKERNEL /a\n\tAPPEND  AP \t\nLABEL y\n\tAPPEND same\r\n';
    const menu = {
      path: 'm',
      format: 'syslinux',
      bytes: bytes(text),
      entries: parseSyslinuxMenu(bytes(text), 'm'),
    } as const;
    const after = menuWithOptions(menu, ({ options, title }) =>
      title === 'x' ? ('B' as ByteString) : options,
    );
    assert.equal(after.toString('latin1'), text.replace('AP \t', 'B \t'));
  });
});

describe('contrib/doc/loaders.md', () => {
  const systemdBoot = (): void => {
    layOutTextSysroot('2026.4', path);
    write('efi/EFI/systemd/systemd-bootx64.efi', 'MZ');
    const name = 'ostree-2.conf';
    write(`efi/loader/entries/${name}`, readFileSync(join(path, 'boot/loader.1/entries', name)));
  };
  const blscfg = (): void => {
    layOutTextSysroot('2026.4', path);
    write('boot/grub2/grub.cfg', BLSCFG_MENU);
  };
  const generated = (): void => {
    layOutMenuSysroot('grub', '2025.2', path);
    work.write('host/usr/sbin/grub-mkconfig', '');
  };
  const backEnd = (name: string) => (): void => {
    layOutTextSysroot('2026.4', path);
    configure(name);
  };
  const MACHINES: Readonly<Record<string, () => void>> = {
    'systemd-boot': systemdBoot,
    'GRUB with `blscfg`': blscfg,
    'GRUB with a generated menu': generated,
    'syslinux, extlinux': () => layOutMenuSysroot('syslinux', '2026.4', path),
    'U-Boot': () => layOutMenuSysroot('u-boot', '2026.4', path),
    zipl: backEnd('zipl'),
    aboot: backEnd('aboot'),
  };

  const reads = ({ readsEntries, menus }: LoaderState): string => {
    if (readsEntries === 'bls') return menus.length > 0 ? 'copies of the entries' : 'the entries';
    return menus.length > 0 ? 'a menu made of the entries' : 'what its own program wrote';
  };
  const afterwards = ({ regenerate, command, menus }: LoaderState): string => {
    if (regenerate?.kind === 'program')
      return `sealtree runs \`${regenerate.argv[0]?.replace(/^.*\//, '')}\``;
    if (regenerate?.kind === 'edit') return 'sealtree changes the menu';
    if (command !== undefined) return `run \`${command}\``;
    return menus.length > 0 ? 'copy them again' : 'nothing';
  };

  it('says what is found out about each of them', () => {
    const text = readFileSync(join(PROJECT, 'contrib/doc/loaders.md'), 'utf8');
    const [table = ''] = /^\| loader \| reads .*?\n\n/ms.exec(text) ?? [];
    const rows = Object.entries(MACHINES).map(([name, make]) => {
      rmSync(path, { recursive: true, force: true });
      make();
      const loader = detectBooted();
      return `| ${[name, reads(loader), loader.initrds, loader.ways.join(', '), afterwards(loader)].join(' | ')} |`;
    });
    assert.deepEqual(table.trimEnd().split('\n').slice(2), rows);
  });
});
