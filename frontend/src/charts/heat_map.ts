/**
 * The heat map as pixels: codes are pooled where there are more cells than pixels, and pooled codes
 * are painted. Nothing here touches the document, and all of it is linear in cells or pixels.
 */
import { CODE, LEVELS, type Palette, type Pattern } from './color';

export interface CodeGrid {
  rows: number;
  columns: number;
  /** `[rows, columns]`, row-major. */
  codes: Uint16Array;
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

/** Rows `first` to `last`, without the last one; no cell is copied. */
export function sliceRows({ columns, codes }: CodeGrid, first: number, last: number): CodeGrid {
  return { rows: last - first, columns, codes: codes.subarray(first * columns, last * columns) };
}

/** The grid of each size that was last drawn: the way back from a zoom must not pool it anew. */
const pooledGrids = new WeakMap<CodeGrid, CodeGrid>();

/** Shrinks to at most `maxRows` by `maxColumns` cells, so that no incident falls between pixels. */
export function pool(grid: CodeGrid, maxRows: number, maxColumns: number): CodeGrid {
  const rows = Math.min(grid.rows, Math.max(1, maxRows));
  const columns = Math.min(grid.columns, Math.max(1, maxColumns));
  if (rows === grid.rows && columns === grid.columns) return grid;
  const before = pooledGrids.get(grid);
  if (before?.rows === rows && before.columns === columns) return before;
  const pooled = { rows, columns, codes: new Uint16Array(rows * columns) };
  const [tops, lefts] = [edges(rows, grid.rows), edges(columns, grid.columns)];
  for (let row = 0; row < rows; row++) {
    const line = pooled.codes.subarray(row * columns, (row + 1) * columns);
    poolRows(grid, tops[row] as number, tops[row + 1] as number, lefts, line);
  }
  pooledGrids.set(grid, pooled);
  return pooled;
}

/** Where `parts` equal parts of `total` begin, and where the last one ends. */
function edges(parts: number, total: number): Int32Array {
  return Int32Array.from({ length: parts + 1 }, (_, i) => Math.floor((i * total) / parts));
}

/**
 * Pools rows `top` to `bottom` into one line, whose cells begin at columns `lefts`. Not finite
 * beats measured, measured beats zero, zero beats missing; levels are averaged.
 */
function poolRows(
  { codes, columns }: CodeGrid,
  top: number,
  bottom: number,
  lefts: Int32Array,
  line: Uint16Array,
): void {
  for (let cell = 0; cell < line.length; cell++) {
    const [left, right] = [lefts[cell] as number, lefts[cell + 1] as number];
    let sum = 0;
    let count = 0;
    let special: number = CODE.missing;
    for (let start = top * columns; start < bottom * columns; start += columns) {
      for (let i = start + left; i < start + right; i++) {
        const code = codes[i] as number;
        if (code < LEVELS) {
          sum += code;
          count++;
        } else if (rank(code) > rank(special)) special = code;
      }
    }
    const finite = rank(special) < rank(CODE.negInf);
    line[cell] = count > 0 && finite ? Math.round(sum / count) : special;
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
  const seen = new Set<number>();
  let last = -1;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code < LEVELS || code === last) continue;
    last = code;
    seen.add(code);
  }
  return seen;
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
