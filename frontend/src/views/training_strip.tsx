/** How training as a whole went: a few small curves on the axis that all charts share. */
import { useMemo } from 'preact/hooks';
import { blockKey } from '../blocks';
import type { ColumnBand } from '../charts/line_chart';
import { lineData } from '../charts/line_data';
import { flightOf } from '../choices';
import { formatSteps } from '../format';
import type { Focus } from '../selectors';
import { type StripChoice, stripCharts } from '../signals';
import type { AppState } from '../state';
import { columnsOf, type Timeline } from '../timeline';
import type { RunDetail, Severity } from '../wire';
import { useAppState } from './context';
import { FindingLane } from './finding_lane';
import { MoreCurves } from './more_curves';
import { StepAxis } from './step_axis';
import { StripChart, type StripLine } from './strip_chart';
import { SummaryTable } from './summary_table';
import { ZoomButton } from './zoom_button';

interface Props {
  detail: RunDetail;
  timeline: Timeline;
  bands: readonly ColumnBand[];
  plotWidth: number;
}

export function TrainingStrip({ detail, timeline, bands, plotWidth }: Props) {
  const blocks = useAppState((state) => state.blocks);
  const flight = useAppState(flightOf);
  const curves = useAppState((state) => state.curves);
  const table = useAppState((state) => state.table);
  const charts = useMemo(
    () => chartsOf(detail, blocks, flight, curves),
    [detail, blocks, flight, curves],
  );
  return (
    <div class="strip" data-testid="strip">
      <div class="chart-head">
        <h2 class="section-title">Training</h2>
        <div class="tools">
          <MoreCurves detail={detail} />
          <ZoomButton timeline={timeline} />
        </div>
      </div>
      {table ? (
        <StripTable charts={charts} timeline={timeline} />
      ) : (
        <>
          <FindingLane detail={detail} timeline={timeline} />
          {charts.map((lines) => {
            const { spec } = lines[0] as StripLine;
            const limits = LIMITS[spec.name];
            return (
              <StripChart
                key={spec.name}
                title={spec.title}
                {...{ lines, timeline, bands, plotWidth, ...(limits && { limits }) }}
              />
            );
          })}
          <StepAxis timeline={timeline} plotWidth={plotWidth} />
        </>
      )}
    </div>
  );
}

/** Beyond 1 the curvature is too high for the learning rate: the edge of stability. */
const LIMITS: Readonly<Record<string, readonly number[]>> = { stability_margin: [1] };

function chartsOf(
  detail: RunDetail,
  blocks: AppState['blocks'],
  flight: string | null,
  curves: string | null,
): StripLine[][] {
  const line = (spec: StripChoice['signal'] | null): StripLine[] => {
    const series = spec && blocks[blockKey(detail.run, spec.name, { flight })];
    return spec && series ? [{ spec, series, row: 0, label: spec.title }] : [];
  };
  return stripCharts(detail, curves)
    .map(({ signal, companion }) => [...line(signal), ...line(companion)])
    .filter((lines) => lines.length > 0);
}

function StripTable({ charts, timeline }: { charts: StripLine[][]; timeline: Timeline }) {
  const rows = charts.flat().map(({ spec, series, row }) => ({
    key: spec.name,
    name: spec.title,
    about: spec.unit,
    signal: spec.name,
    values: lineData(series, row, timeline).raw.filter((value) => value !== undefined),
  }));
  const steps = formatSteps(timeline.firstSteps[0] ?? 0, timeline.steps.at(-1) ?? 0);
  return <SummaryTable caption={`Training, ${steps}`} rows={rows} />;
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
