/** A small line chart over the shared timeline. The only file that knows uPlot. */
import uPlot from 'uplot';
import { formatNumber } from '../format';
import type { LineData, MarkKind } from './line_data';

export interface LineChartColors {
  line: string;
  band: string;
  grid: string;
  text: string;
  mark: string;
}

/** A span of columns to tint, such as the steps of a finding. */
export interface ColumnBand {
  from: number;
  to: number;
  color: string;
}

export interface LineChartModel {
  data: LineData;
  bands: ColumnBand[];
  colors: LineChartColors;
  /** CSS pixels, the y axis included. */
  width: number;
  height: number;
}

export interface LineChartEvents {
  onCursor(column: number | null): void;
  onZoom(from: number, to: number): void;
  onReset(): void;
}

/** Room for the labels of the y axis, left of the plot. */
export const Y_AXIS_WIDTH = 52;

const LABEL_SIZE = 11;

/** Room above the plot for marks of values that are not finite. */
const MARK_ROW = 14;

const MARK_GLYPH: Record<MarkKind, string> = { nan: '×', posInf: '▴', negInf: '▾' };

export class LineChart {
  private plot: uPlot | null = null;
  private model: LineChartModel | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly events: LineChartEvents,
  ) {}

  update(model: LineChartModel): void {
    const before = this.model;
    this.model = model;
    const keep =
      this.plot &&
      before?.data.scale.log === model.data.scale.log &&
      before.colors === model.colors;
    if (!keep) this.create(model);
    else if (this.plot) {
      const { width, height } = model;
      if (before?.width !== width || before.height !== height) this.plot.setSize({ width, height });
      this.plot.setData(columnsOf(model.data));
    }
  }

  /** Moves the cursor without telling anybody. */
  setCursor(column: number | null): void {
    if (!this.plot) return;
    const left = column === null ? -10 : this.plot.valToPos(column, 'x');
    this.plot.setCursor({ left, top: column === null ? -10 : 0 }, false);
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private create(model: LineChartModel): void {
    this.destroy();
    this.plot = new uPlot(this.options(model), columnsOf(model.data), this.host);
  }

  /** Scales, bands and marks are read from the model at every redraw, so updates need no rebuild. */
  private options({ data, colors, width, height }: LineChartModel): uPlot.Options {
    const scale = () => this.current().data.scale;
    const columns = () => this.current().data.raw.length;
    const points = { show: false };
    return {
      width,
      height,
      padding: [() => (this.current().data.marks.length > 0 ? MARK_ROW : 6), 0, 6, Y_AXIS_WIDTH],
      legend: { show: false },
      cursor: {
        y: false,
        points,
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => this.reset() },
      },
      scales: {
        x: { time: false, range: () => [-0.5, columns() - 0.5] },
        y: { distr: data.scale.log ? 3 : 1, range: () => [scale().lo, scale().hi] },
      },
      // Our own labels: those of uPlot give up beyond 17 digits, where exploding runs begin.
      axes: [{ show: false }, { show: false }],
      series: [
        {},
        { stroke: 'transparent', points },
        { stroke: 'transparent', points },
        { stroke: colors.line, width: 1.5, points: { show: lonely, size: 4, fill: colors.line } },
      ],
      bands: [{ series: [1, 2], fill: colors.band }],
      hooks: {
        drawClear: [(plot) => drawBackground(plot, this.current())],
        draw: [(plot) => drawMarks(plot, this.current())],
        setCursor: [(plot) => this.events.onCursor(hoveredColumn(plot))],
        setSelect: [(plot) => this.zoom(plot)],
      },
    };
  }

  private current(): LineChartModel {
    return this.model as LineChartModel;
  }

  private zoom(plot: uPlot): void {
    const { left, width } = plot.select;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (width < 3) return;
    const last = plot.data[0].length - 1;
    const column = (x: number) => Math.min(last, Math.max(0, Math.round(plot.posToVal(x, 'x'))));
    this.events.onZoom(column(left), column(left + width));
  }

  private reset(): null {
    this.events.onReset();
    return null;
  }
}

function columnsOf({ mean, low, high }: LineData): uPlot.AlignedData {
  return [mean.map((_, column) => column), high, low, mean];
}

/** Points are drawn only where there is no line to see: a single measured window. */
function lonely(plot: uPlot): boolean {
  return plot.data[0].length < 3;
}

function hoveredColumn(plot: uPlot): number | null {
  const { left, idx } = plot.cursor;
  return left === undefined || left < 0 || idx === undefined ? null : idx;
}

function drawBackground(plot: uPlot, { bands, colors, data }: LineChartModel): void {
  drawBands(plot, bands);
  const { ctx, bbox } = plot;
  ctx.font = `${LABEL_SIZE * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  for (const tick of data.scale.ticks) {
    const y = Math.round(plot.valToPos(tick, 'y', true));
    ctx.fillStyle = colors.grid;
    ctx.fillRect(bbox.left, y, bbox.width, 1);
    ctx.fillStyle = colors.text;
    ctx.fillText(formatNumber(tick, 2), bbox.left - 6 * devicePixelRatio, y);
  }
}

function drawBands(plot: uPlot, bands: readonly ColumnBand[]): void {
  const { ctx, bbox } = plot;
  for (const { from, to, color } of bands) {
    const left = plot.valToPos(from - 0.5, 'x', true);
    const right = plot.valToPos(to + 0.5, 'x', true);
    ctx.fillStyle = color;
    ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
  }
}

/** What is not finite has no place on the y axis: it is marked above the plot. */
function drawMarks(plot: uPlot, { data, colors }: LineChartModel): void {
  const { ctx, bbox } = plot;
  const size = 11 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colors.mark;
  ctx.font = `bold ${size}px system-ui, sans-serif`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'bottom';
  let free = Number.NEGATIVE_INFINITY;
  for (const { column, kind } of data.marks) {
    const x = plot.valToPos(column, 'x', true);
    if (x < free) continue;
    ctx.fillText(MARK_GLYPH[kind], x, bbox.top);
    free = x + size * 0.6;
  }
  ctx.restore();
}
