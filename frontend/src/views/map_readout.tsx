/** The value under the cursor in words; also what the keyboard's cursor has read out. */
import { formatNumber, formatSize, formatSteps, formatValue, nonFiniteWord } from '../format';
import { NOT_MEASURED, type Row } from '../wire';
import { useCursor } from './context';
import type { MapData } from './health_map';

export function MapReadout({ data }: { data: MapData }) {
  const { row, column } = useCursor();
  const described = row === null ? undefined : data.rows[row];
  return (
    <p class="map-value" role="status" data-testid="map-value">
      {row === null || column === null || !described ? (
        <span class="muted">
          Point at a cell, or focus the map and use the arrow keys. Enter draws a row as a curve.
        </span>
      ) : (
        <>
          <code>{described.name}</code>
          <span class="muted">{aboutRow(described)}</span>
          <span>{stepsOf(data, column)}</span>
          <CellValue data={data} row={row} column={column} />
        </>
      )}
    </p>
  );
}

function aboutRow({ role, size, function: activation }: Row): string {
  return [activation || role, size > 1 ? formatSize(size) : ''].filter(Boolean).join(', ');
}

function stepsOf({ timeline }: MapData, column: number): string {
  return formatSteps(timeline.firstSteps[column] as number, timeline.steps[column] as number);
}

function CellValue({ data, row, column }: { data: MapData; row: number; column: number }) {
  const { signal, series } = data;
  const read = (field: string) => readCell(data, field, row, column);
  const value = read(series.fields[0] ?? '');
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

/** Undefined where nothing was measured or the field was not loaded. */
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
