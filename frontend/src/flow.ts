/** How gradients and activations stand along the network at one step: one bar per layer. */
import { layersOf } from './choices';
import { NOT_MEASURED, type Row, type RunDetail, type Series, type Signal } from './wire';

const FLOW_SIGNALS = [
  'gradient_norm',
  'update_ratio',
  'dead_fraction',
  'saturated_fraction',
] as const;

/** Those of the usual four that were measured. */
export function flowSignals(detail: RunDetail): Signal[] {
  return FLOW_SIGNALS.flatMap((name) =>
    detail.signals.filter((signal) => signal.name === name && signal.kept > 0),
  );
}

export interface FlowRow {
  layer: string;
  /** One per signal: the worst of the layer's rows; undefined where nothing was measured. */
  values: (number | undefined)[];
}

/** Values of all layers as they were measured last at or before `step`. */
export function flowAt(
  detail: RunDetail,
  signals: readonly Signal[],
  series: readonly (Series | undefined)[],
  step: number,
): FlowRow[] {
  const columns = signals.map((signal, index) => layerValues(detail, signal, series[index], step));
  return layersOf(detail).map((layer) => ({
    layer,
    values: columns.map((values) => values.get(layer)),
  }));
}

function layerValues(
  detail: RunDetail,
  signal: Signal,
  series: Series | undefined,
  step: number,
): Map<string, number> {
  const found = new Map<string, number>();
  const rows = detail.rows[signal.axis] ?? [];
  const weighty = new Set(rows.filter((row) => !isMinor(row)).map(({ layer }) => layer));
  const point = series ? series.steps.findLastIndex((logged) => logged <= step) : -1;
  const values = series?.values[series.fields[0] ?? ''];
  if (!series || !values || point < 0) return found;
  rows.forEach((row, index) => {
    const start = index * series.points;
    // A signal that is sampled stands until it is measured again.
    const value = values
      .subarray(start, start + point + 1)
      .findLast((logged) => logged !== NOT_MEASURED);
    const layer = row.layer || row.name;
    const minor = isMinor(row) && weighty.has(layer);
    if (value === undefined || (minor && Number.isFinite(value))) return;
    found.set(layer, worse(found.get(layer), value));
  });
  return found;
}

/** A bias starts at 0: what is usual for the weights beside it is not for a bias. */
function isMinor({ role }: Row): boolean {
  return role === 'bias';
}

/** What is not finite is worse than any number; of numbers the larger one tells more. */
function worse(before: number | undefined, value: number): number {
  if (before === undefined || !Number.isFinite(value)) return value;
  return Number.isFinite(before) ? Math.max(before, value) : before;
}
