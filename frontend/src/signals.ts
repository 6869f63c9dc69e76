/** Which of a run's signals are drawn where. A signal describes itself: none needs to be known here. */
import { picked } from './choices';
import { sharpnessOf } from './stability';
import type { Row, RunDetail, Signal } from './wire';

/** Curves of the whole run, in the order in which they are drawn; `with` shares the axis. */
const STRIP: readonly { signal: string; with?: string }[] = [
  { signal: 'loss', with: 'validation_loss' },
  { signal: 'learning_rate' },
  { signal: 'gradient_global_norm' },
  { signal: 'clip_rate' },
  { signal: 'stability_margin' },
];

/** What takes part in a strip although it has no chart of its own. */
const COMPANIONS = STRIP.flatMap((chart) => chart.with ?? []);

const DEFAULT_MAP_SIGNAL = 'gradient_norm';

/** What people look at first, in this order; other signals take a second look. */
const MAIN_SIGNALS = ['gradient_norm', 'update_ratio', 'dead_fraction', 'saturated_fraction'];

/** In that order, and last the counts that stay 0 in almost every run. */
export function tellingFirst<T extends { signal: Signal }>(items: readonly T[]): T[] {
  const place = ({ signal: { name } }: T) => {
    const main = MAIN_SIGNALS.indexOf(name);
    if (main >= 0) return main;
    return MAIN_SIGNALS.length + (name.endsWith('_nonfinite') ? 1 : 0);
  };
  return [...items].sort((a, b) => place(a) - place(b));
}

export interface SignalChoice {
  /** One click away: the main ones, those that a finding names, and the chosen one. */
  near: Signal[];
  others: Signal[];
  /** Names of the signals that a finding names. */
  flagged: ReadonlySet<string>;
}

export function signalChoice(detail: RunDetail, chosen: Signal): SignalChoice {
  const offered = mapSignals(detail).filter((signal) => signal.kept > 0);
  const flagged = flaggedSignals(detail);
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
  return detail.signals.filter((signal) => signal.axis !== 'run');
}

export interface StripChoice {
  signal: Signal;
  /** Drawn on the same axis. */
  companion: Signal | null;
}

/** Curves that were measured of the run as a whole. */
export function runSignals(detail: RunDetail): Signal[] {
  return detail.signals.filter(({ axis, kept }) => axis === 'run' && kept > 0);
}

/** The charts above the map: the usual ones, what a finding names, and what was picked. */
export function stripCharts(detail: RunDetail, curves: string | null = null): StripChoice[] {
  const measured = runSignals(detail);
  const extra = picked(curves);
  const named = (name?: string) => measured.find((signal) => signal.name === name);
  const usual = [
    ...STRIP.flatMap((chart) => named(chart.signal) ?? []),
    ...(sharpnessOf(detail) ? [sharpnessOf(detail) as Signal] : []),
  ];
  const flagged = flaggedSignals(detail);
  const others = measured.filter(
    (signal) =>
      !usual.includes(signal) &&
      !COMPANIONS.includes(signal.name) &&
      (flagged.has(signal.name) || extra.includes(signal.name)),
  );
  return [...usual, ...others].map((signal) => ({
    signal,
    companion: named(STRIP.find((chart) => chart.signal === signal.name)?.with) ?? null,
  }));
}

/** All that the charts above the map need. */
export function stripSignals(detail: RunDetail, curves: string | null = null): Signal[] {
  return stripCharts(detail, curves).flatMap(({ signal, companion }) =>
    companion ? [signal, companion] : [signal],
  );
}

function flaggedSignals({ findings }: RunDetail): Set<string> {
  return new Set(findings.flatMap(({ evidence }) => evidence.map(({ signal }) => signal)));
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
