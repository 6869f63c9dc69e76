/** Where rows and columns of the heat map lie, in CSS pixels. */

export interface MapGeometry {
  rows: number;
  columns: number;
  width: number;
  /** Height of one row; a fraction of a pixel when a large network is fitted into view. */
  rowHeight: number;
  /** Height of what is shown at once, and of all rows together. */
  viewHeight: number;
  fullHeight: number;
}

export interface Cell {
  row: number;
  column: number;
}

const MIN_READABLE_ROW = 14;
const MAX_ROW = 28;
const MIN_LABEL = 13;

/** `fit`: squeeze all rows into `maxHeight`; otherwise rows stay readable and the map scrolls. */
export function mapGeometry(
  rows: number,
  columns: number,
  width: number,
  maxHeight: number,
  fit: boolean,
): MapGeometry {
  const even = maxHeight / Math.max(1, rows);
  const readable = Math.max(MIN_READABLE_ROW, Math.floor(even));
  const rowHeight = Math.min(MAX_ROW, fit && even < MIN_READABLE_ROW ? even : readable);
  const fullHeight = rowHeight * rows;
  const viewHeight = Math.min(fullHeight, maxHeight);
  return { rows, columns, width, rowHeight, viewHeight, fullHeight };
}

/** Whether all rows are readable and in view at once, so that there is nothing to choose. */
export function fitsReadably(rows: number, maxHeight: number): boolean {
  return rows * MIN_READABLE_ROW <= maxHeight;
}

/** Cell under a point of the shown part, or null beside the map. */
export function cellAt(
  geometry: MapGeometry,
  x: number,
  y: number,
  scrollTop: number,
): Cell | null {
  const { rows, columns, width, rowHeight } = geometry;
  const column = Math.floor((x / width) * columns);
  const row = Math.floor((y + scrollTop) / rowHeight);
  const inside = column >= 0 && column < columns && row >= 0 && row < rows;
  return inside ? { row, column } : null;
}

/** Left edge of a column. */
export function columnX({ width, columns }: MapGeometry, column: number): number {
  return (column * width) / columns;
}

/** First row in view, and the one after the last. */
export function rowsInView(
  { rows, rowHeight, viewHeight }: MapGeometry,
  scrollTop: number,
): [number, number] {
  const first = Math.min(rows, Math.max(0, Math.floor(scrollTop / rowHeight)));
  return [first, Math.min(rows, Math.ceil((scrollTop + viewHeight) / rowHeight))];
}

/** Rows in view to label: as many as have room, and always those of `wanted`. */
export function labelledRows(
  geometry: MapGeometry,
  scrollTop: number,
  wanted: ReadonlySet<number>,
): number[] {
  const { rows, rowHeight } = geometry;
  const [from, to] = rowsInView(geometry, scrollTop);
  const stride = Math.max(1, Math.ceil(MIN_LABEL / rowHeight));
  const labels: number[] = [];
  const room = (row: number) => labels.every((other) => Math.abs(other - row) >= stride);
  for (let row = from; row < to; row++) if (wanted.has(row) && room(row)) labels.push(row);
  for (let row = from; row < to; row++) {
    const middle = row % stride === Math.floor(stride / 2);
    const whole = (rows - row - 0.5) * rowHeight >= MIN_LABEL / 2;
    if (middle && whole && room(row)) labels.push(row);
  }
  return labels.sort((a, b) => a - b);
}

/** Scroll position that brings a row into view, moving as little as possible. */
export function scrollToRow(
  { rowHeight, viewHeight }: MapGeometry,
  row: number,
  scrollTop: number,
): number {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, top + rowHeight - viewHeight);
}
