/** Lines of text as one element, so that scrolling changes texts and nothing else. */
import { Box, Transform } from 'ink';

export interface LinesProps {
  readonly lines: readonly string[];
  readonly width: number;
  readonly height: number;
}

/** No line may be wider than `width`, nor does ink cut what is below `height`: both are the business of the models. */
export function Lines({ lines, width, height }: LinesProps) {
  return (
    <Box width={width} height={height} flexShrink={0}>
      {/* ink would measure every text and take it apart twice: a sign for each line holds the place until it is drawn. */}
      <Transform transform={(_sign, place) => lines[place] ?? ''}>{placesOf(height)}</Transform>
    </Box>
  );
}

const placesOf = (height: number): string =>
  Array.from({ length: Math.max(0, height) }, () => '.').join('\n');
