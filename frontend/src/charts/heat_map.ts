/**
 * The heat map as pixels: values become colour codes, codes are pooled where there are more
 * cells than pixels, and pooled codes are painted. Nothing here touches the document, and all
 * of it is linear in cells or pixels: 1,000 rows by 1,500 steps take about a tenth of a second.
 */
import { NOT_MEASURED } from '../wire';
import { CODE, coderOf, type Domain, LEVELS, type Palette, type Pattern } from './color';

export interface CodeGrid {
  rows: number;
  columns: number;
  /** `[rows, columns]`, row-major. */
  codes: Uint16Array;
}

/** Columns `sources` of `values` (`[rows, points]`), and nothing measured where a source is -1. */
export function gather(
  values: Float32Array,
  rows: number,
  points: number,
  sources: Int32Array,
): Float32Array {
  const columns = sources.length;
  const start = sources[0] ?? 0;
  const unbroken = start >= 0 && sources.every((source, column) => source === start + column);
  if (unbroken && columns === points) return values;
  const gathered = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const line = values.subarray(row * points, (row + 1) * points);
    const target = gathered.subarray(row * columns, (row + 1) * columns);
    if (unbroken) target.set(line.subarray(start, start + columns));
    else {
      for (let column = 0; column < columns; column++) {
        target[column] = line[sources[column] as number] ?? NOT_MEASURED;
      }
    }
  }
  return gathered;
}

/** `values` is `[rows, columns]`. */
export function encode(
  values: Float32Array,
  rows: number,
  columns: number,
  domain: Domain,
): CodeGrid {
  const codeOf = coderOf(domain);
  const codes = new Uint16Array(values.length);
  if (domain.scale === 'log') encodeByBits(values, codes, codeOf);
  // `Uint16Array.from` would take a hundred times as long.
  else for (let i = 0; i < values.length; i++) codes[i] = codeOf(values[i] as number);
  return { rows, columns, codes };
}

/** Upper halves that zero shares with the smallest numbers, and infinity with some NaN. */
const AMBIGUOUS = [0x0000, 0x8000, 0x7f80, 0xff80, 0xff7f] as const;

/** Stands in the table for a number that has to be looked at whole. */
const ASK = 0xffff;

/**
 * The upper half of a float32 tells it to within a hundredth, less than a level of colour: a table
 * of all of them saves a logarithm per cell.
 */
function encodeByBits(
  values: Float32Array,
  codes: Uint16Array,
  codeOf: (value: number) => number,
): void {
  const table = new Uint16Array(0x10000);
  const half = new Uint32Array(1);
  const number = new Float32Array(half.buffer);
  for (let i = 0; i < table.length; i++) {
    half[0] = (i << 16) | 0x8000;
    table[i] = codeOf(number[0] as number);
  }
  for (const ambiguous of AMBIGUOUS) table[ambiguous] = ASK;
  const cells = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < cells.length; i++) {
    const code = table[(cells[i] as number) >>> 16] as number;
    codes[i] = code === ASK ? codeOf(values[i] as number) : code;
  }
}

/** One row for each list of rows, pooled where it has several. */
export function gatherRows(grid: CodeGrid, lines: readonly (readonly number[])[]): CodeGrid {
  const { columns } = grid;
  const codes = new Uint16Array(lines.length * columns);
  lines.forEach((rows, line) => {
    const [first = 0] = rows;
    const target = codes.subarray(line * columns, (line + 1) * columns);
    if (rows.length === 1) {
      target.set(grid.codes.subarray(first * columns, (first + 1) * columns));
      return;
    }
    const members = { rows: rows.length, columns, codes: new Uint16Array(rows.length * columns) };
    rows.forEach((row, index) => {
      members.codes.set(grid.codes.subarray(row * columns, (row + 1) * columns), index * columns);
    });
    target.set(pool(members, 1, columns).codes);
  });
  return { rows: lines.length, columns, codes };
}

/** Shrinks to at most `maxRows` by `maxColumns` cells, so that no incident falls between pixels. */
export function pool(grid: CodeGrid, maxRows: number, maxColumns: number): CodeGrid {
  const rows = Math.min(grid.rows, Math.max(1, maxRows));
  const columns = Math.min(grid.columns, Math.max(1, maxColumns));
  if (rows === grid.rows && columns === grid.columns) return grid;
  const pooled = { rows, columns, codes: new Uint16Array(rows * columns) };
  const [tops, lefts] = [edges(rows, grid.rows), edges(columns, grid.columns)];
  const bucketOf = new Int32Array(grid.columns);
  for (let i = 0; i < columns; i++) bucketOf.fill(i, lefts[i], lefts[i + 1]);
  for (let row = 0; row < rows; row++) {
    const line = pooled.codes.subarray(row * columns, (row + 1) * columns);
    poolRows(grid, tops[row] as number, tops[row + 1] as number, bucketOf, line);
  }
  return pooled;
}

