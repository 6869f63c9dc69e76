/** Everything that changes the state: what the user does, and what the server answers. */
import type { Api } from './api';
import { RECENT, rangeOf, togglePicked, type View, viewOf, writeRange } from './choices';
import { createLoader, type Opening, problemOf } from './loader';
import { rowOfFinding, signalOfFinding, stepsOfFinding } from './selectors';
import { type AppState, type MapChoice, OF_ONE_RUN } from './state';
import type { Store } from './store';
import type { StepRange } from './timeline';
import { URL_KEYS, type UrlKey, type UrlState } from './url_state';
import type { Limits, RunDetail } from './wire';

export interface Actions {
  /** Asks for the list of runs, and for the chosen runs where they have news. */
  refresh(): Promise<void>;
  chooseRun(run: string): Promise<void>;
  /** Adds a run to those that are compared with the chosen one, or takes it away. */
  pickRun(run: string): Promise<void>;
  /** Adds a curve of the run to the strip, or takes it away. */
  pickCurve(signal: string): Promise<void>;
  chooseView(view: View): Promise<void>;
  /** Opens the rules at one of them. */
  showRule(rule: string): Promise<void>;
  chooseSignal(signal: string): Promise<void>;
  /** Opens the charts of a layer; null goes back to the map. */
  openLayer(name: string | null): Promise<void>;
  /** Shows the single steps before a finding instead of the whole run; null goes back. */
  chooseFlight(finding: string | null): Promise<void>;
  /** Choosing what is chosen already gives up the choice. */
  chooseFinding(id: string): Promise<void>;
  /** Takes over what a changed address asks for; one that names no run asks for nothing. */
  follow(chosen: UrlState): Promise<void>;
  zoom(range: StepRange | null): Promise<void>;
  /** Zooms to the newest points, and follows them. */
  zoomToRecent(): Promise<void>;
  /** Changes how the map is drawn. */
  drawMap(choice: Partial<MapChoice>): Promise<void>;
  /** Tries other limits on the server; none at all forgets the trial. */
  tryLimits(limits: Limits): Promise<void>;
  set(
    patch: Partial<Pick<AppState, 'filter' | 'table' | 'live' | 'theme' | 'ruleShown' | UrlKey>>,
  ): void;
}

export function createActions(store: Store<AppState>, api: Api, now: () => Date): Actions {
  const loader = createLoader(store, api, opening);
  const choose = async (patch: Partial<AppState>) => {
    store.set(patch);
    await loader.loadBlocks();
  };
  const chooseView = async (view: View) => {
    await Promise.all([choose({ view }), loadSheets(store, api)]);
  };
  return {
    refresh: once(async () => {
      try {
        const { version, runs } = await api.runs();
        store.set({ version, runs, problem: null, updated: now() });
      } catch (error) {
        store.set({ problem: problemOf(error) });
        return;
      }
      await Promise.all([loader.loadRuns(), loadSheets(store, api)]);
    }),
    async chooseRun(run) {
      if (run === store.get().run) return;
      store.set({ run, ...OF_ONE_RUN, limits: {} });
      await loader.loadRuns();
    },
    async pickRun(run) {
      store.set({ compare: togglePicked(store.get().compare, run) });
      await loader.loadRuns();
    },
    pickCurve: (signal) => choose({ curves: togglePicked(store.get().curves, signal) }),
    chooseView,
    showRule(rule) {
      store.set({ ruleShown: rule });
      return chooseView('rules');
    },
    chooseSignal: (signal) => choose({ signal, field: null, scale: null }),
    openLayer: (layer) =>
      choose(
        layer === null ? { view: null, flight: null } : { view: 'layer', layer, flight: null },
      ),
    chooseFlight: (flight) => choose({ flight }),
    chooseFinding: (id) => choose(aboutFinding(store.get(), id)),
    async follow(chosen) {
      const state = store.get();
      if (!chosen.run || URL_KEYS.every((key) => chosen[key] === state[key])) return;
      if (chosen.run !== state.run) store.set(OF_ONE_RUN);
      store.set(chosen);
      await loader.loadRuns();
    },
    zoom: (range) => choose({ steps: writeRange(range) }),
    zoomToRecent: () => choose({ steps: RECENT }),
    drawMap: (choice) => choose(choice),
    tryLimits: (limits) => tryLimits(store, api, limits),
    set: (patch) => store.set(patch),
  };
}

function opening(detail: RunDetail, id: string | null): Opening {
  const finding = detail.findings.find((candidate) => candidate.id === id);
  if (!finding) return { finding: null, signal: null, layer: null };
  const signal = signalOfFinding(detail, finding);
  return { finding: finding.id, signal, layer: rowOfFinding(detail, finding, signal) };
}

/** The choice that shows a finding: its signal and row, and steps that are not zoomed away. */
function aboutFinding(state: AppState, id: string): Partial<AppState> {
  const { detail, finding: current } = state;
  const finding = detail?.findings.find((candidate) => candidate.id === id);
  if (!detail || !finding) return {};
  if (id === current) return { finding: null };
  const { signal, layer } = opening(detail, id);
  const range = rangeOf(state.steps);
  const [first, last] = stepsOfFinding(detail, finding);
  const old = state.steps === RECENT && !finding.open;
  const hidden = old || (range && (last < range[0] || first > range[1]));
  return {
    finding: id,
    ...(signal && { signal, field: null, scale: null }),
    ...(layer && { layer, rowFilter: '' }),
    ...(hidden && { steps: null }),
    // A finding is to be seen: what is open has to be a chart of this run.
    ...(['compare', 'rules'].includes(viewOf(state)) && { view: null }),
    flight: null,
  };
}

async function loadSheets(store: Store<AppState>, api: Api): Promise<void> {
  if (viewOf(store.get()) !== 'rules' || store.get().sheets) return;
  try {
    store.set({ sheets: await api.rules(), replayProblem: null });
  } catch (error) {
    store.set({ replayProblem: problemOf(error) });
  }
}

async function tryLimits(store: Store<AppState>, api: Api, limits: Limits): Promise<void> {
  const { run } = store.get();
  store.set({ limits, replayProblem: null });
  if (run === null || Object.keys(limits).length === 0) {
    store.set({ replay: null });
    return;
  }
  const current = () => store.get().run === run && store.get().limits === limits;
  try {
    const replay = await api.replay(run, limits);
    if (current()) store.set({ replay });
  } catch (error) {
    if (current()) store.set({ replay: null, replayProblem: problemOf(error) });
  }
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
