/** `composefs-dump SRC DST`: reads an image and writes it anew, in the same format version. For tests of readers and writers. */
import { ErofsImage, readTree } from '../formats/erofs/read.ts';
import { writeImage } from '../formats/erofs/write.ts';
import type { RawCommand } from './command.ts';
import { writeOutput } from './output-file.ts';
import { runTool, ToolFailure } from './stand-in.ts';
import type { Surroundings } from './surroundings.ts';

const NAME = 'composefs-dump';

const USAGE = `usage: ${NAME} SRC DEST`;

export const command: RawCommand = {
  name: NAME,
  summary: 'read an image and write it again, as the C tool of that name',
  details: [
    'The copy has the same bytes, unless a hard link sorts before the name that was the first one in the dump the image was made from.',
  ],
  main: (args, surroundings) => runTool(NAME, surroundings, () => copyImage(args, surroundings)),
};

async function copyImage(args: readonly string[], { stdout, system }: Surroundings): Promise<void> {
  const [source, destination] = args;
  if (source === undefined) throw new ToolFailure(`No source path specified\n${USAGE}`);
  if (destination === undefined) throw new ToolFailure(`No destination path specified\n${USAGE}`);
  const image = new ErofsImage(system.readFile(source), source);
  const version = image.composefsVersion;
  const { bytes } = writeImage(readTree(image), { minVersion: version, maxVersion: version });
  await writeOutput(destination, [bytes], stdout, system);
}
