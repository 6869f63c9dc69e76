/** Rows of the network by steps of training, as a heat map or as a table. */
import { useMemo, useRef } from 'preact/hooks';
import { wholeOf } from '../blocks';
import { fitsReadably } from '../charts/map_geometry';
import { type MapData, mapData, mapGrid } from '../map_data';
import type { Focus } from '../selectors';
import { mapSignals } from '../signals';
import type { Timeline } from '../timeline';
import type { Row, RunDetail, Signal } from '../wire';
import { useAppState } from './context';
import { ExportMenu } from './export_menu';
import { MapCanvas } from './map_canvas';
import { MapLegend } from './map_legend';
import { MapReadout } from './map_readout';
import { MapTable } from './map_table';
import { MapTools } from './map_tools';
import { NotMeasured } from './not_measured';
import { SignalSwitch } from './signal_switch';
import { StepAxis } from './step_axis';
import { TableToggle } from './toggle';

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

export function HealthMap(props: Props) {
  const { detail, signal, rows, focus, plotWidth, mapHeight } = props;
  const current = useMapData(props);
  const data = useLastShown(current, detail.run);
  const table = useAppState((state) => state.table);
  return (
    <div class="health-map" data-testid="map" data-signal={signal.name} aria-busy={!current}>
      <div class="chart-head">
        <h2 class="sr-only">Health map</h2>
        <SignalSwitch detail={detail} shown={signal} />
        <div class="tools">
          <TableToggle />
          {data && <ExportMenu detail={detail} data={data} />}
        </div>
      </div>
      <MapTools
        signal={signal}
        rows={rows}
        shown={data?.lines.length ?? rows.length}
        fits={fitsReadably(data?.lines.length ?? rows.length, mapHeight)}
      />
      {!data && (
        <p class="placeholder muted" style={{ minHeight: `${mapHeight}px` }}>
          Loading {signal.title}
        </p>
      )}
      {data && table && <MapTable data={data} />}
      {data && !table && (
        <>
          <MapReadout data={data} />
          <MapCanvas data={data} focus={current && focus} {...{ plotWidth, mapHeight }} />
          <StepAxis timeline={data.timeline} plotWidth={plotWidth} />
          <MapLegend data={data} />
          <p class="signal-about">{data.signal.description}</p>
          <NotMeasured signals={mapSignals(detail).filter(({ kept }) => kept === 0)} />
        </>
      )}
    </div>
  );
}

function useMapData({ signal, rows, timeline }: Props) {
  const series = useAppState((state) => wholeOf(state, signal.name));
  const field = useAppState((state) => state.field);
  const scale = useAppState((state) => state.scale);
  const allSteps = useAppState((state) => state.allSteps);
  const rowFilter = useAppState((state) => state.rowFilter);
  const grouped = useAppState((state) => state.grouped);
  const opened = useAppState((state) => state.opened);
  const source = useMemo(
    () => series && { signal, series, rows, timeline },
    [signal, series, rows, timeline],
  );
  const cells = useMemo(
    () => source && mapGrid(source, { field, scale, allSteps }),
    [source, field, scale, allSteps],
  );
  return useMemo(
    () => (source && cells ? mapData(source, cells, { rowFilter, grouped, opened }) : null),
    [source, cells, rowFilter, grouped, opened],
  );
}

/** Until another signal has arrived, the one before stays on screen: nothing jumps or flickers. */
function useLastShown(current: MapData | null, run: string): MapData | null {
  const last = useRef<MapData | null>(null);
  if (current) last.current = current;
  return last.current?.series.run === run ? last.current : null;
}
