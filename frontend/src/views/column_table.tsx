/** A table in which runs are lines or columns: names are theirs, whatever is in them. */

interface Cell {
  text: string;
  strong: boolean;
}

interface Props {
  caption: string;
  columns: readonly string[];
  rows: readonly { key: string; head: string; cells: readonly Cell[] }[];
  /** What to say where there is no row. */
  none: string;
}

export function ColumnTable({ caption, columns, rows, none }: Props) {
  return (
    <section class="column-table">
      <h2 class="section-title">{caption}</h2>
      {rows.length === 0 ? (
        <p class="muted">{none}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard must be able to scroll it.
        <section class="scroll-x" tabIndex={0} aria-label={caption}>
          <table>
            <thead>
              <tr>
                <td />
                {columns.map((name) => (
                  <th key={name} scope="col">
                    <bdi>{name}</bdi>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ key, head, cells }) => (
                <tr key={key}>
                  <th scope="row">
                    <bdi>{head}</bdi>
                  </th>
                  {cells.map(({ text, strong }, index) => (
                    <td key={columns[index]} class={strong ? 'strong' : ''}>
                      {text}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}
