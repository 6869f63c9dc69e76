/** Pure functions from the state to what a view draws. */
import type { StepRange } from './timeline';
import type { UrlState } from './url_state';
import type { Finding, Row, RuleState, RunDetail, RunSummary, Signal, Verdict } from './wire';

/** In the order in which they are drawn. */
export const STRIP_SIGNALS = ['loss', 'learning_rate', 'gradient_global_norm'] as const;

const MAP_AXES = ['variable', 'activation'];
const DEFAULT_MAP_SIGNAL = 'gradient_norm';

const SICK_FIRST: readonly Verdict[] = [
  'error',
  'warning',
  'unreadable',
  'info',
  'not measured',
  'healthy',
];

const naturalOrder = new Intl.Collator('en', { numeric: true });

export function sortRuns(runs: readonly RunSummary[]): RunSummary[] {
  return [...runs].sort(
    (a, b) =>
      SICK_FIRST.indexOf(a.verdict) - SICK_FIRST.indexOf(b.verdict) ||
      b.counts.error - a.counts.error ||
      b.counts.warning - a.counts.warning ||
      naturalOrder.compare(a.run, b.run),
  );
}

/** Runs whose name contains every word of `filter`, whatever its case. */
export function filterRuns(runs: readonly RunSummary[], filter: string): RunSummary[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return runs.filter(({ run }) => words.every((word) => run.toLowerCase().includes(word)));
}

export interface Story {
  root: Finding;
  consequences: Finding[];
}

/** Root causes in the order given, each with all that follows from it, however indirectly. */
export function stories(findings: readonly Finding[]): Story[] {
  const byId = new Map(findings.map((finding) => [finding.id, finding]));
  const rootOf = (finding: Finding): Finding => {
    const seen = new Set<string>();
    let current = finding;
    for (let cause = byId.get(current.caused_by); cause; cause = byId.get(current.caused_by)) {
      if (seen.has(cause.id)) return finding;
      seen.add(cause.id);
      current = cause;
    }
    return current;
  };
  return findings
    .filter((finding) => rootOf(finding) === finding)
    .map((root) => ({
      root,
      consequences: findings.filter((finding) => finding !== root && rootOf(finding) === root),
    }));
}

export type Health = 'error' | 'warning' | 'info' | 'healthy' | 'recovered' | 'unknown';

export interface VerdictWords {
  health: Health;
  word: string;
  /** With the user's names in backticks; "" when the word says it all. */
  text: string;
  /** Step since which it holds; null if it does not apply. */
  since: number | null;
}

export function verdictWords(detail: RunDetail): VerdictWords {
  const { verdict, headline, findings, reason } = detail;
  const root = findings.find((finding) => finding.title === headline) ?? findings[0];
  const since = root?.first_step ?? null;
  switch (verdict) {
    case 'error':
    case 'warning':
      return findings.some((finding) => finding.open)
        ? { health: verdict, word: 'Ill', text: headline, since }
        : { health: 'recovered', word: 'Was ill, has recovered', text: headline, since: null };
    case 'info':
      return { health: 'info', word: 'Healthy, with a remark', text: headline, since };
    case 'healthy':
      return { health: 'healthy', word: 'Healthy', text: '', since: null };
    case 'not measured':
      return { health: 'unknown', word: 'Not measured', text: reason, since: null };
    case 'unreadable':
      return { health: 'unknown', word: 'Unreadable', text: reason, since: null };
  }
}

/** What people look at first, in this order; other signals take a second look. */
const MAIN_SIGNALS = ['gradient_norm', 'update_ratio', 'dead_fraction', 'saturated_fraction'];

export interface SignalChoice {
  /** One click away: the main ones, those that a finding names, and the chosen one. */
  near: Signal[];
  others: Signal[];
  /** Names of the signals that a finding names. */
  flagged: ReadonlySet<string>;
}

export function signalChoice(detail: RunDetail, chosen: Signal): SignalChoice {
  const offered = mapSignals(detail).filter((signal) => signal.kept > 0);
  const flagged = new Set(
    detail.findings.flatMap(({ evidence }) => evidence.map(({ signal }) => signal)),
  );
  const place = ({ name }: Signal) => MAIN_SIGNALS.indexOf(name) + 1 || MAIN_SIGNALS.length + 1;
  const isNear = (signal: Signal) =>
    signal === chosen || flagged.has(signal.name) || MAIN_SIGNALS.includes(signal.name);
  return {
    near: offered.filter(isNear).sort((a, b) => place(a) - place(b)),
    others: offered.filter((signal) => !isNear(signal)),
    flagged,
  };
}

