import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseLongOptions } from '../../src/commands/getopt.ts';

const KNOWN = {
  basedir: 'value',
  print: 'flag',
  'print-digest': 'flag',
  'print-digest-only': 'flag',
  threads: 'value',
} as const;
const parse = (...args: string[]) => parseLongOptions(args, KNOWN);

describe('long options', () => {
  it('stand before, between and after operands', () => {
    const { options, operands, problem } = parse('a', '--print', 'b', '--basedir', '/x', 'c', '--threads=3');
    assert.deepEqual(options, [
      { name: 'print', value: '' },
      { name: 'basedir', value: '/x' },
      { name: 'threads', value: '3' },
    ]);
    assert.deepEqual(operands, ['a', 'b', 'c']);
    assert.equal(problem, undefined);
  });

  it('end at --; a lone - is an operand', () =>
    assert.deepEqual(parse('-', '--', '--print', '-').operands, ['-', '--print', '-']));

  it('may be cut where that is unique, or exact', () => {
    assert.equal(parse('--th=1').options[0]?.name, 'threads');
    assert.equal(parse('--print').options[0]?.name, 'print');
    assert.equal(parse('--print-digest').options[0]?.name, 'print-digest');
    assert.equal(parse('--print-digest-').options[0]?.name, 'print-digest-only');
  });

  it('take any next word as their value, and an empty one', () => {
    assert.equal(parse('--basedir', '--print').options[0]?.value, '--print');
    assert.equal(parse('--basedir=').options[0]?.value, '');
    assert.equal(parse('--basedir=a=b').options[0]?.value, 'a=b');
  });

  const problems: readonly (readonly [args: string[], kind: string, text: string])[] = [
    [['--nope'], 'unknown', '--nope'],
    [['-x'], 'unknown', '-x'],
    [['--pri'], 'ambiguous', '--pri'],
    [['--basedir'], 'value-missing', '--basedir'],
    [['--base'], 'value-missing', '--basedir'],
    [['--print=yes'], 'value-given', '--print'],
  ];
  for (const [args, kind, text] of problems)
    it(`${args.join(' ')}: ${kind}`, () => assert.deepEqual(parse(...args).problem, { kind, text }));

  it('before a problem count', () =>
    assert.deepEqual(parse('--print', '--nope', '--threads=1').options, [{ name: 'print', value: '' }]));
});
