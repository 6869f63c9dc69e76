/** Pure functions from the state to what a view draws. */
import { mapSignals, rowsOf } from './signals';
import type { StepRange } from './timeline';
import type { UrlState } from './url_state';
import type { Finding, Row, RuleSheet, RuleState, RunDetail, RunSummary, Verdict } from './wire';

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
  /** What to try first against an illness that goes on; "" without one. */
  remedy: string;
}

export function verdictWords(detail: RunDetail): VerdictWords {
  const { verdict, headline, findings, reason } = detail;
  const root = findings.find((finding) => finding.title === headline) ?? findings[0];
  const since = root?.first_step ?? null;
  const remedy = root?.fixes[0]?.text ?? '';
  const plain = { text: '', since: null, remedy: '' };
  switch (verdict) {
    case 'error':
    case 'warning':
      return findings.some((finding) => finding.open)
        ? { health: verdict, word: 'Ill', text: headline, since, remedy }
        : { ...plain, health: 'recovered', word: 'Was ill, has recovered', text: headline };
    case 'info':
      return { ...plain, health: 'info', word: 'Healthy, with a remark', text: headline, since };
    case 'healthy':
      return { ...plain, health: 'healthy', word: 'Healthy' };
    case 'not measured':
      return { ...plain, health: 'unknown', word: 'Not measured', text: reason };
    case 'unreadable':
      return { ...plain, health: 'unknown', word: 'Unreadable', text: reason };
  }
}

/** The signal that shows a finding best: of its evidence on the map, first of the rows it names. */
export function signalOfFinding(detail: RunDetail, finding: Finding): string | null {
  const drawable = mapSignals(detail).filter(({ kept }) => kept > 0);
  const named = finding.evidence.flatMap(
    (item) => drawable.find(({ name }) => name === item.signal) ?? [],
  );
  const ofItsRows = named.find((signal) =>
    rowsOf(detail, signal).some(({ name }) => finding.layers.includes(name)),
  );
  return (ofItsRows ?? named[0])?.name ?? null;
}

/** The row that shows a finding best: the first it names that the signal has. */
export function rowOfFinding(
  detail: RunDetail,
  finding: Finding,
  signal: string | null,
): string | null {
  const spec = detail.signals.find(({ name }) => name === signal);
  const names = new Set(spec ? rowsOf(detail, spec).map(({ name }) => name) : []);
  const wanted = [...finding.layers, ...finding.evidence.map(({ row }) => row)];
  return wanted.find((name) => names.has(name)) ?? null;
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

/** The steps of a finding with some before them, as its cause is to be seen, and some after. */
export function nearFinding(detail: RunDetail, finding: Finding): StepRange {
  const [first, last] = stepsOfFinding(detail, finding);
  const margin = Math.max(5, Math.round((last - first) / 4));
  return [Math.max(0, first - margin), Math.min(detail.last_step, last + margin)];
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

export interface RuleSection {
  title: string;
  sheets: RuleSheet[];
}

/** Rules that flagged something come first, the others by what they are about. */
export function ruleSections(
  sheets: readonly RuleSheet[],
  states: readonly RuleState[],
): RuleSection[] {
  const flagged = new Set(ruleGroups(states).flagged.map(({ rule }) => rule));
  const titleOf = ({ rule, group }: RuleSheet) => (flagged.has(rule) ? FLAGGED : group);
  const titles = new Set([FLAGGED, ...sheets.map(titleOf)]);
  return [...titles]
    .map((title) => ({ title, sheets: sheets.filter((sheet) => titleOf(sheet) === title) }))
    .filter((section) => section.sheets.length > 0);
}

const FLAGGED = 'flagged in this run';

export interface UnknownChoice {
  key: 'signal' | 'layer' | 'finding';
  value: string;
}

/** What the address asks for and the run does not have: a link may be older than the run. */
export function unknownChoices(
  detail: RunDetail,
  wanted: Pick<UrlState, 'signal' | 'layer' | 'finding'>,
): UnknownChoice[] {
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
