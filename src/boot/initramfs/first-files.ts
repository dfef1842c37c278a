/**
 * The files that user space needs first: init, what starts it, their libraries. A sealed root in which one of them
 * cannot be read would end in a panic or hang, so the initramfs reads them before it switches to it.
 */
import type { ByteString } from '../../base/bytes.ts';
import type { SystemReads } from '../../base/system.ts';
import { type Library, programFiles } from './programs.ts';
import { TreeRoot } from './tree-root.ts';

/**
 * What runs before there is anything to see: init by the names that initramfs scripts and the kernel try, in their
 * order, of which the first is taken; and what systemd (from 255 on) starts all else through.
 */
const INITS = ['sbin/init', 'etc/init', 'bin/init', 'usr/lib/systemd/systemd', 'bin/sh'] as ByteString[];
const BESIDES = ['usr/lib/systemd/systemd-executor'] as ByteString[];

/**
 * Their paths in the deployments, relative to the root, without symlinks (in the initramfs a link would lead into the
 * initramfs), sorted, each once.
 * @throws OperationError when a deployment lacks a library, FormatError for a damaged file, IoError
 */
export function firstFiles(deployments: readonly string[], system: SystemReads): ByteString[] {
  const paths = new Set<ByteString>();
  for (const deployment of deployments) {
    const root = new TreeRoot(deployment, system);
    const init = INITS.find((path) => root.resolveFile(path) !== undefined);
    for (const program of init === undefined ? [] : [init, ...BESIDES]) {
      const files = programFiles(program, root);
      if (files === undefined) continue;
      paths.add(files.path);
      if (files.loader !== undefined) paths.add(files.loader);
      for (const library of files.libraries)
        for (const path of [library.path, ...variants(library, root)]) paths.add(path);
    }
  }
  // One a line in the initramfs: a name with a newline in it cannot stand there.
  return [...paths].filter((path) => !path.includes('\n')).sort();
}

/** The same library for newer processors, which the loader takes instead where the processor is one (ld.so(8)). */
function variants({ name, path }: Library, root: TreeRoot): ByteString[] {
  const folder = `${path.slice(0, path.lastIndexOf('/'))}/glibc-hwcaps` as ByteString;
  return root
    .readdir(folder)
    .flatMap((processor) => root.resolveFile(`${folder}/${processor}/${name}` as ByteString) ?? []);
}
