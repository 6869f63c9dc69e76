/** A small line chart over the shared timeline. The only file that knows how uPlot is set up. */
import uPlot from 'uplot';
import type { LineData, YScale } from './line_data';
import { drawBackground, drawMarks, MARK_ROW } from './line_drawing';

export interface LineChartColors {
  band: string;
  grid: string;
  text: string;
  mark: string;
  healthy: string;
  limit: string;
  /** Of the lines, in their order. */
  lines: readonly string[];
}

export interface ChartLine {
  data: LineData;
  color: string;
  /** Lengths of dashes and gaps; empty for a line without. */
  dash: number[];
  band: string;
}

/** A span of columns to tint, such as the steps of a finding. */
export interface ColumnBand {
  from: number;
  to: number;
  color: string;
}

export interface LineChartModel {
  lines: readonly ChartLine[];
  scale: YScale;
  bands: readonly ColumnBand[];
  /** Values that are usual in healthy training, each end null if open. */
  healthy: readonly [number | null, number | null] | null;
  /** Values that a finding holds the line against. */
  limits: readonly number[];
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

/** A line with fewer points than this shows each of them. */
const FEW_POINTS = 30;

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
      before?.scale.log === model.scale.log &&
      sameDashes(before.lines, model.lines) &&
      before.colors === model.colors;
    if (!keep || !this.plot) this.create(model);
    else {
      const { width, height } = model;
      if (before.width !== width || before.height !== height) this.plot.setSize({ width, height });
      this.plot.setData(columnsOf(model));
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
    this.plot = new uPlot(this.options(model), columnsOf(model), this.host);
  }

  /** Scales, bands and marks are read from the model at every redraw, so updates need no rebuild. */
  private options({ lines, scale, width, height }: LineChartModel): uPlot.Options {
    const model = () => this.model as LineChartModel;
    const marked = () => model().lines.some(({ data }) => data.marks.length > 0);
    const columns = () => model().lines[0]?.data.raw.length ?? 0;
    return {
      width,
      height,
      padding: [() => (marked() ? MARK_ROW : 6), 0, 6, Y_AXIS_WIDTH],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => this.reset() },
      },
      scales: {
        x: { time: false, range: () => [-0.5, columns() - 0.5] },
        y: { distr: scale.log ? 3 : 1, range: () => [model().scale.lo, model().scale.hi] },
      },
      // Our own labels: those of uPlot give up beyond 17 digits, where exploding runs begin.
      axes: [{ show: false }, { show: false }],
      series: [{}, ...lines.flatMap((_, index) => this.seriesOf(index))],
      bands: lines.map(({ band }, index) => ({
        series: [3 * index + 1, 3 * index + 2],
        fill: band,
      })),
      hooks: {
        drawClear: [(plot) => drawBackground(plot, model())],
        draw: [(plot) => drawMarks(plot, model())],
        setCursor: [(plot) => this.events.onCursor(hoveredColumn(plot))],
        setSelect: [(plot) => this.zoom(plot)],
      },
    };
  }

  /** Highest, lowest and mean value of one line. */
  private seriesOf(index: number): uPlot.Series[] {
    const line = () => this.model?.lines[index] as ChartLine;
    const edge = { stroke: 'transparent', points: { show: false } };
    const few = () => line().data.points < FEW_POINTS;
    const stroke = () => line().color;
    const { dash } = line();
    return [edge, edge, { stroke, dash, width: 1.5, points: { show: few, size: 4, fill: stroke } }];
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

/** Dashes are fixed when a plot is made; all else of a line is read anew. */
function sameDashes(a: readonly ChartLine[], b: readonly ChartLine[]): boolean {
  return a.length === b.length && a.every(({ dash }, index) => dash === b[index]?.dash);
}

function columnsOf({ lines }: LineChartModel): uPlot.AlignedData {
  const columns = lines[0]?.data.raw.map((_, column) => column) ?? [];
  return [columns, ...lines.flatMap(({ data }) => [data.high, data.low, data.mean])];
}

function hoveredColumn(plot: uPlot): number | null {
  const { left, idx } = plot.cursor;
  return left === undefined || left < 0 || idx === undefined ? null : idx;
}
