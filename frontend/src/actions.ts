/** Everything that changes the state: what the user does, and what the server answers. */
import { type Api, ApiError } from './api';
import {
  defaultFinding,
  mapSignal,
  rowsOf,
  signalOfFinding,
  sortRuns,
  wantedSignals,
} from './selectors';
import type { AppState, Problem } from './state';
import type { Store } from './store';
import type { StepRange } from './timeline';
import { URL_KEYS, type UrlState } from './url_state';
import type { RunDetail, Signal } from './wire';

export interface Actions {
  /** Asks for the list of runs, and for the chosen run where it has news. */
  refresh(): Promise<void>;
  chooseRun(run: string): Promise<void>;
  chooseSignal(signal: string): Promise<void>;
  /** Choosing what is chosen already gives up the choice. */
  chooseLayer(layer: string): void;
  chooseFinding(id: string): Promise<void>;
  /** Takes over what a changed address asks for; one that names no run asks for nothing. */
  follow(chosen: UrlState): Promise<void>;
  zoom(range: StepRange | null): void;
  set(patch: Partial<Pick<AppState, 'filter' | 'table' | 'fit' | 'live' | 'theme'>>): void;
}

/** Up to this many values all fields of a signal are loaded, beyond it only the first. */
const MAX_VALUES_WITH_RANGE = 300_000;

export function createActions(store: Store<AppState>, api: Api, now: () => Date): Actions {
  const loader = createLoader(store, api);
  const choose = async (patch: Partial<UrlState>) => {
    store.set(patch);
    await loader.loadSeries();
  };
  const actions: Actions = {
    refresh: once(async () => {
      try {
        const { version, runs } = await api.runs();
        store.set({ version, runs, problem: null, updated: now() });
      } catch (error) {
        store.set({ problem: problemOf(error) });
        return;
      }
      await loader.loadRun();
    }),
    async chooseRun(run) {
      if (run === store.get().run) return;
      const nothing = { signal: null, layer: null, finding: null, range: null, runProblem: null };
      store.set({ run, ...nothing });
      await loader.loadRun();
    },
    chooseSignal: (signal) => choose({ signal }),
    chooseLayer: (layer) => store.set({ layer: layer === store.get().layer ? null : layer }),
    async chooseFinding(id) {
      const { detail, finding: current, signal } = store.get();
      const finding = detail?.findings.find((candidate) => candidate.id === id);
      if (!detail || !finding) return;
      if (id === current) return choose({ finding: null });
      await choose({ finding: id, signal: signalOfFinding(detail, finding) ?? signal });
    },
    async follow(chosen) {
      const state = store.get();
      if (!chosen.run || URL_KEYS.every((key) => chosen[key] === state[key])) return;
      if (chosen.run !== state.run) store.set({ range: null, runProblem: null });
      store.set(chosen);
      await loader.loadRun();
    },
    zoom: (range) => store.set({ range }),
    set: (patch) => store.set(patch),
  };
  return actions;
}

interface Loader {
  loadRun(): Promise<void>;
  loadSeries(): Promise<void>;
}

/** Loads what is missing or out of date; drops answers for a run that was left meanwhile. */
function createLoader(store: Store<AppState>, api: Api): Loader {
  /** What each loaded signal was loaded at. */
  const stamps = new Map<string, string>();

  async function loadRun(): Promise<void> {
    const run = settleRun(store);
    if (run === null) return;
    if (!isStale(store.get(), run)) return loadSeries();
    try {
      const detail = await api.run(run);
      if (store.get().run !== run) return;
      takeDetail(store, detail);
    } catch (error) {
      if (store.get().run === run) store.set({ runProblem: problemOf(error) });
      return;
    }
    await loadSeries();
  }

  async function loadSeries(): Promise<void> {
    const { detail, signal } = store.get();
    if (!detail) return;
    const stamp = `${detail.run} ${detail.last_step} ${detail.kept}`;
    const missing = wantedSignals(detail, signal).filter(({ name }) => stamps.get(name) !== stamp);
    try {
      await Promise.all(missing.map((spec) => loadOne(detail, spec, stamp)));
      if (store.get().detail === detail) store.set({ seriesProblem: null });
    } catch (error) {
      if (store.get().detail === detail) store.set({ seriesProblem: problemOf(error) });
    }
  }

  async function loadOne(detail: RunDetail, spec: Signal, stamp: string): Promise<void> {
    const rows = Math.max(1, rowsOf(detail, spec).length);
    const all = rows * spec.kept * spec.fields.length <= MAX_VALUES_WITH_RANGE;
    const fields = all ? spec.fields : spec.fields.slice(0, 1);
    const loaded = await api.series(detail.run, spec.name, fields);
    if (store.get().detail?.run !== detail.run) return;
    stamps.set(spec.name, stamp);
    store.set({ series: { ...store.get().series, [spec.name]: loaded } });
  }

  return { loadRun, loadSeries };
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
  return runs.some((known) => known.run === run) ? run : null;
}

function isStale({ runs, detail, runProblem }: AppState, run: string): boolean {
  const summary = runs?.find((known) => known.run === run);
  if (!summary || detail?.run !== run || runProblem) return true;
  const keys = ['last_step', 'kept', 'written', 'verdict', 'headline'] as const;
  return keys.some((key) => summary[key] !== detail[key]);
}

function takeDetail(store: Store<AppState>, detail: RunDetail): void {
  const state = store.get();
  if (state.detail?.run === detail.run) {
    store.set({ detail, runProblem: null });
    return;
  }
  const known = detail.findings.some(({ id }) => id === state.finding);
  const finding = known ? state.finding : defaultFinding(detail);
  const shown = detail.findings.find(({ id }) => id === finding);
  const best = state.signal ?? (shown ? signalOfFinding(detail, shown) : null);
  const signal = mapSignal(detail, best)?.name ?? null;
  store.set({ detail, series: {}, finding, signal, runProblem: null, seriesProblem: null });
}

/** Calls that come while one is under way share its outcome. */
function once(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= task().finally(() => {
      running = null;
    });
    return running;
  };
}

function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return { status: error.status, reason: error.reason };
  return { status: 0, reason: error instanceof Error ? error.message : String(error) };
}
