/**
 * Which measurements the page needs, as a pure function of what is chosen in it. Each is a block
 * of one signal of one run; `loader.ts` fetches those that are missing or out of date.
 */
import { comparedRuns, flightOf, layerRows, rangeOf, viewOf } from './choices';
import { evidenceCurve } from './evidence';
import { flowSignals } from './flow';
import { mapSignal, rowsOf, stripSignals } from './signals';
import type { AppState } from './state';
import type { RunDetail, Series, Signal } from './wire';

export interface Block {
  run: string;
  signal: string;
  fields: readonly string[];
  /** Null for all rows. */
  rows: readonly number[] | null;
  points: number;
  steps: readonly [number, number] | null;
  /** Finding whose single steps are wanted; null for the logged windows. */
  flight: string | null;
  /** Changes when the server has news. */
  stamp: string;
}

/** No screen has room for more columns; a log within its budget has fewer points. */
const MAX_POINTS = 2_000;
const COMPARED_POINTS = 400;
const FLOW_POINTS = 300;

/** Up to this many values all fields of a signal are loaded, beyond it only the chosen one. */
const MAX_VALUES_WITH_RANGE = 300_000;

type Which = Partial<Pick<Block, 'rows' | 'points' | 'flight'>>;

/** Names a place in `AppState.blocks`. */
export function blockKey(
  run: string,
  signal: string,
  { rows, points, flight }: Which = {},
): string {
  return [run, signal, rows?.join() ?? '', points ?? MAX_POINTS, flight ?? ''].join('\n');
}

export function keyOf(block: Block): string {
  return blockKey(block.run, block.signal, block);
}

/** A signal of the chosen run with all its rows, once it is loaded. */
export function wholeOf(state: AppState, signal: string): Series | undefined {
  return state.detail ? state.blocks[blockKey(state.detail.run, signal)] : undefined;
}

export function wantedBlocks(state: AppState): Block[] {
  const { detail } = state;
  if (!detail) return [];
  const wanted = [
    // In the order of their worth: a browser asks for six things at once.
    ...mapBlocks(state, detail),
    ...evidenceBlocks(state, detail),
    ...stripSignals(detail, state.curves).map((signal) => whole(state, detail, signal)),
    ...layerBlocks(state, detail),
    ...flightBlocks(state, detail),
    ...flowBlocks(state, detail),
    ...comparedBlocks(state),
  ];
  return [...new Map(wanted.map((block) => [keyOf(block), block])).values()];
}

function whole(state: AppState, detail: RunDetail, signal: Signal): Block {
  return blockOf(state, detail, signal, fieldsOf(state, detail, signal), {});
}

function blockOf(
  state: AppState,
  { run, state: read }: RunDetail,
  signal: Signal,
  fields: readonly string[],
  { rows = null, points = MAX_POINTS, flight = null }: Which,
): Block {
  // Where the server joins points, a closer look asks for those in view.
  const steps = signal.kept > points ? rangeOf(state.steps) : null;
  const stamp = [read, fields.join(), steps?.join()].join(' ');
  return { run, signal: signal.name, fields, rows, points, steps, flight, stamp };
}

function fieldsOf(state: AppState, detail: RunDetail, signal: Signal): readonly string[] {
  const rows = Math.max(1, rowsOf(detail, signal).length);
  const { fields, kept } = signal;
  if (rows * kept * fields.length <= MAX_VALUES_WITH_RANGE) return fields;
  const chosen = fields.find((field) => field === state.field);
  return [chosen ?? (fields[0] as string)];
}

function mapBlocks(state: AppState, detail: RunDetail): Block[] {
  const signal = mapSignal(detail, state.signal);
  return signal && viewOf(state) !== 'rules' ? [whole(state, detail, signal)] : [];
}

/** The curves that the cards of findings show: one row each. */
function evidenceBlocks(state: AppState, detail: RunDetail): Block[] {
  return detail.findings.flatMap((finding) => {
    const curve = evidenceCurve(detail, finding);
    if (!curve) return [];
    const { signal, row } = curve;
    return [blockOf(state, detail, signal, signal.fields, { rows: [row] })];
  });
}

function layerBlocks(state: AppState, detail: RunDetail): Block[] {
  if (viewOf(state) !== 'layer' || flightOf(state) !== null) return [];
  return layerRows(detail, state.layer).map(({ signal, rows }) =>
    blockOf(state, detail, signal, signal.fields, { rows }),
  );
}

/** A flight holds all rows of the signals that were measured in the training step. */
function flightBlocks(state: AppState, detail: RunDetail): Block[] {
  const flight = flightOf(state);
  const kept = detail.flights.find(({ findings }) => flight !== null && findings.includes(flight));
  const shown = [
    ...stripSignals(detail, state.curves),
    ...layerRows(detail, state.layer).map(({ signal }) => signal),
  ];
  return shown
    .filter(({ name }) => kept?.signals.includes(name))
    .map((signal) => blockOf(state, detail, signal, ['value'], { flight }));
}

function flowBlocks(state: AppState, detail: RunDetail): Block[] {
  if (viewOf(state) !== 'flow') return [];
  return flowSignals(detail).map((signal) =>
    blockOf(state, detail, signal, signal.fields.slice(0, 1), { points: FLOW_POINTS }),
  );
}

function comparedBlocks(state: AppState): Block[] {
  return comparedRuns(state).flatMap(({ detail }) => {
    const pair = viewOf(state) === 'compare' ? comparedSignal(state) : null;
    const onMap = detail.signals.filter(({ name }) => name === pair?.name);
    return [...stripSignals(detail, state.curves), ...onMap].map((signal) =>
      blockOf({ ...state, steps: null }, detail, signal, fieldsOf(state, detail, signal), {
        points: COMPARED_POINTS,
      }),
    );
  });
}

/** The signal of the map, if two runs of the same rows are compared. */
export function comparedSignal(state: AppState): Signal | null {
  const [first, second, third] = comparedRuns(state).map(({ detail }) => detail);
  const signal = first && mapSignal(first, state.signal);
  if (!first || !second || third || !signal) return null;
  const names = (detail: RunDetail) => rowsOf(detail, signal).map(({ name }) => name);
  const other = second.signals.find(({ name, kept }) => name === signal.name && kept > 0);
  return other && names(first).join('\n') === names(second).join('\n') ? signal : null;
}

/** A run-wide signal of a compared run, once it is loaded. */
export function comparedOf(state: AppState, run: string, signal: string): Series | undefined {
  return state.blocks[blockKey(run, signal, { points: COMPARED_POINTS })];
}

export function flowOf(state: AppState, signal: string): Series | undefined {
  const { detail, blocks } = state;
  return detail ? blocks[blockKey(detail.run, signal, { points: FLOW_POINTS })] : undefined;
}
