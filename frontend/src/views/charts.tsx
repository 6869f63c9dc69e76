/** Curves and map over one shared axis of steps. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { focusOf, mapSignal, rowsOf, wantedSignals } from '../selectors';
import { type Timeline, unionTimeline, zoomed } from '../timeline';
import type { RunDetail, Series } from '../wire';
import { useApp, useAppState } from './context';
import { HealthMap } from './health_map';
import { TrainingStrip } from './training_strip';
import { useWidth, useWindowHeight } from './use_size';

export const CHARTS_ID = 'charts';

const WIDE_GUTTER = 184;
const NARROW_GUTTER = 128;
const NARROW = 640;

/** Curves and map are to be seen together in a window of usual height. */
const MAX_MAP_HEIGHT = 480;
const MIN_MAP_HEIGHT = 240;
const REST_OF_PANEL = 570;

export function Charts({ detail }: { detail: RunDetail }) {
  const panel = useRef<HTMLDivElement>(null);
  const width = useWidth(panel);
  const gutter = width < NARROW ? NARROW_GUTTER : WIDE_GUTTER;
  const plotWidth = Math.max(0, width - gutter);
  const room = useWindowHeight() - REST_OF_PANEL;
  const mapHeight = Math.min(MAX_MAP_HEIGHT, Math.max(MIN_MAP_HEIGHT, room));
  const timeline = useTimeline(detail);
  const signal = mapSignal(
    detail,
    useAppState((state) => state.signal),
  );
  const finding = useAppState((state) => state.finding);
  const rows = useMemo(() => (signal ? rowsOf(detail, signal) : []), [detail, signal]);
  const focus = useMemo(() => focusOf(detail, finding, rows), [detail, finding, rows]);
  const shared = { detail, timeline, focus, plotWidth };
  return (
    <section class="card charts" id={CHARTS_ID} aria-label="Measurements">
      <div ref={panel} style={{ '--gutter': `${gutter}px` }}>
        <TrainingStrip {...shared} signal={signal} rows={rows} />
        {signal && <HealthMap {...shared} signal={signal} rows={rows} mapHeight={mapHeight} />}
      </div>
      <SeriesTrouble />
    </section>
  );
}

/** The windows that all charts show; moving to others takes the cursor off them. */
function useTimeline(detail: RunDetail): Timeline {
  const { cursor } = useApp();
  const series = useAppState((state) => state.series);
  const signal = useAppState((state) => state.signal);
  const range = useAppState((state) => state.range);
  const full = useMemo(() => {
    const wanted = wantedSignals(detail, signal);
    return unionTimeline(
      wanted.flatMap(({ name }): Series[] => (series[name] ? [series[name]] : [])),
    );
  }, [detail, series, signal]);
  const timeline = useMemo(() => zoomed(full, range), [full, range]);
  useEffect(() => cursor.set({ column: null, row: null }), [timeline, cursor]);
  return timeline;
}

function SeriesTrouble() {
  const problem = useAppState((state) => state.seriesProblem);
  if (!problem) return null;
  return (
    <p class="chart-trouble" role="alert" data-testid="error">
      Some measurements could not be loaded: {problem.reason}
    </p>
  );
}
