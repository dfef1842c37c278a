/** Mutants of composefs images are read, entry by entry and as a tree, or refused by a typed error. */
import { ErofsImage, readTree } from '../../src/formats/erofs/read.ts';
import { writeImage } from '../../src/formats/erofs/write.ts';
import { fuzz } from '../support/fuzz.ts';
import { Random } from '../support/random.ts';
import { randomTree, treeOf } from '../support/random-image-tree.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

const inputs = SEEDS.map((seed) => {
  const tree = treeOf(randomTree(new Random(seed), { entries: seed % 4 === 0 ? 200 : 12 }));
  return { name: `tree ${seed}`, bytes: writeImage(tree).bytes };
});

fuzz({
  name: 'images, entry by entry',
  inputs,
  open(bytes) {
    const image = new ErofsImage(bytes, 'image');
    return () => {
      for (const { inode } of image.walk()) {
        image.rawXattrs(inode);
        image.node(inode);
      }
    };
  },
});

fuzz({
  name: 'images, as trees',
  inputs,
  open(bytes) {
    const image = new ErofsImage(bytes, 'image');
    return () => {
      const version = image.composefsVersion;
      writeImage(readTree(image), { minVersion: version, maxVersion: version });
    };
  },
});
