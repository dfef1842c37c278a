# fish completion for sealtree
# Written by contrib/generate.ts from the command table: change that.

function __sealtree_repo
    for path in /ostree/repo .
        test -d $path/refs; and echo $path; and return
    end
end

function __sealtree_revisions
    set -l refs (__sealtree_repo)/refs
    find $refs/heads -type f -printf '%P\n' 2>/dev/null
    find $refs/remotes -mindepth 2 -type f -printf '%P\n' 2>/dev/null | sed 's,/,:,'
end

function __sealtree_deployments
    printf '%s\n' booted pending rollback staged
    for path in /ostree/deploy/*/deploy/*.*/
        string replace -r '^/ostree/deploy/([^/]+)/deploy/([^/]+)/$' '$1/$2' -- $path
    end
end

complete -c sealtree -f
complete -c sealtree -l sysroot -r -F -d 'the system to work on (default: $OSTREE_SYSROOT or /)'
complete -c sealtree -l repo -r -F -d 'the repository (default: SYSROOT/ostree/repo, or . if it is one)'
complete -c sealtree -l json -a 'document lines' -d 'print JSON; --json=lines prints lists one item a line'
complete -c sealtree -s n -l dry-run -d 'say what would be done, do nothing'
complete -c sealtree -s y -l yes -d 'do not ask'
complete -c sealtree -s q -l quiet -d 'no progress, no remarks'
complete -c sealtree -s v -l verbose -d 'say more on stderr'
complete -c sealtree -l color -x -a 'auto always never' -d 'when to colour: auto, always or never'
complete -c sealtree -l progress -x -a 'auto plain json none' -d 'how to show progress: auto, plain, json or none'
complete -c sealtree -s h -l help -d "print a short help"
complete -c sealtree -n __fish_use_subcommand -l version -d "print the version"

complete -c sealtree -n '__fish_use_subcommand' -a refs -d 'List refs'
complete -c sealtree -n '__fish_seen_subcommand_from refs' -l list -d 'do not remove the prefix'
complete -c sealtree -n '__fish_seen_subcommand_from refs' -s r -l revision -d 'print the checksums too'
complete -c sealtree -n '__fish_seen_subcommand_from refs' -s A -l alias -d 'list only aliases, and what they stand for'
complete -c sealtree -n '__fish_seen_subcommand_from refs' -s c -l collections -d 'list refs with their collection ids'

