/** The man page of sealtree.conf. */
import { CONFIG_FOLDERS } from '../../src/config/search.ts';
import { SETTING_KEYS } from '../../src/config/settings.ts';
import { escapeRoff, page, paragraphs, text } from './man.ts';

type Keys = typeof SETTING_KEYS;

/** What a key is for, and what each of its words means. */
interface KeyText<W extends string> {
  readonly about: string;
  readonly words: Readonly<Record<W, string>>;
}

const TEXTS: { readonly [K in keyof Keys]: KeyText<Keys[K]['words'][number]> } = {
  policy: {
    about:
      'What a boot does that cannot be sealed: the image is missing or another, it has no fs-verity, the seal pin is stale or wrong, or the kernel cannot do it.',
    words: {
      prefer:
        'The machine comes up in the plain deployment, says so on the console and leaves the reason in /run/sealtree/unsealed.',
      enforce:
        'The boot is refused. This protects against damage, not against whoever can write to /boot: the kernel command line is pinned, not authenticated.',
    },
  },
  unpinned: {
    about:
      'What enforce does with an entry whose seal pin is of another commit, or that has none: what ostree makes when it deploys without sealtree.',
    words: {
      refuse: 'The boot is refused.',
      plain: 'The machine comes up in the plain deployment.',
    },
  },
  onRefusal: {
    about: 'Where a refused boot ends.',
    words: {
      auto: 'It reboots where boot counting will then take another entry, else it ends in the emergency shell.',
      emergency: 'It ends in the emergency shell of the initramfs.',
      reboot: 'It reboots; without boot counting that is for ever.',
    },
  },
  initramfs: {
    about: 'The way in which the script that checks and mounts the image gets into the initramfs.',
    words: {
      auto: 'Chosen by what the boot loader reads.',
      append:
        "Appended to the initramfs file of the deployment's kernel in /boot/ostree: works with every loader that reads that file at boot.",
      overlay:
        'As a second initrd of the boot entry: only for loaders that read the boot entries themselves.',
      module: 'By a module of the program that makes the initramfs: the tree was built with it.',
    },
  },
  screenReader: {
    about: 'What sealtree ui is, for all who use this machine.',
    words: {
      no: 'A screen, but where --screen-reader or SEALTREE_SCREEN_READER asks for lines.',
      yes: 'Plain lines that follow each other, for screen readers.',
    },
  },
};

/** @param version - of sealtree */
export function settingsPage(version: string): string {
  const names = Object.keys(SETTING_KEYS) as (keyof Keys)[];
  const [first, ...further] = CONFIG_FOLDERS;
  return page(
    'sealtree.conf',
    'what a machine wants from its boot and its interface',
    version,
    [
      [
        'SYNOPSIS',
        CONFIG_FOLDERS.flatMap((folder) => [
          `.I ${escapeRoff(`${folder}/sealtree/sealtree.conf`)}`,
          '.br',
          `.I ${escapeRoff(`${folder}/sealtree/sealtree.conf.d/*.conf`)}`,
          '.br',
        ]),
      ],
      [
        'DESCRIPTION',
        paragraphs([
          `The main file is the first there is, in ${[first, ...further].join(', ')}; the others of its name are not read. The drop-ins of all four folders come after it, in the order of their names; of those with the same name only the first folder's is read. A value in a later file replaces the one before. A file that is empty, or a symbolic link to /dev/null, masks those of its name in the folders after its own.`,
          'The format is that of ostree’s own files: groups in square brackets, key=value, comments after #. A key or a group that is not known is ignored with a warning; a value that is not one of those below is an error.',
          'Without any file all defaults hold. sealtree config show prints the values that hold with the file each comes from. What the settings say gets into the initramfs by sealtree boot install: a change has an effect after the next one.',
        ]),
      ],
      ...[...Map.groupBy(names, (name) => SETTING_KEYS[name].group)].map(([group, ofGroup]) =>
        section(group, ofGroup),
      ),
      [
        'EXAMPLES',
        [
          '.PP',
          text('A machine that boots sealed or not at all, but for deployments made without sealtree:'),
          '.PP',
          '.EX',
          '[boot]',
          'policy=enforce',
          'unpinned=plain',
          '.EE',
        ],
      ],
      ['SEE ALSO', ['.BR sealtree (1),', '.BR sealtree\\-config (1),', '.BR sealtree\\-boot (1)']],
    ],
    { section: 5, source: 'settings' },
  );
}

function section(group: string, names: readonly (keyof Keys)[]): [title: string, lines: string[]] {
  const lines = names.flatMap((name) => {
    const { key, words } = SETTING_KEYS[name];
    const { about, words: means } = TEXTS[name];
    return [
      '.TP',
      `.BR ${escapeRoff(key)} =`,
      text(about),
      '.RS',
      ...words.flatMap((word, i) => [
        '.TP',
        `.B ${escapeRoff(word)}`,
        text(`${(means as Readonly<Record<string, string>>)[word]}${i === 0 ? ' The default.' : ''}`),
      ]),
      '.RE',
    ];
  });
  return [`THE GROUP [${group}]`, lines];
}
