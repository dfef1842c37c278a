/** All images as a list. */
import { commandLine } from '../../models/command-line.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { counted, type ViewModel } from '../../view.ts';
import { imageDetails, imageTitle } from './details.ts';
import { imageLines, imageSaid } from './list.ts';
import { imageSubject, imagesAnew, imagesRequests, isUsed, selectedImage } from './state.ts';

export const imagesView: ViewModel = {
  title: 'Images',
  count: ({ imageFiles }) => imageFiles.files?.length ?? 0,
  scroll: ({ imageFiles }) => imageFiles,
  scrolled: (state, { list, detailsOffset }) => ({
    ...state,
    imageFiles: { ...state.imageFiles, list, detailsOffset },
  }),
  list: imageLines,
  said: imageSaid,
  detailsTitle: imageTitle,
  details: imageDetails,
  instead(state, width, theme) {
    const { files, failure } = state.imageFiles;
    return files === undefined ? orReading(failure, width, theme) : noImagesLines(state, width, theme);
  },
  summary({ imageFiles: { files } }) {
    if (files === undefined) return [];
    const unused = files.filter((file) => !isUsed(file)).length;
    return [counted(files.length, 'image'), ...(unused === 0 ? [] : [`${unused} unused`])];
  },
  requests: imagesRequests,
  subject(state) {
    const file = selectedImage(state);
    return file === undefined ? undefined : imageSubject(file);
  },
  former({ imageFiles: { files, list } }) {
    const next = files?.[list.cursor + 1];
    return next === undefined ? undefined : imageSubject(next);
  },
  anew: (state) => ({ state: imagesAnew(state), effects: ['reopen'] }),
};

function noImagesLines(state: State, width: number, theme: Theme): string[] {
  return emptyLines(
    'There are no images yet: nothing was sealed here.',
    [[commandLine(state, 'seal'), 'makes an image for each deployment']],
    [
      ['R', 'reads again'],
      ['1', 'shows the deployments'],
    ],
    { width, theme },
  );
}
