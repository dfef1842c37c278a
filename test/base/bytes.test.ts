import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { displayBytes, displayMessage, textToBytes } from '../../src/base/bytes.ts';

describe('what is shown', () => {
  const acting = 'a\x1b[2J\x9b1m\u202eb\u2066c';
  const escaped = String.raw`a\x1b[2J\xc2\x9b1m\xe2\x80\xaeb\xe2\x81\xa6c`;

  it('does not act on a terminal, name or message', () => {
    assert.equal(displayBytes(textToBytes(acting)), escaped);
    assert.equal(displayMessage(acting), escaped);
  });

  it('has one backslash for one in a message, so that names are not escaped twice', () => {
    const name = displayBytes(textToBytes('x\\\n'));
    assert.equal(name, String.raw`x\\\n`);
    assert.equal(displayMessage(`${name}: ü\nhint`), `${name}: ü\nhint`);
  });
});
