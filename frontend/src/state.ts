/** What the page knows and what is chosen in it. One store holds it; `actions.ts` changes it. */
import type { Theme } from './theme';
import type { StepRange } from './timeline';
import type { UrlState } from './url_state';
import type { RunDetail, RunSummary, Series } from './wire';

export interface Problem {
  /** HTTP status; 0 when the server was not reached. */
  status: number;
  reason: string;
}

export interface AppState extends UrlState {
  version: string;
  /** Null until the first answer. */
  runs: readonly RunSummary[] | null;
  /** Details of `run`; those of the run before stay until the answer is there. */
  detail: RunDetail | null;
  /** By signal, of the run in `detail`. */
  series: Readonly<Record<string, Series>>;
  /** Why the last round of requests failed; what was loaded before is still shown. */
  problem: Problem | null;
  /** Why the chosen run or one of its signals cannot be shown. */
  runProblem: Problem | null;
  seriesProblem: Problem | null;
  /** When the list of runs was last read. */
  updated: Date | null;
  filter: string;
  /** Steps to which charts are zoomed; null for all. */
  range: StepRange | null;
  /** Show the map as a table; squeeze all rows of the map into view. */
  table: boolean;
  fit: boolean;
  /** Ask for news every few seconds. */
  live: boolean;
  theme: Theme;
}

/** The cell under the pointer or the keyboard's cursor, in columns of the zoomed timeline. */
export interface Cursor {
  column: number | null;
  row: number | null;
}

export function initialState(chosen: UrlState): AppState {
  return {
    ...chosen,
    version: '',
    runs: null,
    detail: null,
    series: {},
    problem: null,
    runProblem: null,
    seriesProblem: null,
    updated: null,
    filter: '',
    range: null,
    table: false,
    fit: true,
    live: true,
    theme: 'light',
  };
}
