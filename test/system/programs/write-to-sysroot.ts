/** Makes a sysroot writable and writes to it: what {@link ../writable.test.ts} runs. */
import { writeFileSync } from 'node:fs';
import { SealtreeError } from '../../../src/base/errors.ts';
import { linuxSystem } from '../../../src/base/system-linux.ts';
import { ensureWritable, NAMESPACE_MARKER } from '../../../src/deployment/writable.ts';

const [sysroot, ...words] = process.argv.slice(2) as [string, ...string[]];
try {
  await ensureWritable([sysroot], linuxSystem);
  writeFileSync(`${sysroot}/ostree/written`, '');
  console.log(JSON.stringify({ words, isPrivate: process.env[NAMESPACE_MARKER] !== undefined }));
  process.exitCode = 7;
} catch (error) {
  if (!(error instanceof SealtreeError)) throw error;
  console.log(JSON.stringify(error));
  process.exitCode = error.exitCode;
}
