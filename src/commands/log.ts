/** `sealtree log REV`: a commit and its ancestors. */
import type { ByteString } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { ExitCode, UsageError } from '../base/errors.ts';
import { OBJECT_TYPES } from '../formats/objects.ts';
import { type HistoryEntry, walkHistory } from '../repository/commits.ts';
import type { Repository } from '../repository/repository.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { resolveRev } from './revision.ts';
import { commitJson, commitLine, commitText, forTerminal } from './text/commit.ts';
import { rawText } from './text/variant.ts';

interface LogOptions {
  readonly raw?: boolean;
  readonly oneline?: boolean;
  readonly maxCount?: string;
}

export const command: CommandModule = {
  name: 'log',
  summary: 'Show the history of a commit',
  details: [
    'Prints REV and the commits before it, newest first. Where the history was not fetched completely, the last line says so.',
  ],
  examples: [
    ['log debian/13/x86_64', 'the history of a ref'],
    ['log --oneline --max-count 10 0', 'the last ten commits of deployment 0'],
  ],
  define(command, run) {
    command
      .argument('<rev>', 'commit to begin with')
      .option('--raw', 'print the commits as GVariant text')
      .option('--oneline', 'print one line per commit')
      .option('--max-count <n>', 'stop after that many commits')
      .action(run(log));
  },
};

async function log(context: Context, rev: string, options: LogOptions): Promise<number> {
  const limit = parseCount(options.maxCount);
  const repository = await context.openRepository();
  const history = walkHistory(repository, await resolveRev(context, repository, rev)).take(limit);
  if (context.options.json) {
    context.printJsonList('log', 'commits', historyJson(history));
    return ExitCode.ok;
  }
  const render = options.oneline ? commitLine : commitText;
  for (const { checksum, commit, end } of history) {
    const text = options.raw ? rawCommitText(repository, checksum) : render(checksum, commit);
    context.write(forTerminal(text, context.stdout.isTerminal));
    if (end === 'missing' || end === 'deleted') context.print('<< History beyond this commit not fetched >>');
  }
  return ExitCode.ok;
}

/** `historyEnd` of the last commit says why there is none before it. */
function* historyJson(history: Iterable<HistoryEntry>): Generator<Record<string, unknown>> {
  for (const { checksum, commit, end } of history)
    yield { ...commitJson(checksum, commit), ...(end === undefined ? {} : { historyEnd: end }) };
}

/** `commit CHECKSUM` and the whole commit as GVariant text. */
function rawCommitText(repository: Repository, checksum: Checksum): ByteString {
  return `commit ${checksum}\n${rawText(OBJECT_TYPES.commit, repository.commitBytes(checksum))}\n` as ByteString;
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(text))
    throw new UsageError(`--max-count needs a number, not ${JSON.stringify(text)}`);
  return Number(text);
}
