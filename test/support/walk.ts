import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';

export interface Walked {
  /** Relative to where the walk began. */
  readonly name: string;
  readonly path: string;
  readonly stats: Stats;
}

/**
 * Everything below a folder, folders before what is in them, by name. By hand, since `recursive` of Node 24's
 * readdirSync loses entries, or never ends, in folders that hold symlinks.
 */
export function walk(root: string): Walked[] {
  const found: Walked[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder)).sort()) {
      const name = folder === '' ? entry : `${folder}/${entry}`;
      const path = join(root, name);
      const stats = lstatSync(path);
      found.push({ name, path, stats });
      if (stats.isDirectory()) visit(name);
    }
  };
  visit('');
  return found;
}