/** Where `parts` equal parts of `total` begin, and where the last one ends. */
function edges(parts: number, total: number): Int32Array {
  return Int32Array.from({ length: parts + 1 }, (_, i) => Math.floor((i * total) / parts));
}

/**
 * Pools rows `top` to `bottom` into one line, each column into its bucket. Not finite beats
 * measured, measured beats zero, zero beats missing; levels are averaged.
 */
function poolRows(
  grid: CodeGrid,
  top: number,
  bottom: number,
  bucketOf: Int32Array,
  line: Uint16Array,
): void {
  const sums = new Uint32Array(line.length);
  const counts = new Uint32Array(line.length);
  line.fill(CODE.missing);
  for (let row = top; row < bottom; row++) {
    const start = row * grid.columns;
    for (let column = 0; column < bucketOf.length; column++) {
      const code = grid.codes[start + column] as number;
      const bucket = bucketOf[column] as number;
      if (code < LEVELS) {
        sums[bucket] = (sums[bucket] as number) + code;
        counts[bucket] = (counts[bucket] as number) + 1;
      } else if (rank(code) > rank(line[bucket] as number)) line[bucket] = code;
    }
  }
  for (let bucket = 0; bucket < line.length; bucket++) {
    const count = counts[bucket] as number;
    const finite = rank(line[bucket] as number) < rank(CODE.negInf);
    if (count > 0 && finite) line[bucket] = Math.round((sums[bucket] as number) / count);
  }
}

const WEAK_TO_STRONG = [CODE.missing, CODE.zero, CODE.negInf, CODE.posInf, CODE.nan] as const;

const RANKS = new Uint8Array(LEVELS + WEAK_TO_STRONG.length);
WEAK_TO_STRONG.forEach((code, place) => {
  RANKS[code] = place;
});

function rank(code: number): number {
  return RANKS[code] as number;
}

/** The codes beyond the levels that occur. */
export function specialsIn({ codes }: CodeGrid): Set<number> {
  const seen = new Uint8Array(RANKS.length);
  for (let i = 0; i < codes.length; i++) seen[codes[i] as number] = 1;
  return new Set([...seen.keys()].filter((code) => code >= LEVELS && seen[code] === 1));
}

export interface Frame {
  /** Device pixels. */
  width: number;
  height: number;
  /** Height of a row and rows hidden above, both in device pixels. */
  rowHeight: number;
  scrollTop: number;
  /** Device pixels per CSS pixel: patterns and gaps keep their size on dense screens. */
  density: number;
}

const MIN_ROW_WITH_GAP = 8;

/** Fills `pixels` (`[height, width]`, packed) with the visible rows of the grid. */
export function paint(pixels: Uint32Array, grid: CodeGrid, frame: Frame, palette: Palette): void {
  const { width, height, rowHeight, scrollTop, density } = frame;
  const columnOf = new Int32Array(width);
  for (let x = 0; x < width; x++) columnOf[x] = Math.floor((x * grid.columns) / width);
  const gap = rowHeight >= MIN_ROW_WITH_GAP * density ? Math.round(density) : 0;
  for (let y = 0; y < height; y++) {
    const at = y + scrollTop;
    const row = Math.floor(at / rowHeight);
    const line = pixels.subarray(y * width, (y + 1) * width);
    const inGap = gap > 0 && at - row * rowHeight >= rowHeight - gap;
    if (inGap || row >= grid.rows) line.fill(palette.gap);
    else paintLine(line, grid, row, columnOf, Math.floor(y / density), density, palette);
  }
}

function paintLine(
  line: Uint32Array,
  grid: CodeGrid,
  row: number,
  columnOf: Int32Array,
  y: number,
  density: number,
  palette: Palette,
): void {
  const start = row * grid.columns;
  for (let x = 0; x < line.length; x++) {
    const code = grid.codes[start + (columnOf[x] as number)] as number;
    line[x] =
      code < LEVELS
        ? (palette.levels[code] as number)
        : patternPixel(code, Math.floor(x / density), y, palette);
  }
}

/** Shapes differ as well as colours: cross-hatch, bars across, bars upright, hatch, dots. */
function patternPixel(code: number, x: number, y: number, { patterns }: Palette): number {
  const ink = ({ ink, ground }: Pattern, drawn: boolean) => (drawn ? ink : ground);
  switch (code) {
    case CODE.nan:
      return ink(patterns.nan, (x + y) % 8 === 0 || (x - y + 8_000) % 8 === 0);
    case CODE.posInf:
      return ink(patterns.posInf, y % 4 === 0);
    case CODE.negInf:
      return ink(patterns.negInf, x % 4 === 0);
    case CODE.zero:
      return ink(patterns.zero, x % 5 === 2 && y % 5 === 2);
    default:
      return ink(patterns.missing, (x + y) % 6 === 0);
  }
}
