/** The map itself: canvases that show the rows in view, their names, and the cursor. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { createPalette } from '../charts/color';
import { drawMap, drawOverlay } from '../charts/map_drawing';
import { type MapGeometry, mapGeometry, scrollToRow } from '../charts/map_geometry';
import { formatCount } from '../format';
import type { Focus } from '../selectors';
import { columnsOf } from '../timeline';
import { useApp, useAppState } from './context';
import type { MapData } from './health_map';
import { useMapInput } from './map_input';
import { RowLabels } from './row_labels';

interface Props {
  data: MapData;
  focus: Focus | null;
  plotWidth: number;
  mapHeight: number;
}

export function MapCanvas({ data, focus, plotWidth, mapHeight }: Props) {
  const { rows, grid } = data;
  const fit = useAppState((state) => state.fit);
  const layer = useAppState((state) => state.layer);
  const geometry = useMemo(
    () => mapGeometry(grid.rows, grid.columns, plotWidth, mapHeight, fit),
    [grid, plotWidth, mapHeight, fit],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const chosen = rows.findIndex((row) => row.name === layer);
  const canvas = useMapCanvas(data, geometry, scrollTop);
  const overlay = useOverlay(data, geometry, scrollTop, focus, chosen);
  const { onFocus, ...input } = useMapInput(data, geometry, scroller);
  useRevealFocus(focus, geometry, scroller);
  const label = `${data.signal.title}: ${formatCount(rows.length, 'row')} by ${formatCount(grid.columns, 'point')}`;
  return (
    <div
      ref={scroller}
      class="map-scroll"
      style={{ height: `${geometry.viewHeight}px` }}
      onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
      {...input}
    >
      <div class="map-space" style={{ height: `${geometry.fullHeight}px` }}>
        <RowLabels {...{ rows, geometry, scrollTop, focus, chosen }} />
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
  const palette = useMemo(() => createPalette(theme), [theme]);
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
  focus: Focus | null,
  chosen: number,
) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { cursor } = useApp();
  useLayoutEffect(() => {
    const outlined = focus && columnsOf(timeline, focus.steps);
    const draw = () => {
      if (!canvas.current) return;
      drawOverlay(canvas.current, geometry, scrollTop, {
        cursor: cursor.get(),
        focus: focus && outlined ? { rows: focus.rows, columns: outlined } : null,
        chosen: chosen < 0 ? null : chosen,
      });
    };
    draw();
    return cursor.subscribe(draw);
  }, [timeline, geometry, scrollTop, focus, chosen, cursor]);
  return canvas;
}

/** Scrolls to the first row of a finding when it is chosen, not when data are reloaded. */
function useRevealFocus(
  focus: Focus | null,
  geometry: MapGeometry,
  scroller: { current: HTMLDivElement | null },
): void {
  const id = focus?.finding.id;
  const first = focus ? Math.min(...focus.rows) : Number.POSITIVE_INFINITY;
  useEffect(() => {
    if (!scroller.current || !Number.isFinite(first)) return;
    scroller.current.scrollTop = scrollToRow(geometry, first, scroller.current.scrollTop);
  }, [id, first]);
}
