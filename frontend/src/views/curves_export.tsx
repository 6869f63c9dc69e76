/** Curves on one axis, to be taken away as they are drawn or as their values. */
import { curvesSvg, type DrawnChart, type SvgInk } from '../charts/curves_svg';
import { lineData } from '../charts/line_data';
import { curvesCsv, curvesJson } from '../report';
import type { Timeline } from '../timeline';
import { SaveMenu } from './save_menu';
import { type StripLine, themeColors } from './strip_chart';

export interface ShownCurves {
  title: string;
  lines: readonly StripLine[];
  limits: readonly number[];
}

interface Props {
  /** What they are of: a run, a layer of it, or several runs. */
  name: string;
  charts: readonly ShownCurves[];
  timeline: Timeline;
}

export function CurvesExport({ name, charts, timeline }: Props) {
  if (charts.length === 0) return null;
  const lines = charts.flatMap((chart) => chart.lines);
  const text = (words: string, type: string) => new Blob([words], { type });
  const svg = () =>
    curvesSvg(
      name,
      charts.map((chart) => drawn(chart, timeline)),
      timeline,
      ink(),
    );
  return (
    <SaveMenu
      name={name}
      choices={[
        { label: 'Curves as SVG', kind: 'svg', make: () => text(svg(), 'image/svg+xml') },
        {
          label: 'Values as CSV',
          kind: 'csv',
          make: () => text(curvesCsv(lines, timeline), 'text/csv'),
        },
        {
          label: 'Values as JSON',
          kind: 'json',
          make: () => text(curvesJson(lines, timeline), 'application/json'),
        },
      ]}
    />
  );
}

function drawn({ title, lines, limits }: ShownCurves, timeline: Timeline): DrawnChart {
  return {
    title,
    limits,
    lines: lines.map(({ label, series, row, tone }, index) => ({
      label,
      data: lineData(series, row, timeline),
      tone: tone ?? index,
    })),
  };
}

function ink(): SvgInk {
  const style = getComputedStyle(document.documentElement);
  return {
    ...themeColors(),
    ground: style.getPropertyValue('--card').trim(),
    ink: style.getPropertyValue('--text').trim(),
  };
}
