/** Sysroots kept as text: see make-sysroots.sh and make-menus.sh in test/fixtures. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const OSTREE_VERSIONS = ['2022.7', '2025.2', '2026.4'] as const;
export type OstreeVersion = (typeof OSTREE_VERSIONS)[number];

/** Lays one out below `path` and returns what `ostree admin status` said of it. */
export function layOutTextSysroot(version: OstreeVersion, path: string): string {
  return layOut(`sysroots/ostree-${version}.txt`, path);
}

/** Lays one out below `path` that has what ostree wrote for a boot loader: two deployments, see make-menus.sh. */
export function layOutMenuSysroot(
  loader: 'grub' | 'syslinux' | 'u-boot',
  version: OstreeVersion,
  path: string,
): void {
  layOut(`menus/${loader}-ostree-${version}.txt`, path);
}

function layOut(fixture: string, path: string): string {
  const sections = readFileSync(new URL(`../fixtures/${fixture}`, import.meta.url), 'utf8')
    .split(/^== /m)
    .slice(1);
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
