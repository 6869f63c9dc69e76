/** How training as a whole went: a few small curves on the axis that all charts share. */
import { useMemo } from 'preact/hooks';
import { blockKey } from '../blocks';
import type { ColumnBand } from '../charts/line_chart';
import { flightOf, picked } from '../choices';
import { formatFact } from '../format';
import type { Focus } from '../selectors';
import { type StripChoice, stripCharts } from '../signals';
import { limitSeries, MARGIN, STABLE_ZONE, sharpnessOf, zoneWord } from '../stability';
import type { AppState } from '../state';
import { columnsOf, type Timeline } from '../timeline';
import type { RunDetail, Severity } from '../wire';
import { useAppState } from './context';
import { CurvesExport, type ShownCurves } from './curves_export';
import { CurvesTable } from './curves_table';
import { FindingLane } from './finding_lane';
import { MoreCurves } from './more_curves';
import { NotMeasured } from './not_measured';
import { StepAxis } from './step_axis';
import { StripChart, type StripLine } from './strip_chart';
import { ZoomButton } from './zoom_button';

interface Props {
  detail: RunDetail;
  timeline: Timeline;
  bands: readonly ColumnBand[];
  plotWidth: number;
  /** Only the loss and what was picked: what is beneath needs the room. */
  brief: boolean;
}

export function TrainingStrip({ detail, timeline, bands, plotWidth, brief }: Props) {
  const blocks = useAppState((state) => state.blocks);
  const flight = useAppState(flightOf);
  const curves = useAppState((state) => state.curves);
  const table = useAppState((state) => state.table);
  const all = useMemo(
    () => chartsOf(detail, blocks, flight, curves),
    [detail, blocks, flight, curves],
  );
  const charts = brief ? mainCharts(all, curves) : all;
  return (
    <div class={`strip ${brief ? 'brief' : ''}`} data-testid="strip">
      <div class="chart-head">
        <h2 class="section-title">Training</h2>
        <div class="tools">
          {!brief && <MoreCurves detail={detail} />}
          <CurvesExport name={detail.run} charts={charts.map(shownCurves)} timeline={timeline} />
          <ZoomButton timeline={timeline} />
        </div>
      </div>
      {table ? (
        <CurvesTable caption="Training" lines={charts.flat()} timeline={timeline} />
      ) : (
        <>
          <FindingLane detail={detail} timeline={timeline} />
          {charts.map((lines) => {
            const { spec } = lines[0] as StripLine;
            const zones = spec.name === MARGIN ? ZONES : {};
            return (
              <StripChart
                key={spec.name}
                title={spec.title}
                {...{ lines, timeline, bands, plotWidth, ...zones }}
              />
            );
          })}
          <StepAxis timeline={timeline} plotWidth={plotWidth} />
        </>
      )}
      {!brief && <NotMeasured signals={detail.signals.filter(({ axis }) => axis === 'run')} />}
    </div>
  );
}

/** The first, which is the loss wherever there is one, and those that were picked. */
function mainCharts(charts: StripLine[][], curves: string | null): StripLine[][] {
  const extra = picked(curves);
  return charts.filter(([line], index) => index === 0 || extra.includes(line?.spec.name ?? ''));
}

function shownCurves(lines: StripLine[]): ShownCurves {
  const { spec } = lines[0] as StripLine;
  return { title: spec.title, lines, limits: spec.name === MARGIN ? ZONES.limits : [] };
}

const ZONES = { limits: [STABLE_ZONE[1]], healthy: STABLE_ZONE, wordOf: zoneWord };

function chartsOf(
  detail: RunDetail,
  blocks: AppState['blocks'],
  flight: string | null,
  curves: string | null,
): StripLine[][] {
  const loaded = (name: string) => blocks[blockKey(detail.run, name, { flight })];
  const line = (spec: StripChoice['signal'] | null): StripLine[] => {
    const series = spec && loaded(spec.name);
    return spec && series ? [{ spec, series, row: 0, label: spec.title }] : [];
  };
  const sharpness = sharpnessOf(detail);
  const edge = (spec: StripChoice['signal']): StripLine[] => {
    const [series, margin] = [loaded(spec.name), loaded(MARGIN)];
    if (spec !== sharpness || !series || !margin) return [];
    const label = `limit (${formatFact(detail.facts.stability_limit)})`;
    return [{ spec, series: limitSeries(series, margin), row: 0, label }];
  };
  return stripCharts(detail, curves)
    .map(({ signal, companion }) => [...line(signal), ...line(companion), ...edge(signal)])
    .filter((lines) => lines.length > 0);
}

/** The steps of the chosen finding, tinted faintly enough to keep the curves readable. */
const TINT: Record<Severity, string> = {
  error: 'rgba(211, 60, 50, 0.09)',
  warning: 'rgba(245, 150, 0, 0.11)',
  info: 'rgba(30, 120, 210, 0.08)',
};

export function focusBand(timeline: Timeline, focus: Focus | null): ColumnBand[] {
  const columns = focus && columnsOf(timeline, focus.steps);
  if (!focus || !columns) return [];
  return [{ from: columns[0], to: columns[1], color: TINT[focus.finding.severity] }];
}
