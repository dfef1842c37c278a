/** The template image, its two halves, and the settings that go with it into an initramfs. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { digestOf } from '../../src/base/digest.ts';
import { FormatError } from '../../src/base/errors.ts';
import { type InitramfsSettings, parseSettings, renderSettings } from '../../src/boot/initramfs-settings.ts';
import { PAYLOAD_NAMES, payloadFile, payloadPath } from '../../src/boot/payload.ts';
import { sealTemplate, sealTemplateImage, TEMPLATE_FILE } from '../../src/boot/template.ts';
import { ErofsImage } from '../../src/formats/erofs/read.ts';
import { readTree } from '../../src/formats/erofs/read-tree.ts';
import fc from '../support/fast-check.ts';

const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('the template image', () => {
  it('is its halves with the digest between them, whatever the digest', () => {
    const { head, tail } = sealTemplate();
    fc.assert(
      fc.property(digests, (digest) => {
        assert.deepEqual(Buffer.concat([head, digest, tail]), sealTemplateImage(digestOf(digest)));
      }),
    );
  });

  it('has one file, with a size, the deployment image as its backing file, and the digest', () => {
    const digest = Buffer.alloc(32, 0xa5);
    const tree = readTree(new ErofsImage(sealTemplateImage(digestOf(digest)), 'template'));
    const fields = tree.fields(tree.childByName(0, TEMPLATE_FILE));
    assert.equal(tree.count, 2);
    assert.equal(fields.payload, '.ostree.cfs');
    assert.deepEqual(fields.digest, digest);
    assert.notEqual(fields.size, 0);
  });
});

describe('the settings file of an initramfs', () => {
  const settings = fc.record<InitramfsSettings>(
    {
      policy: fc.constantFrom('enforce', 'prefer'),
      unpinned: fc.constantFrom('refuse', 'plain'),
      onRefusal: fc.constantFrom('auto', 'emergency', 'reboot'),
    },
    { noNullPrototype: true },
  );
  it('reads as what was written', () => {
    fc.assert(
      fc.property(settings, (value) => assert.deepEqual(parseSettings(renderSettings(value), 'here'), value)),
    );
  });

  const good = 'version=1\npolicy=prefer\nunpinned=refuse\non-refusal=emergency\n';
  const BAD: readonly (readonly [what: string, text: string])[] = [
    ['nothing', ''],
    ['an unknown key', `${good}colour=red\n`],
    ['an unknown value', good.replace('prefer', 'maybe')],
    ['a later version', good.replace('version=1', 'version=2')],
    ['a key twice', `${good}policy=enforce\n`],
    ['a missing key', good.replace('unpinned=refuse\n', '')],
    ['an empty line', `${good}\n`],
    ['a space', good.replace('policy=', 'policy= ')],
    ['carriage returns', good.replaceAll('\n', '\r\n')],
  ];
  for (const [what, text] of BAD)
    it(`is refused with ${what}`, () =>
      assert.throws(() => parseSettings(Buffer.from(text), 'here'), FormatError));
});

describe('the payload', () => {
  it('is all there', () => {
    for (const name of PAYLOAD_NAMES) {
      assert.ok(existsSync(payloadPath(name)), name);
      assert.ok(payloadFile(name).length > 0, name);
    }
  });
});
