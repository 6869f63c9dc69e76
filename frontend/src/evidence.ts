/** The curves that prove a finding, and the limits that may be drawn on them. */
import { rowsOf } from './signals';
import type { Evidence, Finding, RunDetail, Series, Signal } from './wire';

export interface Curve {
  signal: Signal;
  row: number;
  evidence: Evidence;
}

/** The one number of a finding that is worth a curve: with a limit, and of a known row. */
export function evidenceCurve(detail: RunDetail, finding: Finding): Curve | null {
  const curves = finding.evidence.flatMap((evidence) => {
    const signal = detail.signals.find(({ name, kept }) => name === evidence.signal && kept > 0);
    if (!signal) return [];
    const named = rowsOf(detail, signal).findIndex(({ name }) => name === evidence.row);
    const row = signal.axis === 'run' ? 0 : named;
    return row < 0 ? [] : [{ signal, row, evidence }];
  });
  return curves.find(({ evidence }) => evidence.limit !== null) ?? curves[0] ?? null;
}

/** How far a logged value may be from the number that a rule read. */
const TOLERANCE = 0.02;

/**
 * The point of the curve that a rule read; null where it computed its number from the signal, as a
 * ratio of two rows.
 */
export function pointOnCurve(series: Series, row: number, evidence: Evidence): number | null {
  const point = series.steps.findIndex((step) => step >= evidence.step);
  if (point < 0) return null;
  const logged = series.fields.map((field) => series.values[field]?.[row * series.points + point]);
  const isRead = (value: number | undefined) =>
    value !== undefined &&
    (Object.is(value, evidence.value) ||
      Math.abs(value - evidence.value) <= TOLERANCE * Math.abs(evidence.value));
  return logged.some(isRead) ? point : null;
}

/** The limit, if it is one of the curve: it is not where the number held against it is not. */
export function limitOnCurve(series: Series, row: number, evidence: Evidence): number | null {
  return pointOnCurve(series, row, evidence) === null ? null : evidence.limit;
}
