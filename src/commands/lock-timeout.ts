/** The value of `--lock-timeout`. */
import { UsageError } from '../base/errors.ts';

/** Seconds, whole or not, as milliseconds. @throws UsageError */
export function lockTimeoutMs(seconds: string): number {
  const value = Number(seconds);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(seconds) || value > 86_400)
    throw new UsageError(`--lock-timeout is a number of seconds up to 86400, not ${JSON.stringify(seconds)}`);
  return Math.round(value * 1000);
}