complete -c sealtree -n '__fish_use_subcommand' -a log -d 'Show the history of a commit'
complete -c sealtree -n '__fish_seen_subcommand_from log' -l raw -d 'print the commits as GVariant text'
complete -c sealtree -n '__fish_seen_subcommand_from log' -l oneline -d 'print one line per commit'
complete -c sealtree -n '__fish_seen_subcommand_from log' -l max-count -r -d 'stop after that many commits'
complete -c sealtree -n '__fish_seen_subcommand_from log' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a show -d 'Show a commit or another object'
complete -c sealtree -n '__fish_seen_subcommand_from show' -l list-metadata-keys -d 'list the keys of the metadata'
complete -c sealtree -n '__fish_seen_subcommand_from show' -l print-metadata-key -r -d 'print one value of the metadata'
complete -c sealtree -n '__fish_seen_subcommand_from show' -l list-detached-metadata-keys -d 'the same of the detached metadata'
complete -c sealtree -n '__fish_seen_subcommand_from show' -l print-detached-metadata-key -r -d 'the same of the detached metadata'
complete -c sealtree -n '__fish_seen_subcommand_from show' -l print-hex -d 'print a value that is a byte array as hexadecimal digits'
complete -c sealtree -n '__fish_seen_subcommand_from show' -l print-related -d 'print the "related" commits'
complete -c sealtree -n '__fish_seen_subcommand_from show' -l raw -d 'print the object as GVariant text'
complete -c sealtree -n '__fish_seen_subcommand_from show' -s B -l no-byteswap -d 'print integers as stored, not swapped from big endian'
complete -c sealtree -n '__fish_seen_subcommand_from show' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a ls -d 'List files of a commit'
complete -c sealtree -n '__fish_seen_subcommand_from ls' -s d -l dironly -d 'list folders themselves, not what is in them'
complete -c sealtree -n '__fish_seen_subcommand_from ls' -s R -l recursive -d 'list folders with all that is below them'
complete -c sealtree -n '__fish_seen_subcommand_from ls' -s C -l checksum -d 'print checksums'
complete -c sealtree -n '__fish_seen_subcommand_from ls' -s X -l xattrs -d 'print extended attributes'
complete -c sealtree -n '__fish_seen_subcommand_from ls' -l nul-filenames-only -d 'print only names, each with a NUL after it'
complete -c sealtree -n '__fish_seen_subcommand_from ls' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a cat -d 'Print the content of files of a commit'
complete -c sealtree -n '__fish_seen_subcommand_from cat' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a diff -d 'Compare two commits, or commits with folders'
complete -c sealtree -n '__fish_seen_subcommand_from diff' -l stats -d 'print how many objects the two share'
complete -c sealtree -n '__fish_seen_subcommand_from diff' -l fs-diff -d 'print the differences (default without --stats)'
complete -c sealtree -n '__fish_seen_subcommand_from diff' -l no-xattrs -d 'ignore xattrs of folders on disk'
complete -c sealtree -n '__fish_seen_subcommand_from diff' -l owner-uid -r -d 'take this owner for files of folders on disk'
complete -c sealtree -n '__fish_seen_subcommand_from diff' -l owner-gid -r -d 'take this group for files of folders on disk'
complete -c sealtree -n '__fish_seen_subcommand_from diff' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a import -d 'Make commits of folders, archives and container images'
complete -c sealtree -n '__fish_seen_subcommand_from import; and not __fish_seen_subcommand_from dir tar oci' -a dir -d 'Commit a folder; prints the checksum'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l ref -r -d 'the ref that names the commit'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l parent -d 'the commit that REF names now becomes its parent'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l subject -r -d 'the commit\'s subject'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l timestamp -r -d 'its time: seconds since 1970 or a date (default: $SOURCE_DATE_EPOCH or now)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l no-xattrs -d 'leave out all extended attributes'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l owner-uid -r -d 'take this owner for all files'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l owner-gid -r -d 'take this group for all files'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l skip-special -d 'leave device nodes, FIFOs and sockets out, which no commit can hold'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from dir' -a "(__fish_complete_directories)"
complete -c sealtree -n '__fish_seen_subcommand_from import; and not __fish_seen_subcommand_from dir tar oci' -a tar -d 'Commit a tar archive; prints the checksum'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l ref -r -d 'the ref that names the commit'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l parent -d 'the commit that REF names now becomes its parent'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l subject -r -d 'the commit\'s subject'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l timestamp -r -d 'its time: seconds since 1970 or a date (default: $SOURCE_DATE_EPOCH or now)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l max-size -r -d 'refuse archives with more content: a number, or one with K, M, G or T (default: 64G)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l max-entries -r -d 'refuse archives with more entries (default: 2000000)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l skip-special -d 'leave device nodes and FIFOs out, which no commit can hold'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from tar' -F
complete -c sealtree -n '__fish_seen_subcommand_from import; and not __fish_seen_subcommand_from dir tar oci' -a oci -d 'Commit a container image; prints the checksum'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l ref -r -d 'the ref that names the commit'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l parent -d 'the commit that REF names now becomes its parent'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l subject -r -d 'the commit\'s subject'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l timestamp -r -d 'its time: seconds since 1970 or a date (default: $SOURCE_DATE_EPOCH or now)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l max-size -r -d 'refuse archives with more content: a number, or one with K, M, G or T (default: 64G)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l max-entries -r -d 'refuse archives with more entries (default: 2000000)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l skip-special -d 'leave device nodes and FIFOs out, which no commit can hold'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l platform -r -d 'of an image for several: OS/ARCHITECTURE[/VARIANT] (default: as here)'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l layers -d 'commit each layer too, as sealtree/layer/DIFFID'
complete -c sealtree -n '__fish_seen_subcommand_from import; and __fish_seen_subcommand_from oci' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'

