/** Everything that was measured of one layer, each against what is usual. */
import { useMemo } from 'preact/hooks';
import { blockKey } from '../blocks';
import { lineData } from '../charts/line_data';
import { type LayerRows, layerOf, layerRows } from '../choices';
import { limitOnCurve } from '../evidence';
import { formatSteps } from '../format';
import { tellingFirst } from '../signals';
import type { Timeline } from '../timeline';
import type { RunDetail, Series } from '../wire';
import { useAppState } from './context';
import { Flights } from './flights';
import { LayerHead } from './layer_head';
import { StepAxis } from './step_axis';
import { StripChart } from './strip_chart';
import { SummaryTable } from './summary_table';

interface Props {
  detail: RunDetail;
  timeline: Timeline;
  plotWidth: number;
}

export function LayerCharts({ detail, timeline, plotWidth }: Props) {
  const wanted = useAppState((state) => state.layer);
  const flight = useAppState((state) => state.flight);
  const table = useAppState((state) => state.table);
  const layer = layerOf(detail, wanted);
  const curves = useCurves(detail, wanted, flight);
  return (
    <div class="layer" data-testid="layer">
      <LayerHead detail={detail} layer={layer} />
      {layer === null ? (
        <p class="placeholder muted">Choose a layer above, or click a row of the map</p>
      ) : (
        <Flights detail={detail} chosen={flight} />
      )}
      {table && <LayerTable curves={curves} timeline={timeline} />}
      {!table && <RowCharts {...{ curves, timeline, plotWidth }} />}
      {!table && curves.length > 0 && <StepAxis timeline={timeline} plotWidth={plotWidth} />}
      {!table && curves.some(({ spec }) => spec.healthy) && <Key />}
    </div>
  );
}

interface RowChartsProps {
  curves: readonly LayerCurve[];
  timeline: Timeline;
  plotWidth: number;
}

/** The curves of each row under its name. */
function RowCharts({ curves, timeline, plotWidth }: RowChartsProps) {
  const rows = [...new Set(curves.map(({ name }) => name))];
  return rows.map((name) => (
    <section key={name} aria-label={name}>
      <h3 class="row-title">
        <code>{name}</code>
      </h3>
      {curves
        .filter((curve) => curve.name === name)
        .map(({ key, spec, series, place, limits }) => (
          <StripChart
            key={key}
            title={spec.title}
            lines={[{ spec, series, row: place, label: name }]}
            bands={NO_BANDS}
            usual
            {...{ timeline, limits, plotWidth }}
          />
        ))}
    </section>
  ));
}

const NO_BANDS: readonly never[] = [];

interface LayerCurve {
  key: string;
  name: string;
  spec: LayerRows['signal'];
  series: Series;
  /** Row within the series. */
  place: number;
  limits: readonly number[];
}

/** The curves that are loaded, the telling ones first. */
function useCurves(detail: RunDetail, layer: string | null, flight: string | null): LayerCurve[] {
  const blocks = useAppState((state) => state.blocks);
  const finding = useAppState((state) => state.finding);
  return useMemo(() => {
    const evidence = detail.findings.find(({ id }) => id === finding)?.evidence ?? [];
    const limitsOf = (series: Series, place: number, row: string) =>
      evidence
        .filter((item) => item.signal === series.signal && item.row === row)
        .flatMap((item) => limitOnCurve(series, place, item) ?? []);
    return tellingFirst(layerRows(detail, layer)).flatMap(({ signal, rows, described }) => {
      const series =
        blocks[blockKey(detail.run, signal.name, flight === null ? { rows } : { flight })];
      if (!series) return [];
      return described.map(({ name }, index) => {
        // A flight holds all rows, a part of the log only those that were asked for.
        const place = flight === null ? index : (rows[index] as number);
        const limits = limitsOf(series, place, name);
        return { key: `${signal.name}\n${name}`, name, spec: signal, series, place, limits };
      });
    });
  }, [detail, layer, flight, blocks, finding]);
}

function LayerTable({ curves, timeline }: { curves: readonly LayerCurve[]; timeline: Timeline }) {
  const rows = curves.map(({ key, name, spec, series, place }) => ({
    key,
    name,
    about: [spec.title, spec.unit && `(${spec.unit})`].filter(Boolean).join(' '),
    signal: spec.name,
    values: lineData(series, place, timeline).raw.filter((value) => value !== undefined),
  }));
  const steps = formatSteps(timeline.firstSteps[0] ?? 0, timeline.steps.at(-1) ?? 0);
  return <SummaryTable caption={`Layer, ${steps}`} rows={rows} />;
}

function Key() {
  return (
    <ul class="legend-specials chart-key">
      <li>
        <span class="swatch-usual" /> usual in healthy training
      </li>
      <li>
        <span class="swatch-limit" /> limit of the chosen finding
      </li>
      <li>Shade around a line: lowest to highest of each window</li>
    </ul>
  );
}
