/** The value under the cursor in words; also what the keyboard's cursor has read out. */
import {
  formatCount,
  formatMoment,
  formatNumber,
  formatSize,
  formatSteps,
  formatValue,
  nonFiniteWord,
} from '../format';
import { type MapData, readCell, summarize } from '../map_data';
import type { MapLine } from '../map_rows';
import { useCursor } from './context';

export function MapReadout({ data }: { data: MapData }) {
  const { row, column } = useCursor();
  const line = row === null ? undefined : data.lines[row];
  return (
    <p class="map-value" role="status" data-testid="map-value">
      {column === null || !line ? (
        <span class="muted">
          Point at a cell, or focus the map and use the arrow keys. A click or Enter opens the
          layer.
        </span>
      ) : (
        <>
          <code>{line.name}</code>
          <span class="muted">{aboutLine(line)}</span>
          <span>{stepsOf(data, column)}</span>
          {line.row ? (
            <CellValue data={data} row={line.rows[0] as number} column={column} />
          ) : (
            <BlockValue data={data} line={line} column={column} />
          )}
          <span class="muted">{timeOf(data, column)}</span>
        </>
      )}
    </p>
  );
}

function aboutLine({ row, rows }: MapLine): string {
  if (!row) return `${formatCount(rows.length, 'row')}, click to unfold`;
  return [row.function || row.role, row.size > 1 ? formatSize(row.size) : '']
    .filter(Boolean)
    .join(', ');
}

function stepsOf({ sources, series, timeline }: MapData, column: number): string {
  const source = sources[column] ?? -1;
  const at = source < 0 ? timeline : series;
  const index = source < 0 ? column : source;
  return formatSteps(at.firstSteps[index] as number, at.steps[index] as number);
}

/** When it was logged. */
function timeOf({ sources, series }: MapData, column: number): string {
  const seconds = series.wallTimes[sources[column] ?? -1];
  return seconds === undefined ? '' : formatMoment(new Date(1_000 * seconds));
}

function CellValue({ data, row, column }: { data: MapData; row: number; column: number }) {
  const { signal, field } = data;
  const read = (name: string) => readCell(data, name, row, column);
  const value = read(field);
  if (value === undefined) return <b>not measured</b>;
  const [low, high] = [read('min'), read('max')];
  const ranged = low !== undefined && high !== undefined && low !== high;
  return (
    <>
      <b class={Number.isFinite(value) ? '' : 'non-finite'}>
        {Number.isFinite(value)
          ? formatValue(value, signal.unit, signal.name)
          : nonFiniteWord(value)}
      </b>
      {ranged && Number.isFinite(low) && (
        <span class="muted">
          {formatNumber(low)} to {formatNumber(high)}
        </span>
      )}
    </>
  );
}

/** Of a block that is folded: the span of its rows, and how many are not finite. */
function BlockValue({ data, line, column }: { data: MapData; line: MapLine; column: number }) {
  const values = line.rows.flatMap((row) => readCell(data, data.field, row, column) ?? []);
  const { lowest, highest, nans, infs } = summarize(values);
  if (values.length === 0) return <b>not measured</b>;
  const say = (value: number) => formatValue(value, '', data.signal.name);
  return (
    <>
      {lowest !== undefined && highest !== undefined && (
        <b>
          {say(lowest)} to {say(highest)}
        </b>
      )}
      {nans + infs > 0 && <b class="non-finite">{formatCount(nans + infs, 'row')} not finite</b>}
    </>
  );
}