complete -c sealtree -n '__fish_use_subcommand' -a export -d 'Write commits as tar archives and container images'
complete -c sealtree -n '__fish_seen_subcommand_from export; and not __fish_seen_subcommand_from tar oci' -a tar -d 'Write a commit as a tar archive'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from tar' -s o -l output -r -F -d 'where to write it; - is standard output (default: -)'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from tar' -a "(__sealtree_revisions)"
complete -c sealtree -n '__fish_seen_subcommand_from export; and not __fish_seen_subcommand_from tar oci' -a oci -d 'Write commits as a container image; prints the digest of its manifest'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from oci' -s o -l output -r -d 'a new OCI image layout, or one that gets an image more'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from oci' -l tag -r -d 'what the layout calls the image (default: latest)'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from oci' -l command -r -d 'what it runs (default: as the image did that the commit was)'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from oci' -l platform -r -d 'OS/ARCHITECTURE, where the commit does not say (default: as here)'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from oci' -l compression -r -d 'of layers: gzip, zstd or none (default: gzip)'
complete -c sealtree -n '__fish_seen_subcommand_from export; and __fish_seen_subcommand_from oci' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a image -d 'Make, look into, compare and mount images'
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a create -d 'Make an image; prints its digest'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -s o -l output -r -F -d 'where to write it; - is standard output'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l from-file -r -F -d 'make it of a composefs-dump(5) file; - is standard input'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l from-dir -r -F -d 'make it of a folder, as mkcomposefs does'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l digests -r -d 'object digests of a commit\'s image: yes, maybe, no (default: yes)'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l digest-store -r -F -d 'with --from-dir: copy the content of files to this folder'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l xattrs -r -d 'with --from-dir: all, user or none (default: all)'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l no-devices -d 'with --from-dir: leave device nodes out'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l epoch -d 'with --from-dir: set all times to 0'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l strict -d 'with --from-file: insist on every detail of the format'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l min-version -r -d 'with --from-…: least format version (default: 0)'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -l max-version -r -d 'with --from-…: greatest format version (default: 1)'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from create' -a "(__sealtree_revisions)"
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a info -d 'Show header, figures and digest'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from info' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a ls -d 'List entries'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from ls' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a dump -d 'Print composefs-dump(5) text'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from dump' -l filter -r -d 'only this entry of the root; may be given more than once'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from dump' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a objects -d 'List the objects it points to: digest, size, path'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from objects' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a missing-objects -d 'List the objects that are not there'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from missing-objects' -l objects -r -F -d 'the folder of objects'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from missing-objects' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a verify -d 'Check its structure and digest, and its objects'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from verify' -l digest -r -d 'the digest it should have'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from verify' -l objects -r -F -d 'check presence, size and digest of the objects in this folder'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from verify' -l require-verity -d 'missing fs-verity is an error, also where it cannot be had'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from verify' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a diff -d 'Compare two images: entries, objects, bytes'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from diff' -l exit-code -d 'exit 1 when they differ'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from diff' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a mount -d 'Mount it, or the image of a sealed ref, read-only'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from mount' -l objects -r -F -d 'the folder of a file\'s objects; may be given more than once'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from mount' -l upper -r -F -d 'a folder that takes what is written to the mount'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from mount' -l digest -r -d 'the kernel must measure this digest on the image; implies --verity'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from mount' -l verity -d 'the kernel must check every object against the image'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from mount' -F
complete -c sealtree -n '__fish_seen_subcommand_from image; and not __fish_seen_subcommand_from create info ls dump objects missing-objects verify diff mount umount' -a umount -d 'Take a mount down'
complete -c sealtree -n '__fish_seen_subcommand_from image; and __fish_seen_subcommand_from umount' -a "(__fish_complete_directories)"

