/** A curve small enough for a card: paths in the coordinates of an SVG, and nothing else. */
import type { LineData, YScale } from './line_data';

export interface Spark {
  /** One path for the line, one for the span between lowest and highest value. */
  line: string;
  band: string;
  /** Height of the limit; null without one. */
  limit: number | null;
  /** Where values that are not finite lie. */
  marks: number[];
  /** Where the number lies that was read from the curve; null without one. */
  point: { x: number; y: number } | null;
}

/** A number that was read from the curve, and its column. */
export interface Read {
  column: number;
  value: number;
}

export interface SparkSize {
  width: number;
  height: number;
}

export function sparkOf(
  { mean, low, high, marks }: LineData,
  scale: YScale,
  limit: number | null,
  { width, height }: SparkSize,
  read: Read | null = null,
): Spark {
  const x = (column: number) => round(((column + 0.5) / mean.length) * width);
  const y = (value: number) => round(height * (1 - placeOf(scale, value)));
  const inside = (value: number) => value >= scale.lo && value <= scale.hi;
  return {
    line: linePath(mean, x, y),
    band: bandPath(low, high, x, y),
    limit: limit !== null && inside(limit) ? y(limit) : null,
    marks: marks.map(({ column }) => x(column)),
    point: read && inside(read.value) ? { x: x(read.column), y: y(read.value) } : null,
  };
}

type Place = (value: number) => number;

function linePath(values: readonly (number | null | undefined)[], x: Place, y: Place): string {
  let path = '';
  let pen = 'M';
  values.forEach((value, column) => {
    if (value === undefined) return;
    if (value !== null) path += `${pen}${x(column)} ${y(value)}`;
    pen = value === null ? 'M' : 'L';
  });
  return path;
}

function bandPath(
  low: readonly (number | null | undefined)[],
  high: readonly (number | null | undefined)[],
  x: Place,
  y: Place,
): string {
  const top: string[] = [];
  const bottom: string[] = [];
  low.forEach((from, column) => {
    const to = high[column];
    if (typeof from !== 'number' || typeof to !== 'number') return;
    top.push(`${x(column)} ${y(to)}`);
    bottom.unshift(`${x(column)} ${y(from)}`);
  });
  return top.length > 0 ? `M${[...top, ...bottom].join('L')}Z` : '';
}

/** From 0 at the bottom of the scale to 1 at its top. */
function placeOf({ log, lo, hi }: YScale, value: number): number {
  const place = log ? Math.log : (number: number) => number;
  return (place(value) - place(lo)) / (place(hi) - place(lo));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
