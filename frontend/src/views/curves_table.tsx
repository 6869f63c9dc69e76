/** Curves as numbers: what each did over the steps in view. */
import { lineData } from '../charts/line_data';
import { formatSteps } from '../format';
import type { Timeline } from '../timeline';
import type { StripLine } from './strip_chart';
import { SummaryTable } from './summary_table';

interface Props {
  caption: string;
  lines: readonly StripLine[];
  timeline: Timeline;
}

export function CurvesTable({ caption, lines, timeline }: Props) {
  const rows = lines.map(({ spec, series, row, label }) => ({
    key: `${spec.name}\n${label}`,
    name: label,
    about: [label === spec.title ? '' : spec.title, spec.unit && `(${spec.unit})`]
      .filter(Boolean)
      .join(' '),
    signal: spec.name,
    values: lineData(series, row, timeline).raw.filter((value) => value !== undefined),
  }));
  const steps = formatSteps(timeline.firstSteps[0] ?? 0, timeline.steps.at(-1) ?? 0);
  return <SummaryTable caption={`${caption}, ${steps}`} rows={rows} />;
}
