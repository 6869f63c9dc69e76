/** Every rule: how it stands, why, and what it would say with other limits. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { comparedRuns } from '../choices';
import { runsByState } from '../compare';
import { formatCount, sentenceCase } from '../format';
import { ruleSections } from '../selectors';
import type { Limits, Replay, RuleSheet, RuleState, RunDetail } from '../wire';
import { useApp, useAppState } from './context';
import { Icon, type Mark } from './icons';
import { LimitForm } from './limit_form';
import { Marked } from './marked';

const MARKS: Record<RuleState['state'], Mark> = {
  firing: 'warning',
  cleared: 'recovered',
  clean: 'healthy',
  'not evaluated': 'not measured',
};

export function RulesPage({ detail }: { detail: RunDetail }) {
  const sheets = useAppState((state) => state.sheets);
  const limits = useAppState((state) => state.limits);
  const replay = useAppState((state) => state.replay);
  const others = useOthers();
  const sections = useMemo(() => ruleSections(sheets ?? [], detail.rules), [sheets, detail]);
  return (
    <div class="rules-page" data-testid="rules-page">
      <div class="chart-head">
        <h2 class="section-title">Rules</h2>
        <ResetAll limits={limits} />
      </div>
      <p class="muted">
        How each rule stands for this run. A limit that is changed here is tried on the server, on
        what was logged; the findings of the run stay those that were found with the usual limits.
      </p>
      <Trial detail={detail} replay={replay} />
      {!sheets && <p class="placeholder muted">Reading the rules</p>}
      {sections.map((section) => (
        <section key={section.title}>
          <h3 class="rule-group">{sentenceCase(section.title)}</h3>
          {section.sheets.map((sheet) => (
            <RuleRow key={sheet.rule} {...{ sheet, detail, others, limits, replay }} />
          ))}
        </section>
      ))}
    </div>
  );
}

function ResetAll({ limits }: { limits: Limits }) {
  const { actions } = useApp();
  if (Object.keys(limits).length === 0) return null;
  return (
    <button
      type="button"
      class="button small"
      data-testid="reset-limits"
      onClick={() => void actions.tryLimits({})}
    >
      Reset all limits
    </button>
  );
}

/** What the trial found otherwise, set apart from what ran live. */
function Trial({ detail, replay }: { detail: RunDetail; replay: Replay | null }) {
  const problem = useAppState((state) => state.replayProblem);
  if (problem) {
    return (
      <p class="chart-trouble" role="alert">
        The rules could not be tried: {problem.reason}
      </p>
    );
  }
  if (!replay) return null;
  const before = new Set(detail.findings.map(({ rule }) => rule));
  const after = new Set(replay.findings.map(({ rule }) => rule));
  const come = [...after].filter((rule) => !before.has(rule));
  const gone = [...before].filter((rule) => !after.has(rule));
  return (
    <div class="trial" role="status" data-testid="trial">
      <strong>A trial, not what ran live.</strong> With these limits the log gives{' '}
      {formatCount(replay.findings.length, 'finding')} instead of {detail.findings.length}.
      {come.length > 0 && ` New: ${come.map(sentenceCase).join(', ')}.`}
      {gone.length > 0 && ` Gone: ${gone.map(sentenceCase).join(', ')}.`}
    </div>
  );
}

interface RowProps {
  sheet: RuleSheet;
  detail: RunDetail;
  /** Runs that are compared with it. */
  others: readonly RunDetail[];
  limits: Limits;
  replay: Replay | null;
}

function RuleRow({ sheet, detail, others, limits, replay }: RowProps) {
  const row = useArrival(sheet.rule);
  const find = (states: readonly RuleState[]) => states.find(({ rule }) => rule === sheet.rule);
  const live = find(detail.rules);
  const tried = replay ? find(replay.rules) : undefined;
  return (
    <article ref={row} tabIndex={-1} class="rule-row" data-testid="rule-row" data-rule={sheet.rule}>
      <Icon mark={MARKS[live?.state ?? 'not evaluated']} />
      <div>
        <h4>
          {sentenceCase(sheet.rule)} <span class="mono muted">{sheet.code}</span>
          <span class="rule-state">{live?.state ?? 'not known when this run was judged'}</span>
          {tried && tried.state !== live?.state && (
            <span class="badge" data-testid="tried-state">
              in the trial: {tried.state}
            </span>
          )}
        </h4>
        <p>{sheet.summary}</p>
        {live?.reason && (
          <p class="muted">
            <Marked text={live.reason} />
          </p>
        )}
        <OtherRuns runs={runsByState(others, sheet.rule)} />
        <LimitForm sheet={sheet} limits={limits} open={isFlagged(live)} />
      </div>
    </article>
  );
}

function isFlagged(state: RuleState | undefined): boolean {
  return state?.state === 'firing' || state?.state === 'cleared';
}

/** Brings the rule into view that somebody asked for, and the keyboard with it. */
function useArrival(rule: string) {
  const row = useRef<HTMLElement>(null);
  const asked = useAppState((state) => state.ruleShown === rule);
  const { actions } = useApp();
  useEffect(() => {
    if (!asked) return;
    row.current?.scrollIntoView({ block: 'center' });
    row.current?.focus({ preventScroll: true });
    actions.set({ ruleShown: null });
  }, [asked, actions]);
  return row;
}

const MAX_NAMED = 3;

/** How the rule stands in the runs that are compared. */
function OtherRuns({ runs }: { runs: readonly [string, string[]][] }) {
  if (runs.length === 0) return null;
  const named = (names: readonly string[]) =>
    names.length > MAX_NAMED ? formatCount(names.length, 'run') : names.join(', ');
  return (
    <p class="muted" data-testid="other-states">
      {runs.map(([state, names]) => (
        <span key={state} class="other-state" title={names.join(', ')}>
          {state} in <bdi>{named(names)}</bdi>
        </span>
      ))}
    </p>
  );
}

function useOthers(): RunDetail[] {
  const { store } = useApp();
  const others = useAppState((state) => state.others);
  const compare = useAppState((state) => state.compare);
  return useMemo(
    () => comparedRuns(store.get()).flatMap(({ detail, index }) => (index > 0 ? [detail] : [])),
    [store, others, compare],
  );
}
