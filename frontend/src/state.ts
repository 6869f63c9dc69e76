/** What the page knows and what is chosen in it. One store holds it; `actions.ts` changes it. */
import type { Theme } from './theme';
import type { UrlState } from './url_state';
import type { Limits, Replay, RuleSheet, RunDetail, RunSummary, Series } from './wire';

export interface Problem {
  /** HTTP status; 0 when the server was not reached. */
  status: number;
  reason: string;
}

/** How the map is drawn. None of it is worth a place in the address. */
export interface MapChoice {
  /** Field of the signal to show; null for its first. */
  field: string | null;
  /** Colour scale; null for the one that the signal asks for. */
  scale: 'log' | 'linear' | null;
  /** Whether colours span all steps, or those in view. */
  allSteps: boolean;
  /** Text or regular expression that the names of rows have to match. */
  rowFilter: string;
  /** Gather rows in blocks, of which only these are open. */
  grouped: boolean;
  opened: ReadonlySet<string>;
  /** Squeeze all rows into view. */
  fit: boolean;
}

export interface AppState extends UrlState, MapChoice {
  version: string;
  /** Null until the first answer. */
  runs: readonly RunSummary[] | null;
  /** Details of `run`; those of the run before stay until the answer is there. */
  detail: RunDetail | null;
  /** Details of the runs that are compared with it, by name. */
  others: Readonly<Record<string, RunDetail>>;
  /** Measurements by `blockKey`. */
  blocks: Readonly<Record<string, Series>>;
  /** All rules; null until somebody asked. */
  sheets: readonly RuleSheet[] | null;
  /** Limits to try, and what the rules said with them. */
  limits: Limits;
  replay: Replay | null;
  replayProblem: Problem | null;
  /** The rule that its page is to come to. */
  ruleShown: string | null;
  /** Why the last round of requests failed; what was loaded before is still shown. */
  problem: Problem | null;
  /** Why the chosen run or one of its signals cannot be shown. */
  runProblem: Problem | null;
  seriesProblem: Problem | null;
  /** When the list of runs was last read. */
  updated: Date | null;
  filter: string;
  /** Finding whose single steps the layer's charts show; null for the whole run. */
  flight: string | null;
  /** Show charts as tables. */
  table: boolean;
  /** Ask for news every few seconds. */
  live: boolean;
  theme: Theme;
}

/** The cell under the pointer or the keyboard's cursor, in columns of the zoomed timeline. */
export interface Cursor {
  column: number | null;
  row: number | null;
}

/** What no longer means anything once another run is shown. */
export const OF_ONE_RUN = {
  signal: null,
  layer: null,
  finding: null,
  steps: null,
  field: null,
  flight: null,
  rowFilter: '',
  opened: new Set<string>(),
  replay: null,
  replayProblem: null,
  runProblem: null,
} as const;

export function initialState(chosen: UrlState): AppState {
  return {
    ...OF_ONE_RUN,
    ...chosen,
    scale: null,
    allSteps: false,
    grouped: false,
    fit: true,
    version: '',
    runs: null,
    detail: null,
    others: {},
    blocks: {},
    sheets: null,
    limits: {},
    ruleShown: null,
    problem: null,
    seriesProblem: null,
    updated: null,
    filter: '',
    table: false,
    live: true,
    theme: 'light',
  };
}
