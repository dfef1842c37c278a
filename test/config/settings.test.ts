/** Where the configuration comes from, and what it says. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ConfigError, FormatError, IoError } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { findConfigFiles } from '../../src/config/search.ts';
import { readSettings, SETTING_KEYS } from '../../src/config/settings.ts';
import { Sandbox } from '../support/sandbox.ts';

let work: Sandbox;
beforeEach(() => {
  work = new Sandbox();
});
afterEach(() => work.dispose());

const file = (path: string, text: string) => work.write(path.slice(1), text);
const link = (path: string, target: string): void => {
  mkdirSync(dirname(work.join(path)), { recursive: true });
  symlinkSync(target, work.join(path));
};
const find = () => findConfigFiles('sealtree', 'sealtree', linuxSystem, work.path);
const readPaths = () => find().read.map(({ path }) => path);
const unread = () => find().unread.map(({ path, because, by }) => `${path} ${because} by ${by}`);
const settings = () => readSettings(linuxSystem, work.path);

const ETC = '/etc/sealtree/sealtree.conf';
const RUN = '/run/sealtree/sealtree.conf';
const LOCAL = '/usr/local/lib/sealtree/sealtree.conf';
const USR = '/usr/lib/sealtree/sealtree.conf';

describe('the search for configuration', () => {
  it('finds nothing in an empty system', () => assert.deepEqual(find(), { read: [], unread: [] }));

  it('takes the first main file and not the others', () => {
    for (const path of [USR, LOCAL, RUN, ETC]) {
      file(path, `# ${path}\n`);
      assert.deepEqual(readPaths(), [path]);
    }
    assert.deepEqual(
      unread(),
      [RUN, LOCAL, USR].map((path) => `${path} overridden by ${ETC}`),
    );
  });

  it('reads the drop-ins of all folders after it, by name', () => {
    file(USR, '#');
    file(`${USR}.d/50-b.conf`, '#');
    file(`${ETC}.d/10-a.conf`, '#');
    file(`${RUN}.d/90-c.conf`, '#');
    file(`${LOCAL}.d/60-z.conf`, '#');
    file(`${ETC}.d/README`, 'no drop-in');
    file(`${ETC}.d/.20-hidden.conf`, '#');
    assert.deepEqual(readPaths(), [
      USR,
      `${ETC}.d/10-a.conf`,
      `${USR}.d/50-b.conf`,
      `${LOCAL}.d/60-z.conf`,
      `${RUN}.d/90-c.conf`,
    ]);
  });

  it('takes of drop-ins with one name the first folder’s', () => {
    for (const path of [USR, RUN, ETC]) file(`${path}.d/x.conf`, `# ${path}`);
    assert.deepEqual(readPaths(), [`${ETC}.d/x.conf`]);
    assert.deepEqual(unread(), [
      `${RUN}.d/x.conf overridden by ${ETC}.d/x.conf`,
      `${USR}.d/x.conf overridden by ${ETC}.d/x.conf`,
    ]);
  });

  it('does not read what an empty file or a link to /dev/null masks', () => {
    file(USR, '#');
    file(`${USR}.d/a.conf`, '#');
    file(`${USR}.d/b.conf`, '#');
    link(ETC, '/dev/null');
    file(`${ETC}.d/a.conf`, '');
    link(`${RUN}.d/b.conf`, '../../../dev/null');
    assert.deepEqual(readPaths(), []);
    assert.deepEqual(unread(), [
      `${USR} masked by ${ETC}`,
      `${USR}.d/a.conf masked by ${ETC}.d/a.conf`,
      `${USR}.d/b.conf masked by ${RUN}.d/b.conf`,
    ]);
  });

  it('follows links inside the root it looks in', () => {
    file('/srv/real.conf', '# in the root');
    link(ETC, '/srv/real.conf');
    file('/srv/dropins/x.conf', '# too');
    link(`${ETC}.d`, '../../srv/dropins');
    assert.deepEqual(
      find().read.map(({ path, bytes }) => `${path} ${bytes}`),
      [`${ETC} # in the root`, `${ETC}.d/x.conf # too`],
    );
  });

  it('does not leave the root by a link', () => {
    link(ETC, '/etc/hostname');
    link('/etc/hostname', '../../../../../../../../../etc/passwd');
    file(USR, '# the one');
    assert.deepEqual(readPaths(), [USR]);
  });

  it('takes a link that leads nowhere for no file', () => {
    link(ETC, '/srv/gone.conf');
    file(USR, '#');
    assert.deepEqual(readPaths(), [USR]);
  });

  it('ends at a link that leads to itself', () => {
    link(ETC, 'sealtree.conf');
    assert.throws(find, (error) => error instanceof IoError && error.errno === 'ELOOP');
  });

  it('reports a file that must not be read', {
    skip: process.getuid?.() === 0 && 'root may read all',
  }, () => {
    chmodSync(file(ETC, '#'), 0);
    assert.throws(find, (error) => error instanceof IoError && error.errno === 'EACCES');
  });
});

describe('settings', () => {
  it('have defaults with which a machine always boots', () => {
    const { policy, unpinned, onRefusal, initramfs, screenReader, problems } = settings();
    assert.deepEqual(
      [policy, unpinned, onRefusal, initramfs, screenReader].map(({ value, origin }) => [value, origin]),
      [
        ['prefer', undefined],
        ['refuse', undefined],
        ['auto', undefined],
        ['auto', undefined],
        ['no', undefined],
      ],
    );
    assert.deepEqual(problems, []);
  });

  it('come from the last file that has them', () => {
    file(USR, '[boot]\npolicy=enforce\nunpinned=plain\non-refusal=reboot\n');
    file(`${USR}.d/50-vendor.conf`, '[boot]\nunpinned=refuse\ninitramfs=module\n');
    file(`${ETC}.d/60-local.conf`, '# ours\n\n[boot]\ninitramfs = append  \n');
    const { policy, unpinned, onRefusal, initramfs } = settings();
    assert.deepEqual(policy, { value: 'enforce', origin: USR });
    assert.deepEqual(unpinned, { value: 'refuse', origin: `${USR}.d/50-vendor.conf` });
    assert.deepEqual(onRefusal, { value: 'reboot', origin: USR });
    assert.deepEqual(initramfs, { value: 'append', origin: `${ETC}.d/60-local.conf` });
  });

  for (const { group, key, words } of Object.values(SETTING_KEYS)) {
    it(`${key} takes its words and no other`, () => {
      for (const word of words) {
        file(ETC, `[${group}]\n${key}=${word}\n`);
        const values = Object.values(settings()).flatMap((one) => ('value' in one ? [one.value] : []));
        assert.ok(values.includes(word));
      }
      for (const bad of ['', 'maybe', words[0].toUpperCase(), `${words[0]} # why`, `"${words[0]}"`]) {
        file(ETC, `[${group}]\n${key}=${bad}\n`);
        assert.throws(
          settings,
          (error) => error instanceof ConfigError && error.message.startsWith(`${ETC}: ${key}: got `),
          bad,
        );
      }
    });
  }

  it('that are not known are reported and do no harm', () => {
    file(ETC, '[boot]\npolicy=enforce\npolicies=enforce\n[Boot]\npolicy=prefer\n');
    const { policy, problems } = settings();
    assert.equal(policy.value, 'enforce');
    assert.deepEqual(problems, [
      { path: ETC, message: 'unknown key policies in [boot]' },
      { path: ETC, message: 'unknown group [Boot]' },
    ]);
  });

  it('in a file that is none are an error with its line', () => {
    file(ETC, '[boot]\npolicy enforce\n');
    assert.throws(
      settings,
      (error) => error instanceof FormatError && error.message.startsWith(`${ETC}:2: `),
    );
  });
});
