/** Two runs of one network: where, when and by how much a signal differs. */
import { useMemo } from 'preact/hooks';
import { comparedOf, comparedSignal } from '../blocks';
import { rangeWithin } from '../choices';
import { differenceSeries, differenceSignal } from '../difference';
import { mapData, mapGrid } from '../map_data';
import { rowsOf } from '../signals';
import { zoomed } from '../timeline';
import type { RunDetail } from '../wire';
import { useApp, useAppState } from './context';
import { MapCanvas } from './map_canvas';
import { MapLegend } from './map_legend';
import { MapReadout } from './map_readout';
import { MapTable } from './map_table';
import { SignalSwitch } from './signal_switch';
import { StepAxis } from './step_axis';

interface Props {
  first: RunDetail;
  second: RunDetail;
  plotWidth: number;
}

const HEIGHT = 320;

export function DifferenceMap({ first, second, plotWidth }: Props) {
  const signal = useAppState(comparedSignal);
  const data = useDifference(first, second);
  const table = useAppState((state) => state.table);
  if (!signal) return null;
  return (
    <div class="health-map" data-testid="difference" aria-busy={!data}>
      <div class="chart-head">
        <h2 class="section-title">
          <bdi>{second.run}</bdi> beside <bdi>{first.run}</bdi>
        </h2>
      </div>
      <SignalSwitch detail={first} shown={signal} />
      {data && data.timeline.steps.length === 0 && (
        <p class="muted">The runs have logged no step in common.</p>
      )}
      {data && data.timeline.steps.length > 0 && table && <MapTable data={data} />}
      {data && data.timeline.steps.length > 0 && !table && (
        <>
          <MapReadout data={data} />
          <MapCanvas data={data} focus={null} plotWidth={plotWidth} mapHeight={HEIGHT} />
          <StepAxis timeline={data.timeline} plotWidth={plotWidth} />
          <MapLegend data={data} />
          <p class="signal-about">
            Above 0, and orange: larger in <bdi>{second.run}</bdi>. Below 0, and blue: larger in{' '}
            <bdi>{first.run}</bdi>.{signal.scale === 'log' && ' A decade is a factor of ten.'}
          </p>
        </>
      )}
    </div>
  );
}

function useDifference(first: RunDetail, second: RunDetail) {
  const signal = useAppState(comparedSignal);
  const a = useAppState((state) => signal && comparedOf(state, first.run, signal.name));
  const b = useAppState((state) => signal && comparedOf(state, second.run, signal.name));
  const steps = useAppState((state) => state.steps);
  const { store } = useApp();
  return useMemo(() => {
    if (!signal || !a || !b || a.rows !== b.rows) return null;
    const series = differenceSeries(signal, a, b);
    const source = {
      signal: differenceSignal(signal),
      series,
      rows: rowsOf(first, signal),
      timeline: zoomed(series, rangeWithin(steps, series)),
      colors: 'diverging',
    } as const;
    const cells = mapGrid(source, { field: null, scale: null, allSteps: false });
    return mapData(source, cells, store.get());
  }, [signal, a, b, steps, first, store]);
}
