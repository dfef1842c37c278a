/**
 * A small model of what boots: the loader as it reads an entry (or a menu made of the entries), the kernel as it
 * unpacks the initrds, and the policy of contrib/boot/seal-root. Written from the documents, not from the code that
 * makes plans: it is what that code is judged by.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bytesToText, stringToBytes } from '../../src/base/bytes.ts';
import { nativeEngine } from '../../src/base/digest.ts';
import { decompress } from '../../src/boot/initramfs/decompress.ts';
import { describeInitramfs, keepForFacts } from '../../src/boot/initramfs/facts.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { blsValue, blsValues } from '../../src/formats/bls.ts';
import { ErofsImage } from '../../src/formats/erofs/read.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { expectedObjects } from '../../src/image/verify-objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { BootableSysroot } from './bootable-sysroot.ts';

/** `broken`: it comes up in nothing at all, whatever the policy. */
export type Boots = 'sealed' | 'plain' | 'refused' | `broken: ${string}`;

/** A choice in a menu that the loader reads instead of the entries. */
export interface MenuChoice {
  /** The `ostree=` link. */
  readonly link: string;
  readonly options: string;
}

/**
 * How each deployment comes up, by its id; those of an entry that ostree would not understand are broken.
 * @param menu given, the loader takes kernel arguments from there, and the first initrd alone
 */
export async function whatBoots(
  sysroot: BootableSysroot,
  menu?: readonly MenuChoice[],
): Promise<Map<string, Boots>> {
  const { deployments, problems } = readSysroot(sysroot.path, sysroot.system);
  const outcome = new Map<string, Boots>();
  for (const { severity, where, message } of problems)
    if (severity === 'error') outcome.set(where, `broken: ${message}`);
  for (const { id, path, entry, checksum, bootLink } of deployments) {
    if (entry === undefined || bootLink === undefined) continue;
    const boot = join(sysroot.path, 'boot');
    const bytesAt = (name: string): Buffer => readFileSync(join(boot, name));
    const release = 'usr/lib/modules/6.12.0-test';
    const linux = bytesToText(blsValue(entry.content, 'linux') ?? ('' as never));
    if (!bytesAt(linux).equals(readFileSync(join(path, release, 'vmlinuz')))) {
      outcome.set(id, 'broken: another kernel');
      continue;
    }
    const names = blsValues(entry.content, 'initrd').map(bytesToText);
    const loaded = menu === undefined ? names : names.slice(0, 1);
    const pieces = loaded.map(bytesAt);
    const original = readFileSync(join(path, release, 'initramfs.img'));
    if (pieces[0]?.subarray(0, original.length).equals(original) !== true) {
      outcome.set(id, 'broken: another initramfs');
      continue;
    }
    const wrong = loaded
      .slice(1)
      .find((name, i) => `${sha256(pieces[i + 1] as Buffer)}.img` !== basename(name));
    if (wrong !== undefined) {
      outcome.set(id, `broken: overlay ${wrong}`);
      continue;
    }
    const archives = [];
    for (const [i, piece] of pieces.entries())
      archives.push(...(await readInitramfs(piece, loaded[i] as string, decompress, keepForFacts)));
    const script = describeInitramfs(archives).sealtree;
    const options =
      menu === undefined
        ? stringToBytes(blsValue(entry.content, 'options') ?? ('' as never)).toString('latin1')
        : menu.find(({ link }) => link === bootLink)?.options;
    if (options === undefined || !options.split(' ').includes(`ostree=${bootLink}`)) {
      outcome.set(id, 'broken: not in the menu');
      continue;
    }
    if (script === undefined || !script.isHooked) {
      outcome.set(id, 'plain');
      continue;
    }
    const settings = script.settings ?? { policy: 'prefer', unpinned: 'plain', onRefusal: 'emergency' };
    const pins = options.split(' ').filter((word) => word.startsWith('sealtree.pin='));
    const pin = /^sealtree\.pin=([0-9a-f]{12}):([0-9a-f]{64})$/.exec(pins[0] ?? '');
    const isOfCommit = pins.length === 1 && pin !== null && checksum.startsWith(pin[1] as string);
    if (isOfCommit && isSealed(sysroot, path, pin[2] as string)) outcome.set(id, 'sealed');
    else if (settings.policy === 'prefer') outcome.set(id, 'plain');
    else if (pins.length <= 1 && !isOfCommit && settings.unpinned === 'plain') outcome.set(id, 'plain');
    else outcome.set(id, 'refused');
  }
  return outcome;
}

/** Whether the kernel would read all of it: the image has fs-verity and that digest, and so have its objects. */
function isSealed(
  { verity, system, repositoryPath }: BootableSysroot,
  path: string,
  digest: string,
): boolean {
  const image = join(path, '.ostree.cfs');
  const stats = system.lstatIfExists(image);
  if (stats === undefined || !verity.has(stats.ino)) return false;
  const bytes = readFileSync(image);
  if (verityDigest(bytes).toString('hex') !== digest) return false;
  const repository = Repository.open(repositoryPath, system);
  return [...expectedObjects(new ErofsImage(bytes, image)).keys()].every((checksum) =>
    verity.has(system.lstat(repository.objectPath(checksum, 'file')).ino),
  );
}

const sha256 = (bytes: Buffer): string => nativeEngine.sha256(bytes).toString('hex');
