/** What is known of the boot loader: the words of this folder. */
import type { Finding } from '../../image/findings.ts';
import type { Menu } from './menu.ts';

export type LoaderName =
  | 'systemd-boot'
  | 'grub'
  | 'syslinux'
  | 'extlinux'
  | 'u-boot'
  | 'zipl'
  | 'aboot'
  | 'none';

/** A way our script gets into the initramfs: the words of `initramfs` in sealtree.conf but `auto`. */
export type InitramfsWay = 'append' | 'overlay' | 'module';

/** ostree's own code for a loader (`sysroot.bootloader` in the repository's config): it writes the menu at each deploy. */
export type BackEndName = 'none' | 'grub2' | 'syslinux' | 'uboot' | 'zipl' | 'aboot';

export interface BackEnd {
  readonly name: BackEndName;
  /** The value in the repository's config; `auto` where none is. */
  readonly configured: string;
  /** Of grub2: whether it writes the menu on the EFI system partition. */
  readonly isEfi: boolean;
  /** Why this one. */
  readonly evidence: string;
}

/** How the generated menu is made to say what the entries say, as ostree's back end would do it. */
export type Regenerate =
  | {
      /** A program writes the whole menu. */
      readonly kind: 'program';
      /**
       * Program and arguments; the path to write to is to be added as the last one. Nothing may be at that path, and
       * it must lie in the folder of `output`: one of the generators looks for the entries beside it.
       */
      readonly argv: readonly string[];
      /** Added to the environment. */
      readonly env: Readonly<Record<string, string>>;
      /** The file that what was written replaces, by rename. */
      readonly output: string;
      readonly why: string;
    }
  | {
      /** ostree writes it itself and copies the options: only they need to change, see {@link menuWithOptions}. */
      readonly kind: 'edit';
      /** The one of {@link LoaderState.menus} it is. */
      readonly menu: Menu;
      /** The file, without symlinks. */
      readonly output: string;
      readonly why: string;
    };

export interface LoaderState {
  readonly name: LoaderName;
  /** Whether it reads the boot entries themselves, a menu that was generated from them, or neither. */
  readonly readsEntries: 'bls' | 'generated' | 'none';
  /** Whether it loads all initrds of an entry. */
  readonly initrds: 'all' | 'first';
  /** What it reads instead of the sysroot's entries: generated menus, or copies of the entries. */
  readonly menus: readonly Menu[];
  readonly backEnd: BackEnd;
  /** How the menu follows the entries; undefined where nothing has to, or sealtree cannot do it. */
  readonly regenerate: Regenerate | undefined;
  /** What a person has to run for a change of the entries to have an effect, where sealtree cannot do it itself. */
  readonly command: string | undefined;
  /** Ways that reach what it boots, the best first; none when nothing recognisable reads the entries. */
  readonly ways: readonly InitramfsWay[];
  /** What was seen, as sentences. */
  readonly evidence: readonly string[];
  readonly problems: readonly Finding[];
}
