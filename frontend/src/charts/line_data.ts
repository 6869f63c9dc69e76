/** One row of a series as the columns that a line chart draws. */
import { alignColumns, type Timeline } from '../timeline';
import { NOT_MEASURED, type Series } from '../wire';
import { powerOfTen } from './color';

export type MarkKind = 'nan' | 'posInf' | 'negInf';

export interface LineData {
  /** `[columns]`: null where nothing finite was measured, undefined where the signal has no point. */
  mean: (number | null | undefined)[];
  /** Lowest and highest value of each window; nothing finite without a band. */
  low: (number | null | undefined)[];
  high: (number | null | undefined)[];
  /** As measured, NaN and infinities included; undefined where nothing was. */
  raw: (number | undefined)[];
  marks: { column: number; kind: MarkKind }[];
  /** Points of the series within these columns. */
  points: number;
}

export interface YScale {
  log: boolean;
  lo: number;
  hi: number;
  /** Values to label. */
  ticks: number[];
}

const MIN_DECADES_FOR_LOG = 2;

/** Room above and below the values, as a share of their span. */
const MARGIN = 0.06;

export function lineData(
  series: Series,
  row: number,
  timeline: Timeline,
  field = series.fields[0] ?? 'mean',
): LineData {
  const sources = alignColumns(timeline, series.steps);
  const read = (name: string) => {
    const values = series.values[name];
    return Array.from(sources, (source) => {
      const value = source < 0 || !values ? undefined : values[row * series.points + source];
      return value === NOT_MEASURED ? undefined : value;
    });
  };
  // A line goes on over columns in which the signal has no point, and breaks at all others.
  const drawn = (value: number | undefined, column: number) =>
    (sources[column] ?? -1) < 0 ? undefined : finite(value);
  const raw = read(field);
  // Only a mean lies between the lowest and the highest value; a standard deviation does not.
  const edge = (name: string) => read(field === 'mean' ? name : '').map(drawn);
  return {
    mean: raw.map(drawn),
    low: edge('min'),
    high: edge('max'),
    raw,
    marks: raw.flatMap((value, column) => {
      const kind = markKind(value);
      return kind ? [{ column, kind }] : [];
    }),
    points: sources.filter((source) => source >= 0).length,
  };
}

/** One scale for all lines of a chart, with room for the limits that they are held against. */
export function scaleOfLines(lines: readonly LineData[], limits: readonly number[] = []): YScale {
  const values = lines.flatMap(({ mean, low, high }) => [...mean, ...low, ...high]);
  return yScale(values.some(isNumber) ? [...values, ...limits.filter(Number.isFinite)] : values);
}

function isNumber(value: number | null | undefined): boolean {
  return typeof value === 'number';
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
export function yScale(values: readonly (number | null | undefined)[]): YScale {
  let lo = Number.POSITIVE_INFINITY;
  let hi = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === null || value === undefined) continue;
    lo = Math.min(lo, value);
    hi = Math.max(hi, value);
  }
  if (lo > hi) return { log: false, lo: 0, hi: 1, ticks: [] };
  if (lo === hi) return aroundConstant(lo);
  const log = lo > 0 && hi / lo > 10 ** MIN_DECADES_FOR_LOG;
  if (log) {
    const factor = (hi / lo) ** MARGIN;
    return { log, lo: lo / factor, hi: hi * factor, ticks: decades(lo, hi) };
  }
  const margin = (hi - lo) * MARGIN;
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
