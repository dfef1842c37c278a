/** Bytes as people read them: offset, sixteen bytes, and what of them is ASCII; equal lines once. */

const LINE = 16;

/** As `hexdump -C` has it. */
export function hexdump(bytes: Buffer): Buffer {
  const lines: string[] = [];
  let previous: Buffer | undefined;
  let isRepeated = false;
  for (let at = 0; at < bytes.length; at += LINE) {
    const line = bytes.subarray(at, at + LINE);
    if (previous !== undefined && line.equals(previous) && line.length === LINE) {
      if (!isRepeated) lines.push('*');
      isRepeated = true;
      continue;
    }
    isRepeated = false;
    previous = line;
    lines.push(hexLine(at, line));
  }
  return Buffer.from([...lines, offsetOf(bytes.length), ''].join('\n'));
}

const offsetOf = (at: number): string => at.toString(16).padStart(8, '0');

function hexLine(at: number, line: Buffer): string {
  const digits = Array.from(line, (byte) => byte.toString(16).padStart(2, '0'));
  const left = digits.slice(0, LINE / 2).join(' ');
  const right = digits.slice(LINE / 2).join(' ');
  const text = line.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
  return `${offsetOf(at)}  ${left.padEnd(23)}  ${right.padEnd(23)}  |${text}|`;
}
