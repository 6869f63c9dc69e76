/** What lies behind and over the lines of a chart: labels, spans, limits, and marks. */
import type uPlot from 'uplot';
import { formatTicks } from '../format';
import type { LineChartModel } from './line_chart';
import type { MarkKind } from './line_data';

/** Room above the plot for marks of values that are not finite. */
export const MARK_ROW = 14;

const LABEL_SIZE = 11;

const MARK_GLYPH: Record<MarkKind, string> = { nan: '×', posInf: '▴', negInf: '▾' };

export function drawBackground(plot: uPlot, model: LineChartModel): void {
  drawHealthy(plot, model);
  drawBands(plot, model);
  const { ctx, bbox } = plot;
  ctx.font = `${LABEL_SIZE * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  const labels = formatTicks(model.scale.ticks);
  model.scale.ticks.forEach((tick, index) => {
    const y = Math.round(plot.valToPos(tick, 'y', true));
    ctx.fillStyle = model.colors.grid;
    ctx.fillRect(bbox.left, y, bbox.width, 1);
    ctx.fillStyle = model.colors.text;
    ctx.fillText(labels[index] as string, bbox.left - 6 * devicePixelRatio, y);
  });
  drawLimits(plot, model);
}

function drawHealthy(plot: uPlot, { healthy, scale, colors }: LineChartModel): void {
  if (!healthy) return;
  const { ctx, bbox } = plot;
  const inside = (value: number) => Math.min(scale.hi, Math.max(scale.lo, value));
  const top = plot.valToPos(inside(healthy[1] ?? scale.hi), 'y', true);
  const bottom = plot.valToPos(inside(healthy[0] ?? scale.lo), 'y', true);
  ctx.fillStyle = colors.healthy;
  ctx.fillRect(bbox.left, top, bbox.width, Math.max(0, bottom - top));
}

function drawBands(plot: uPlot, { bands }: LineChartModel): void {
  const { ctx, bbox } = plot;
  for (const { from, to, color } of bands) {
    const left = plot.valToPos(from - 0.5, 'x', true);
    const right = plot.valToPos(to + 0.5, 'x', true);
    ctx.fillStyle = color;
    ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
  }
}

function drawLimits(plot: uPlot, { limits, scale, colors }: LineChartModel): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colors.limit;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const limit of limits) {
    if (!(limit >= scale.lo && limit <= scale.hi)) continue;
    const y = plot.valToPos(limit, 'y', true);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** What is not finite has no place on the y axis: it is marked above the plot. */
export function drawMarks(plot: uPlot, { lines, colors }: LineChartModel): void {
  const { ctx, bbox } = plot;
  const size = 11 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colors.mark;
  ctx.font = `bold ${size}px system-ui, sans-serif`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'bottom';
  for (const { data } of lines) {
    let free = Number.NEGATIVE_INFINITY;
    for (const { column, kind } of data.marks) {
      const x = plot.valToPos(column, 'x', true);
      if (x < free) continue;
      ctx.fillText(MARK_GLYPH[kind], x, bbox.top);
      free = x + size * 0.6;
    }
  }
  ctx.restore();
}
