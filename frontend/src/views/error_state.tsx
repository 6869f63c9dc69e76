/** Says what went wrong, why, and what can be done; never hides what is already there. */
import { formatCount, formatTime } from '../format';
import { sortRuns, unknownChoices } from '../selectors';
import type { Problem } from '../state';
import type { RunDetail } from '../wire';
import { useApp, useAppState } from './context';
import { Icon } from './icons';

/** Above all else while the server does not answer. */
export function StaleBanner() {
  const problem = useAppState((state) => state.problem);
  const updated = useAppState((state) => state.updated);
  const { actions } = useApp();
  if (!problem) return null;
  return (
    <div class="banner" role="alert" data-testid="error">
      <Icon mark="warning" />
      <p>
        <strong>{headlineOf(problem)}</strong> ({problem.reason}).
        {updated && ` What you see was loaded at ${formatTime(updated)}.`}
      </p>
      <button type="button" class="button" onClick={() => void actions.refresh()}>
        Try again
      </button>
    </div>
  );
}

function headlineOf({ status }: Problem): string {
  return status === 0 ? 'TensorBoard cannot be reached' : `TensorBoard answered ${status}`;
}

const MAX_NAMED = 12;

/** A link may name a run that was renamed or removed. */
export function UnknownRun({ run }: { run: string }) {
  const runs = useAppState((state) => state.runs) ?? [];
  const { actions } = useApp();
  const first = sortRuns(runs)[0];
  return (
    <section class="card trouble" role="alert" data-testid="unknown-run">
      <Icon mark="unreadable" />
      <h2>
        There is no run <code>{run}</code> here
      </h2>
      <p>
        The address asks for it, but this log directory holds{' '}
        {runs.slice(0, MAX_NAMED).map((known, index) => (
          <span key={known.run}>
            {index > 0 && ', '}
            <code>{known.run}</code>
          </span>
        ))}
        {runs.length > MAX_NAMED && ` and ${formatCount(runs.length - MAX_NAMED, 'other')}`}.
      </p>
      {first && (
        <button type="button" class="button" onClick={() => void actions.chooseRun(first.run)}>
          Show {first.run}
        </button>
      )}
    </section>
  );
}

/** The run is there, but it cannot be shown. */
export function RunTrouble({ run, problem }: { run: string; problem: Problem }) {
  const { actions } = useApp();
  return (
    <section class="card trouble" role="alert" data-testid="verdict" data-verdict="unreadable">
      <Icon mark="unreadable" />
      <h2>
        <code>{run}</code> cannot be shown
      </h2>
      <p data-testid="error">{problem.reason}</p>
      <button type="button" class="button" onClick={() => void actions.refresh()}>
        Try again
      </button>
    </section>
  );
}

/** The run is shown, but not all that the address asks for is in it. */
export function UnknownChoices({ detail }: { detail: RunDetail }) {
  const signal = useAppState((state) => state.signal);
  const layer = useAppState((state) => state.layer);
  const finding = useAppState((state) => state.finding);
  const unknown = unknownChoices(detail, { signal, layer, finding });
  const { actions } = useApp();
  return unknown.map(({ key, value }) => (
    <div key={key} class="banner" role="alert" data-testid="unknown-choice">
      <Icon mark="warning" />
      <p>
        The address asks for the {key} <code>{value}</code>, which this run does not have.
      </p>
      <button type="button" class="button" onClick={() => actions.set({ [key]: null })}>
        Forget it
      </button>
    </div>
  ));
}
