/** Everything that was measured of one layer, each against what is usual. */
import { useMemo } from 'preact/hooks';
import { blockKey } from '../blocks';
import { type LayerRows, layerOf, layerRows } from '../choices';
import { limitOnCurve } from '../evidence';
import { tellingFirst } from '../signals';
import type { Timeline } from '../timeline';
import { NOT_MEASURED, type RunDetail, type Series } from '../wire';
import { useAppState } from './context';
import { CurvesExport, type ShownCurves } from './curves_export';
import { CurvesTable } from './curves_table';
import { Flights } from './flights';
import { LayerHead } from './layer_head';
import { StepAxis } from './step_axis';
import { LOW, StripChart, type StripLine, TALL } from './strip_chart';

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
      <LayerHead detail={detail} layer={layer}>
        <CurvesExport
          name={`${detail.run}-${layer}`}
          charts={curves.map(shownCurve)}
          timeline={timeline}
        />
      </LayerHead>
      {layer === null ? (
        <p class="placeholder muted">Choose a layer above, or click a row of the map</p>
      ) : (
        <Flights detail={detail} chosen={flight} />
      )}
      {table && <CurvesTable caption="Layer" lines={curves.map(lineOf)} timeline={timeline} />}
      {!table && <RowCharts {...{ curves, timeline, plotWidth }} />}
      {!table && curves.length > 0 && <StepAxis timeline={timeline} plotWidth={plotWidth} />}
      {!table && curves.some(({ spec }) => spec.healthy) && <Key />}
    </div>
  );
}

function shownCurve(curve: LayerCurve): ShownCurves {
  const { name, spec, limits } = curve;
  const title = `${name}: ${spec.title}`;
  return { title, lines: [lineOf(curve)], limits };
}

function lineOf({ name, spec, series, place }: LayerCurve): StripLine {
  return { spec, series, row: place, label: name };
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
            healthy={spec.healthy}
            height={isFlat(series, place) ? LOW : TALL}
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

/** Whether there is no shape to see: one value at all steps, or none. */
function isFlat({ fields, values, points }: Series, row: number): boolean {
  const measured = values[fields[0] ?? '']?.subarray(row * points, (row + 1) * points);
  const seen = new Set(measured);
  seen.delete(NOT_MEASURED);
  return seen.size < 2;
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
