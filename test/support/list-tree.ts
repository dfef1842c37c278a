/**
 * Prints everything a file tree shows, one entry a line: `node list-tree.ts FOLDER`. A program of its own, because
 * what is mounted in another mount namespace can only be read from inside.
 */
import { hash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { runHost } from './oracle.ts';

const FILES = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);

function* list(root: string, path: string): Generator<string> {
  const stats = lstatSync(`${root}${path}`);
  const type = FILES.get(stats.mode & 0o170000) ?? `type ${stats.mode >> 12}`;
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  const content =
    type === 'file'
      ? `${stats.size} ${hash('sha256', readFileSync(`${root}${path}`))}`
      : type === 'symlink'
        ? readlinkSync(`${root}${path}`, 'latin1')
        : '';
  yield JSON.stringify([path, type, mode, stats.uid, stats.gid, content]);
  if (type === 'directory')
    for (const name of readdirSync(`${root}${path}`).sort()) yield* list(root, `${path}/${name}`);
}

const root = process.argv[2] as string;
const xattrs = runHost(
  ['getfattr', '--recursive', '--physical', '--no-dereference', '--dump', '--match=-', '--encoding=hex', '.'],
  { cwd: root },
);
const lines = [
  ...list(root, ''),
  ...xattrs.stdout
    .trim()
    .split('\n\n')
    .filter(Boolean)
    .map((block) => JSON.stringify(block))
    .sort(),
];
process.stdout.write(`${lines.join('\n')}\n`);
