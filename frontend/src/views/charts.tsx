/** The measurements of the run: curves over a view of its layers, on one axis of steps. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { blockKey } from '../blocks';
import { flightOf, rangeWithin, type View, viewOf } from '../choices';
import { focusOf } from '../selectors';
import { mapSignal, rowsOf, stripSignals } from '../signals';
import { sameTimeline, type Timeline, unionTimeline, zoomed } from '../timeline';
import type { RunDetail, Series } from '../wire';
import { Compare } from './compare';
import { useApp, useAppState } from './context';
import { Flow } from './flow';
import { HealthMap } from './health_map';
import { LayerCharts } from './layer_charts';
import { RulesPage } from './rules_page';
import { focusBand, TrainingStrip } from './training_strip';
import { useWidth, useWindowHeight } from './use_size';
import { PANEL_ID, tabId, ViewTabs } from './view_tabs';

export const CHARTS_ID = 'charts';

/** Room for the names of rows and curves: from this width of the panel on, in pixels. */
const GUTTERS: readonly [from: number, gutter: number][] = [
  [900, 240],
  [640, 184],
  [0, 128],
];

/** Curves and map are to be seen together in a window of usual height. */
const MAX_MAP_HEIGHT = 480;
const MIN_MAP_HEIGHT = 240;
const REST_OF_PANEL = 620;

export function Charts({ detail }: { detail: RunDetail }) {
  const panel = useRef<HTMLDivElement>(null);
  const width = useWidth(panel);
  const gutter = GUTTERS.find(([from]) => width >= from)?.[1] ?? 0;
  const plotWidth = Math.max(0, width - gutter);
  const view = useAppState(viewOf);
  return (
    <section class="card charts" id={CHARTS_ID} aria-label="Measurements">
      <ViewTabs detail={detail} />
      <div
        ref={panel}
        id={PANEL_ID}
        role="tabpanel"
        aria-labelledby={tabId(view)}
        style={{ '--gutter': `${gutter}px` }}
      >
        {view === 'compare' && <Compare detail={detail} plotWidth={plotWidth} />}
        {view === 'rules' && <RulesPage detail={detail} />}
        {view !== 'compare' && view !== 'rules' && (
          <RunCharts detail={detail} plotWidth={plotWidth} view={view} />
        )}
      </div>
      <SeriesTrouble />
    </section>
  );
}

interface RunProps {
  detail: RunDetail;
  plotWidth: number;
  view: Exclude<View, 'compare' | 'rules'>;
}

function RunCharts({ detail, plotWidth, view }: RunProps) {
  const room = useWindowHeight() - REST_OF_PANEL;
  const mapHeight = Math.min(MAX_MAP_HEIGHT, Math.max(MIN_MAP_HEIGHT, room));
  const timeline = useTimeline(detail);
  const wanted = useAppState((state) => state.signal);
  const finding = useAppState((state) => state.finding);
  const signal = mapSignal(detail, wanted);
  const rows = useMemo(() => (signal ? rowsOf(detail, signal) : []), [detail, signal]);
  const focus = useMemo(() => focusOf(detail, finding, rows), [detail, finding, rows]);
  const bands = useMemo(() => focusBand(timeline, focus), [timeline, focus]);
  return (
    <>
      <TrainingStrip {...{ detail, timeline, bands, plotWidth }} brief={view !== 'map'} />
      {view === 'map' && signal && (
        <HealthMap {...{ detail, timeline, focus, plotWidth, signal, rows, mapHeight }} />
      )}
      {view === 'layer' && <LayerCharts {...{ detail, timeline, plotWidth }} />}
      {view === 'flow' && <Flow detail={detail} timeline={timeline} />}
    </>
  );
}

/** The windows that all charts show; moving to others takes the cursor off them. */
function useTimeline(detail: RunDetail): Timeline {
  const { cursor } = useApp();
  const blocks = useAppState((state) => state.blocks);
  const signal = useAppState((state) => state.signal);
  const steps = useAppState((state) => state.steps);
  const flight = useAppState(flightOf);
  const curves = useAppState((state) => state.curves);
  const stable = useRef<Timeline | null>(null);
  const full = useMemo(() => {
    const onMap = mapSignal(detail, signal);
    const shown = [...stripSignals(detail, curves), ...(onMap ? [onMap] : [])];
    const loaded = shown.flatMap(({ name }): Series[] => {
      const series = blocks[blockKey(detail.run, name, { flight })];
      return series ? [series] : [];
    });
    const union = unionTimeline(loaded);
    // A block that arrives without new windows must not make all charts draw anew.
    if (!stable.current || !sameTimeline(stable.current, union)) stable.current = union;
    return stable.current;
  }, [detail, blocks, signal, flight, curves]);
  const timeline = useMemo(
    () => zoomed(full, flight === null ? rangeWithin(steps, full) : null),
    [full, steps, flight],
  );
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
