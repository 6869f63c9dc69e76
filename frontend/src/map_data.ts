/** A signal as the map shows it: its lines, its columns, its colours. */
import { type ColorScale, type Domain, symmetric } from './charts/color';
import { domainOfPoints, encode, gather } from './charts/encode';
import { type CodeGrid, gatherRows } from './charts/heat_map';
import { type MapLine, mapLines } from './map_rows';
import type { MapChoice } from './state';
import { heldColumns, type Timeline } from './timeline';
import { NOT_MEASURED, type Row, type Series, type Signal } from './wire';

export interface MapData {
  signal: Signal;
  series: Series;
  /** The field whose values are shown. */
  field: string;
  lines: readonly MapLine[];
  timeline: Timeline;
  /** For each column of the timeline the point of the series, or -1. */
  sources: Int32Array;
  domain: Domain;
  colors: ColorScale;
  /** `[lines, columns]`. */
  grid: CodeGrid;
}

export interface MapSource {
  signal: Signal;
  series: Series;
  rows: readonly Row[];
  timeline: Timeline;
  /** `diverging` where 0 is the middle. */
  colors?: ColorScale;
}

type ColorChoice = Pick<MapChoice, 'field' | 'scale' | 'allSteps'>;

/** Cells of all rows with their colours; they do not depend on how rows are filtered. */
export interface MapCells {
  field: string;
  sources: Int32Array;
  domain: Domain;
  colors: ColorScale;
  grid: CodeGrid;
}

interface Kept {
  timeline: Timeline;
  wanted: string;
  cells: MapCells;
}

/** Of each series the cells before and after a zoom, so that the way back costs nothing. */
const keptCells = new WeakMap<Series, Kept[]>();
const CELLS_KEPT = 2;

/** The expensive half of the map, remembered for as long as its series is. */
export function mapGrid(source: MapSource, choice: ColorChoice): MapCells {
  const { series, timeline, signal, colors } = source;
  const wanted = [choice.field, choice.scale ?? signal.scale, choice.allSteps, colors].join();
  const kept = keptCells.get(series) ?? [];
  const isThis = (item: Kept) => item.timeline === timeline && item.wanted === wanted;
  const cells = kept.find(isThis)?.cells ?? colourCells(source, choice);
  const others = kept.filter((item) => !isThis(item));
  keptCells.set(series, [{ timeline, wanted, cells }, ...others].slice(0, CELLS_KEPT));
  return cells;
}

function colourCells(
  { signal, series, timeline, colors = 'sequential' }: MapSource,
  { field: wanted, scale, allSteps }: ColorChoice,
): MapCells {
  const field = series.fields.find((name) => name === wanted) ?? series.fields[0] ?? '';
  const values = series.values[field] ?? new Float32Array();
  const sources = heldColumns(timeline, series.steps);
  const shown = gather(values, series.rows, series.points, sources);
  // Colours follow what is in view, so that an early spike does not flatten all that came later.
  const coloured = allSteps ? Int32Array.from(series.steps.keys()) : sources;
  const found = domainOfPoints(values, series.points, coloured, scale ?? signal.scale);
  const domain = colors === 'diverging' ? symmetric(found) : found;
  const grid = encode(shown, domain);
  return { field, sources, domain, colors, grid };
}

export function mapData(
  source: MapSource,
  cells: MapCells,
  choice: Pick<MapChoice, 'rowFilter' | 'grouped' | 'opened'>,
): MapData {
  const known = source.rows.slice(0, source.series.rows);
  const lines = mapLines(known, choice);
  const all = lines.length === cells.grid.rows && lines.every(({ rows }) => rows.length === 1);
  const grid = all
    ? cells.grid
    : gatherRows(
        cells.grid,
        lines.map(({ rows }) => rows),
      );
  return { ...source, ...cells, lines, grid };
}

/** Of one row; undefined where nothing was measured or the field was not loaded. */
export function readCell(
  { series, sources }: MapData,
  field: string,
  row: number,
  column: number,
): number | undefined {
  const source = sources[column] ?? -1;
  const value = source < 0 ? undefined : series.values[field]?.[row * series.points + source];
  return value === NOT_MEASURED ? undefined : value;
}

/** All measured values of a row within the columns in view. */
export function rowValues(data: MapData, row: number): number[] {
  const values: number[] = [];
  let before = -1;
  data.sources.forEach((source, column) => {
    const value = readCell(data, data.field, row, column);
    // A point that holds over several columns is one value.
    if (value !== undefined && source !== before) values.push(value);
    before = source;
  });
  return values;
}

export interface RowSummary {
  first: number | undefined;
  /** Of the finite values. */
  lowest: number | undefined;
  highest: number | undefined;
  last: number | undefined;
  /** Points that are NaN, or infinite. */
  nans: number;
  infs: number;
}

export function summarize(values: readonly number[]): RowSummary {
  const finite = values.filter(Number.isFinite);
  const nans = values.filter(Number.isNaN).length;
  return {
    first: values[0],
    lowest: finite.length > 0 ? finite.reduce((a, b) => Math.min(a, b)) : undefined,
    highest: finite.length > 0 ? finite.reduce((a, b) => Math.max(a, b)) : undefined,
    last: values.at(-1),
    nans,
    infs: values.length - finite.length - nans,
  };
}
