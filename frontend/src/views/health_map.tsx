/** Rows of the network by steps of training, as a heat map or as a table. */
import { useMemo } from 'preact/hooks';
import { type Domain, domainOf } from '../charts/color';
import { type CodeGrid, encode, gather } from '../charts/heat_map';
import { fitsReadably } from '../charts/map_geometry';
import { type Focus, mapSignals } from '../selectors';
import { alignColumns, type Timeline } from '../timeline';
import type { Row, RunDetail, Series, Signal } from '../wire';
import { useApp, useAppState } from './context';
import { MapCanvas } from './map_canvas';
import { MapLegend } from './map_legend';
import { MapReadout } from './map_readout';
import { MapTable } from './map_table';
import { Marked } from './marked';
import { SignalSwitch } from './signal_switch';
import { StepAxis } from './step_axis';

interface Props {
  detail: RunDetail;
  signal: Signal;
  rows: readonly Row[];
  timeline: Timeline;
  focus: Focus | null;
  plotWidth: number;
  /** Room for the cells. */
  mapHeight: number;
}

/** A signal as it is on screen. */
export interface MapData {
  signal: Signal;
  series: Series;
  rows: readonly Row[];
  timeline: Timeline;
  /** For each column of the timeline the point of the series, or -1. */
  sources: Int32Array;
  domain: Domain;
  grid: CodeGrid;
}

export function HealthMap(props: Props) {
  const { detail, signal, rows, timeline, focus, plotWidth, mapHeight } = props;
  const series = useAppState((state) => state.series[signal.name]);
  const table = useAppState((state) => state.table);
  const data = useMemo(
    () => (series ? mapData(signal, series, rows, timeline) : null),
    [signal, series, rows, timeline],
  );
  return (
    <div class="health-map" data-testid="map" data-signal={signal.name} aria-busy={!data}>
      <div class="chart-head">
        <h2 class="section-title">Health map</h2>
        <MapTools fits={fitsReadably(rows.length, mapHeight)} />
      </div>
      <SignalSwitch detail={detail} shown={signal} />
      {!data && <p class="placeholder muted">Loading {signal.title}</p>}
      {data && table && <MapTable data={data} />}
      {data && !table && (
        <>
          <MapReadout data={data} />
          <MapCanvas data={data} {...{ focus, plotWidth, mapHeight }} />
          <StepAxis timeline={timeline} plotWidth={plotWidth} />
          <MapLegend data={data} />
          <p class="signal-about">{signal.description}</p>
          <NotMeasured detail={detail} />
        </>
      )}
    </div>
  );
}

function mapData(
  signal: Signal,
  series: Series,
  rows: readonly Row[],
  timeline: Timeline,
): MapData {
  const sources = alignColumns(timeline, series.steps);
  const { rows: count, points } = series;
  const values = gather(firstField(series), count, points, sources);
  // Colours follow what is in view, so that an early spike does not flatten all that came later.
  const domain = domainOf(values, signal.scale);
  const grid = encode(values, count, sources.length, domain);
  return { signal, series, rows, timeline, sources, domain, grid };
}

function firstField({ fields, values }: Series): Float32Array {
  return values[fields[0] ?? ''] ?? new Float32Array();
}

/** What was asked for in vain is said, so that its absence is not taken for health. */
function NotMeasured({ detail }: { detail: RunDetail }) {
  const missing = mapSignals(detail).filter(({ kept, not_measured }) => kept === 0 && not_measured);
  return (
    <>
      {missing.map(({ name, title, not_measured }) => (
        <p key={name} class="signal-about">
          {title} was not measured: <Marked text={not_measured} />
        </p>
      ))}
    </>
  );
}

function MapTools({ fits }: { fits: boolean }) {
  const table = useAppState((state) => state.table);
  const fit = useAppState((state) => state.fit);
  const { actions } = useApp();
  return (
    <div class="tools">
      {!table && !fits && (
        <Toggle label="Fit all rows" on={fit} onChange={() => actions.set({ fit: !fit })} />
      )}
      <Toggle label="Table" on={table} onChange={() => actions.set({ table: !table })} />
    </div>
  );
}

function Toggle({ label, on, onChange }: { label: string; on: boolean; onChange(): void }) {
  return (
    <button type="button" class="button small toggle" aria-pressed={on} onClick={onChange}>
      {label}
    </button>
  );
}
