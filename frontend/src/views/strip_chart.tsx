/** Curves on one axis, with their name and their values at the cursor. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import {
  type ColumnBand,
  LineChart,
  type LineChartColors,
  type LineChartModel,
  Y_AXIS_WIDTH,
} from '../charts/line_chart';
import { type LineData, lineData, scaleOfLines } from '../charts/line_data';
import { formatCount, formatValue } from '../format';
import type { Timeline } from '../timeline';
import type { Series, Signal } from '../wire';
import { useApp, useAppState, useCursor } from './context';
import { NoCurve } from './no_curve';

/** Heights: of one among many, and of those that a view is about, with room for a shape. */
export const LOW = 54;
export const TALL = 84;

export interface StripLine {
  spec: Signal;
  series: Series;
  row: number;
  /** What tells it from the other lines of the chart. */
  label: string;
  /** Place in the palette, where it is not that among the lines of the chart. */
  tone?: number;
}

interface Props {
  lines: readonly StripLine[];
  title: string;
  timeline: Timeline;
  bands: readonly ColumnBand[];
  plotWidth: number;
  /** Values that a finding holds the line against. */
  limits?: readonly number[];
  /** Values that are healthy, to be shaded. */
  healthy?: LineChartModel['healthy'];
  /** What a value means. */
  wordOf?(value: number): string;
  /** In pixels; by default as low as a strip of many curves has to be. */
  height?: number;
}

const NONE: readonly number[] = [];

export function StripChart(props: Props) {
  const { lines, title, timeline, bands, plotWidth, limits = NONE, healthy = null } = props;
  const { height = LOW } = props;
  const host = useRef<HTMLDivElement>(null);
  const spec = lines[0]?.spec as Signal;
  const parts = lines.flatMap(({ series, row }) => [series, row]);
  const data = useMemo(
    () => lines.map(({ series, row }) => lineData(series, row, timeline)),
    [timeline, ...parts],
  );
  const tones = lines.map(({ tone }, index) => tone ?? index);
  const banded = lines.length === 1 || lines[0]?.label === title;
  useLineChart(host, { data, tones, banded, bands, healthy, limits, timeline, plotWidth, height });
  return (
    <div class="strip-row" data-testid="chart" data-signal={spec.name}>
      <div class="strip-name" title={spec.description}>
        <span>
          {title}
          {spec.unit && spec.unit !== title.toLowerCase() && <span class="unit">{spec.unit}</span>}
        </span>
        <Values data={data} lines={lines} named={banded} wordOf={props.wordOf} />
      </div>
      <div
        ref={host}
        class="strip-plot"
        style={{ marginLeft: `${-Y_AXIS_WIDTH}px` }}
        role="img"
        aria-label={summary(title, lines, data)}
      />
      <NoCurve lines={lines} data={data} />
    </div>
  );
}

interface ValuesProps {
  data: readonly LineData[];
  lines: readonly StripLine[];
  /** The first line is what the chart is of, the others have names of their own. */
  named: boolean;
  wordOf: Props['wordOf'];
}

/** At the cursor, or the newest. More lines than two have their names in a legend instead. */
function Values({ data, lines, named, wordOf }: ValuesProps) {
  const { column } = useCursor();
  if (lines.length > 2) return null;
  return (
    <span class="strip-values">
      {lines.map(({ label, spec, tone }, index) => (
        <Value
          key={label}
          data={data[index]}
          tone={tone ?? index}
          lines={lines.length}
          named={named && index > 0}
          {...{ spec, label, column, wordOf }}
        />
      ))}
    </span>
  );
}

interface ValueProps {
  data: LineData | undefined;
  spec: Signal;
  label: string;
  column: number | null;
  tone: number;
  /** How many the chart has. */
  lines: number;
  named: boolean;
  wordOf: Props['wordOf'];
}

function Value({ data, spec, label, column, tone, lines, named, wordOf }: ValueProps) {
  const raw = data?.raw ?? [];
  const value = column === null ? raw.findLast((item) => item !== undefined) : raw[column];
  const odd = value !== undefined && !Number.isFinite(value);
  return (
    <span title={label}>
      {lines > 1 && <span class={keyClass(tone)} />}
      <b class={odd ? 'non-finite' : ''}>
        {value === undefined ? '–' : formatValue(value, '', spec.name)}
      </b>
      {named && <span class="zone">{label}</span>}
      {value !== undefined && wordOf && <span class="zone">{wordOf(value)}</span>}
    </span>
  );
}

