/** The value of `--platform`: what images are for, in Go's words. */
import { arch } from 'node:process';
import { UsageError } from '../base/errors.ts';
import { type Platform, parsePlatform } from '../formats/oci.ts';

/** Go's names for processors, by Node's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** What is asked for, or this machine. @throws UsageError */
export function platformOf(text: string | undefined): Platform {
  const own = `linux/${ARCHITECTURES[arch] ?? arch}`;
  const platform = parsePlatform(text ?? own);
  if (platform === undefined)
    throw new UsageError(`--platform is OS/ARCHITECTURE such as ${own}, not ${JSON.stringify(text)}`);
  return platform;
}
