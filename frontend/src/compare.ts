/** What tells runs apart: where their curves part, what was found, how they were set up. */
import { formatFact } from './format';
import { stripCharts } from './signals';
import { NOT_MEASURED, type RunDetail, type Series } from './wire';

/** Curves that differ by less than this, relative to the larger value, are taken for the same. */
const SAME = 0.01;

export interface Parting {
  step: number;
  values: [number, number];
}

/** First step that both have logged at which they differ; null if they never do. */
export function parting(a: Series, b: Series): Parting | null {
  const [left, right] = [meanOf(a), meanOf(b)];
  let j = 0;
  for (let i = 0; i < a.points; i++) {
    const step = a.steps[i] as number;
    while (j < b.points && (b.steps[j] as number) < step) j++;
    if (b.steps[j] !== step) continue;
    const values: [number, number] = [left[i] as number, right[j] as number];
    if (!values.includes(NOT_MEASURED) && differ(...values)) return { step, values };
  }
  return null;
}

function meanOf({ fields, values }: Series): Float32Array {
  return values[fields[0] ?? ''] ?? new Float32Array();
}

/** NaN is no number, but two of them are the same state of affairs. */
function differ(a: number, b: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) !== Number.isNaN(b);
  if (!Number.isFinite(a) || !Number.isFinite(b)) return a !== b;
  return Math.abs(a - b) > SAME * Math.max(Math.abs(a), Math.abs(b));
}

/** How one rule stands in several runs: each state with the runs in it. */
export function runsByState(details: readonly RunDetail[], rule: string): [string, string[]][] {
  const states = new Map<string, string[]>();
  for (const { run, rules } of details) {
    const state = rules.find((item) => item.rule === rule)?.state ?? 'unknown';
    states.set(state, [...(states.get(state) ?? []), run]);
  }
  return [...states];
}

export interface RuleDifference {
  rule: string;
  code: string;
  /** State in each run; "" where the run does not know the rule. */
  states: string[];
}

/** Rules that are flagged in one of the runs, those first that are not flagged in all. */
export function ruleDifferences(details: readonly RunDetail[]): RuleDifference[] {
  const flagged = details
    .flatMap(({ rules }) => rules)
    .filter(({ state }) => state === 'firing' || state === 'cleared');
  const rules = [...new Map(flagged.map(({ rule, code }) => [rule, code]))];
  const found = rules.map(([rule, code]) => ({
    rule,
    code,
    states: details.map((detail) => detail.rules.find((item) => item.rule === rule)?.state ?? ''),
  }));
  const same = ({ states }: RuleDifference) => (new Set(states).size === 1 ? 1 : 0);
  return found.sort((a, b) => same(a) - same(b) || a.code.localeCompare(b.code));
}

export interface FactDifference {
  name: string;
  /** "–" where a run does not say. */
  values: string[];
}

/** Only the facts in which the runs differ. */
export function factDifferences(details: readonly RunDetail[]): FactDifference[] {
  const names = [...new Set(details.flatMap(({ facts }) => Object.keys(facts)))];
  return names
    .map((name) => ({
      name,
      values: details.map(({ facts }) => (name in facts ? formatFact(facts[name]) : '–')),
    }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** Names and titles of the curves that at least one of the runs has. */
export function comparedSignals(
  details: readonly RunDetail[],
  curves: string | null = null,
): [name: string, title: string][] {
  const signals = details.flatMap((detail) =>
    stripCharts(detail, curves).map(({ signal }) => signal),
  );
  return [...new Map(signals.map(({ name, title }) => [name, title]))];
}