function summary(title: string, lines: readonly StripLine[], data: readonly LineData[]): string {
  return lines
    .map(({ spec, label }, index) => {
      const { raw = [], marks = [] } = data[index] ?? {};
      const measured = raw.filter((value) => value !== undefined);
      const [first, last] = [measured[0], measured.at(-1)];
      const name = label === title ? title : `${title}, ${label}`;
      if (first === undefined || last === undefined) return `${name}: not measured`;
      const say = (value: number) => formatValue(value, spec.unit, spec.name);
      const odd = marks.length > 0 ? `, not finite at ${formatCount(marks.length, 'point')}` : '';
      return `${name}: from ${say(first)} to ${say(last)}${odd}`;
    })
    .join('; ');
}

interface Drawn extends Pick<LineChartModel, 'bands' | 'healthy' | 'limits'> {
  data: readonly LineData[];
  /** Of each line, its place in the palette. */
  tones: readonly number[];
  /** Whether the first line has its windows' lowest to highest value around it. */
  banded: boolean;
  timeline: Timeline;
  plotWidth: number;
  height: number;
}

function useLineChart(host: { current: HTMLDivElement | null }, drawn: Drawn): void {
  const { data, tones, banded, bands, healthy, limits, timeline, plotWidth, height } = drawn;
  const theme = useAppState((state) => state.theme);
  const chart = useChart(host, timeline);
  // Read from the style sheet, so that both themes are defined in one place.
  const colors = useMemo(themeColors, [theme]);
  useEffect(() => {
    if (plotWidth <= 0) return;
    chart.current?.update({
      lines: data.map((item, index) => ({
        data: item,
        color: colors.lines[(tones[index] ?? 0) % LINE_COUNT] ?? colors.text,
        dash: dashOf(tones[index] ?? 0),
        band: banded && index === 0 ? colors.band : 'transparent',
      })),
      scale: scaleOfLines(data, limits),
      bands,
      healthy,
      limits,
      colors,
      width: plotWidth + Y_AXIS_WIDTH,
      height,
    });
  }, [chart, data, tones.join(), banded, bands, healthy, limits, colors, plotWidth, height]);
}

/** One chart for as long as the view lives, tied to the shared cursor and zoom. */
function useChart(host: { current: HTMLDivElement | null }, timeline: Timeline) {
  const { cursor, actions } = useApp();
  const chart = useRef<LineChart | null>(null);
  const shown = useRef(timeline);
  shown.current = timeline;
  useEffect(() => {
    const created = new LineChart(host.current as HTMLDivElement, {
      onCursor: (column) => {
        if (column !== cursor.get().column) cursor.set({ column, row: null });
      },
      onZoom: (from, to) => {
        const { firstSteps, steps } = shown.current;
        void actions.zoom([firstSteps[from] as number, steps[to] as number]);
      },
      onReset: () => void actions.zoom(null),
    });
    chart.current = created;
    const unsubscribe = cursor.subscribe(() => created.setCursor(cursor.get().column));
    return () => {
      unsubscribe();
      created.destroy();
    };
  }, [host, cursor, actions]);
  return chart;
}

/** Runs that are compared, and further lines of a chart, take these colours in turn. */
const LINE_COUNT = 8;

/** With each of them all colours come once. */
const DASHES: number[][] = [[], [7, 4], [2, 3]];

const turnOf = (tone: number) => Math.floor(tone / LINE_COUNT) % DASHES.length;
const dashOf = (tone: number) => DASHES[turnOf(tone)] as number[];

/** The style of a line, for the key beside its name. */
export function keyClass(tone: number): string {
  return `key key-${tone % LINE_COUNT} dash-${turnOf(tone)}`;
}

export function themeColors(): LineChartColors {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim() || '#888888';
  return {
    band: read('--line-band'),
    grid: read('--grid'),
    text: read('--muted'),
    mark: read('--nan'),
    healthy: read('--healthy-band'),
    limit: read('--limit'),
    lines: Array.from({ length: LINE_COUNT }, (_, index) => read(`--line-${index}`)),
  };
}