/** Signals that the map can show, measured or not, in the order of the server. */
export function mapSignals(detail: RunDetail): Signal[] {
  return detail.signals.filter((signal) => MAP_AXES.includes(signal.axis));
}

/** The wanted signal if the map can show it, else the usual one, else any. */
export function mapSignal(detail: RunDetail, wanted: string | null): Signal | null {
  const measured = mapSignals(detail).filter((signal) => signal.kept > 0);
  const named = (name: string | null) => measured.find((signal) => signal.name === name);
  return named(wanted) ?? named(DEFAULT_MAP_SIGNAL) ?? measured[0] ?? null;
}

export function rowsOf(detail: RunDetail, signal: Signal): Row[] {
  return detail.rows[signal.axis] ?? [];
}

/** Names of the signals to load: those of the strip, and that of the map. */
export function wantedSignals(detail: RunDetail, wanted: string | null): Signal[] {
  const onMap = mapSignal(detail, wanted);
  return detail.signals.filter(
    (signal) =>
      signal.kept > 0 && (signal === onMap || STRIP_SIGNALS.some((name) => name === signal.name)),
  );
}

/** The signal that shows a finding best: the first of its evidence that the map can draw. */
export function signalOfFinding(detail: RunDetail, finding: Finding): string | null {
  const drawable = new Set(mapSignals(detail).flatMap(({ name, kept }) => (kept > 0 ? name : [])));
  return finding.evidence.find(({ signal }) => drawable.has(signal))?.signal ?? null;
}

export interface Focus {
  finding: Finding;
  rows: ReadonlySet<number>;
  steps: StepRange;
}

/** Rows of the map and steps that the chosen finding is about. */
export function focusOf(detail: RunDetail, id: string | null, rows: readonly Row[]): Focus | null {
  const finding = detail.findings.find((candidate) => candidate.id === id);
  if (!finding) return null;
  const names = new Set([...finding.layers, ...finding.evidence.map(({ row }) => row)]);
  names.delete('');
  const concerned = rows.flatMap((row, index) =>
    names.has(row.name) || names.has(row.layer) ? [index] : [],
  );
  return { finding, rows: new Set(concerned), steps: stepsOfFinding(detail, finding) };
}

/** An open finding reaches to the end of the run, though it may have been seen last before. */
export function stepsOfFinding(detail: RunDetail, finding: Finding): StepRange {
  const { first_step, last_step, open } = finding;
  return [first_step, open ? Math.max(last_step, detail.last_step) : last_step];
}

/** What opens with a run when nothing was chosen: its first root cause, unless it is a remark. */
export function defaultFinding(detail: RunDetail): string | null {
  return stories(detail.findings).find(({ root }) => root.severity !== 'info')?.root.id ?? null;
}

export interface RuleGroups {
  flagged: RuleState[];
  clean: RuleState[];
  skipped: RuleState[];
}

export function ruleGroups(rules: readonly RuleState[]): RuleGroups {
  const inState = (...states: string[]) => rules.filter(({ state }) => states.includes(state));
  return {
    flagged: inState('firing', 'cleared'),
    clean: inState('clean'),
    skipped: inState('not evaluated'),
  };
}

export interface UnknownChoice {
  key: 'signal' | 'layer' | 'finding';
  value: string;
}

/** What the address asks for and the run does not have: a link may be older than the run. */
export function unknownChoices(detail: RunDetail, wanted: UrlState): UnknownChoice[] {
  const rows = Object.values(detail.rows).flat();
  const known = {
    signal: (name: string) => mapSignals(detail).some((signal) => signal.name === name),
    layer: (name: string) => rows.some((row) => row.name === name || row.layer === name),
    finding: (id: string) => detail.findings.some((finding) => finding.id === id),
  };
  return (['signal', 'layer', 'finding'] as const).flatMap((key) => {
    const value = wanted[key];
    return value === null || known[key](value) ? [] : [{ key, value }];
  });
}
