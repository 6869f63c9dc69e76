/** One curve with its name and its value at the cursor. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import {
  type ColumnBand,
  LineChart,
  type LineChartColors,
  Y_AXIS_WIDTH,
} from '../charts/line_chart';
import { type LineData, lineData } from '../charts/line_data';
import { formatCount, formatValue } from '../format';
import type { Timeline } from '../timeline';
import type { Series, Signal } from '../wire';
import { useApp, useAppState, useCursor } from './context';
import { SplitName } from './split_name';

const HEIGHT = 54;

interface Props {
  spec: Signal;
  series: Series;
  row: number;
  /** The row's name, where the signal has several. */
  rowName?: string;
  timeline: Timeline;
  bands: ColumnBand[];
  plotWidth: number;
}

export function StripChart({ spec, series, row, rowName, timeline, bands, plotWidth }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const data = useMemo(() => lineData(series, row, timeline), [series, row, timeline]);
  useLineChart(host, data, bands, timeline, plotWidth);
  return (
    <div class="strip-row" data-signal={spec.name}>
      <div class="strip-name" title={spec.description}>
        {rowName && (
          <code>
            <SplitName name={rowName} />
          </code>
        )}
        <span>{spec.title}</span>
        <Value data={data} spec={spec} />
      </div>
      <div
        ref={host}
        class="strip-plot"
        style={{ marginLeft: `${-Y_AXIS_WIDTH}px` }}
        role="img"
        aria-label={summary(spec, rowName, data)}
      />
    </div>
  );
}

function Value({ data, spec }: { data: LineData; spec: Signal }) {
  const { column } = useCursor();
  const value = column === null ? data.raw.findLast((raw) => raw !== undefined) : data.raw[column];
  const text = value === undefined ? '–' : formatValue(value, '', spec.name);
  const odd = value !== undefined && !Number.isFinite(value);
  return <b class={odd ? 'non-finite' : ''}>{text}</b>;
}

function summary(spec: Signal, rowName: string | undefined, { raw, marks }: LineData): string {
  const measured = raw.filter((value) => value !== undefined);
  const [first, last] = [measured[0], measured.at(-1)];
  const name = rowName ? `${spec.title} of ${rowName}` : spec.title;
  if (first === undefined || last === undefined) return `${name}: not measured`;
  const say = (value: number) => formatValue(value, spec.unit, spec.name);
  const odd = marks.length > 0 ? `, not finite at ${formatCount(marks.length, 'point')}` : '';
  return `${name}: from ${say(first)} to ${say(last)}${odd}`;
}

function useLineChart(
  host: { current: HTMLDivElement | null },
  data: LineData,
  bands: ColumnBand[],
  timeline: Timeline,
  plotWidth: number,
): void {
  const theme = useAppState((state) => state.theme);
  const chart = useChart(host, timeline);
  // Read from the style sheet, so that both themes are defined in one place.
  const colors = useMemo(() => themeColors(theme), [theme]);
  useEffect(() => {
    if (plotWidth <= 0) return;
    const width = plotWidth + Y_AXIS_WIDTH;
    chart.current?.update({ data, bands, colors, width, height: HEIGHT });
  }, [chart, data, bands, colors, plotWidth]);
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
        actions.zoom([firstSteps[from] as number, steps[to] as number]);
      },
      onReset: () => actions.zoom(null),
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

function themeColors(_theme: string): LineChartColors {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim() || '#888888';
  return {
    line: read('--line'),
    band: read('--line-band'),
    grid: read('--grid'),
    text: read('--muted'),
    mark: read('--nan'),
  };
}
