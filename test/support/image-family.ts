/**
 * Three container images of one family, made by umoci of the files of Debian packages: each is the one before with a
 * layer more, which adds packages, and changes, removes and replaces what is below it.
 */
import type { Oracle } from './oracle.ts';

export const FAMILY = ['base', 'tools', 'shell'] as const;

/** Makes `FOLDER/layout` with the images, and `FOLDER/unpacked-TAG/rootfs`: what umoci unpacks of each. */
export function makeImageFamily(containers: Oracle, folder: string): void {
  containers.runScript(MAKE, [folder]);
}

const MAKE = `cd "$1"
add() { # PACKAGE…: their files as they are in this root
  for package; do
    cat "/var/lib/dpkg/info/$package.list" 2>/dev/null || cat "/var/lib/dpkg/info/$package:amd64.list"
  done | sed '/^\\/\\.$/d; s,^/,,' | sort -u | while read -r file; do
    [ ! -e "/$file" ] || echo "$file"
  done | tar -C / --xattrs --xattrs-include='*' --no-recursion -T - -cf - |
    tar -C bundle/rootfs --xattrs --xattrs-include='*' -xpf -
}
image() { # TAG
  umoci repack --refresh-bundle --image "layout:$1" bundle
  umoci unpack --image "layout:$1" "unpacked-$1"
}
umoci init --layout layout
umoci new --image layout:empty
umoci unpack --image layout:empty bundle
add base-files libc6 dash coreutils libselinux1 libpcre2-8-0
setfattr -n user.binary -v 0x0100ff80 bundle/rootfs/usr/bin/cat
chmod 0 bundle/rootfs/etc/issue
mkdir -p bundle/rootfs/opt/data/a
echo data | tee bundle/rootfs/opt/data/a/b bundle/rootfs/opt/data/c >bundle/rootfs/opt/data/d
image base
add tar grep sed
rm -r bundle/rootfs/usr/share/base-files
echo changed >bundle/rootfs/etc/issue
chown 4000000:7 bundle/rootfs/opt/data
ln bundle/rootfs/opt/data/c bundle/rootfs/opt/data/link
# The same bytes without the xattr.
cp bundle/rootfs/usr/bin/cat bundle/rootfs/opt/cat
image tools
add bash libtinfo6
rm bundle/rootfs/usr/bin/tar bundle/rootfs/opt/data/d
rm -r bundle/rootfs/opt/data/a
echo "a file now" >bundle/rootfs/opt/data/a
image shell
umoci rm --image layout:empty`;
