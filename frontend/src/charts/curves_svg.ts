/** Curves as one SVG of their own, with names, values and steps: for a page that is not ours. */
import { formatStep, formatTicks } from '../format';
import { stepTicks, type Timeline } from '../timeline';
import type { LineChartColors } from './line_chart';
import { type LineData, scaleOfLines } from './line_data';
import { sparkOf } from './spark';

export interface DrawnChart {
  title: string;
  lines: readonly { label: string; data: LineData; tone: number }[];
  limits: readonly number[];
}

export interface SvgInk extends LineChartColors {
  /** Behind all, and of the titles. */
  ground: string;
  ink: string;
}

const [LEFT, PLOT, RIGHT, TOP, TITLE, CHART, AXIS] = [72, 820, 24, 40, 22, 90, 36];

export function curvesSvg(
  heading: string,
  charts: readonly DrawnChart[],
  timeline: Timeline,
  ink: SvgInk,
): string {
  const [width, height] = [LEFT + PLOT + RIGHT, TOP + charts.length * (TITLE + CHART) + AXIS];
  const drawn = charts.map((chart, index) => {
    const top = TOP + index * (TITLE + CHART);
    return `<g transform="translate(${LEFT} ${top})">${chartSvg(chart, ink)}</g>`;
  });
  const head = `xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`;
  return [
    `<svg ${head} font-family="system-ui, sans-serif" font-size="12" fill="${ink.ink}">`,
    `<rect width="100%" height="100%" fill="${ink.ground}"/>`,
    text(LEFT, 22, heading, 'font-size="14" font-weight="bold"'),
    ...drawn,
    `<g transform="translate(${LEFT} ${height - AXIS + 14})">${stepsSvg(timeline)}</g>`,
    '</svg>',
  ].join('\n');
}

function chartSvg({ title, lines, limits }: DrawnChart, ink: SvgInk): string {
  const size = { width: PLOT, height: CHART - 12 };
  const scale = scaleOfLines(
    lines.map(({ data }) => data),
    limits,
  );
  const place = (value: number) => sparkOf(EMPTY, scale, value, size).limit ?? 0;
  const labels = formatTicks(scale.ticks);
  const ticks = scale.ticks.map((tick, index) => {
    const y = place(tick);
    const label = text(-8, y + 4, labels[index] ?? '', `text-anchor="end" fill="${ink.text}"`);
    return `<line x2="${PLOT}" y1="${y}" y2="${y}" stroke="${ink.grid}"/>${label}`;
  });
  const paths = lines.map(({ data, tone }) => {
    const spark = sparkOf(data, scale, null, size);
    const color = ink.lines[tone % ink.lines.length] ?? ink.text;
    const band = lines.length === 1 ? `<path d="${spark.band}" fill="${ink.band}"/>` : '';
    const marks = spark.marks.map((x) =>
      text(x, 0, '×', `text-anchor="middle" fill="${ink.mark}"`),
    );
    return `${band}<path d="${spark.line}" fill="none" stroke="${color}" stroke-width="1.5"/>${marks.join('')}`;
  });
  const limit = limits
    .filter((value) => value >= scale.lo && value <= scale.hi)
    .map((value) => {
      const y = place(value);
      return `<line x2="${PLOT}" y1="${y}" y2="${y}" stroke="${ink.limit}" stroke-dasharray="4 3"/>`;
    });
  const plot = [...ticks, ...limit, ...paths].join('');
  return `${names(title, lines, ink)}<g transform="translate(0 ${TITLE})">${plot}</g>`;
}

/** The title of a chart, and of each line where there are several. */
function names(title: string, lines: DrawnChart['lines'], ink: SvgInk): string {
  const spans = lines.map(({ label, tone }) => {
    const color = ink.lines[tone % ink.lines.length] ?? ink.text;
    return `<tspan dx="12" fill="${color}">${escaped(label)}</tspan>`;
  });
  const legend = lines.length > 1 ? spans.join('') : '';
  return `<text y="14">${escaped(title)}${legend}</text>`;
}

function stepsSvg({ steps }: Timeline): string {
  const ticks = stepTicks(steps, 9).map(({ column, step }) =>
    text(((column + 0.5) / steps.length) * PLOT, 0, formatStep(step), 'text-anchor="middle"'),
  );
  return [text(-8, 0, 'step', 'text-anchor="end"'), ...ticks].join('');
}

const EMPTY: LineData = { mean: [], low: [], high: [], raw: [], marks: [], points: 0 };

function text(x: number, y: number, words: string, style = ''): string {
  return `<text x="${x}" y="${y}" ${style}>${escaped(words)}</text>`;
}

/** Names of layers and runs are hostile here as well; control characters are not XML at all. */
function escaped(words: string): string {
  return (
    words
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '\ufffd')
  );
}
