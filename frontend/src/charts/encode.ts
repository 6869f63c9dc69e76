/**
 * From the values of a series to the colour codes of the map: which points lie under which column,
 * the domain that holds them, and the codes. All of it is linear in cells.
 */
import { NOT_MEASURED } from '../wire';
import { CODE, coderOf, type Domain, domainOf, LEVELS } from './color';
import type { CodeGrid } from './heat_map';

/** Some columns of `[rows, points]` values: row r is at `start + r * points`. */
export interface Cells {
  values: Float32Array;
  rows: number;
  columns: number;
  start: number;
  points: number;
}

/** Columns `sources` of a series' values, and nothing measured where a source is -1. */
export function gather(
  values: Float32Array,
  rows: number,
  points: number,
  sources: Int32Array,
): Cells {
  const columns = sources.length;
  const start = sources[0] ?? 0;
  // A zoom is a part of each row, which need not be copied.
  const unbroken = start >= 0 && sources.every((source, column) => source === start + column);
  if (unbroken) return { values, rows, columns, start, points };
  const gathered = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const line = values.subarray(row * points, (row + 1) * points);
    for (let column = 0; column < columns; column++) {
      gathered[row * columns + column] = line[sources[column] as number] ?? NOT_MEASURED;
    }
  }
  return { values: gathered, rows, columns, start: 0, points: columns };
}

/** Lowest and highest value in each point of a series, over all its rows. */
interface Extremes {
  lo: Float32Array;
  hi: Float32Array;
}

/** Of all values that were looked at, by the scale that has to hold them. */
const knownExtremes = new WeakMap<Float32Array, Partial<Record<Domain['scale'], Extremes>>>();

/** Smallest domain that holds all rows of the points; a zoom does not read the values again. */
export function domainOfPoints(
  values: Float32Array,
  points: number,
  shown: Int32Array,
  scale: Domain['scale'],
): Domain {
  const known = knownExtremes.get(values) ?? {};
  known[scale] ??= extremesByPoint(values, points, scale);
  knownExtremes.set(values, known);
  const { lo, hi } = known[scale];
  const measured = shown.filter((point) => point >= 0);
  const ends = [lo, hi].flatMap((all) => Array.from(measured, (point) => all[point] as number));
  return domainOf(ends, scale);
}

/** Infinities, turned round, where a point has no value that the scale can hold. */
function extremesByPoint(values: Float32Array, points: number, scale: Domain['scale']): Extremes {
  const lo = new Float32Array(points).fill(Number.POSITIVE_INFINITY);
  const hi = new Float32Array(points).fill(Number.NEGATIVE_INFINITY);
  const floor = scale === 'log' ? 0 : NOT_MEASURED;
  for (let start = 0; start < values.length; start += points) {
    for (let point = 0; point < points; point++) {
      const value = values[start + point] as number;
      if (!(value > floor && value < Number.POSITIVE_INFINITY)) continue;
      if (value < (lo[point] as number)) lo[point] = value;
      if (value > (hi[point] as number)) hi[point] = value;
    }
  }
  return { lo, hi };
}

export function encode(cells: Cells, domain: Domain): CodeGrid {
  const { values, rows, columns, start, points } = cells;
  const codes = new Uint16Array(rows * columns);
  const codeOf = coderOf(domain);
  const line = domain.scale === 'log' ? lineByBits(codeOf, domain) : lineByValue(codeOf);
  for (let row = 0; row < rows; row++) {
    const from = start + row * points;
    line(values.subarray(from, from + columns), codes, row * columns);
  }
  return { rows, columns, codes };
}

type Coder = (value: number) => number;

/** Writes the codes of one row to `at` and after. */
type LineEncoder = (values: Float32Array, codes: Uint16Array, at: number) => void;

function lineByValue(codeOf: Coder): LineEncoder {
  return (values, codes, at) => {
    for (let i = 0; i < values.length; i++) codes[at + i] = codeOf(values[i] as number);
  };
}

/** Upper halves that zero shares with the smallest numbers, and infinity with some NaN. */
const AMBIGUOUS = [0x0000, 0x8000, 0x7f80, 0xff80, 0xff7f] as const;

/** Stands in the table for a number that has to be looked at whole. */
const ASK = 0xffff;

/**
 * The upper half of a float32 tells it to within a hundredth, less than a level of colour: a table
 * of all of them saves a logarithm per cell.
 */
function lineByBits(codeOf: Coder, domain: Domain): LineEncoder {
  const table = tableOfHalves(codeOf, domain);
  return (values, codes, at) => {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) {
      const code = table[(bits[i] as number) >>> 16] as number;
      codes[at + i] = code === ASK ? codeOf(values[i] as number) : code;
    }
  };
}

/** Positive numbers are in the order of their bits: only those within the domain take a logarithm. */
function tableOfHalves(codeOf: Coder, { lo, hi }: Domain): Uint16Array {
  const half = new Uint32Array(1);
  const number = new Float32Array(half.buffer);
  const halfOf = (value: number) => {
    number[0] = value;
    return (half[0] as number) >>> 16;
  };
  const table = new Uint16Array(0x10000).fill(CODE.nan);
  table.fill(CODE.zero, 0x8000, 0xff80);
  table.fill(0, 0, halfOf(lo));
  table.fill(LEVELS - 1, halfOf(hi), 0x7f80);
  for (let i = halfOf(lo); i <= halfOf(hi); i++) {
    half[0] = (i << 16) | 0x8000;
    table[i] = codeOf(number[0] as number);
  }
  for (const ambiguous of AMBIGUOUS) table[ambiguous] = ASK;
  return table;
}
