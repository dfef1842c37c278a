/** Mutants of the text formats: composefs dumps, key files, boot entries, kernel command lines. */
import assert from 'node:assert/strict';
import { asBuffer, type ByteString, bytesToString } from '../../src/base/bytes.ts';
import { blsOptions, blsValues, formatBlsEntry, parseBlsEntry, parseBlsName } from '../../src/formats/bls.ts';
import { DumpParser, formatDump, parseDump } from '../../src/formats/erofs/dump.ts';
import { ErofsImage } from '../../src/formats/erofs/read.ts';
import type { ImageTree } from '../../src/formats/erofs/tree.ts';
import { writeImage } from '../../src/formats/erofs/write.ts';
import { formatKarg, joinKargs, parseKarg, splitKargs } from '../../src/formats/kargs.ts';
import { Keyfile } from '../../src/formats/keyfile.ts';
import { fuzz } from '../support/fuzz.ts';

const HEX = '7b53ab8fd2b1b4e6ab4ec4a7ac4b36d2ae3ee4cd8e5a2f7c1f3f6ed7c0b1a2d3';

const DUMPS = {
  plain: `/ 4096 40755 4 0 0 0 1633950376.0 - - - security.selinux=system_u:object_r:root_t:s0\\x00
/a.service 12 120777 1 0 0 0 0.0 target/of\\x20it - -
/dir 4096 40755 2 1000 1000 0 -1.5 - - - user.foo=bar trusted.overlay.opaque=y
/dir/empty 0 100644 1 0 0 0 0.0 - - -
/dir/file 4097 104755 1 0 0 0 0.999999999 00/${HEX.slice(2)}.file - ${HEX} user.k\\x3dey=v=w
/dir/inline 12 100600 2 0 0 0 0.0 - hello\\x0aworld\\n -
/dir/link 12 @100600 1 0 0 0 0.0 /dir/inline - -
`,
  types: `/ 0 40000 1 0 0 0 0.0 - - -
/block 0 60660 1 0 6 2049 0.0 - - -
/char 0 20666 1 0 0 259 0.0 - - -
/fifo 0 10600 1 0 0 0 0.0 - - -
/socket 0 140755 1 0 0 0 0.0 - - -
/whiteout 0 20644 1 0 0 0 0.0 - - -
/huge 1099511627776 100644 1 4294967295 4294967295 0 0.0 ab/cd - ${HEX}
/\\xff\\xfe 0 100644 1 0 0 0 0.0 - - - user.\\xff=\\x00\\x01
`,
};

const treeText = (tree: ImageTree): string => [...formatDump(tree)].join('');

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

for (const strict of [false, true]) {
  fuzz({
    name: strict ? 'composefs dump, strictly' : 'composefs dump',
    text: true,
    inputs: Object.entries(DUMPS).map(([name, text]) => ({ name, bytes: bytesOf(text) })),
    open(bytes) {
      const parser = new DumpParser('dump', { strict });
      const root = bytes.indexOf('\n') + 1;
      parser.push(bytes.subarray(0, root));
      return () => {
        parser.push(bytes.subarray(root));
        const tree = parser.finish();
        const text = treeText(tree);
        assert.equal(treeText(parseDump(bytesOf(text), 'its dump')), text, 'a dump of a dump is the same');
        const { bytes: image } = writeImage(tree);
        [...new ErofsImage(image, 'its image').walk()];
      };
    },
  });
}

const CONFIG = `# a comment
[core]
repo_version=1
mode=archive-z2
tombstone-commits = true

[remote "origin"]
url=https://example.org/repo\\s\\n\\t\\\\
gpg-verify=false
branches=a;b\\;c;;
name[de]=N\u00e4me
min-free-space-size=500MB
`;

fuzz({
  name: 'key file',
  text: true,
  inputs: [
    { name: 'repository configuration', bytes: Buffer.from(CONFIG) },
    {
      name: 'origin',
      bytes: bytesOf('[origin]\nrefspec=remote:os/one\n[libostree-transient]\npinned=true\n'),
    },
  ],
  open(bytes) {
    const file = Keyfile.parse(bytes, 'keyfile');
    return () => {
      const written = file.toBytes();
      const again = Keyfile.parse(written, 'written keyfile');
      // Of several CRs before a newline each reading drops one, as GLib's does.
      if (bytes.includes('\r')) return;
      assert(again.toBytes().equals(written), 'what was written is written the same again');
      for (const group of file.groups()) {
        for (const key of file.keys(group)) {
          assert.equal(again.getRaw(group, key), file.getRaw(group, key));
          typed(() => file.getString(group, key));
          typed(() => file.getBoolean(group, key));
        }
      }
    };
  },
});

/** A value need not be of the kind that is asked for; the error must be of the right kind. */
function typed(get: () => unknown): void {
  try {
    get();
  } catch (error) {
    assert(error instanceof Error && /^(FormatError|ConfigError)$/.test(error.name), String(error));
  }
}

const ENTRY = `# comment
title Test OS 1 (ostree:alpha:2)
version 1
options root=LABEL=root rw quoted="a b" ostree=/ostree/boot.1/alpha/${HEX}/1
linux /ostree/alpha-${HEX}/vmlinuz-6.12.0
initrd /ostree/alpha-${HEX}/initramfs-6.12.0.img
initrd /ostree/initramfs-overlays/${HEX}.img
x-unknown\tvalue
`;

fuzz({
  name: 'boot entry',
  text: true,
  inputs: [
    { name: 'entry', bytes: bytesOf(ENTRY) },
    { name: 'short', bytes: bytesOf('title a\noptions') },
  ],
  open(bytes) {
    const entry = parseBlsEntry(bytes, 'entry');
    return () => {
      const written = formatBlsEntry(entry);
      assert(formatBlsEntry(parseBlsEntry(written, 'written entry')).equals(written));
      blsValues(entry, 'initrd');
      const words = splitKargs(blsOptions(entry));
      for (const word of words) {
        const { key, value } = parseKarg(word);
        formatKarg(key, value);
      }
      assert.deepEqual(splitKargs(joinKargs(words)), words);
    };
  },
});

fuzz({
  name: 'boot entry name',
  text: true,
  inputs: ['ostree-1.conf', 'ostree-2-alpha.conf', 'token-6.12.0+10-3.conf'].map((name) => ({
    name,
    bytes: bytesOf(name),
  })),
  open(bytes) {
    return () => void parseBlsName(bytes.toString('utf8'));
  },
});

fuzz({
  name: 'kernel command line',
  text: true,
  inputs: [
    {
      name: 'line',
      bytes: bytesOf('root=UUID=1 "quoted key"="a b" lone rd.break="x  y" ostree=/ostree/boot.0/a/b/0 a=b=c'),
    },
  ],
  open(bytes) {
    return () => {
      const words = splitKargs(bytesToString(asBuffer(bytes)) as ByteString);
      assert.deepEqual(splitKargs(joinKargs(words)), words);
      for (const word of words) parseKarg(word);
    };
  },
});
