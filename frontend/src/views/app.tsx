/** Lays out the page and decides which of its states to show. */

import { formatTime } from '../format';
import type { AppState } from '../state';
import { Charts } from './charts';
import { useApp, useAppState } from './context';
import { Empty } from './empty';
import { RunTrouble, StaleBanner, UnknownChoices, UnknownRun } from './error_state';
import { Findings } from './findings';
import { OtherVerdicts } from './other_verdicts';
import { Rules } from './rules';
import { RunPicker } from './run_picker';
import { Verdict } from './verdict';

export function App() {
  const anyRuns = useAppState((state) => (state.runs?.length ?? 0) > 0);
  return (
    <div class={`app ${anyRuns ? '' : 'bare'}`}>
      <header class="side">
        <div class="brand">
          <h1>Gradient Health</h1>
          <Version />
        </div>
        {anyRuns && <RunPicker />}
        {anyRuns && <Live />}
      </header>
      <main>
        <StaleBanner />
        <Content />
      </main>
    </div>
  );
}

function Version() {
  const version = useAppState((state) => state.version);
  return version ? <span class="muted">{version}</span> : null;
}

function Live() {
  const live = useAppState((state) => state.live);
  const updated = useAppState((state) => state.updated);
  const { actions } = useApp();
  return (
    <label class="live" data-testid="live" title="Ask for new steps every few seconds">
      <input
        type="checkbox"
        checked={live}
        onChange={(event) => actions.set({ live: event.currentTarget.checked })}
      />
      Live
      {updated && <span class="muted">{formatTime(updated)}</span>}
    </label>
  );
}

function Content() {
  const runs = useAppState((state) => state.runs);
  const run = useAppState((state) => state.run);
  const reason = useAppState(reasonOfRun);
  const runProblem = useAppState((state) => state.runProblem);
  const detail = useAppState((state) => state.detail);
  const problem = useAppState((state) => state.problem);
  if (!runs) return problem ? null : <p class="placeholder muted">Reading the runs</p>;
  if (runs.length === 0) return <Empty />;
  if (run === null) return null;
  if (!runs.some((known) => known.run === run)) return <UnknownRun run={run} />;
  if (reason) return <RunTrouble run={run} problem={{ status: 200, reason }} />;
  const shown = detail?.run === run;
  if (runProblem && !shown) return <RunTrouble run={run} problem={runProblem} />;
  if (!detail) return <p class="placeholder muted">Reading {run}</p>;
  return (
    <div class={`run ${shown ? '' : 'loading'}`} aria-busy={!shown}>
      {shown && <UnknownChoices detail={detail} />}
      <Verdict detail={detail} />
      <OtherVerdicts />
      <div class={`columns ${detail.findings.length > 0 ? '' : 'calm'}`}>
        <div class="column">
          <Findings detail={detail} />
          <Rules rules={detail.rules} />
        </div>
        <div class="column wide">
          <Charts detail={detail} />
        </div>
      </div>
    </div>
  );
}

/** Why the chosen run is known and yet cannot be read; "" if it can. */
function reasonOfRun({ runs, run }: AppState): string {
  const summary = runs?.find((known) => known.run === run);
  return summary?.verdict === 'unreadable' ? summary.reason : '';
}
