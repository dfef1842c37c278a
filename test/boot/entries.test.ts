/** Boot entries as they lie in boot/loader/entries: in menu order, each with its owner, deployment and seal pin. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type EntryState, readBootEntries } from '../../src/boot/entries.ts';
import { formatSealPin, withSealPin } from '../../src/boot/pin.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';
import { layOutMenuSysroot, layOutTextSysroot, OSTREE_VERSIONS } from '../support/text-sysroot.ts';

let work: Sandbox;
let path: string;
beforeEach(() => {
  work = new Sandbox();
  path = work.join('sysroot');
});
afterEach(() => work.dispose());

const sysroot = () => readSysroot(path, linuxSystem);
const read = (): EntryState[] => readBootEntries(sysroot(), linuxSystem);
const names = (entries: readonly EntryState[]): string[] => entries.map(({ name }) => name);

for (const version of OSTREE_VERSIONS) {
  describe(`entries of ostree ${version}`, () => {
    it('come in the order of the deployments, each with its own', () => {
      layOutTextSysroot(version, path);
      const entries = read();
      assert.deepEqual(
        entries.map(({ deployment }) => deployment?.id),
        sysroot().deployments.map(({ id }) => id),
      );
      for (const entry of entries) {
        assert.deepEqual(
          [entry.owner, entry.pin, entry.isBad, entry.problems],
          ['ostree', 'none', false, []],
        );
        assert.deepEqual(entry.bytes, readFileSync(entry.path));
        assert.match(entry.linux ?? '', /^\/ostree\/[a-z]+-[0-9a-f]{64}\/vmlinuz-6\.12\.0$/);
      }
    });

    it('give the overlay initrd after the initramfs', () => {
      layOutMenuSysroot('grub', version, path);
      const [first, second] = read();
      assert.match(first?.initrds[1] ?? '', /^\/ostree\/initramfs-overlays\/[0-9a-f]{64}\.img$/);
      assert.deepEqual([first?.initrds.length, second?.initrds.length], [2, 1]);
    });
  });
}

describe('boot entries', () => {
  const folder = () => join(path, 'boot/loader.1/entries');
  beforeEach(() => layOutTextSysroot('2026.4', path));

  it('with a name that is no text are a warning, and hide no other', () => {
    const before = names(read());
    writeFileSync(
      Buffer.concat([Buffer.from(`${folder()}/rescue-`), Buffer.from([0xff]), Buffer.from('.conf')]),
      'title Rescue\n',
    );
    const entries = read();
    const [named] = entries.filter(({ problems }) => problems.length > 0);
    assert.deepEqual(
      [named?.owner, named?.name, named?.problems.map(({ severity, code }) => `${severity} ${code}`)],
      ['foreign', 'rescue-\\xff.conf', ['warning entry-name']],
    );
    assert.deepEqual(names(entries.filter((one) => one !== named)), before);
    assert.deepEqual(
      sysroot()
        .problems.map(({ severity }) => severity)
        .filter((one) => one === 'error'),
      [],
    );
  });

  it('have the order of the Boot Loader Specification, foreign ones among them', () => {
    writeFileSync(join(folder(), 'memtest.conf'), 'title Memtest\nsort-key memtest\nefi /memtest.efi\n');
    writeFileSync(join(folder(), 'zz.conf'), 'title Other\nlinux /k\n');
    renameSync(join(folder(), 'ostree-3.conf'), join(folder(), 'ostree-3+0-3.conf'));
    const entries = read();
    assert.deepEqual(names(entries), [
      'memtest.conf',
      'zz.conf',
      'ostree-2.conf',
      'ostree-1.conf',
      'ostree-3+0-3.conf',
    ]);
    assert.deepEqual(
      entries.map(({ owner }) => owner),
      ['foreign', 'foreign', 'ostree', 'ostree', 'ostree'],
    );
    const bad = entries.at(-1);
    assert.deepEqual([bad?.isBad, bad?.problems.map(({ code }) => code)], [true, ['entry-bad']]);
    assert.equal(bad?.deployment?.stateroot, 'beta');
  });

  it('are not ostree’s without its name or its argument', () => {
    const text = readFileSync(join(folder(), 'ostree-3.conf'), 'latin1');
    writeFileSync(join(folder(), 'mine.conf'), text);
    writeFileSync(join(folder(), 'ostree-9.conf'), text.replace(/ ostree=\S+/, ''));
    const owners = new Map(read().map(({ name, owner }) => [name, owner]));
    assert.deepEqual([owners.get('mine.conf'), owners.get('ostree-9.conf')], ['foreign', 'foreign']);
  });

  it('keep what is no entry at the end, as it is', () => {
    writeFileSync(join(folder(), 'ostree-3.conf.tmp'), 'half an ent');
    writeFileSync(join(folder(), 'a.conf'), Buffer.from([0, 1, 2]));
    mkdirSync(join(folder(), 'sub.conf'));
    const entries = read();
    assert.deepEqual(names(entries).slice(3), ['a.conf', 'ostree-3.conf.tmp', 'sub.conf']);
    assert.deepEqual(
      entries.slice(3).map(({ problems }) => problems.map(({ code }) => code)),
      [['entry-unreadable'], [], ['entry-unreadable']],
    );
    assert.deepEqual(entries[3]?.bytes, Buffer.from([0, 1, 2]));
  });

  it('that lead nowhere say so', () => {
    rmSync(join(path, 'ostree/boot.1.1/beta'), { recursive: true });
    const [first] = read();
    assert.deepEqual([first?.name, first?.deployment], ['ostree-3.conf', undefined]);
    assert.deepEqual(
      first?.problems.map(({ code }) => code),
      ['entry-without-deployment'],
    );
  });

  it('are none without the folder', () => {
    rmSync(join(path, 'boot'), { recursive: true });
    assert.deepEqual(read(), []);
  });
});

describe('the seal pin of an entry', () => {
  const RIGHT = 'd'.repeat(64) as Digest;
  let small: SmallSysroot;
  beforeEach(async () => {
    small = await makeSmallSysroot(path);
    const records = join(small.repositoryPath, 'extensions/sealtree/commits');
    mkdirSync(records, { recursive: true });
    writeFileSync(join(records, small.commits[1]), `${RIGHT}\n`);
  });

  /** Puts a text before `ostree=` in the entry that boots first. */
  const pin = (text: string): EntryState => {
    const file = join(path, 'boot/loader.0/entries/ostree-3.conf');
    writeFileSync(file, readFileSync(file, 'latin1').replace('ostree=', `${text} ostree=`));
    return read()[0] as EntryState;
  };
  const word = (commit: Checksum, digest: Digest) => formatSealPin(commit, digest);

  it('is not there, and it is known what it should be', () => {
    const [first, second] = read();
    assert.deepEqual(
      [first?.pin, first?.sealPin, first?.expectedPin?.imageDigest],
      ['none', undefined, RIGHT],
    );
    assert.deepEqual([second?.pin, second?.expectedPin], ['none', undefined]);
  });

  it('is right', () => {
    const entry = pin(word(small.commits[1], RIGHT));
    assert.deepEqual([entry.pin, entry.sealPin, entry.problems], ['right', entry.expectedPin, []]);
    assert.equal(withSealPin(entry.options, entry.expectedPin), entry.options);
  });

  it('is of another image', () => {
    assert.equal(pin(word(small.commits[1], 'e'.repeat(64) as Digest)).pin, 'wrong');
  });

  it('is of another commit', () => {
    assert.equal(pin(word(small.commits[0], RIGHT)).pin, 'stale');
  });

  it('cannot be compared where nothing was sealed', () => {
    rmSync(join(small.repositoryPath, 'extensions/sealtree/commits', small.commits[1]));
    assert.equal(pin(word(small.commits[1], RIGHT)).pin, 'unknown');
  });

  it('is none', () => {
    const entry = pin('sealtree.pin=latest');
    assert.equal(entry.pin, 'malformed');
    assert.deepEqual(
      entry.problems.map(({ code, severity }) => `${severity} ${code}`),
      ['error pin-malformed'],
    );
  });

  it('stands there twice', () => {
    const right = word(small.commits[1], RIGHT);
    const entry = pin(`${right} ${right}`);
    assert.equal(entry.pin, 'malformed');
    assert.deepEqual(
      entry.problems.map(({ code }) => code),
      ['pin-repeated'],
    );
  });
});
