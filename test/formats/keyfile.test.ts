import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, FormatError } from '../../src/base/errors.ts';
import { Keyfile } from '../../src/formats/keyfile.ts';
import fc from '../support/fast-check.ts';

const parse = (text: string | Uint8Array): Keyfile => Keyfile.parse(text, 'file');

describe('reading', () => {
  it('reads a repository configuration', () => {
    const file = parse(
      '[core]\nrepo_version=1\nmode=archive-z2\n\n[remote "origin"]\nurl=https://example.org/repo\ngpg-verify=false\n',
    );
    assert.deepEqual(file.groups(), ['core', 'remote "origin"']);
    assert.deepEqual(file.keys('remote "origin"'), ['url', 'gpg-verify']);
    assert.equal(file.getInteger('core', 'repo_version'), 1);
    assert.equal(file.getString('core', 'mode'), 'archive-z2');
    assert.equal(file.getBoolean('remote "origin"', 'gpg-verify'), false);
    assert.equal(file.getString('core', 'none'), undefined);
    assert.equal(file.getString('none', 'mode'), undefined);
  });

  const values: readonly (readonly [line: string, raw: string])[] = [
    ['k=v', 'v'],
    ['k = v', 'v'],
    ['  k=v', 'v'],
    ['k=v  ', 'v  '],
    ['k=a=b', 'a=b'],
    ['k=', ''],
    ['k=   ', ''],
    ['k=v # no comment', 'v # no comment'],
    ['k=v\r', 'v'],
    ['k=\tv', 'v'],
  ];
  for (const [line, raw] of values)
    it(`reads ${JSON.stringify(line)}`, () => assert.equal(parse(`[g]\n${line}\n`).getRaw('g', 'k'), raw));

  it('keeps a carriage return that ends the file', () =>
    assert.equal(parse('[g]\nk=v\r').getRaw('g', 'k'), 'v\r'));

  it('merges groups and lets the last of two keys win', () => {
    const file = parse('[a]\nx=1\n[b]\ny=1\n[a]\nx=2\nz=3\n');
    assert.deepEqual(file.groups(), ['a', 'b']);
    assert.deepEqual(file.keys('a'), ['x', 'z']);
    assert.equal(file.getString('a', 'x'), '2');
  });

  it('has odd but legal names', () => {
    const file = parse('[a b#=]\nk with space=1\nmime/type=2\nnäme[de_DE@euro]=3\nempty[]=4\n[g]  \t\n');
    assert.deepEqual(file.keys('a b#='), ['k with space', 'mime/type', 'näme[de_DE@euro]', 'empty[]']);
    assert.ok(file.hasGroup('g'));
  });

  it('takes the closest locale', () => {
    const file = parse('[g]\nn=plain\nn[de]=deutsch\nn[de_AT]=österreichisch\nn[sr@latin]=latinica\n');
    for (const [locale, value] of [
      ['de_AT.UTF-8', 'österreichisch'],
      ['de_DE.UTF-8@euro', 'deutsch'],
      ['sr_RS@latin', 'latinica'],
      ['fr', 'plain'],
      ['C', 'plain'],
    ] as const)
      assert.equal(file.getLocaleString('g', 'n', locale), value, locale);
  });

  it('reads escapes', () => {
    const file = parse('[g]\ns=\\sa\\tb\\nc\\rd\\\\e\nbad=\\x\nend=a\\\nlist=a;b\\;c;;\\sd\nopen=a;b\n');
    assert.equal(file.getString('g', 's'), ' a\tb\nc\rd\\e');
    assert.throws(() => file.getString('g', 'bad'), ConfigError);
    assert.throws(() => file.getString('g', 'end'), ConfigError);
    assert.deepEqual(file.getList('g', 'list'), ['a', 'b;c', '', ' d']);
    assert.deepEqual(file.getList('g', 'open'), ['a', 'b']);
    assert.deepEqual(parse('[g]\nl=a,b;c\\,d,\n').getList('g', 'l', ','), ['a', 'b;c,d']);
    assert.throws(() => file.getList('g', 'bad'), ConfigError);
    assert.throws(() => parse('[g]\ns=\\;').getString('g', 's'), ConfigError);
  });

  it('reads booleans and integers as GLib does', () => {
    const file = parse(
      '[g]\na=true\nb=0  \nc=yes\nd=TRUE\ne=-12\nf=12 apples\ng=12apples\nh=2147483648\ni=\nj=+5\n',
    );
    assert.equal(file.getBoolean('g', 'a'), true);
    assert.equal(file.getBoolean('g', 'b'), false);
    for (const key of ['c', 'd', 'i']) assert.throws(() => file.getBoolean('g', key), ConfigError, key);
    assert.equal(file.getInteger('g', 'e'), -12);
    assert.equal(file.getInteger('g', 'f'), 12);
    assert.equal(file.getInteger('g', 'j'), 5);
    for (const key of ['g', 'h', 'i', 'a']) assert.throws(() => file.getInteger('g', key), ConfigError, key);
  });

  it('keeps bytes that are not UTF-8 and refuses only their value', () => {
    const bytes = Buffer.from('# caf\xe9\n[g]\na=1\nb=\xff\n', 'latin1');
    const file = parse(bytes);
    assert.equal(file.getString('g', 'a'), '1');
    assert.throws(() => file.getString('g', 'b'), ConfigError);
    file.setString('g', 'a', '2');
    assert.equal(file.toBytes().toString('latin1'), '# caf\xe9\n[g]\na=2\nb=\xff\n');
  });

  const refused: readonly (readonly [text: string, line: number])[] = [
    ['k=v\n', 1],
    ['[g]\n\nword\n', 3],
    ['[g]\n=v\n', 2],
    ['[g\n', 1],
    ['[]\n', 1],
    ['[a[b]\n', 1],
    ['[a]b\n', 1],
    ['[a\u0001]\n', 1],
    ['[g]\nk [de]=v\n', 2],
    ['[g]\nk[de=v\n', 2],
    ['[g]\nk[d e]=v\n', 2],
    ['[g]\nk]=v\n', 2],
    ['[g]\nk=v\0\n', 2],
    ['[g]\nEncoding=Latin1\n', 2],
  ];
  for (const [text, line] of refused)
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(
        () => parse(text),
        (error) => error instanceof FormatError && error.details.where === `file:${line}`,
      ));
});

