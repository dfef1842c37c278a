/** Joins store, keys and terminal to the screen. */
import { Box, Static, Text, useApp, useInput } from 'ink';
import { useEffect, useSyncExternalStore } from 'react';
import type { Aloud } from './aloud.ts';
import type { Terminal } from './effects.ts';
import { keysOf } from './keys.ts';
import { footerLine, headerLine, tabsLine } from './models/frame.ts';
import { layoutOf, MIN_SIZE } from './models/layout.ts';
import { overlayLines } from './models/overlay.ts';
import { wrap } from './models/text.ts';
import type { Event } from './state.ts';
import type { Store } from './store.ts';
import type { Theme } from './theme.ts';
import { Lines } from './widgets/lines.tsx';
import { ListScreen, type ScreenProps } from './widgets/list-screen.tsx';

export interface AppProps {
  readonly store: Store;
  readonly dispatch: (event: Event) => void;
  readonly theme: Theme;
  /** Where the screen is read aloud: what is said instead of it. */
  readonly aloud?: Aloud | undefined;
  /** Called once there is a terminal for effects to work on. */
  readonly onTerminal: (terminal: Terminal) => void;
}

export function App({ store, dispatch, theme, aloud, onTerminal }: AppProps) {
  const { exit, suspendTerminal } = useApp();
  useEffect(() => onTerminal({ exit, suspend: suspendTerminal }), [onTerminal, exit, suspendTerminal]);
  useInput((input, key) => {
    for (const name of keysOf(input, key)) dispatch({ type: 'key', key: name });
  });
  return aloud === undefined ? <Seen store={store} theme={theme} /> : <Heard aloud={aloud} />;
}

function Seen({ store, theme }: Pick<AppProps, 'store' | 'theme'>) {
  return <Frame state={useSyncExternalStore(store.subscribe, store.state)} theme={theme} />;
}

/** Lines that stay: a screen reader reads each of them once. */
function Heard({ aloud }: { readonly aloud: Aloud }) {
  const { number, lines } = useSyncExternalStore(aloud.subscribe, aloud.said);
  return (
    // Of one list ink would want to be given all that was ever said. A new one it writes as what is new.
    <Static key={number} items={[...lines]}>
      {(line, place) => <Text key={place}>{line}</Text>}
    </Static>
  );
}

/** The whole screen of a state. Never higher than the terminal: ink would have to clear it for every frame. */
export function Frame({ state, theme }: ScreenProps) {
  const { columns, rows } = state.size;
  const { kind, hasTabs, body } = layoutOf(state.size, 0);
  if (kind === 'small') {
    const text = `The terminal is too small: ${columns}x${rows}, needed ${MIN_SIZE.columns}x${MIN_SIZE.rows}.`;
    return <Lines lines={wrap(text, columns)} width={columns} height={rows} />;
  }
  const overlay = overlayLines(state, body.rows, theme);
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Lines lines={[headerLine(state, theme)]} width={columns} height={1} />
      {hasTabs ? <Lines lines={[tabsLine(state, theme)]} width={columns} height={1} /> : undefined}
      {/* Clipping makes ink take every line apart twice: only where something lies over the screen. */}
      <Box
        height={body.rows - overlay.length}
        flexDirection="column"
        overflow={overlay.length > 0 ? 'hidden' : 'visible'}
      >
        <ListScreen state={state} theme={theme} />
      </Box>
      {overlay.length > 0 ? <Lines lines={overlay} width={columns} height={overlay.length} /> : undefined}
      <Lines lines={[footerLine(state, theme)]} width={columns} height={1} />
    </Box>
  );
}
