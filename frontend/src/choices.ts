/** What the strings of the address mean for the runs that are loaded. */
import type { AppState } from './state';
import type { StepRange, Timeline } from './timeline';
import type { Row, RunDetail, Signal } from './wire';

export const VIEWS = ['map', 'layer', 'flow', 'compare', 'rules'] as const;

export type View = (typeof VIEWS)[number];

export function viewOf({ view }: { view: string | null }): View {
  return VIEWS.find((known) => known === view) ?? 'map';
}

/** "12-400" → [12, 400]; null for all steps, and for what makes no sense. */
export function rangeOf(steps: string | null): StepRange | null {
  const found = steps?.match(/^(\d+)-(\d+)$/);
  const range: StepRange = [Number(found?.[1]), Number(found?.[2])];
  return range[0] <= range[1] ? range : null;
}

/** In place of steps: the newest points, however far training has come. */
export const RECENT = 'recent';

export const RECENT_POINTS = 100;

/** The steps that are zoomed to, for the points of `timeline`; null where all are in view. */
export function rangeWithin(steps: string | null, timeline: Timeline): StepRange | null {
  if (steps !== RECENT) return rangeOf(steps);
  const first = timeline.firstSteps.at(-RECENT_POINTS);
  const last = timeline.steps.at(-1);
  return first === undefined || last === undefined ? null : [first, last];
}

export function writeRange(range: StepRange | null): string | null {
  return range?.join('-') ?? null;
}

/** Names of the runs or curves that were picked; a name cannot hold a line break. */
export function picked(names: string | null): string[] {
  return names ? names.split('\n') : [];
}

export function togglePicked(names: string | null, name: string): string | null {
  const before = picked(names);
  const next = before.includes(name) ? before.filter((item) => item !== name) : [...before, name];
  return next.join('\n') || null;
}

export interface ComparedRun {
  detail: RunDetail;
  /** Place in the order, which decides the colour. */
  index: number;
}

/** The chosen run and those picked beside it, as far as they are loaded; none if it is alone. */
export function comparedRuns({ detail, others, compare }: AppState): ComparedRun[] {
  const names = picked(compare).filter((name) => name !== detail?.run);
  if (!detail || names.length === 0) return [];
  const found = names.map((name) => others[name]);
  return [detail, ...found].flatMap((item, index) => (item ? [{ detail: item, index }] : []));
}

/** The finding whose single steps are shown; charts of other views are of the whole run. */
export function flightOf(state: Pick<AppState, 'view' | 'flight'>): string | null {
  return viewOf(state) === 'layer' ? state.flight : null;
}

export interface LayerRows {
  signal: Signal;
  /** Numbers of the layer's rows, and the rows themselves. */
  rows: number[];
  described: Row[];
}

/** All that was measured of the layer that a row, or the layer itself, is named after. */
export function layerRows(detail: RunDetail, name: string | null): LayerRows[] {
  const layer = layerOf(detail, name);
  if (layer === null) return [];
  return detail.signals.flatMap((signal) => {
    const described: Row[] = [];
    const rows: number[] = [];
    detail.rows[signal.axis]?.forEach((row, index) => {
      if (row.layer !== layer && row.name !== layer) return;
      rows.push(index);
      described.push(row);
    });
    return rows.length > 0 && signal.kept > 0 ? [{ signal, rows, described }] : [];
  });
}

/** Path of the layer to which a name belongs; a row without one stands for itself. */
export function layerOf(detail: RunDetail, name: string | null): string | null {
  if (name === null) return null;
  const rows = Object.values(detail.rows).flat();
  const row = rows.find((candidate) => candidate.name === name);
  if (row) return row.layer || row.name;
  return rows.some((candidate) => candidate.layer === name) ? name : null;
}

/**
 * All layers from input to output. Layers with weights and layers with activations are two lists
 * in network order; where they meet in no layer, they are interleaved evenly, as blocks repeat.
 */
export function layersOf({ rows }: RunDetail): string[] {
  const [weighty, active] = [layersIn(rows.variable), layersIn(rows.activation)];
  const layers: string[] = [];
  let [from, waiting]: [number, string[]] = [0, []];
  for (const name of [...active, null]) {
    const at = name === null ? weighty.length : weighty.indexOf(name);
    if (at < 0) waiting.push(name as string);
    if (at < from) continue;
    layers.push(...interleaved(weighty.slice(from, at), waiting));
    if (name !== null) layers.push(name);
    [from, waiting] = [at + 1, []];
  }
  return layers;
}

function layersIn(rows: readonly Row[] = []): string[] {
  return [...new Set(rows.map((row) => row.layer || row.name))];
}

function interleaved(weighty: readonly string[], active: readonly string[]): string[] {
  const placeOf = (index: number) => Math.ceil(((index + 1) * weighty.length) / active.length);
  const after = (place: number) => active.filter((_, index) => placeOf(index) === place);
  return [...after(0), ...weighty.flatMap((name, index) => [name, ...after(index + 1)])];
}
