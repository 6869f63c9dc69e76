/** One row of a series as the columns that a line chart draws. */
import { alignColumns, type Timeline } from '../timeline';
import { NOT_MEASURED, type Series } from '../wire';
import { powerOfTen } from './color';

export type MarkKind = 'nan' | 'posInf' | 'negInf';

export interface LineData {
  /** `[columns]`: null where nothing finite was measured. */
  mean: (number | null)[];
  /** Lowest and highest value of each window; null without a band. */
  low: (number | null)[];
  high: (number | null)[];
  /** As measured, NaN and infinities included; undefined where nothing was. */
  raw: (number | undefined)[];
  marks: { column: number; kind: MarkKind }[];
  scale: YScale;
}

export interface YScale {
  log: boolean;
  lo: number;
  hi: number;
  /** Values to label. */
  ticks: number[];
}

const MIN_DECADES_FOR_LOG = 2;

export function lineData(series: Series, row: number, timeline: Timeline): LineData {
  const sources = alignColumns(timeline, series.steps);
  const read = (field: string) => {
    const values = series.values[field];
    return Array.from(sources, (source) => {
      const value = source < 0 || !values ? undefined : values[row * series.points + source];
      return value === NOT_MEASURED ? undefined : value;
    });
  };
  const raw = read(series.fields[0] ?? 'mean');
  const [lows, highs] = [read('min').map(finite), read('max').map(finite)];
  const mean = raw.map(finite);
  const scale = yScale([...mean, ...lows, ...highs]);
  const drawable = (value: number | null) =>
    scale.log && value !== null && value <= 0 ? null : value;
  return {
    mean: mean.map(drawable),
    low: lows.map(drawable),
    high: highs.map(drawable),
    raw,
    marks: raw.flatMap((value, column) => {
      const kind = markKind(value);
      return kind ? [{ column, kind }] : [];
    }),
    scale,
  };
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

function markKind(value: number | undefined): MarkKind | null {
  if (value === undefined || Number.isFinite(value)) return null;
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'posInf' : 'negInf';
}

/** Logarithmic where all values are positive and span more than two decades. */
export function yScale(values: readonly (number | null)[]): YScale {
  let lo = Number.POSITIVE_INFINITY;
  let hi = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === null) continue;
    lo = Math.min(lo, value);
    hi = Math.max(hi, value);
  }
  if (lo > hi) return { log: false, lo: 0, hi: 1, ticks: [] };
  if (lo === hi) return aroundConstant(lo);
  const log = lo > 0 && hi / lo > 10 ** MIN_DECADES_FOR_LOG;
  if (log) return { log, lo, hi, ticks: decades(lo, hi) };
  const margin = (hi - lo) * 0.06;
  const [low, high] = [lo - margin, hi + margin];
  return { log, lo: low, hi: high, ticks: roundSteps(low, high) };
}

function aroundConstant(value: number): YScale {
  const margin = Math.abs(value) * 0.1 || 1;
  return { log: false, lo: value - margin, hi: value + margin, ticks: [value] };
}

/** Two or three whole decades, or one where there are no more. */
function decades(lo: number, hi: number): number[] {
  const first = Math.ceil(Math.log10(lo));
  const last = Math.floor(Math.log10(hi));
  const stride = Math.max(1, Math.ceil((last - first) / 2));
  const ticks: number[] = [];
  for (let decade = first; decade <= last; decade += stride) ticks.push(powerOfTen(decade));
  return ticks;
}

/** Two or three round values: the coarsest steps of which at least two are in range. */
function roundSteps(lo: number, hi: number): number[] {
  for (let decade = 10 ** Math.ceil(Math.log10(hi - lo)); ; decade /= 10) {
    for (const step of [decade, decade / 2, decade / 5]) {
      const [first, last] = [Math.ceil(lo / step), Math.floor(hi / step)];
      if (last - first === 2) return [first * step, (first + 1) * step, last * step];
      if (last > first) return [first * step, last * step];
    }
  }
}
