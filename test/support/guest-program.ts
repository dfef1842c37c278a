/** The program as it is shipped, for guests: `node /opt/sealtree/dist/sealtree.js`. */
import { join } from 'node:path';
import { buildProgram } from '../../contrib/build.ts';
import type { Sandbox } from './sandbox.ts';
import { PROJECT } from './sealtree.ts';

/** Builds it; returns the files a guest needs to run it, by path there. */
export async function guestProgram(work: Sandbox): Promise<Record<string, string>> {
  const program = work.join('dist');
  await buildProgram(program);
  return {
    'usr/bin/node': process.execPath,
    'opt/sealtree/dist': program,
    'opt/sealtree/contrib': join(PROJECT, 'contrib'),
    'opt/sealtree/package.json': join(PROJECT, 'package.json'),
    'opt/sealtree/node_modules/koffi': join(PROJECT, 'node_modules/koffi'),
    'opt/sealtree/node_modules/@koromix': join(PROJECT, 'node_modules/@koromix'),
  };
}

/** Defines `sealtree` for a guest's script. */
export const DEFINE_SEALTREE = 'sealtree() { node /opt/sealtree/dist/sealtree.js "$@"; }';
