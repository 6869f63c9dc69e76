/** The map for those who would rather read. */
import { formatSize, formatSteps } from '../format';
import { type MapData, rowValues } from '../map_data';
import { SummaryTable } from './summary_table';

export function MapTable({ data }: { data: MapData }) {
  const { signal, field, lines, timeline } = data;
  const steps = formatSteps(timeline.firstSteps[0] ?? 0, timeline.steps.at(-1) ?? 0);
  const unit = signal.unit && ` (${signal.unit})`;
  const rows = lines.flatMap(({ key, name, row, rows: [index = 0] }) =>
    row
      ? [
          {
            key,
            name,
            about: `${row.function || row.role}, ${formatSize(row.size)}`,
            signal: signal.name,
            values: rowValues(data, index),
          },
        ]
      : [],
  );
  return <SummaryTable caption={`${signal.title}${unit}, ${field}, ${steps}`} rows={rows} />;
}
