/** Keeps what was loaded in step with what is chosen, and drops answers that come too late. */
import { type Api, ApiError } from './api';
import { type Block, keyOf, wantedBlocks } from './blocks';
import { picked } from './choices';
import { defaultFinding, sortRuns } from './selectors';
import { mapSignal } from './signals';
import type { AppState, Problem } from './state';
import type { Store } from './store';
import type { RunDetail, RunSummary } from './wire';

export interface Loader {
  /** Loads details of the chosen and the compared runs where there is news, then measurements. */
  loadRuns(): Promise<void>;
  /** Loads the measurements that are missing or out of date. */
  loadBlocks(): Promise<void>;
}

/** What a run shows first: its root cause, the row and the signal that prove it. */
export type Opening = Pick<AppState, 'finding' | 'signal' | 'layer'>;

type Open = (detail: RunDetail, finding: string | null) => Opening;

export function createLoader(store: Store<AppState>, api: Api, open: Open): Loader {
  /** What each block was loaded at. */
  const stamps = new Map<string, string>();

  async function loadRuns(): Promise<void> {
    const run = settleRun(store);
    await Promise.all([run === null ? null : loadChosen(run), loadOthers()]);
    await loadBlocks();
  }

  async function loadChosen(run: string): Promise<void> {
    const { runs, detail, runProblem } = store.get();
    if (!runProblem && !isStale(runs, run, detail)) return;
    try {
      const answer = await api.run(run);
      if (store.get().run !== run) return;
      takeDetail(store, answer, open);
    } catch (error) {
      if (store.get().run === run) store.set({ runProblem: problemOf(error) });
      return;
    }
    // Asked for at once: neither the page's redrawing nor the other runs are worth waiting for.
    await loadBlocks();
  }

  async function loadOthers(): Promise<void> {
    const { runs, run, compare, others } = store.get();
    const names = picked(compare).filter(
      (name) => name !== run && isStale(runs, name, others[name]) && isKnown(runs, name),
    );
    await Promise.all(names.map(loadOther));
  }

  async function loadOther(name: string): Promise<void> {
    try {
      const detail = await api.run(name);
      store.set({ others: { ...store.get().others, [name]: detail } });
    } catch (error) {
      store.set({ seriesProblem: problemOf(error) });
    }
  }

  async function loadBlocks(): Promise<void> {
    const missing = wantedBlocks(store.get()).filter(
      (block) => stamps.get(keyOf(block)) !== block.stamp,
    );
    if (missing.length === 0) return;
    const outcomes = await Promise.allSettled(missing.map(loadBlock));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    store.set({ seriesProblem: failed ? problemOf(failed.reason) : null });
    forgetOthers(store, stamps);
  }

  async function loadBlock(block: Block): Promise<void> {
    const key = keyOf(block);
    stamps.set(key, block.stamp);
    try {
      const loaded = await fetchBlock(api, block);
      // A run or a zoom that was left meanwhile has asked for another.
      if (stamps.get(key) === block.stamp) {
        store.set({ blocks: { ...store.get().blocks, [key]: loaded } });
      }
    } catch (error) {
      if (stamps.get(key) === block.stamp) stamps.delete(key);
      throw error;
    }
  }

  return { loadRuns, loadBlocks };
}

function fetchBlock(api: Api, block: Block) {
  const { run, signal, flight } = block;
  return flight === null ? api.series(run, signal, block) : api.flight(run, flight, signal);
}

/** Measurements of runs that are no longer shown would pile up. */
function forgetOthers(store: Store<AppState>, stamps: Map<string, string>): void {
  const { blocks, run, compare } = store.get();
  const shown = new Set([run, ...picked(compare)]);
  const kept = Object.entries(blocks).filter(([, series]) => shown.has(series.run));
  if (kept.length === Object.keys(blocks).length) return;
  store.set({ blocks: Object.fromEntries(kept) });
  const keys = new Set(kept.map(([key]) => key));
  for (const key of stamps.keys()) if (!keys.has(key)) stamps.delete(key);
}

/** The run to show; chooses the sickest where none is. Null where there is nothing to load. */
function settleRun(store: Store<AppState>): string | null {
  const { run, runs } = store.get();
  if (!runs) return null;
  if (run === null) {
    const first = sortRuns(runs)[0]?.run ?? null;
    store.set({ run: first });
    return first;
  }
  return isKnown(runs, run) ? run : null;
}

function isKnown(runs: readonly RunSummary[] | null, run: string): boolean {
  return runs?.some((known) => known.run === run) ?? false;
}

function isStale(
  runs: readonly RunSummary[] | null,
  run: string,
  detail: RunDetail | null | undefined,
): boolean {
  const summary = runs?.find((known) => known.run === run);
  return !summary || detail?.run !== run || detail.state !== summary.state;
}

function takeDetail(store: Store<AppState>, detail: RunDetail, open: Open): void {
  const state = store.get();
  if (state.detail?.run === detail.run) {
    store.set({ detail, runProblem: null });
    return;
  }
  const known = detail.findings.some(({ id }) => id === state.finding);
  const opening = open(detail, known ? state.finding : defaultFinding(detail));
  store.set({
    detail,
    finding: opening.finding,
    signal: mapSignal(detail, state.signal ?? opening.signal)?.name ?? null,
    layer: state.layer ?? opening.layer,
    runProblem: null,
    seriesProblem: null,
  });
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return { status: error.status, reason: error.reason };
  return { status: 0, reason: error instanceof Error ? error.message : String(error) };
}
