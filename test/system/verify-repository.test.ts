/** `verify --repository` and `ostree fsck` agree on what is whole and what is not. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { sealtree } from '../support/sealtree.ts';
import { walk } from '../support/walk.ts';

const MAKE = `ostree init --repo="$1" --mode="$3" >/dev/null
tree=$2 mode=$3
case $mode in bare-user-only) set -- "$1" --canonical-permissions --no-xattrs;; *) set -- "$1";; esac
repo=$1; shift
ostree --repo="$repo" commit --branch=x --timestamp=@0 "$@" --tree=dir="$tree"`;

/** What is done to a repository, and the code of what must be found. */
const DAMAGES: readonly (readonly [title: string, script: string, code: string])[] = [
  ['content that is gone', 'rm "$(find "$1/objects" -name "*.file*" | sort | head -n1)"', 'object-missing'],
  [
    'a folder that is gone',
    'rm "$(find "$1/objects" -name "*.dirtree" | sort | head -n1)"',
    'object-missing',
  ],
  [
    'a folder with other bytes',
    'printf x >>"$(find "$1/objects" -name "*.dirtree" | sort | head -n1)"',
    'object-damaged',
  ],
  [
    'content with other bytes',
    'truncate -s -2 "$(find "$1/objects" -name "*.file*" -type f -size +9c | sort | head -n1)"',
    'object-(corrupt|damaged)',
  ],
  ['a ref to nothing', `printf '%064d\\n' 5 >"$1/refs/heads/gone"`, 'ref-dangling'],
];

describeSystem('verify --repository', ['sid'], () => {
  const sid = oracle('sid');
  const verify = (repository: string, depth: string) =>
    sealtree(['verify', '--json', '--repository', depth, '--repo', repository], { allowFailure: true });

  for (const [seed, mode] of (['bare', 'bare-user', 'archive', 'bare-user-only'] as const).entries())
    it(`finds in a ${mode} repository what ostree fsck finds`, () => {
      using work = new Sandbox();
      const repository = work.join('repo');
      makeDiskTree(new Random(seed + 400), work.join('tree'), { entries: 150 });
      sid.runScript(MAKE, [repository, work.join('tree'), mode]);
      const files = walk(`${repository}/objects`).filter(({ stats }) => !stats.isDirectory());
      for (const depth of ['--deep', '--paranoid']) {
        const report = JSON.parse(verify(repository, depth).stdout) as Record<string, unknown>;
        assert.deepEqual(report.findings, [], depth);
        assert.deepEqual([report.refs, report.commits, report.objects], [1, 1, files.length]);
        assert.equal(report.objectsRead, files.length);
      }
      for (const [title, script, code] of DAMAGES) {
        const copy = work.join('damaged');
        sid.runScript(`rm -rf "$2"; cp -a "$1" "$2"; set -- "$2"; ${script}`, [repository, copy]);
        const ours = verify(copy, '--deep');
        assert.equal(ours.status, 2, title);
        const theirs = sid.runScript('ostree fsck --quiet --all --repo="$1"', [copy], { allowFailure: true });
        assert.notEqual(theirs.status, 0, `ostree: ${title}`);
        // It has marked the commit as incomplete, which is no excuse.
        assert.equal(verify(copy, '--deep').status, 2, title);
        const { findings } = JSON.parse(ours.stdout) as { findings: { severity: string; code: string }[] };
        const errors = findings.filter(({ severity }) => severity === 'error');
        assert.ok(
          errors.length > 0 && errors.every((finding) => new RegExp(`^${code}$`).test(finding.code)),
          title,
        );
      }
    });
});
