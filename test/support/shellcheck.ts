/** Shell scripts, linted: nothing is let pass but what a script names itself. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

/** Why scripts cannot be linted here; undefined when they can. */
export const missingShellcheck = (): string | undefined =>
  spawnSync('shellcheck', ['--version']).error === undefined ? undefined : 'shellcheck is not installed';

/** Fails the test at anything shellcheck minds. */
export function lintScripts(paths: readonly string[]): void {
  for (const path of paths) {
    const { status, stdout, stderr } = spawnSync('shellcheck', ['--severity=style', path], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
  }
}
