/**
 * Rehearses boots and prints the findings of each as a line of JSON: `node rehearse.ts SYSROOT DEPLOYMENT [POLICY
 * COMMAND-LINE]…`. For machines whose kernel can do it.
 */
import { textToBytes } from '../../../src/base/bytes.ts';
import { linuxSystem } from '../../../src/base/system-linux.ts';
import type { InitramfsSettings } from '../../../src/boot/initramfs-settings.ts';
import { rehearse } from '../../../src/boot/rehearsal.ts';
import { readSysroot } from '../../../src/deployment/sysroot.ts';

const [path = '', name = '', ...boots] = process.argv.slice(2);
const deployment = readSysroot(path, linuxSystem).resolve(name);
for (let i = 0; i + 1 < boots.length; i += 2) {
  const settings: InitramfsSettings = {
    policy: boots[i] === 'enforce' ? 'enforce' : 'prefer',
    unpinned: 'refuse',
    onRefusal: 'emergency',
  };
  const request = { sysroot: path, deployment, commandLine: textToBytes(boots[i + 1] ?? ''), settings };
  console.log(JSON.stringify(await rehearse(request, linuxSystem)));
}
