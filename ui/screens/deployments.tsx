/** The first screen: deployments of the sysroot, what is wrong with it, and the way to a seal. */
import { Box } from 'ink';
import { listLines } from '../models/deployment-list.ts';
import { detailsLines, detailsTitle } from '../models/details.ts';
import { failureLines } from '../models/failure.ts';
import { ruleLine } from '../models/frame.ts';
import { layoutOf, type Size } from '../models/layout.ts';
import { isInDetails, type State } from '../state.ts';
import type { Theme } from '../theme.ts';
import { Lines } from '../widgets/lines.tsx';

export interface ScreenProps {
  readonly state: State;
  readonly theme: Theme;
}

export function DeploymentsScreen({ state, theme }: ScreenProps) {
  const { size, items, failure, sysroot } = state;
  const { kind, body, list, details } = layoutOf(size, items.length, isInDetails(state));
  if (failure !== undefined || sysroot === undefined) {
    const lines = failure === undefined ? [' reading …'] : failureLines(failure, body.columns, theme);
    return <Lines lines={['', ...lines]} width={body.columns} height={body.rows} />;
  }
  const listPane = (
    <Lines
      lines={listLines(state, list.columns, list.rows, theme)}
      width={list.columns}
      height={list.rows + 1}
    />
  );
  const detailsPane = (
    <Lines
      lines={detailsPaneLines(state, details, theme)}
      width={details.columns}
      height={details.rows + 1}
    />
  );
  switch (kind) {
    case 'wide': {
      const divider = Array.from({ length: body.rows }, () => ` ${theme.dim(theme.glyphs.divider)}`);
      return (
        <Box>
          {listPane}
          <Lines lines={divider} width={2} height={body.rows} />
          {detailsPane}
        </Box>
      );
    }
    case 'stacked':
      return (
        <Box flexDirection="column">
          {isInDetails(state) ? undefined : listPane}
          {detailsPane}
        </Box>
      );
    default:
      return isInDetails(state) ? detailsPane : listPane;
  }
}

/** The title and the visible part of the details. */
function detailsPaneLines(state: State, { columns, rows }: Size, theme: Theme): string[] {
  const { detailsOffset } = state;
  const lines = detailsLines(state, columns, theme);
  const { up, down } = theme.glyphs;
  const hidden = [detailsOffset > 0 ? up : '', detailsOffset + rows < lines.length ? down : ''].join('');
  const title = ruleLine(detailsTitle(state), columns, theme, { isActive: isInDetails(state), note: hidden });
  return [title, ...lines.slice(detailsOffset, detailsOffset + rows)];
}
