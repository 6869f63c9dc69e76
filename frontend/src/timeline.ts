/**
 * The axis that all charts of a run share: one column per logged window, equally wide, labelled
 * by step. Windows cover one step early in training and many later; columns by index keep the
 * first steps, where much goes wrong, visible.
 */
import type { Series } from './wire';

export interface Timeline {
  /** Last and first step of each window. */
  steps: Float64Array;
  firstSteps: Float64Array;
}

export interface Tick {
  column: number;
  step: number;
}

/** First and last step, both included. */
export type StepRange = readonly [number, number];

/** Every window of any of the series. */
export function unionTimeline(series: readonly Series[]): Timeline {
  const [first, ...others] = series;
  if (!first) return { steps: new Float64Array(), firstSteps: new Float64Array() };
  if (others.every((other) => sameSteps(first.steps, other.steps))) return first;
  const windows = new Map<number, number>();
  for (const { steps, firstSteps } of series) {
    steps.forEach((step, index) => {
      windows.set(step, firstSteps[index] as number);
    });
  }
  const steps = Float64Array.from(windows.keys()).sort();
  return { steps, firstSteps: steps.map((step) => windows.get(step) as number) };
}

function sameSteps(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((step, index) => step === b[index]);
}

/** For each column of `timeline` the column of a series with these steps, or -1. */
export function alignColumns(timeline: Timeline, steps: Float64Array): Int32Array {
  const sources = new Int32Array(timeline.steps.length);
  let source = 0;
  timeline.steps.forEach((step, column) => {
    while (source < steps.length && (steps[source] as number) < step) source++;
    sources[column] = steps[source] === step ? source : -1;
  });
  return sources;
}

/**
 * The same for a map. A signal that is measured now and then has no point in most columns: its
 * last one holds until the next, and no longer than the longest pause that the signal made. Of one
 * that has a point in most columns a pause is held if those beside it are about as long, as where a
 * run is measured ever more seldom; else something was not measured.
 */
export function heldColumns(timeline: Timeline, steps: Float64Array): Int32Array {
  const sources = alignColumns(timeline, steps);
  if (steps.length < 2) return sources;
  const hits = sources.reduce((count, source) => count + (source < 0 ? 0 : 1), 0);
  const ends = 2 * hits > sources.length ? usualPauses(steps) : longestPause(steps);
  let source = -1;
  return sources.map((_, column) => {
    const at = timeline.steps[column] as number;
    while (source + 1 < steps.length && (steps[source + 1] as number) <= at) source++;
    const since = at - (steps[source] ?? at);
    return source >= 0 && since <= (ends[source] as number) ? source : -1;
  });
}

/** For each point for how many steps it may hold: less than the longest pause. */
function longestPause(steps: Float64Array): Float64Array {
  return new Float64Array(steps.length).fill(Math.max(...pausesOf(steps)) - 1);
}

/** The same, where a pause is not held that is more than twice as long as those beside it. */
function usualPauses(steps: Float64Array): Float64Array {
  const pauses = pausesOf(steps);
  return steps.map((_, index) => {
    const beside = Math.max(pauses[index - 1] ?? 0, pauses[index + 1] ?? 0);
    const pause = pauses[index] ?? beside;
    return pause <= 2 * beside ? pause - 1 : 0;
  });
}

/** After each point but the last one. */
function pausesOf(steps: Float64Array): Float64Array {
  return steps.slice(1).map((step, index) => step - (steps[index] as number));
}

/** Whether both have the same windows. */
export function sameTimeline(a: Timeline, b: Timeline): boolean {
  return sameSteps(a.steps, b.steps);
}

/** The part of the timeline within `range`; all of it for null or where nothing would be left. */
export function zoomed(timeline: Timeline, range: StepRange | null): Timeline {
  const columns = range && columnsOf(timeline, range);
  if (!columns) return timeline;
  const [from, to] = columns;
  return {
    steps: timeline.steps.slice(from, to + 1),
    firstSteps: timeline.firstSteps.slice(from, to + 1),
  };
}

/** First and last column whose windows touch the range, or null if none does. */
export function columnsOf({ steps, firstSteps }: Timeline, range: StepRange): StepRange | null {
  const from = steps.findIndex((step) => step >= range[0]);
  const to = firstSteps.findLastIndex((step) => step <= range[1]);
  return from < 0 || to < from ? null : [from, to];
}

/** How much nearer than evenly spaced two labels may be, so that both can be round. */
export const CLOSEST = 0.7;

/** About `count` columns to label, in order: the roundest steps that are far enough apart. */
export function stepTicks(steps: Float64Array, count: number): Tick[] {
  const last = steps.length - 1;
  const apart = CLOSEST * Math.max(1, last / Math.max(1, count - 1));
  const ticks: Tick[] = [];
  for (const { column, step } of roundestFirst(steps)) {
    if (ticks.every((tick) => Math.abs(tick.column - column) >= apart))
      ticks.push({ column, step });
  }
  return ticks.sort((a, b) => a.column - b.column);
}

function roundestFirst(steps: Float64Array): Tick[] {
  const all = Array.from(steps, (step, column) => ({ column, step, round: roundness(step) }));
  return all.sort((a, b) => b.round - a.round || a.column - b.column);
}

/** Trailing zeros, and a half for a trailing five. */
function roundness(step: number): number {
  if (step === 0) return 9;
  let zeros = 0;
  let rest = step;
  for (; rest % 10 === 0; rest /= 10) zeros++;
  return zeros + (rest % 5 === 0 ? 0.5 : 0);
}