describe('editing', () => {
  const source = '# top\n\n[a]\n# about x\nx = 1\n\n# tail\n[b]\ny=1\n';

  it('changes nothing else', () => {
    const file = parse(source);
    assert.equal(file.toString(), source.replace('x = 1', 'x=1'));
    file.setString('a', 'x', ' 2');
    assert.equal(file.toString(), source.replace('x = 1', 'x=\\s2'));
  });

  it('adds a key after the last one of its group', () => {
    const file = parse(source);
    file.setBoolean('a', 'new', true);
    assert.equal(file.toString(), source.replace('x = 1', 'x=1\nnew=true'));
  });

  it('sets a new group off by a blank line', () => {
    const file = new Keyfile();
    file.setString('origin', 'refspec', 'r');
    file.setList('two', 'list', ['a;b', ' c', '']);
    assert.equal(file.toString(), '[origin]\nrefspec=r\n\n[two]\nlist=a\\;b;\\sc;;\n');
  });

  it('removes keys and groups', () => {
    const file = parse('[a]\nx=1\ny=2\nx=3\n[b]\nz=1\n');
    assert.ok(file.removeKey('a', 'x'));
    assert.ok(!file.removeKey('a', 'x'));
    assert.ok(!file.removeKey('none', 'x'));
    assert.ok(file.removeGroup('b'));
    assert.ok(!file.removeGroup('b'));
    assert.equal(file.toString(), '[a]\ny=2\n');
    file.setString('a', 'x', '4');
    assert.equal(file.toString(), '[a]\ny=2\nx=4\n');
  });

  it('refuses what would not be read back', () => {
    const file = new Keyfile();
    for (const [group, key, raw] of [
      ['', 'k', 'v'],
      ['a]', 'k', 'v'],
      ['g', '', 'v'],
      ['g', '#k', 'v'],
      ['g', ' k', 'v'],
      ['g', 'k=', 'v'],
      ['g', 'a\nb', 'v'],
      ['g', 'k', 'a\nb'],
      ['g', 'k', 'a\0'],
    ] as const)
      assert.throws(() => file.setRaw(group, key, raw), ConfigError, JSON.stringify([group, key, raw]));
  });

  it('reads back every value it wrote', () => {
    const words = fc.string({
      unit: fc.constantFrom('a', 'é', ' ', '\t', '\n', '\r', '\\', ';', ',', '=', '#', '['),
    });
    fc.assert(
      fc.property(words, fc.array(words), fc.constantFrom(';', ','), (value, items, separator) => {
        const file = new Keyfile();
        file.setString('g', 's', value);
        file.setList('g', 'l', items, separator);
        const again = parse(file.toBytes());
        assert.equal(again.getString('g', 's'), value);
        assert.deepEqual(again.getList('g', 'l', separator), items);
        assert.deepEqual(again.toBytes(), file.toBytes());
      }),
      { numRuns: 1000 },
    );
  });
});
