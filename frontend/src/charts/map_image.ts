/** The map as a picture of its own, with names, steps and the scale of its colours. */
import { formatNumber, formatStep } from '../format';
import type { MapData } from '../map_data';
import { stepTicks } from '../timeline';
import { domainTicks, LEVELS, type Palette, scaleOf } from './color';
import { paint, pool } from './heat_map';

const [NAMES, PLOT, TOP, BOTTOM, ROW, MAX_HEIGHT, DENSITY] = [260, 960, 44, 76, 16, 4_000, 2];
const FONT = '12px system-ui, sans-serif';

export async function mapImage(
  data: MapData,
  palette: Palette,
  theme: 'light' | 'dark',
): Promise<Blob> {
  const rows = Math.max(1, data.grid.rows);
  const rowHeight = Math.min(ROW, MAX_HEIGHT / rows);
  const height = Math.ceil(rows * rowHeight);
  const canvas = document.createElement('canvas');
  canvas.width = (NAMES + PLOT + 24) * DENSITY;
  canvas.height = (TOP + height + BOTTOM) * DENSITY;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const ink = theme === 'dark' ? '#e6e8ea' : '#1c2127';
  context.fillStyle = theme === 'dark' ? '#27292c' : '#ffffff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  drawCells(context, data, palette, rowHeight, height);
  context.scale(DENSITY, DENSITY);
  context.fillStyle = ink;
  context.font = FONT;
  drawWords(context, data, rowHeight, height);
  drawScale(context, data, palette, TOP + height + 36);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error('The picture is too large.')),
    );
  });
}

function drawCells(
  context: CanvasRenderingContext2D,
  { grid }: MapData,
  palette: Palette,
  rowHeight: number,
  height: number,
): void {
  const image = context.createImageData(PLOT * DENSITY, height * DENSITY);
  const pooled = pool(grid, height * DENSITY, image.width);
  const frame = {
    width: image.width,
    height: image.height,
    rowHeight: pooled.rows === grid.rows ? rowHeight * DENSITY : image.height / pooled.rows,
    scrollTop: 0,
    density: DENSITY,
  };
  paint(new Uint32Array(image.data.buffer), pooled, frame, palette);
  context.putImageData(image, NAMES * DENSITY, TOP * DENSITY);
}

function drawWords(
  context: CanvasRenderingContext2D,
  { signal, field, series, lines, timeline }: MapData,
  rowHeight: number,
  height: number,
): void {
  const unit = signal.unit && ` (${signal.unit})`;
  context.textBaseline = 'middle';
  context.fillText(`${series.run}: ${signal.title}${unit}, ${field}`, NAMES, TOP / 2);
  context.textAlign = 'right';
  const stride = Math.ceil(13 / rowHeight);
  lines.forEach(({ name }, index) => {
    if (index % stride !== 0) return;
    context.fillText(name, NAMES - 8, TOP + (index + 0.5) * rowHeight, NAMES - 16);
  });
  context.textAlign = 'center';
  for (const { column, step } of stepTicks(timeline.steps, 10)) {
    const x = NAMES + ((column + 0.5) / timeline.steps.length) * PLOT;
    context.fillText(formatStep(step), x, TOP + height + 12);
  }
}

function drawScale(
  context: CanvasRenderingContext2D,
  { domain }: MapData,
  palette: Palette,
  top: number,
): void {
  const width = 300;
  const pixels = new Uint8ClampedArray(palette.levels.buffer);
  for (let level = 0; level < LEVELS; level++) {
    const [r, g, b] = pixels.subarray(4 * level, 4 * level + 3);
    const ink = context.fillStyle;
    context.fillStyle = `rgb(${r}, ${g}, ${b})`;
    context.fillRect(NAMES + (level / LEVELS) * width, top, width / LEVELS + 1, 10);
    context.fillStyle = ink;
  }
  const place = scaleOf(domain);
  for (const tick of domainTicks(domain, 5)) {
    context.fillText(formatNumber(tick, 2), NAMES + place(tick) * width, top + 22);
  }
}
