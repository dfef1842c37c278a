/** The table of contrib/doc/boot.md, as the boots were. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from './sealtree.ts';
import type { SmallBoot } from './small-machine.ts';
import type { Policy, TamperCase } from './tamper-cases.ts';
import type { TamperMachine } from './tamper-machine.ts';

export type TamperedBoots = Readonly<Record<Policy, SmallBoot>>;

const DOCUMENT = join(PROJECT, 'contrib/doc/boot.md');
const BEGIN = '<!-- made from the boots of `UPDATE_GOLDEN=1 npm run test:boot -- tamper` -->';
const END = '<!-- end of what was made -->';

/** Compares the table of the document with these boots; with UPDATE_GOLDEN=1 writes it instead. */
export function assertTamperTable(
  machine: TamperMachine,
  boots: ReadonlyMap<TamperCase, TamperedBoots>,
): void {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [before, there, ...more] = text.split(BEGIN);
  const [, after, ...others] = (there ?? '').split(END);
  assert(before !== undefined && after !== undefined && more.length + others.length === 0, DOCUMENT);
  const made = `${before}${BEGIN}\n\n${renderTable(machine, boots)}\n${END}${after}`;
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(DOCUMENT, made);
  assert.equal(made, readFileSync(DOCUMENT, 'utf8'));
}

function renderTable(machine: TamperMachine, boots: ReadonlyMap<TamperCase, TamperedBoots>): string {
  const lines: string[] = [];
  let part = '';
  for (const [one, both] of boots) {
    if (one.part !== part) {
      part = one.part;
      if (lines.length > 0) lines.push('');
      lines.push(
        `**${part}**`,
        '',
        '| what was done | `enforce` | `prefer` | what is seen |',
        '|---|---|---|---|',
      );
    }
    const policies = [endOf(both.enforce), endOf(both.prefer)].join(' | ');
    if (typeof one.done === 'string') lines.push(`| ${one.done} | ${policies} | ${seen(machine, both)} |`);
    else
      for (const { what, file } of one.done) {
        const reads = [both.enforce, both.prefer].map((boot) => boot.reads.get(file));
        assert.equal(reads[0], reads[1], `${file} reads the same under each policy`);
        const gives = reads[0] === 'right' ? 'its content' : `\`${reads[0]}\``;
        lines.push(`| ${what} | ${policies} | reading it gives ${gives} |`);
      }
  }
  return `${lines.join('\n')}\n`;
}

/** A word or two. */
function endOf(boot: SmallBoot): string {
  if (boot.root !== 'nothing') return boot.root;
  if (boot.end === 'panic') return 'no init: stops';
  return boot.console.includes('sealtree:   rebooting in 10 seconds') ? 'refuses, reboots' : 'refuses';
}

/** What the console says of the check that failed, which is the same under each policy. */
function seen(machine: TamperMachine, { enforce, prefer }: TamperedBoots): string {
  const said = [enforce, prefer].map((boot) => {
    const at = boot.console.findIndex((line) => /^sealtree: (REFUSED TO BOOT|NOT SEALED): /.test(line));
    const damaged = boot.console.some((line) => line.startsWith('sealtree: the settings in the initramfs'));
    const message = boot.console
      .slice(Math.max(at, 0))
      .map(
        (line) =>
          /^sealtree: (?:REFUSED TO BOOT: |NOT SEALED: | {2}(?:expected|found): +)(.*)$/.exec(line)?.[1],
      )
      .filter((text): text is string => text !== undefined)
      .filter((text, i, all) => all.indexOf(text) === i)
      .slice(0, 3);
    if (at < 0) return damaged ? 'the settings in the initramfs are damaged' : '';
    const [check = '', expected = '', found = ''] = message.map((text) => general(machine, text));
    return `${check}<br>expected: ${expected}<br>found: ${found}`;
  });
  assert.equal(said[0], said[1], 'says the same under each policy');
  return said[0] ?? '';
}

/** Without what differs from machine to machine. */
function general({ deployment, other }: TamperMachine, text: string): string {
  const names: [string, string][] = [
    [deployment.imageDigest, 'DIGEST'],
    [deployment.imageDigest.slice(0, -1), 'SHORT-DIGEST'],
    [other.imageDigest, 'OTHER-DIGEST'],
    [deployment.commit, 'COMMIT'],
    [deployment.commit.slice(0, 12), 'COMMIT'],
    [other.commit.slice(0, 12), 'OTHER-COMMIT'],
  ];
  let result = text;
  for (const [name, word] of names)
    for (const spelling of [name, name.toUpperCase()]) result = result.replaceAll(spelling, word);
  return result
    .replaceAll(/\b[0-9a-f]{64}\b/g, '…')
    .replaceAll(/\binode \d+/g, 'inode N')
    .replaceAll(/\bpos=\d+/g, 'pos=N')
    .replaceAll('|', '\\|');
}
