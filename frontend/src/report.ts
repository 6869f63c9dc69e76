/** What can be taken out of the page: a report to paste, and the values on screen. */
import { formatCount, formatFact, formatStep, formatSteps, formatValue } from './format';
import { type MapData, readCell } from './map_data';
import { stories, verdictWords } from './selectors';
import { alignColumns, type Timeline } from './timeline';
import {
  type Evidence,
  type Finding,
  NOT_MEASURED,
  type RunDetail,
  type Series,
  type Signal,
} from './wire';

/** The findings of a run as Markdown, to be pasted into an issue. */
export function markdownReport(detail: RunDetail): string {
  const { word, text } = verdictWords(detail);
  const facts = Object.entries(detail.facts).map(([name, value]) =>
    prose(`${name.replaceAll('_', ' ')} ${formatFact(value)}`),
  );
  const lines = [
    `# ${word}${text && `: ${prose(text)}`}`,
    '',
    `Run ${quoted(detail.run)}, up to step ${formatStep(detail.last_step)}, ${formatCount(detail.kept, 'point')}.`,
    ...(facts.length > 0 ? [`Set up with: ${facts.join(', ')}.`] : []),
    ...stories(detail.findings).flatMap(({ root, consequences }) => [
      '',
      ...findingLines(root, '##'),
      ...consequences.flatMap((finding) => ['', ...findingLines(finding, '###')]),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** A code span that holds for any name: its fence is longer than every run of backticks in it. */
function quoted(name: string): string {
  const fence = fenceAround(name);
  return fence.length > 1 ? `${fence} ${name} ${fence}` : `${fence}${name}${fence}`;
}

function fenceAround(text: string, least = 1): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  return '`'.repeat(Math.max(least, longest + 1));
}

/** Text that may hold code spans; nothing in it outside of them begins markup or a line. */
function prose(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.replace(/(`+)[^`].*?\1|</g, (part) => (part === '<' ? '&lt;' : part));
}

function codeBlock(source: string): string[] {
  const fence = fenceAround(source, 3);
  return ['', `${fence}python`, source, fence];
}

function findingLines(finding: Finding, level: string): string[] {
  const { code, rule, severity, title, first_step, last_step, open } = finding;
  const held = open
    ? `since step ${formatStep(first_step)}, still open`
    : formatSteps(first_step, last_step);
  return [
    `${level} ${code} ${prose(title)}`,
    '',
    `${severity}, ${rule}, ${held}`,
    ...finding.evidence.map(evidenceLine),
    ...finding.causes.map(
      ({ confidence, text, support }) =>
        `- ${confidence}: ${prose(`${text}${support && ` (${support})`}`)}`,
    ),
    ...finding.fixes.flatMap(({ text, code: source }, index) => [
      '',
      `${index + 1}. ${prose(text)}`,
      ...(source ? codeBlock(source) : []),
    ]),
  ];
}

function evidenceLine({ label, value, limit, unit, signal, row, step }: Evidence): string {
  const against = limit === null ? '' : ` (limit ${formatValue(limit, '', signal)})`;
  const where = row && ` in ${quoted(row)}`;
  return `- ${prose(label)}: ${formatValue(value, unit, signal)}${against}${where}, step ${formatStep(step)}`;
}

/** The values of the map in view: one line per row and step, all fields that are loaded. */
export function mapCsv(data: MapData): string {
  const { fields } = data.series;
  const head = ['row', 'first_step', 'last_step', ...fields];
  const body = mapCells(data).map(({ row, first, last, values }) =>
    [field(row), first, last, ...values.map((value) => value ?? '')].join(','),
  );
  return `${[head.join(','), ...body].join('\r\n')}\r\n`;
}

/** The same as JSON; what is not finite is a string, as in the answers of the server. */
export function mapJson(data: MapData): string {
  const { signal, series } = data;
  const { name, title, unit } = signal;
  const cells = mapCells(data).map(({ row, first, last, values }) => ({
    row,
    first_step: first,
    last_step: last,
    ...Object.fromEntries(series.fields.map((key, index) => [key, jsonNumber(values[index])])),
  }));
  return JSON.stringify({ run: series.run, signal: name, title, unit, values: cells }, null, 1);
}

/** One line of a chart: a row of a series, and what it is called beside the others. */
export interface NamedCurve {
  label: string;
  spec: Signal;
  series: Series;
  row: number;
}

const CURVE_COLUMNS = ['curve', 'signal', 'unit', 'first_step', 'last_step', 'value', 'min', 'max'];

/** The values of curves in view: one line per curve and step. */
export function curvesCsv(curves: readonly NamedCurve[], timeline: Timeline): string {
  const body = curvePoints(curves, timeline).map(({ curve, signal, unit, ...numbers }) =>
    [...[curve, signal, unit].map(field), ...Object.values(numbers).map((n) => n ?? '')].join(','),
  );
  return `${[CURVE_COLUMNS.join(','), ...body].join('\r\n')}\r\n`;
}

export function curvesJson(curves: readonly NamedCurve[], timeline: Timeline): string {
  const points = curvePoints(curves, timeline).map(({ value, min, max, ...point }) => ({
    ...point,
    value: jsonNumber(value),
    min: jsonNumber(min),
    max: jsonNumber(max),
  }));
  return JSON.stringify({ values: points }, null, 1);
}

function curvePoints(curves: readonly NamedCurve[], timeline: Timeline) {
  return curves.flatMap(({ label, spec, series, row }) => {
    const read = (name: string | undefined, point: number) => {
      const value = series.values[name ?? '']?.[row * series.points + point];
      return value === NOT_MEASURED ? undefined : value;
    };
    return [...alignColumns(timeline, series.steps)]
      .filter((point) => point >= 0 && read(series.fields[0], point) !== undefined)
      .map((point) => ({
        curve: label,
        signal: spec.name,
        unit: spec.unit,
        first_step: series.firstSteps[point] as number,
        last_step: series.steps[point] as number,
        value: read(series.fields[0], point),
        min: read('min', point),
        max: read('max', point),
      }));
  });
}

function mapCells(data: MapData) {
  const { series, sources, lines } = data;
  const columns = [...sources.keys()].filter(
    (column) => sources[column] !== -1 && sources[column] !== sources[column - 1],
  );
  return lines
    .filter(({ row }) => row !== null)
    .flatMap(({ name, rows: [index = 0] }) =>
      columns.map((column) => ({
        row: name,
        first: series.firstSteps[sources[column] as number] as number,
        last: series.steps[sources[column] as number] as number,
        values: series.fields.map((key) => readCell(data, key, index, column)),
      })),
    );
}

/** A spreadsheet must neither split a name nor run it as a formula. */
function field(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function jsonNumber(value: number | undefined): number | string | null {
  if (value === undefined) return null;
  return Number.isFinite(value) ? value : String(value);
}
