/** Our images are, byte for byte, those of mkcomposefs 1.0.8, and fsck.erofs accepts them. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { S_IFCHR, S_IFMT } from '../../src/base/mode.ts';
import { parseDump } from '../../src/formats/erofs/dump.ts';
import { ErofsImage, readTree } from '../../src/formats/erofs/read.ts';
import { type FormatVersion, type WriteOptions, writeImage } from '../../src/formats/erofs/write.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { dumpOf, type RandomTree, randomTree, treeOf } from '../support/random-image-tree.ts';
import { Sandbox } from '../support/sandbox.ts';

const SEEDS = Array.from({ length: Number(process.env.SEALTREE_TREES ?? 400) }, (_, i) => i + 1);
/** At least this share of the random dumps must be accepted, or the comparison says little. */
const ACCEPTED_SHARE = 0.8;

const VERSIONS: readonly (readonly [FormatVersion, FormatVersion])[] = [
  [0, 1],
  [0, 1],
  [0, 0],
  [1, 1],
];

/**
 * mkcomposefs refuses some whiteouts and parents of whiteouts that have overlay marks already: it takes the old
 * value's size off a count that never had it, and the count wraps. We write them.
 */
const MISCOUNT = 'cannot write file: Numerical result out of range';

/** Makes an image of each `*.dump`, with the versions its name says; removes it when mkcomposefs fails. */
const MAKE_IMAGES = `
cd "$1"
for dump in *.dump; do
  name=\${dump%.dump}
  versions=\${name##*.}
  mkcomposefs --min-version=\${versions%-*} --max-version=\${versions#*-} --from-file $dump $name.cfs \\
    2>$name.error || rm -f $name.cfs
done
for image in *.cfs; do
  fsck.erofs $image >$image.fsck 2>&1 || echo "fsck.erofs refuses $image: $(cat $image.fsck)"
done`;

interface Case {
  readonly name: string;
  readonly options: WriteOptions & { minVersion: FormatVersion; maxVersion: FormatVersion };
  readonly tree: RandomTree;
  readonly dump: Buffer;
}

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -';
const FILE = '0 100644 1 0 0 0 0.0 - - -';
const MANY_XATTRS = Array.from({ length: 140 }, (_, i) => ` user.name${i}=value${i}`).join('');
const OBJECT = '35d02f81325122d77ec1d11baba655bc9bf8a891ab26119a41c50fa03ddfb408';

/** Names are file names too. */
const HAND_MADE: Readonly<Record<string, readonly string[]>> = {
  '140-shared-xattrs-on-two-files': [ROOT, `/a ${FILE}${MANY_XATTRS}`, `/b ${FILE}${MANY_XATTRS}`],
  '140-shared-xattrs-on-two-backed-files': [
    ROOT,
    `/a 9 100644 1 0 0 0 0.0 aa/b - ${OBJECT}${MANY_XATTRS}`,
    `/b 9 100644 1 0 0 0 0.0 aa/b - ${OBJECT}${MANY_XATTRS}`,
  ],
  'links-to-links': [
    ROOT,
    '/a 0 @100644 1 0 0 0 0.0 /b - -',
    '/b 0 @100644 1 0 0 0 0.0 /c - -',
    '/c 0 @100644 1 0 0 0 0.0 /d/e - -',
    '/d 0 40755 2 0 0 0 0.0 - - -',
    '/d/e 3 100644 1 0 0 0 0.0 - abc -',
  ],
  'hard-linked-whiteouts': [
    ROOT,
    '/d 0 40755 2 0 0 0 0.0 - - -',
    '/d/w 0 20644 1 0 0 0 0.0 - - -',
    '/e 0 40755 2 0 0 0 0.0 - - -',
    '/e/link 0 @20644 1 0 0 0 0.0 /d/w - -',
  ],
  'whiteouts-in-the-root': [ROOT, '/0a 0 20644 1 0 0 0 0.0 - - -', '/w 0 20600 1 5 6 0 7.8 - - - user.x=y'],
  'parents-with-overlay-xattrs': [
    `${ROOT} trusted.overlay.opaque=y user.overlay.opaque=n`,
    '/w 0 20644 1 0 0 0 0.0 - - -',
    '/d 0 40755 2 0 0 0 0.0 - - - trusted.overlay.opaque=y user.overlay.whiteouts=z',
    '/d/w 0 20644 1 0 0 0 0.0 - - - trusted.overlay.whiteout=q',
  ],
  'labelled-root': [
    `${ROOT} security.selinux=root_t\\x00 user.other=1`,
    `/ab ${FILE} security.selinux=root_t\\x00`,
  ],
};

