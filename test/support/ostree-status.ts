/** `ostree admin status` and our own view of a deployment, in a shape in which they can be compared. */

export interface SeenDeployment {
  readonly id: string;
  /** `booted`; then one of `staged`, `pending`, `rollback`, since ostree names only the first; then the others. */
  readonly marks: readonly string[];
  readonly refspec: string | undefined;
}

/** Reads the text of `ostree admin status`; without colours, as it goes to a pipe. */
export function parseOstreeStatus(text: string): SeenDeployment[] {
  const found: { id: string; marks: string[]; refspec: string | undefined }[] = [];
  for (const line of text.split('\n')) {
    const heading = /^([* ]) (\S+) ([0-9a-f]{64}\.\d+)(?: \((.*)\))?$/.exec(line);
    if (heading !== null) {
      const [, booted, stateroot, name, state] = heading;
      const marks = [...(booted === '*' ? ['booted'] : []), ...(state === undefined ? [] : [state])];
      found.push({ id: `${stateroot}/${name}`, marks, refspec: undefined });
      continue;
    }
    const last = found.at(-1);
    if (last === undefined) continue;
    const unlocked = /^ +.*Unlocked: (\w+)/.exec(line);
    if (unlocked !== null) last.marks.push(`unlocked: ${unlocked[1]}`);
    if (/^ +Pinned: yes$/.test(line)) last.marks.push('pinned');
    last.refspec = /^ +origin refspec: (.*)$/.exec(line)?.[1] ?? last.refspec;
  }
  return found;
}

/** What of ours is compared: a deployment as read, or as `sealtree status --json` prints it. */
export interface OwnDeployment {
  readonly id: string;
  readonly booted: boolean;
  readonly staged: boolean;
  readonly pending: boolean;
  readonly rollback: boolean;
  readonly pinned: boolean;
  readonly unlocked?: string | null | undefined;
  readonly refspec?: string | null | undefined;
  readonly origin?: { readonly refspec: string | undefined } | undefined;
}

export function seenDeployment(deployment: OwnDeployment): SeenDeployment {
  const state = (['staged', 'pending', 'rollback'] as const).find((name) => deployment[name]);
  const marks = [
    ...(deployment.booted ? ['booted'] : []),
    ...(state === undefined ? [] : [state]),
    ...(deployment.unlocked ? [`unlocked: ${deployment.unlocked}`] : []),
    ...(deployment.pinned ? ['pinned'] : []),
  ];
  return { id: deployment.id, marks, refspec: deployment.refspec ?? deployment.origin?.refspec };
}
