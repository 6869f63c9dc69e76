/**
 * From the values of a series to the colour codes of the map: which points lie under which column,
 * the domain that holds them, and the codes. All of it is linear in cells.
 */
import { NOT_MEASURED } from '../wire';
import { coderOf, type Domain, domainOf, extremesOf } from './color';
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

/** Smallest domain that holds all cells. */
export function domainOfCells(cells: Cells, scale: Domain['scale']): Domain {
  const { values, rows, columns, start, points } = cells;
  const lines = Array.from({ length: rows }, (_, row) => {
    const from = start + row * points;
    return extremesOf(values.subarray(from, from + columns), scale);
  });
  // A typed array, as everywhere: two kinds would slow the loop down.
  return domainOf(Float32Array.from(lines.flat()), scale);
}

export function encode(cells: Cells, domain: Domain): CodeGrid {
  const { values, rows, columns, start, points } = cells;
  const codes = new Uint16Array(rows * columns);
  const codeOf = coderOf(domain);
  const line = domain.scale === 'log' ? lineByBits(codeOf) : lineByValue(codeOf);
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
function lineByBits(codeOf: Coder): LineEncoder {
  const table = new Uint16Array(0x10000);
  const half = new Uint32Array(1);
  const number = new Float32Array(half.buffer);
  for (let i = 0; i < table.length; i++) {
    half[0] = (i << 16) | 0x8000;
    table[i] = codeOf(number[0] as number);
  }
  for (const ambiguous of AMBIGUOUS) table[ambiguous] = ASK;
  return (values, codes, at) => {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) {
      const code = table[(bits[i] as number) >>> 16] as number;
      codes[at + i] = code === ASK ? codeOf(values[i] as number) : code;
    }
  };
}
