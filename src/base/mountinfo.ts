/** /proc/PID/mountinfo as in proc_pid_mountinfo(5). */

export interface Mount {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of st_dev below it. */
  readonly device: string;
  /** The folder of the file system that is its root here. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
  /** Options of the file system itself, such as overlay's `lowerdir=…`. */
  readonly superOptions: readonly string[];
}

/** Parses the whole file; lines it does not understand are left out. */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    // Between the sixth field and a lone hyphen stand optional fields, any number of them.
    const hyphen = fields.indexOf('-', 6);
    if (hyphen === -1 || fields.length < hyphen + 4) continue;
    const [id, parent, device, root, mountPoint, options] = fields as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    mounts.push({
      id: Number(id),
      parent: Number(parent),
      device,
      root: unescapeField(root),
      mountPoint: unescapeField(mountPoint),
      options: options.split(','),
      type: fields[hyphen + 1] as string,
      source: unescapeField(fields[hyphen + 2] as string),
      superOptions: unescapeField(fields[hyphen + 3] as string).split(','),
    });
  }
  return mounts;
}

export const isReadOnlyMount = (mount: Mount): boolean =>
  mount.options.includes('ro') || mount.superOptions.includes('ro');

/** The mount a path lies on, judged by its (absolute, symlink-free) name; of stacked mounts the uppermost. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const below =
      mount.mountPoint === '/' || path === mount.mountPoint || path.startsWith(`${mount.mountPoint}/`);
    if (below && mount.mountPoint.length >= (found?.mountPoint.length ?? 0)) found = mount;
  }
  return found;
}

/** Space, tab, newline and backslash come as three octal digits; the bytes are UTF-8. */
function unescapeField(field: string): string {
  if (!field.includes('\\')) return field;
  return Buffer.from(
    Buffer.from(field, 'utf8')
      .toString('latin1')
      .replace(/\\([0-7]{3})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8) & 0xff),
      ),
    'latin1',
  ).toString('utf8');
}
