/** How training as a whole went: a few small curves above the map, on its axis. */
import { useMemo } from 'preact/hooks';
import type { ColumnBand } from '../charts/line_chart';
import { type Focus, STRIP_SIGNALS } from '../selectors';
import { columnsOf, type Timeline } from '../timeline';
import type { Row, RunDetail, Severity, Signal } from '../wire';
import { useAppState } from './context';
import { FindingLane } from './finding_lane';
import { StepAxis } from './step_axis';
import { StripChart } from './strip_chart';
import { ZoomButton } from './zoom_button';

interface Props {
  detail: RunDetail;
  timeline: Timeline;
  focus: Focus | null;
  plotWidth: number;
  /** Of the map, whose chosen row gets a curve as well. */
  signal: Signal | null;
  rows: readonly Row[];
}

/** The steps of the chosen finding, tinted faintly enough to keep the curves readable. */
const TINT: Record<Severity, string> = {
  error: 'rgba(211, 60, 50, 0.09)',
  warning: 'rgba(245, 150, 0, 0.11)',
  info: 'rgba(30, 120, 210, 0.08)',
};

export function TrainingStrip({ detail, timeline, focus, plotWidth, signal, rows }: Props) {
  const series = useAppState((state) => state.series);
  const layer = useAppState((state) => state.layer);
  const bands = useMemo(() => focusBand(timeline, focus), [timeline, focus]);
  const chosenRow = rows.findIndex((row) => row.name === layer);
  const shown = STRIP_SIGNALS.flatMap((name) =>
    detail.signals.filter((spec) => spec.name === name),
  );
  const common = { timeline, bands, plotWidth };
  return (
    <div class="strip" data-testid="strip">
      <div class="chart-head">
        <h2 class="section-title">Training</h2>
        <ZoomButton timeline={timeline} />
      </div>
      <FindingLane detail={detail} timeline={timeline} />
      {shown.map((spec) => {
        const loaded = series[spec.name];
        return (
          loaded && <StripChart key={spec.name} spec={spec} series={loaded} row={0} {...common} />
        );
      })}
      {signal && chosenRow >= 0 && series[signal.name] && (
        <StripChart
          spec={signal}
          series={series[signal.name] as NonNullable<(typeof series)[string]>}
          row={chosenRow}
          rowName={layer ?? ''}
          {...common}
        />
      )}
      <StepAxis timeline={timeline} plotWidth={plotWidth} />
    </div>
  );
}

function focusBand(timeline: Timeline, focus: Focus | null): ColumnBand[] {
  const columns = focus && columnsOf(timeline, focus.steps);
  if (!focus || !columns) return [];
  return [{ from: columns[0], to: columns[1], color: TINT[focus.finding.severity] }];
}
