/** The seal pin on a kernel command line: read, written, and edited so that nothing else changes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import { FormatError } from '../../src/base/errors.ts';
import {
  entryWithSealPin,
  formatSealPin,
  parseSealPin,
  type SealPin,
  sealPinOf,
  sealPinValues,
  withSealPin,
} from '../../src/boot/pin.ts';
import { formatBlsEntry, parseBlsEntry } from '../../src/formats/bls.ts';
import fc from '../support/fast-check.ts';

const bytes = (text: string) => text as ByteString;
const COMMIT = `0123456789ab${'c'.repeat(52)}` as Checksum;
const DIGEST = 'd'.repeat(64) as Digest;
const PIN = sealPinOf(COMMIT, DIGEST);
const WORD = `sealtree.pin=0123456789ab:${DIGEST}`;
const OTHER: SealPin = { commitPrefix: 'f'.repeat(12), imageDigest: 'e'.repeat(64) as Digest };
const OTHER_WORD = `sealtree.pin=${'f'.repeat(12)}:${'e'.repeat(64)}`;
const edit = (options: string, pin: SealPin | undefined) => withSealPin(bytes(options), pin);

describe('the value of a seal pin', () => {
  it('is the start of the commit and the image digest', () => {
    assert.equal(formatSealPin(COMMIT, DIGEST), WORD);
    assert.deepEqual(parseSealPin(bytes(WORD.slice('sealtree.pin='.length)), 'here'), PIN);
  });

  const BAD: readonly (readonly [what: string, value: string])[] = [
    ['nothing', ''],
    ['a digest alone', DIGEST],
    ['a whole commit', `${COMMIT}:${DIGEST}`],
    ['a short commit', `0123456789a:${DIGEST}`],
    ['capitals', `0123456789AB:${DIGEST}`],
    ['a short digest', `0123456789ab:${DIGEST.slice(1)}`],
    ['a third part', `0123456789ab:${DIGEST}:x`],
    ['quotes', `"0123456789ab:${DIGEST}"`],
    ['an algorithm', `0123456789ab:sha256:${DIGEST}`],
  ];
  for (const [what, value] of BAD) {
    it(`is not ${what}`, () =>
      assert.throws(
        () => parseSealPin(bytes(value), 'entry.conf'),
        (error) => error instanceof FormatError && error.message.startsWith('entry.conf: not a seal pin'),
      ));
  }
});

describe('editing the options', () => {
  const CASES: readonly (readonly [what: string, before: string, after: string])[] = [
    ['stands before ostree=', 'root=x ostree=/o quiet', `root=x ${WORD} ostree=/o quiet`],
    ['comes first where ostree= does', 'ostree=/o', `${WORD} ostree=/o`],
    ['comes last without ostree=', 'root=x quiet', `root=x quiet ${WORD}`],
    ['is all of an empty line', '', WORD],
    ['replaces one in its place', `a ${OTHER_WORD} b ostree=/o`, `a ${WORD} b ostree=/o`],
    ['replaces one after ostree=', `ostree=/o ${OTHER_WORD}`, `ostree=/o ${WORD}`],
    ['replaces a bare word', 'a sealtree.pin ostree=/o', `a ${WORD} ostree=/o`],
    ['replaces an empty one', 'a sealtree.pin= ostree=/o', `a ${WORD} ostree=/o`],
    ['leaves one of several', `${OTHER_WORD} a ${OTHER_WORD} ostree=/o ${OTHER_WORD}`, `${WORD} a ostree=/o`],
    ['keeps white space', 'a  b\t ostree=/o  c ', `a  b\t ${WORD} ostree=/o  c `],
    [
      'keeps words that look alike',
      'x.sealtree.pin=1 sealtree.pins ostree=/o',
      `x.sealtree.pin=1 sealtree.pins ${WORD} ostree=/o`,
    ],
    ['keeps rd.ostree= apart from ostree=', 'rd.ostree=/x ostree=/o', `rd.ostree=/x ${WORD} ostree=/o`],
    ['keeps quotes', 'dyndbg="file a.c +p" ostree=/o', `dyndbg="file a.c +p" ${WORD} ostree=/o`],
    ['is found behind a quote that does not end', 'a="b ostree=/o', `a="b ${WORD} ostree=/o`],
    ['stands before the arguments of init', 'ostree=/o -- single', `${WORD} ostree=/o -- single`],
  ];
  for (const [what, before, after] of CASES)
    it(`a pin ${what}`, () => assert.equal(edit(before, PIN), after));

  it('takes a pin away with one blank', () => {
    assert.equal(edit(`a ${WORD} ostree=/o`, undefined), 'a ostree=/o');
    assert.equal(edit(`a ${WORD}`, undefined), 'a');
    assert.equal(edit(WORD, undefined), '');
    assert.equal(edit('a  ostree=/o', undefined), 'a  ostree=/o');
  });

  it('reads as splitting at blanks does, in the script in the initramfs', () => {
    assert.deepEqual(sealPinValues(bytes(`a="x sealtree.pin=1 y" sealtree.pin sealtree.pin=2`)), [
      '1',
      '',
      '2',
    ]);
  });

  /** Command lines of what entries hold: words, quoted ones, odd blanks, pins of any kind, `ostree=` or none. */
  const blank = fc.stringMatching(/^[ \t]{1,3}$/);
  const word = fc.oneof(
    fc.stringMatching(/^[a-z.=/:"-]{1,12}$/).filter((one) => !one.startsWith('ostree=')),
    fc.constantFrom(
      'dyndbg="file a.c +p"',
      'root=LABEL="a b"',
      'quiet',
      '--',
      'k=\xff\xfe',
      'sealtree.pins=1',
    ),
  );
  const line = fc
    .tuple(
      fc.array(fc.tuple(word, blank), { maxLength: 6 }),
      fc.constantFrom('', 'ostree=/ostree/boot.1/os/x/0'),
      word,
    )
    .map(
      ([words, link, last]) =>
        `${words.map((pair) => pair.join('')).join('')}${link}${link === '' ? '' : ' '}${last}`,
    );
  const pins = fc.array(fc.constantFrom(WORD, OTHER_WORD, 'sealtree.pin', 'sealtree.pin=x'), {
    maxLength: 2,
  });

  it('leaves no trace of a pin that was added and taken away', () => {
    fc.assert(
      fc.property(line, (options) => {
        const pinned = edit(options, PIN);
        assert.deepEqual(sealPinValues(pinned), [WORD.slice('sealtree.pin='.length)]);
        assert.equal(edit(pinned, undefined), options);
        assert.equal(edit(edit(pinned, OTHER), undefined), options);
      }),
    );
  });

  it('changes nothing a second time', () => {
    fc.assert(
      fc.property(line, pins, fc.nat(), (options, found, seed) => {
        const words = options.split(' ');
        for (const pin of found) words.splice(seed % (words.length + 1), 0, pin);
        const before = words.join(' ');
        for (const pin of [PIN, undefined]) {
          const once = edit(before, pin);
          assert.equal(edit(once, pin), once);
          assert.equal(sealPinValues(once).length, pin === undefined ? 0 : 1);
        }
      }),
    );
  });

  it('keeps every other word, in its order', () => {
    const others = (options: string) =>
      options.split(/[ \t]+/).filter((one) => one !== '' && !/^sealtree\.pin(=|$)/.test(one));
    fc.assert(
      fc.property(line, pins, fc.nat(), (options, found, seed) => {
        const words = options.split(' ');
        for (const pin of found) words.splice(seed % (words.length + 1), 0, pin);
        const before = words.join(' ');
        for (const pin of [PIN, undefined]) assert.deepEqual(others(edit(before, pin)), others(before));
      }),
    );
  });
});

describe('editing an entry', () => {
  const parse = (text: string) => parseBlsEntry(Buffer.from(text, 'latin1'), 'entry.conf');
  const ENTRY = '# by hand\ntitle A\n\noptions\t a ostree=/o  \r\nx-unknown \xff\nlinux /k';

  it('changes the options line alone, and back', () => {
    const pinned = entryWithSealPin(parse(ENTRY), PIN, 'entry.conf');
    assert.equal(formatBlsEntry(pinned).toString('latin1'), ENTRY.replace('a ostree', `a ${WORD} ostree`));
    const back = entryWithSealPin(pinned, undefined, 'entry.conf');
    assert.equal(formatBlsEntry(back).toString('latin1'), ENTRY);
  });

  for (const [what, text] of [
    ['no options line', 'title A\nlinux /k\n'],
    ['two options lines', 'options a ostree=/o\noptions b\n'],
  ] as const)
    it(`refuses an entry with ${what}`, () =>
      assert.throws(() => entryWithSealPin(parse(text), PIN, 'entry.conf'), FormatError));
});
