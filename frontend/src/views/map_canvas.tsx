/** The map itself: canvases that show the rows in view, their names, and the cursor. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { createPalette } from '../charts/color';
import { drawMap, drawOverlay } from '../charts/map_drawing';
import { type MapGeometry, mapGeometry, scrollToRow } from '../charts/map_geometry';
import { formatCount } from '../format';
import type { MapData } from '../map_data';
import type { Focus } from '../selectors';
import { columnsOf } from '../timeline';
import { useApp, useAppState } from './context';
import { useMapInput } from './map_input';
import { RowLabels } from './row_labels';

interface Props {
  data: MapData;
  focus: Focus | null;
  plotWidth: number;
  mapHeight: number;
}

export function MapCanvas({ data, focus, plotWidth, mapHeight }: Props) {
  const { lines, grid } = data;
  const fit = useAppState((state) => state.fit);
  const layer = useAppState((state) => state.layer);
  const geometry = useMemo(
    () => mapGeometry(grid.rows, grid.columns, plotWidth, mapHeight, fit),
    [grid, plotWidth, mapHeight, fit],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const chosen = lines.findIndex(({ row }) => row?.name === layer);
  const focused = useFocusedLines(data, focus);
  const canvas = useMapCanvas(data, geometry, scrollTop);
  const overlay = useOverlay(data, geometry, scrollTop, focused, chosen);
  const { onFocus, ...input } = useMapInput(data, geometry, scroller);
  useReveal(focus?.finding.id, focused, chosen, geometry, scroller);
  const label = `${data.signal.title}: ${formatCount(lines.length, 'row')} by ${formatCount(grid.columns, 'point')}`;
  return (
    <div
      ref={scroller}
      class="map-scroll"
      style={{ height: `${geometry.viewHeight}px` }}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
      {...input}
    >
      <div class="map-space" style={{ height: `${geometry.fullHeight}px` }}>
        <RowLabels {...{ lines, geometry, scrollTop, chosen }} focused={focused?.rows} />
        <div
          class="map-stage"
          style={{ width: `${plotWidth}px`, height: `${geometry.viewHeight}px` }}
        >
          {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: its keys are ours. */}
          <canvas
            ref={canvas}
            tabIndex={0}
            role="application"
            aria-label={label}
            onFocus={onFocus}
          />
          <canvas ref={overlay} />
        </div>
      </div>
    </div>
  );
}

function useMapCanvas(data: MapData, geometry: MapGeometry, scrollTop: number) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useAppState((state) => state.theme);
  const palette = useMemo(() => createPalette(theme, data.colors), [theme, data.colors]);
  useLayoutEffect(() => {
    if (canvas.current) drawMap(canvas.current, data.grid, geometry, scrollTop, palette);
  }, [data, geometry, scrollTop, palette]);
  return canvas;
}

/** Drawn on each move of the cursor, apart from the cells, which stay as they are. */
function useOverlay(
  { timeline }: MapData,
  geometry: MapGeometry,
  scrollTop: number,
  focused: Focused | null,
  chosen: number,
) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { cursor } = useApp();
  useLayoutEffect(() => {
    const outlined = focused && columnsOf(timeline, focused.steps);
    const draw = () => {
      if (!canvas.current) return;
      drawOverlay(canvas.current, geometry, scrollTop, {
        cursor: cursor.get(),
        focus: focused && outlined ? { rows: focused.rows, columns: outlined } : null,
        chosen: chosen < 0 ? null : chosen,
      });
    };
    draw();
    return cursor.subscribe(draw);
  }, [timeline, geometry, scrollTop, focused, chosen, cursor]);
  return canvas;
}

interface Focused {
  /** Lines of the map. */
  rows: ReadonlySet<number>;
  steps: Focus['steps'];
}

/** The lines in which rows of the chosen finding are; a folded block stands for its rows. */
function useFocusedLines({ lines }: MapData, focus: Focus | null): Focused | null {
  return useMemo(() => {
    if (!focus) return null;
    const found = lines.flatMap(({ rows, open }, line) =>
      !open && rows.some((row) => focus.rows.has(row)) ? [line] : [],
    );
    // A finding of the whole run outlines all rows; one whose rows are filtered away, none.
    if (found.length === 0 && focus.rows.size > 0) return null;
    return { rows: new Set(found), steps: focus.steps };
  }, [lines, focus]);
}

/** Scrolls to a finding or a row when it is chosen, not when data are reloaded. */
function useReveal(
  finding: string | undefined,
  focused: Focused | null,
  chosen: number,
  geometry: MapGeometry,
  scroller: { current: HTMLDivElement | null },
): void {
  const first = chosen >= 0 ? chosen : Math.min(...(focused?.rows ?? []));
  useEffect(() => {
    if (!scroller.current || !Number.isFinite(first)) return;
    scroller.current.scrollTop = scrollToRow(geometry, first, scroller.current.scrollTop);
  }, [finding, first]);
}
