/** Runs on one axis, and what tells them apart. */
import { useMemo } from 'preact/hooks';
import { comparedOf } from '../blocks';
import { type ComparedRun, comparedRuns, rangeWithin } from '../choices';
import { comparedSignals, factDifferences, ruleDifferences } from '../compare';
import { sentenceCase } from '../format';
import { unionTimeline, zoomed } from '../timeline';
import type { RunDetail, Series } from '../wire';
import { ColumnTable } from './column_table';
import { useApp, useAppState } from './context';
import { CurvesExport } from './curves_export';
import { CurvesTable } from './curves_table';
import { DifferenceMap } from './difference_map';
import { Icon } from './icons';
import { Partings } from './partings';
import { StepAxis } from './step_axis';
import { keyClass, StripChart, type StripLine, TALL } from './strip_chart';
import { TableToggle } from './toggle';
import { ZoomButton } from './zoom_button';

interface Props {
  detail: RunDetail;
  plotWidth: number;
}

export function Compare({ detail, plotWidth }: Props) {
  const runs = useCompared();
  if (runs.length < 2) return <HowToCompare detail={detail} />;
  const pair = pairOf(runs);
  return (
    <div class="compare" data-testid="compare">
      <RunKeys runs={runs} />
      <Curves runs={runs} plotWidth={plotWidth} />
      <Partings runs={runs} />
      {pair && <DifferenceMap {...pair} plotWidth={plotWidth} />}
      <Differences details={runs.map((run) => run.detail)} />
    </div>
  );
}

/** Two runs can be laid over each other cell by cell; of more, only their curves. */
function pairOf(runs: readonly ComparedRun[]) {
  const [first, second, third] = runs.map(({ detail }) => detail);
  return first && second && !third ? { first, second } : null;
}

/** The same list for the same state, as views that subscribe to it need. */
function useCompared(): ComparedRun[] {
  const { store } = useApp();
  const detail = useAppState((state) => state.detail);
  const others = useAppState((state) => state.others);
  const compare = useAppState((state) => state.compare);
  return useMemo(() => comparedRuns(store.get()), [store, detail, others, compare]);
}

function HowToCompare({ detail }: { detail: RunDetail }) {
  return (
    <p class="placeholder-text muted" data-testid="compare">
      Tick runs in the list of runs to lay them over <code>{detail.run}</code>: their curves on one
      axis, the step at which they part, and the findings and settings in which they differ.
    </p>
  );
}

function RunKeys({ runs }: { runs: readonly ComparedRun[] }) {
  const { actions } = useApp();
  return (
    <ul class="run-keys">
      {runs.map(({ detail, index }) => (
        <li key={detail.run}>
          <span class={keyClass(index)} />
          <Icon mark={detail.verdict} />
          <span class="run-key-name" title={detail.run}>
            <bdi>{detail.run}</bdi>
          </span>
          {index > 0 && (
            <button
              type="button"
              class="plain"
              aria-label={`Take ${detail.run} out`}
              onClick={() => void actions.pickRun(detail.run)}
            >
              ×
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

function Curves({ runs, plotWidth }: { runs: readonly ComparedRun[]; plotWidth: number }) {
  const charts = useCharts(runs);
  const steps = useAppState((state) => state.steps);
  const timeline = useMemo(() => {
    const all = charts.flatMap(({ lines }) => lines.map(({ series }): Series => series));
    const whole = unionTimeline(all);
    return zoomed(whole, rangeWithin(steps, whole));
  }, [charts, steps]);
  const table = useAppState((state) => state.table);
  const shown = charts.map((chart) => ({ ...chart, limits: [] }));
  const lines = charts.flatMap((chart) => chart.lines);
  return (
    <div class="strip" data-testid="compare-curves">
      <div class="chart-head">
        <h2 class="section-title">On one axis</h2>
        <div class="tools">
          <TableToggle />
          <CurvesExport name="comparison" charts={shown} timeline={timeline} />
          <ZoomButton timeline={timeline} />
        </div>
      </div>
      {table && <CurvesTable caption="Runs on one axis" lines={lines} timeline={timeline} />}
      {!table &&
        charts.map(({ name, title, lines }) => (
          <StripChart
            key={name}
            height={TALL}
            {...{ title, lines, timeline, plotWidth, bands: NO_BANDS }}
          />
        ))}
      {!table && <StepAxis timeline={timeline} plotWidth={plotWidth} />}
    </div>
  );
}

/** One chart for each curve that at least one of the runs has. */
function useCharts(runs: readonly ComparedRun[]) {
  const blocks = useAppState((state) => state.blocks);
  const curves = useAppState((state) => state.curves);
  const { store } = useApp();
  return useMemo(() => {
    const lineOf = (name: string, { detail, index }: ComparedRun): StripLine[] => {
      const spec = detail.signals.find((signal) => signal.name === name);
      const series = comparedOf(store.get(), detail.run, name);
      return spec && series ? [{ spec, series, row: 0, label: detail.run, tone: index }] : [];
    };
    const details = runs.map(({ detail }) => detail);
    return comparedSignals(details, curves)
      .map(([name, title]) => ({ name, title, lines: runs.flatMap((run) => lineOf(name, run)) }))
      .filter(({ lines }) => lines.length > 0);
  }, [runs, blocks, store, curves]);
}

const NO_BANDS: readonly never[] = [];

function Differences({ details }: { details: readonly RunDetail[] }) {
  const rules = useMemo(() => ruleDifferences(details), [details]);
  const facts = useMemo(() => factDifferences(details), [details]);
  const names = details.map(({ run }) => run);
  return (
    <>
      <ColumnTable
        caption="Findings"
        columns={names}
        rows={rules.map(({ rule, code, states }) => ({
          key: rule,
          head: `${sentenceCase(rule)} ${code}`,
          cells: states.map((state) => ({ text: state || 'unknown', strong: state === 'firing' })),
        }))}
        none="No rule found anything in any of these runs."
      />
      <ColumnTable
        caption="Settings that differ"
        columns={names}
        rows={facts.map(({ name, values }) => ({
          key: name,
          head: name.replaceAll('_', ' '),
          cells: values.map((text) => ({ text, strong: false })),
        }))}
        none="They were set up alike, as far as the logs say."
      />
    </>
  );
}
