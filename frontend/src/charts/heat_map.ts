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
  const gathered = new Float32Array(rows * columns).fill(NOT_MEASURED);
  sources.forEach((source, column) => {
    if (source < 0) return;
    for (let row = 0; row < rows; row++) {
      gathered[row * columns + column] = values[row * points + source] as number;
    }
  });
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
  // `Uint16Array.from` would take a hundred times as long.
  for (let i = 0; i < values.length; i++) codes[i] = codeOf(values[i] as number);
  return { rows, columns, codes };
}

/** Shrinks to at most `maxRows` by `maxColumns` cells, so that no incident falls between pixels. */
export function pool(grid: CodeGrid, maxRows: number, maxColumns: number): CodeGrid {
  const rows = Math.min(grid.rows, Math.max(1, maxRows));
  const columns = Math.min(grid.columns, Math.max(1, maxColumns));
  if (rows === grid.rows && columns === grid.columns) return grid;
  const codes = new Uint16Array(rows * columns);
  const edge = (i: number, parts: number, total: number) => Math.floor((i * total) / parts);
  for (let row = 0; row < rows; row++) {
    const top = edge(row, rows, grid.rows);
    const bottom = edge(row + 1, rows, grid.rows);
    for (let column = 0; column < columns; column++) {
      const left = edge(column, columns, grid.columns);
      const right = edge(column + 1, columns, grid.columns);
      codes[row * columns + column] = poolCell(grid, top, bottom, left, right);
    }
  }
  return { rows, columns, codes };
}

/** Not finite beats measured, measured beats zero, zero beats missing; levels are averaged. */
function poolCell(
  grid: CodeGrid,
  top: number,
  bottom: number,
  left: number,
  right: number,
): number {
  let sum = 0;
  let count = 0;
  let special: number = CODE.missing;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const code = grid.codes[row * grid.columns + column] as number;
      if (code < LEVELS) {
        sum += code;
        count++;
      } else if (rank(code) > rank(special)) {
        special = code;
      }
    }
  }
  return count > 0 && rank(special) < rank(CODE.negInf) ? Math.round(sum / count) : special;
}

const WEAK_TO_STRONG: readonly number[] = [
  CODE.missing,
  CODE.zero,
  CODE.negInf,
  CODE.posInf,
  CODE.nan,
];

function rank(code: number): number {
  return WEAK_TO_STRONG.indexOf(code);
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