complete -c sealtree -n '__fish_use_subcommand' -a digest -d 'Print the digest of a commit\'s image'
complete -c sealtree -n '__fish_seen_subcommand_from digest' -l digests -r -d 'object digests in the image: yes, maybe (only what the kernel measures) or no (default: yes)'
complete -c sealtree -n '__fish_seen_subcommand_from digest' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a seal -d 'Make, validate and place the image of deployments'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -l all -d 'all deployments (also what no argument means)'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -l ref -r -d 'no deployment, but an image for this ref; may be given more than once'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -l unseal -d 'with --ref: keep its image no longer; gc removes what nothing else has'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -l digests -r -d 'object digests in the image: yes, maybe (only what the kernel measures) or no (default: yes)'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -l fsverity -r -d 'whether to enable fs-verity: auto (where it can be had), require (or fail) or off (default: auto)'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -l rebuild -d 'build the image also where the deployment or ref is sealed, and read all objects anew'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'
complete -c sealtree -n '__fish_seen_subcommand_from seal' -a "(__sealtree_deployments)"

complete -c sealtree -n '__fish_use_subcommand' -a status -d 'Show every deployment and its image'

complete -c sealtree -n '__fish_use_subcommand' -a verify -d 'Check deployments, or a whole repository'
complete -c sealtree -n '__fish_seen_subcommand_from verify' -l all -d 'all deployments (also what no argument means)'
complete -c sealtree -n '__fish_seen_subcommand_from verify' -l deep -d 'recompute checksum and digest of every object, 1 % also with the second hash engine'
complete -c sealtree -n '__fish_seen_subcommand_from verify' -l paranoid -d 'recompute all with both hash engines'
complete -c sealtree -n '__fish_seen_subcommand_from verify' -l repository -d 'no deployments, but the repository: all its objects, commits and refs'
complete -c sealtree -n '__fish_seen_subcommand_from verify' -l require-verity -d 'missing fs-verity is an error, also where it cannot be had'
complete -c sealtree -n '__fish_seen_subcommand_from verify' -l record -d 'write down what is found, for status: what the weekly timer of boot install does'
complete -c sealtree -n '__fish_seen_subcommand_from verify' -a "(__sealtree_deployments)"

complete -c sealtree -n '__fish_use_subcommand' -a boot -d 'Make the system boot what was sealed'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and not __fish_seen_subcommand_from status preview install remove check history rollback' -a status -d 'Show what each deployment comes up as, and what keeps it from booting sealed'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and not __fish_seen_subcommand_from status preview install remove check history rollback' -a preview -d 'Show every change that install would make; changes nothing'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from preview' -l root -r -d 'a tree that is to be committed; nothing of it is run'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and not __fish_seen_subcommand_from status preview install remove check history rollback' -a install -d 'Put seal pins into the boot entries and the mount script into the initramfs'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from install' -l root -r -d 'a tree that is to be committed; nothing of it is run'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from install' -l plan -r -d 'only if the plan still is the one that preview has shown by this id'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from install' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and not __fish_seen_subcommand_from status preview install remove check history rollback' -a remove -d 'Take all of it back: plain ostree deployments boot again'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from remove' -l root -r -d 'a tree that is to be committed; nothing of it is run'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from remove' -l plan -r -d 'only if the plan still is the one that preview has shown by this id'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from remove' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and not __fish_seen_subcommand_from status preview install remove check history rollback' -a check -d 'Find out without a reboot whether the next boot will work'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from check' -l deep -d 'read and hash every object'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from check' -l no-rehearsal -d 'do not run the mount script in a mount namespace'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and not __fish_seen_subcommand_from status preview install remove check history rollback' -a history -d 'List what the boot was configured as, or show what an entry changed, or what lies between two'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and not __fish_seen_subcommand_from status preview install remove check history rollback' -a rollback -d 'Bring sealtree\'s part of the boot to where it was in an entry of the history'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from rollback' -l plan -r -d 'only if the plan still is the one that preview has shown by this id'
complete -c sealtree -n '__fish_seen_subcommand_from boot; and __fish_seen_subcommand_from rollback' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'

