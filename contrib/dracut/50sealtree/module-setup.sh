#!/bin/bash
# shellcheck disable=SC2154 # what it does not set, dracut has set
# Seals the root in an initramfs made by dracut. Only on request: see 50-sealtree.conf.

check() {
    require_binaries cat mkdir ln mount umount || return 1
    [[ -f "${dracutsysrootdir-}/usr/lib/sealtree/initramfs/settings" ]] || return 1
    return 255
}

depends() {
    echo ostree systemd
}

installkernel() {
    hostonly='' instmods erofs overlay loop
}

install() {
    local files=/usr/lib/sealtree/initramfs file

    inst_multiple cat mkdir ln mount umount sleep
    inst_multiple -o dmesg modprobe insmod reboot
    for file in template.head template.tail settings first-files; do
        inst_simple "$files/$file" "/usr/lib/sealtree/$file"
    done
    inst_script "$files/seal-root" /usr/lib/sealtree/seal-root
    inst_simple "$files/sealtree-root.service" "$systemdsystemunitdir/sealtree-root.service"
    # Only where ostree-prepare-root mounts images by itself.
    if [[ -f "${dracutsysrootdir-}$files/prepare-root.conf" ]]; then
        inst_simple "$files/prepare-root.conf" /usr/lib/sealtree/prepare-root.conf
        inst_simple "$files/sealtree-prepare.service" "$systemdsystemunitdir/sealtree-prepare.service"
        mkdir -p "${initdir}/etc/systemd/system/initrd-root-fs.target.wants"
        ln_r "$systemdsystemunitdir/sealtree-prepare.service" \
            /etc/systemd/system/initrd-root-fs.target.wants/sealtree-prepare.service
    fi
    # As every addition to a finished initramfs has it.
    mkdir -p "${initdir}/etc/systemd/system/initrd-root-fs.target.requires"
    ln_r "$systemdsystemunitdir/sealtree-root.service" \
        /etc/systemd/system/initrd-root-fs.target.requires/sealtree-root.service
}
