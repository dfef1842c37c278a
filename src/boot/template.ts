/**
 * The template image, by which the kernel checks a deployment's image before anything of it is mounted: a composefs
 * image of one file, whose backing file is `.ostree.cfs` and whose digest is the seal pin's. Mounted with
 * `verity=require` over the deployment's folder, that file can be opened only if the deployment's image has fs-verity
 * and exactly this digest (fs/overlayfs/util.c, ovl_validate_verity). Every template is the same but for the digest,
 * so a shell with cat and printf can make one in the initramfs.
 */
import { type ByteString, textToBytes } from '../base/bytes.ts';
import { type Digest, digestOf } from '../base/digest.ts';
import { OperationError } from '../base/errors.ts';
import { S_IFDIR, S_IFREG } from '../base/mode.ts';
import { DIGEST_SIZE, ImageTree } from '../formats/erofs/tree.ts';
import { writeImage } from '../formats/erofs/write.ts';

/** What stands before and after the digest's 32 bytes. */
export interface SealTemplate {
  readonly head: Buffer;
  readonly tail: Buffer;
}

/** The name of the template's one file. */
export const TEMPLATE_FILE = 'image' as ByteString;

/** The image that checks for one digest. */
export function sealTemplateImage(digest: Digest): Buffer {
  const tree = new ImageTree();
  tree.addRoot({ mode: S_IFDIR | 0o755 });
  tree.add(0, TEMPLATE_FILE, {
    mode: S_IFREG | 0o600,
    // Not the image's own size, which nobody asks for: what is read comes from the backing file.
    size: 4096,
    payload: textToBytes('.ostree.cfs'),
    digest: Buffer.from(digest, 'hex'),
  });
  return writeImage(tree).bytes;
}

/** The template, cut around its digest. */
export function sealTemplate(): SealTemplate {
  const placeholder = Buffer.alloc(DIGEST_SIZE, 0xee);
  const image = sealTemplateImage(digestOf(placeholder));
  const start = image.indexOf(placeholder);
  const end = start + DIGEST_SIZE;
  if (start === -1 || image.indexOf(placeholder, start + 1) !== -1)
    throw new OperationError('template', 'the template image does not hold its digest exactly once');
  return { head: image.subarray(0, start), tail: image.subarray(end) };
}
