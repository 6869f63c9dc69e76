/** Curves for those who would rather read: what each did over the steps in view. */
import { formatValue } from '../format';
import { type RowSummary, summarize } from '../map_data';

export interface SummaryRow {
  key: string;
  name: string;
  /** Role, size and the like. */
  about: string;
  /** Name of the signal, which decides how values are written. */
  signal: string;
  values: readonly number[];
}

const TITLES = ['Name', 'About', 'First', 'Lowest', 'Highest', 'Last', 'NaN', 'Inf'];

export function SummaryTable({ caption, rows }: { caption: string; rows: readonly SummaryRow[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard must be able to scroll it.
    <section class="table-view" tabIndex={0} aria-label={`${caption} as a table`}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {TITLES.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, name, about, signal, values }) => (
            <tr key={key}>
              <th scope="row" title={name}>
                <code>{name}</code>
              </th>
              <td>{about}</td>
              <SummaryCells summary={summarize(values)} signal={signal} />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function SummaryCells({ summary, signal }: { summary: RowSummary; signal: string }) {
  const { first, lowest, highest, last, nans, infs } = summary;
  const say = (value: number | undefined) =>
    value === undefined ? '–' : formatValue(value, '', signal);
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
