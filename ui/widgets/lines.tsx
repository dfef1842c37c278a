/** Lines of text, one element a line: keyed by place, so that scrolling changes texts and nothing else. */
import { Box, Text } from 'ink';

export interface LinesProps {
  readonly lines: readonly string[];
  readonly width: number;
  readonly height: number;
}

/** No line may be wider than `width`, nor does ink cut what is below `height`: both are the business of the models. */
export function Lines({ lines, width, height }: LinesProps) {
  return (
    <Box flexDirection="column" width={width} height={height} flexShrink={0}>
      {lines.slice(0, height).map((line, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a place on the screen is what stays the same
        <Text key={place} wrap="truncate-end">
          {/* A line without text would have no height. */}
          {line === '' ? ' ' : line}
        </Text>
      ))}
    </Box>
  );
}
