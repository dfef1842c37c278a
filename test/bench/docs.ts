/** Puts figures where they are quoted. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setBlock } from '../../contrib/marked-block.ts';

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Writes the block `figures NAME` of a file of the project anew. */
export function renewBlock(file: string, name: string, content: string): void {
  const path = join(PROJECT, file);
  writeFileSync(path, setBlock(readFileSync(path, 'utf8'), `figures ${name}`, content));
}
