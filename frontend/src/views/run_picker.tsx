/** All runs, the sickest first, with a filter once there are several. */
import { useMemo, useState } from 'preact/hooks';
import { picked } from '../choices';
import { formatCount, formatStep } from '../format';
import { filterRuns, sortRuns } from '../selectors';
import type { RunSummary, Severity } from '../wire';
import { useApp, useAppState } from './context';
import { Chevron, Icon } from './icons';

const FILTER_FROM = 6;

export function RunPicker() {
  const runs = useAppState((state) => state.runs) ?? [];
  const run = useAppState((state) => state.run);
  const filter = useAppState((state) => state.filter);
  const compared = picked(useAppState((state) => state.compare));
  const { actions } = useApp();
  // Matters only in narrow windows, where the list drops down from the button.
  const [open, setOpen] = useState(false);
  const shown = useMemo(() => filterRuns(sortRuns(runs), filter), [runs, filter]);
  const current = runs.find((known) => known.run === run);
  const choose = (name: string) => {
    setOpen(false);
    void actions.chooseRun(name);
  };
  return (
    <nav class={`run-picker ${open ? 'open' : ''}`} aria-label="Runs" data-testid="run-picker">
      <button type="button" class="run-toggle" aria-expanded={open} onClick={() => setOpen(!open)}>
        {current && <Icon mark={current.verdict} />}
        <span class="run-name">
          <bdi>{run ?? 'Choose a run'}</bdi>
        </span>
        <span class="muted">{formatCount(runs.length, 'run')}</span>
        <Chevron />
      </button>
      <div class="run-panel">
        {runs.length >= FILTER_FROM && (
          <input
            type="search"
            class="run-filter"
            placeholder={`Filter ${runs.length} runs`}
            aria-label="Filter runs by name"
            value={filter}
            onInput={(event) => actions.set({ filter: event.currentTarget.value })}
          />
        )}
        <ul class="run-list">
          {shown.map((item) => (
            <RunItem
              key={item.run}
              item={item}
              chosen={item.run === run}
              picked={compared.includes(item.run)}
              onChoose={choose}
            />
          ))}
        </ul>
        {shown.length === 0 && <p class="muted pad">No run has this in its name.</p>}
      </div>
    </nav>
  );
}

interface RunItemProps {
  item: RunSummary;
  chosen: boolean;
  /** Whether it is compared with the chosen one. */
  picked: boolean;
  onChoose(run: string): void;
}

function RunItem({ item, chosen, picked, onChoose }: RunItemProps) {
  const { actions } = useApp();
  return (
    <li class="run-row">
      <input
        type="checkbox"
        class="run-pick"
        data-testid="run-pick"
        data-run={item.run}
        aria-label={`Compare ${item.run}`}
        title="Compare with the chosen run"
        checked={chosen || picked}
        disabled={chosen}
        onChange={() => void actions.pickRun(item.run)}
      />
      <button
        type="button"
        class="run-item"
        aria-current={chosen ? 'true' : undefined}
        title={item.run}
        data-testid="run-item"
        data-run={item.run}
        data-verdict={item.verdict}
        onClick={() => onChoose(item.run)}
      >
        <Icon mark={item.verdict} />
        <span class="run-name">
          <bdi>{item.run}</bdi>
        </span>
        <span class="run-about">
          <span>{runWords(item)}</span>
          {item.last_step >= 0 && <span>step {formatStep(item.last_step)}</span>}
        </span>
      </button>
    </li>
  );
}

function runWords({ verdict, counts }: RunSummary): string {
  if (verdict === 'healthy') return 'Healthy';
  if (verdict === 'not measured') return 'Not measured';
  if (verdict === 'unreadable') return 'Unreadable';
  const nouns: [Severity, string][] = [
    ['error', 'error'],
    ['warning', 'warning'],
    ['info', 'remark'],
  ];
  const worst = counts.error + counts.warning > 0 ? nouns.slice(0, 2) : nouns;
  return worst
    .filter(([severity]) => counts[severity] > 0)
    .map(([severity, noun]) => formatCount(counts[severity], noun))
    .join(', ');
}
