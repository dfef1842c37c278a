/** A name for a plan, so that what was previewed in one run can be demanded of another. */
import { nativeEngine } from '../base/digest.ts';
import type { BootPlan } from './plan.ts';

/** 64 hexadecimal digits: the SHA-256 of all that the steps would do and write. */
export function planId({ verb, steps }: BootPlan): string {
  const text = JSON.stringify([verb, ...steps.map(digestible)]);
  return nativeEngine.sha256(Buffer.from(text)).toString('hex');
}

/** A step as JSON can hold it: files by their sums. The entry a step edits is told by the bytes before and after. */
function digestible(value: unknown): unknown {
  if (value instanceof Uint8Array) return nativeEngine.sha256(value).toString('hex');
  if (Array.isArray(value)) return value.map(digestible);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([key]) => key !== 'entry');
  return Object.fromEntries(members.map(([key, member]) => [key, digestible(member)]));
}
