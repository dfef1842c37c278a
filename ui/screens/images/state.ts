/** The screen of all images of a sysroot: the published ones and those that only deployments have. Pure. */
import { join } from 'node:path';
import type { Digest } from '../../../src/base/digest.ts';
import { DEPLOYMENT_IMAGE } from '../../../src/image/store.ts';
import { deploymentSubject } from '../../models/deployment.ts';
import type { Failure } from '../../models/failure.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { type Subject, subjectName } from '../../models/subject.ts';
import type { State } from '../../state.ts';
import type { ImageOverview } from './overview.ts';

/** One image file, under all the names that lead to it. */
export interface ImageFile {
  /** The published name, where it has one. */
  readonly path: string;
  /** Of a published image: its name says so. */
  readonly digest: Digest | undefined;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly madeAt: number;
  /** Deployments that have it, as they are called. */
  readonly usedBy: readonly string[];
  /** Refs that were sealed with it. */
  readonly refs: readonly ImageRef[];
}

/** `moved`: the ref names another commit by now; `gone`: there is no such ref any more. */
export interface ImageRef {
  readonly name: string;
  readonly state: 'current' | 'moved' | 'gone';
}

/** Whether something keeps it from being removed. */
export const isUsed = ({ usedBy, refs }: ImageFile): boolean =>
  usedBy.length > 0 || refs.some(({ state }) => state !== 'gone');

/** Where an image may lie besides the store. */
export interface ImagePlace {
  readonly title: string;
  readonly path: string;
}

export interface Images extends Scroll {
  /** Counts readings, so that what a former one still finds is told apart. */
  readonly reading: number;
  /** Undefined while they are looked for. */
  readonly files: readonly ImageFile[] | undefined;
  /** Of one image: the one last selected. */
  readonly overview: ImageOverview | undefined;
  readonly failure: Failure | undefined;
}

export const NO_IMAGES: Images = {
  ...TOP,
  reading: 0,
  files: undefined,
  overview: undefined,
  failure: undefined,
};

export type ImagesEvent =
  | { readonly type: 'images-read'; readonly reading: number; readonly files: readonly ImageFile[] }
  | { readonly type: 'images-failed'; readonly reading: number; readonly failure: Failure }
  | { readonly type: 'image-surveyed'; readonly overview: ImageOverview };

export type ImagesRequest = { readonly reader: 'images' } & (
  | { readonly type: 'read-images'; readonly reading: number; readonly places: readonly ImagePlace[] }
  | { readonly type: 'survey-image'; readonly reading: number; readonly path: string }
);

export function selectedImage({ imageFiles }: State): ImageFile | undefined {
  return imageFiles.files?.[imageFiles.list.cursor];
}

export function imageSubject({ path, digest }: ImageFile): Subject {
  return { kind: 'image', path, title: digest?.slice(0, 12) ?? path };
}

export function imagesRequests(state: State): ImagesRequest[] {
  const { imageFiles, sysroot, isReading } = state;
  const { files, failure, overview, reading } = imageFiles;
  if (failure !== undefined) return [];
  if (files === undefined) {
    // Which deployments there are is read first.
    if (isReading && sysroot === undefined) return [];
    const places = (sysroot?.deployments ?? []).map((deployment) => ({
      title: subjectName(deploymentSubject(deployment)),
      path: join(deployment.path, DEPLOYMENT_IMAGE),
    }));
    return [{ reader: 'images', type: 'read-images', reading, places }];
  }
  const path = selectedImage(state)?.path;
  if (path === undefined || overview?.path === path) return [];
  return [{ reader: 'images', type: 'survey-image', reading, path }];
}

export function onImages(state: State, event: ImagesEvent): State {
  const { imageFiles } = state;
  switch (event.type) {
    case 'images-read':
      if (event.reading !== imageFiles.reading) return state;
      return { ...state, imageFiles: { ...imageFiles, files: event.files } };
    case 'images-failed':
      if (event.reading !== imageFiles.reading) return state;
      return { ...state, imageFiles: { ...imageFiles, failure: event.failure } };
    case 'image-surveyed':
      return { ...state, imageFiles: { ...imageFiles, overview: event.overview } };
  }
}

/** Forgets all images: they are looked for anew. */
export function imagesAnew(state: State): State {
  const { list, reading } = state.imageFiles;
  return { ...state, imageFiles: { ...NO_IMAGES, list, reading: reading + 1 } };
}