complete -c sealtree -n '__fish_use_subcommand' -a pin -d 'Keep deployments that upgrades would push out'
complete -c sealtree -n '__fish_seen_subcommand_from pin' -l unpin -d 'keep them no more'
complete -c sealtree -n '__fish_seen_subcommand_from pin' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'
complete -c sealtree -n '__fish_seen_subcommand_from pin' -a "(__sealtree_deployments)"

complete -c sealtree -n '__fish_use_subcommand' -a sharing -d 'Show what deployments, refs and images share'
complete -c sealtree -n '__fish_seen_subcommand_from sharing' -l content -d 'find objects with the same bytes too: reads those of one size'
complete -c sealtree -n '__fish_seen_subcommand_from sharing' -a "(__sealtree_revisions)"

complete -c sealtree -n '__fish_use_subcommand' -a gc -d 'Remove images that no deployment or ref uses'
complete -c sealtree -n '__fish_seen_subcommand_from gc' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 60)'

complete -c sealtree -n '__fish_use_subcommand' -a demo -d 'Make a small sysroot to try things on, and seal it'
complete -c sealtree -n '__fish_seen_subcommand_from demo' -l screen-reader -d 'for screen readers: the interface as plain lines'
complete -c sealtree -n '__fish_seen_subcommand_from demo' -a "(__fish_complete_directories)"

complete -c sealtree -n '__fish_use_subcommand' -a config -d 'Show the configuration and its origins'
complete -c sealtree -n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from show' -a show -d 'Print every value with its origin'
complete -c sealtree -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from show' -l root -r -F -d 'the tree to look in (default: /)'

complete -c sealtree -n '__fish_use_subcommand' -a ui -d 'Open the interface'
complete -c sealtree -n '__fish_seen_subcommand_from ui' -l screen-reader -d 'for screen readers: plain lines instead of a screen'

complete -c sealtree -n '__fish_use_subcommand' -a hook -d 'Seal what is new and keep the boot up to date with it, quietly; for units and package hooks'
complete -c sealtree -n '__fish_seen_subcommand_from hook' -l sysroot -r -F -d 'the system to seal (default: $OSTREE_SYSROOT or /)'
complete -c sealtree -n '__fish_seen_subcommand_from hook' -l lock-timeout -r -d 'how long to wait for ostree or another run (default: 120)'

complete -c sealtree -n '__fish_use_subcommand' -a mkcomposefs -d 'make an image of a directory or a dump, as the C tool of that name'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l digest-store -r -F -d 'copy the content of files to this folder'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l use-epoch -d 'set all times to 0'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l skip-devices -d 'leave device nodes out'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l skip-xattrs -d 'leave xattrs out'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l user-xattrs -d 'take only xattrs named user.*'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l print-digest -d 'print the image\'s digest'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l print-digest-only -d 'print the image\'s digest and write no image'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l from-file -d 'SOURCE is a dump, not a directory'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l min-version -r -d 'least format version (default 0)'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l max-version -r -d 'greatest format version (default 1)'
complete -c sealtree -n '__fish_seen_subcommand_from mkcomposefs' -l threads -r -d 'accepted for compatibility'

complete -c sealtree -n '__fish_use_subcommand' -a composefs-info -d 'look into images, as the C tool of that name'
complete -c sealtree -n '__fish_seen_subcommand_from composefs-info' -l basedir -r -F -d 'the folder of objects, for missing-objects'
complete -c sealtree -n '__fish_seen_subcommand_from composefs-info' -l filter -r -d 'only this entry of the root; may be given more than once'

complete -c sealtree -n '__fish_use_subcommand' -a composefs-dump -d 'read an image and write it again, as the C tool of that name'
