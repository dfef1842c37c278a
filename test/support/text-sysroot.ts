/** Sysroots kept as text: see test/fixtures/make-sysroots.sh. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const OSTREE_VERSIONS = ['2022.7', '2025.2', '2026.4'] as const;

/** Lays one out below `path` and returns what `ostree admin status` said of it. */
export function layOutTextSysroot(version: (typeof OSTREE_VERSIONS)[number], path: string): string {
  const fixture = new URL(`../fixtures/sysroots/ostree-${version}.txt`, import.meta.url);
  const sections = readFileSync(fixture, 'utf8').split(/^== /m).slice(1);
  let status = '';
  for (const section of sections) {
    const [head = '', ...rest] = section.split('\n');
    const body = rest.map((line) => (line.startsWith('|') ? `${line.slice(1)}\n` : '')).join('');
    const [, kind, name = '', target = ''] = /^(\w+)(?: (\S+))?(?: -> (\S+))?$/.exec(head) ?? [];
    const at = join(path, name);
    if (kind === 'status') status = body;
    else mkdirSync(kind === 'folder' ? at : dirname(at), { recursive: true });
    if (kind === 'link') symlinkSync(target, at);
    if (kind === 'file') writeFileSync(at, body);
  }
  return status;
}
