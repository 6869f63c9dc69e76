/** The first step at which each run leaves the first one: a line for each, as there may be many. */
import { useMemo } from 'preact/hooks';
import { comparedOf } from '../blocks';
import type { ComparedRun } from '../choices';
import { comparedSignals, parting } from '../compare';
import { formatStep, formatValue } from '../format';
import { runSignals } from '../signals';
import { ColumnTable } from './column_table';
import { useApp, useAppState } from './context';

export function Partings({ runs }: { runs: readonly ComparedRun[] }) {
  const blocks = useAppState((state) => state.blocks);
  const { store } = useApp();
  const rows = useMemo(
    () => rowsOf(runs, (run, signal) => comparedOf(store.get(), run, signal)),
    [runs, blocks, store],
  );
  const first = runs[0]?.detail;
  return (
    <div data-testid="partings">
      <ColumnTable
        caption={`Where they part from ${first?.run}`}
        columns={first ? comparedSignals([first]).map(([, title]) => title) : []}
        rows={rows}
        none="Nothing is measured in both."
      />
    </div>
  );
}

function rowsOf(runs: readonly ComparedRun[], load: (...of: [string, string]) => Loaded) {
  const [first, ...others] = runs.map(({ detail }) => detail);
  if (!first) return [];
  const signals = comparedSignals([first]);
  if (signals.length === 0) return [];
  return others.map((other) => ({
    key: other.run,
    head: other.run,
    cells: signals.map(([name]) =>
      runSignals(other).some((signal) => signal.name === name)
        ? cellOf(name, load(first.run, name), load(other.run, name))
        : { text: 'not measured', strong: false },
    ),
  }));
}

type Loaded = ReturnType<typeof comparedOf>;

function cellOf(signal: string, a: Loaded, b: Loaded) {
  if (!a || !b) return { text: 'loading …', strong: false };
  const found = parting(a, b);
  if (!found) return { text: 'nowhere', strong: false };
  const [left, right] = found.values.map((value) => formatValue(value, '', signal));
  return { text: `step ${formatStep(found.step)}: ${left} against ${right}`, strong: true };
}
