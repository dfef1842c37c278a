/**
 * The tools we are measured against, of Debian sid: ostree 2026.4, mkcomposefs and composefs-info 1.0.8. They are run
 * by the loader and with the libraries of the oracle root, without entering it: that would take time that is not theirs.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { oracle, runHost } from '../support/oracle.ts';

export type Peer = 'ostree' | 'mkcomposefs' | 'composefs-info';

const { root } = oracle('sid');

function only(pattern: string): string {
  const found = globSync(join(root, pattern));
  if (found.length !== 1) throw new Error(`${join(root, pattern)}: ${found.length} found; run .ci/oracles`);
  return found[0] as string;
}

/** The command line of a peer. */
export function peer(program: Peer, ...args: readonly string[]): string[] {
  const loader = only('lib{,64}/ld-linux-*.so.*');
  return [loader, '--library-path', only('usr/lib/*-linux-gnu'), join(root, 'usr/bin', program), ...args];
}

/** Runs a peer for what is not measured; returns its output. */
export function runPeer(program: Peer, ...args: readonly string[]): string {
  return runHost(peer(program, ...args), { timeoutMs: 30 * 60_000 }).stdout;
}

/** Name and version of each, as they say. */
export function peerVersions(): string[] {
  const version = /Version: '([^']+)'/.exec(runPeer('ostree', '--version'))?.[1];
  const status = runHost(['dpkg-query', `--admindir=${join(root, 'var/lib/dpkg')}`, '--status', 'composefs']);
  return [`ostree ${version}`, `composefs ${/^Version: (.+)-/m.exec(status.stdout)?.[1]}`];
}