describeSystem('images of mkcomposefs', ['sid'], () => {
  const sid = oracle('sid');
  const work = new Sandbox();
  after(() => work.dispose());
  const cases: Case[] = SEEDS.map((seed) => randomCase(seed));
  let fsckOutput = '';

  before(() => {
    for (const { name, dump } of cases) work.write(`${name}.dump`, dump);
    for (const [name, lines] of Object.entries(HAND_MADE)) work.write(`${name}.0-1.dump`, textOf(lines));
    fsckOutput = sid.runScript(MAKE_IMAGES, [work.path], { timeoutMs: 600_000 }).stdout;
  });

  it('are ours, for random trees', (t) => {
    let accepted = 0;
    let miscounted = 0;
    let largest = 0;
    for (const { name, options, tree, dump } of cases) {
      const file = work.join(`${name}.cfs`);
      if (!existsSync(file)) {
        const reason = readFileSync(work.join(`${name}.error`), 'utf8');
        if (reason.includes(MISCOUNT)) miscounted++;
        else
          assert.throws(() => writeImage(parseDump(dump, name), options), FormatError, `${name}: ${reason}`);
        continue;
      }
      accepted++;
      const theirs = readFileSync(file);
      largest = Math.max(largest, theirs.length);
      assert.ok(writeImage(parseDump(dump, name), options).bytes.equals(theirs), `${name}: from the dump`);
      assert.ok(writeImage(treeOf(tree), options).bytes.equals(theirs), `${name}: from the tree`);
    }
    t.diagnostic(
      `${accepted} of ${cases.length} dumps accepted, ${miscounted} refused for a miscount; the largest image has ${largest} bytes`,
    );
    assert.ok(accepted >= ACCEPTED_SHARE * cases.length, `${accepted} of ${cases.length} accepted`);
  });

  it('are the same after reading and writing them again', () => {
    let count = 0;
    for (const { name, tree } of cases) {
      const file = work.join(`${name}.cfs`);
      if (!existsSync(file) || !keepsItsBytes(tree)) continue;
      const theirs = readFileSync(file);
      const image = new ErofsImage(theirs, name);
      const version = image.composefsVersion;
      const again = writeImage(readTree(image), { minVersion: version, maxVersion: version });
      assert.ok(again.bytes.equals(theirs), name);
      count++;
    }
    assert.ok(count > 0.3 * cases.length, `only ${count} compared`);
  });

  it('satisfy fsck.erofs', () => {
    assert.equal(fsckOutput, '');
  });

  it('may have hard links to directories, which are refused here: they are cycles', () => {
    for (const target of ['/', '/d']) {
      const text = textOf([ROOT, '/d 0 40755 2 0 0 0 0.0 - - -', `/l 0 @100644 1 0 0 0 0.0 ${target} - -`]);
      const dump = work.write('cycle', text);
      const image = work.join('cycle.cfs');
      sid.run(['mkcomposefs', '--from-file', dump, image]);
      assert.throws(() => parseDump(Buffer.from(text), 'cycle'), FormatError);
      const read = new ErofsImage(readFileSync(image), 'cycle.cfs');
      assert.throws(() => readTree(read), FormatError);
      assert.throws(() => [...read.walk()], FormatError);
    }
  });

  for (const [name, lines] of Object.entries(HAND_MADE)) {
    it(`are ours: ${name}`, () => {
      const { bytes } = writeImage(parseDump(Buffer.from(textOf(lines), 'latin1'), name));
      assert.ok(bytes.equals(readFileSync(work.join(`${name}.0-1.cfs`))));
    });
  }
});

function randomCase(seed: number): Case {
  const random = new Random(seed);
  const [minVersion, maxVersion] = random.pick(VERSIONS);
  const entries = seed % 20 === 0 ? 1500 : random.pick([1, 5, 20, 60, 200]);
  const tree = randomTree(random, { entries, badLines: 0.1 });
  const options = { minVersion, maxVersion };
  return {
    name: `${seed}.${minVersion}-${maxVersion}`,
    options,
    tree,
    dump: Buffer.from(dumpOf(tree), 'latin1'),
  };
}

/**
 * Whether all of a tree can be had back from its image: not the sizes of devices, not the marks of whiteouts
 * that were there before, not where a hard-linked whiteout belongs.
 */
function keepsItsBytes({ entries }: RandomTree): boolean {
  return entries.every(
    ({ fields, linkTo }) =>
      (linkTo === undefined || (fields.mode & S_IFMT) !== S_IFCHR || fields.rdev !== 0) &&
      (fields.payload !== undefined || fields.content !== undefined || (fields.size ?? 0) < 2 ** 32) &&
      (fields.xattrs ?? []).every(([name]) => !/^(user|trusted)\.overlay\.whiteouts?$/.test(name)),
  );
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
