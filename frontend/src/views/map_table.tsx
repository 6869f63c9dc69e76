/** The map for those who would rather read: what each row did over the steps in view. */
import { formatSize, formatSteps, formatValue } from '../format';
import type { MapData } from './health_map';
import { readCell } from './map_readout';

export function MapTable({ data }: { data: MapData }) {
  const { signal, rows, timeline } = data;
  const first = timeline.firstSteps[0] ?? 0;
  const last = timeline.steps.at(-1) ?? 0;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard must be able to scroll it.
    <section class="table-view" tabIndex={0} aria-label={`${signal.title} as a table`}>
      <table>
        <caption>
          {signal.title}
          {signal.unit && ` (${signal.unit})`}, {formatSteps(first, last)}
        </caption>
        <thead>
          <tr>
            {['Name', 'Role', 'Size', 'First', 'Lowest', 'Highest', 'Last', 'NaN', 'Inf'].map(
              (title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={row.name}>
              <th scope="row" title={row.name}>
                <code>{row.name}</code>
              </th>
              <td>{row.function || row.role}</td>
              <td class="number">{formatSize(row.size)}</td>
              <SummaryCells data={data} row={index} />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function SummaryCells({ data, row }: { data: MapData; row: number }) {
  const { first, lowest, highest, last, nans, infs } = summarize(rowValues(data, row));
  const say = (value: number | undefined) =>
    value === undefined ? '–' : formatValue(value, '', data.signal.name);
  return (
    <>
      {[first, lowest, highest, last].map((value, index) => (
        <td key={index} class={`number ${isOdd(value) ? 'non-finite' : ''}`}>
          {say(value)}
        </td>
      ))}
      {[nans, infs].map((count, index) => (
        <td key={index} class={`number ${count > 0 ? 'non-finite' : 'muted'}`}>
          {count}
        </td>
      ))}
    </>
  );
}

function isOdd(value: number | undefined): boolean {
  return value !== undefined && !Number.isFinite(value);
}

function rowValues(data: MapData, row: number): number[] {
  const field = data.series.fields[0] ?? '';
  const values: number[] = [];
  for (let column = 0; column < data.sources.length; column++) {
    const value = readCell(data, field, row, column);
    if (value !== undefined) values.push(value);
  }
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
