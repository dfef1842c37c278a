/** A screen: the list that is open, with the details of its selected row beside it, below it or instead of it. */
import { Box } from 'ink';
import { ruleLine } from '../models/frame.ts';
import type { Size } from '../models/layout.ts';
import { isInDetails, type State } from '../state.ts';
import type { Theme } from '../theme.ts';
import { layoutOfState, viewModelOf } from '../views.ts';
import { Lines } from './lines.tsx';

export interface ScreenProps {
  readonly state: State;
  readonly theme: Theme;
}

export function ListScreen({ state, theme }: ScreenProps) {
  const view = viewModelOf(state);
  const count = view.count(state);
  const { kind, body, list, details } = layoutOfState(state);
  if (count === 0) {
    const lines = view.instead(state, body.columns, theme);
    return <Lines lines={lines} width={body.columns} height={body.rows} />;
  }
  const listPane = (
    <Lines
      lines={view.list(state, list.columns, list.rows, theme, !isInDetails(state))}
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
  const view = viewModelOf(state);
  const { detailsOffset } = view.scroll(state);
  const lines = view.details(state, columns, theme);
  const { up, down } = theme.glyphs;
  const hidden = [detailsOffset > 0 ? up : '', detailsOffset + rows < lines.length ? down : ''].join('');
  const isActive = isInDetails(state);
  const title = ruleLine(view.detailsTitle(state), columns, theme, { isActive, note: hidden });
  return [title, ...lines.slice(detailsOffset, detailsOffset + rows)];
}
