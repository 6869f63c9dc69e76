/** Puts the heat map and what lies over it onto canvases. */
import type { Palette } from './color';
import { type CodeGrid, paint, pool, sliceRows } from './heat_map';
import { columnX, type MapGeometry, rowsInView } from './map_geometry';

export function drawMap(
  canvas: HTMLCanvasElement,
  grid: CodeGrid,
  geometry: MapGeometry,
  scrollTop: number,
  palette: Palette,
): void {
  const density = devicePixelRatio || 1;
  const context = resize(canvas, geometry, density);
  const { width, height } = canvas;
  if (!context || width === 0 || height === 0 || grid.columns === 0) return;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const rowHeight = geometry.rowHeight * density;
  if (rowHeight < 1) {
    const pooled = pool(grid, height, width);
    const frame = { width, height, rowHeight: height / pooled.rows, scrollTop: 0, density };
    paint(pixels, pooled, frame, palette);
  } else {
    const [first, last] = rowsInView(geometry, scrollTop);
    const pooled = pool(sliceRows(grid, first, last), last - first, width);
    const hidden = (scrollTop - first * geometry.rowHeight) * density;
    paint(pixels, pooled, { width, height, rowHeight, scrollTop: hidden, density }, palette);
  }
  context.putImageData(image, 0, 0);
}

export interface Overlay {
  cursor: { row: number | null; column: number | null };
  /** Rows and first and last column that a finding is about; no rows stands for all. */
  focus: { rows: ReadonlySet<number>; columns: readonly [number, number] } | null;
  chosen: number | null;
}

export function drawOverlay(
  canvas: HTMLCanvasElement,
  geometry: MapGeometry,
  scrollTop: number,
  { cursor, focus, chosen }: Overlay,
): void {
  const density = devicePixelRatio || 1;
  const context = resize(canvas, geometry, density);
  if (!context) return;
  context.scale(density, density);
  context.translate(0, -scrollTop);
  const { width, columns, rowHeight, fullHeight } = geometry;
  const box = (firstRow: number, rows: number, from: number, to: number) =>
    outline(
      context,
      columnX(geometry, from),
      firstRow * rowHeight,
      columnX(geometry, to + 1),
      rows * rowHeight,
    );
  if (focus) {
    const [from, to] = focus.columns;
    for (const [first, last] of groups(focus.rows)) box(first, last - first + 1, from, to);
    if (focus.rows.size === 0) box(0, geometry.rows, from, to);
  }
  if (chosen !== null) outline(context, 0, chosen * rowHeight, width, rowHeight);
  if (cursor.column !== null) {
    const middle = columnX(geometry, cursor.column + 0.5);
    hairline(context, middle, 0, fullHeight);
    if (cursor.row !== null && columns > 0) box(cursor.row, 1, cursor.column, cursor.column);
  }
}

/** Black around white: visible on every colour of the scale. */
function outline(
  context: CanvasRenderingContext2D,
  left: number,
  top: number,
  right: number,
  height: number,
): void {
  const width = Math.max(3, right - left);
  for (const [color, line] of [
    ['#000000', 3],
    ['#ffffff', 1.5],
  ] as const) {
    context.strokeStyle = color;
    context.lineWidth = line;
    context.strokeRect(left + 1, top + 0.5, width - 2, Math.max(2, height - 1.5));
  }
}

function hairline(context: CanvasRenderingContext2D, x: number, top: number, bottom: number): void {
  context.fillStyle = 'rgba(0, 0, 0, 0.55)';
  context.fillRect(x - 1, top, 2, bottom - top);
  context.fillStyle = 'rgba(255, 255, 255, 0.9)';
  context.fillRect(x - 0.5, top, 1, bottom - top);
}

/** Runs of neighbouring numbers, as first and last of each. */
export function groups(rows: ReadonlySet<number>): [number, number][] {
  const found: [number, number][] = [];
  for (const row of [...rows].sort((a, b) => a - b)) {
    const current = found.at(-1);
    if (current && row === current[1] + 1) current[1] = row;
    else found.push([row, row]);
  }
  return found;
}

/** Clears the canvas and gives it the pixels that its size on screen needs, if it has others. */
function resize(
  canvas: HTMLCanvasElement,
  { width, viewHeight }: MapGeometry,
  density: number,
): CanvasRenderingContext2D | null {
  const context = canvas.getContext('2d');
  const [wide, high] = [Math.round(width * density), Math.round(viewHeight * density)];
  if (canvas.width === wide && canvas.height === high) context?.reset();
  else Object.assign(canvas, { width: wide, height: high });
  return context;
}
