/** The JSON answers of the server, as `docs/http_api.md` describes them, once decoded by `api.ts`. */

export type Severity = 'info' | 'warning' | 'error';
export type Verdict = Severity | 'healthy' | 'not measured' | 'unreadable';
export type RuleStateName = 'firing' | 'cleared' | 'clean' | 'not evaluated';
export type Confidence = 'likely' | 'possible' | 'ruled out';

export interface RunSummary {
  run: string;
  /** Changes whenever the run has got something new. */
  state: string;
  /** -1 when nothing was written yet. */
  last_step: number;
  /** Points that the server kept, and points that training wrote. */
  kept: number;
  written: number;
  verdict: Verdict;
  /** Title of the root cause; "" when there is none. */
  headline: string;
  counts: Record<Severity, number>;
  /** Why the run cannot be read; "" otherwise. */
  reason: string;
}

export interface RunList {
  version: string;
  runs: RunSummary[];
}

export interface Row {
  name: string;
  layer: string;
  role: string;
  /** Elements of a variable, units of an activation. */
  size: number;
  function: string;
}

export interface Signal {
  name: string;
  title: string;
  /** "" when dimensionless. */
  unit: string;
  axis: string;
  fields: string[];
  scale: 'log' | 'linear';
  healthy: [number | null, number | null] | null;
  description: string;
  kept: number;
  /** Why it was asked for and not measured; "" otherwise. */
  not_measured: string;
}

export interface Evidence {
  label: string;
  /** May be NaN or infinite. */
  value: number;
  limit: number | null;
  unit: string;
  signal: string;
  step: number;
  row: string;
}

export interface Cause {
  text: string;
  confidence: Confidence;
  support: string;
}

export interface Fix {
  text: string;
  code: string;
}

export interface Finding {
  id: string;
  rule: string;
  code: string;
  severity: Severity;
  title: string;
  first_step: number;
  last_step: number;
  open: boolean;
  /** Names of the rows concerned, worst first. */
  layers: string[];
  evidence: Evidence[];
  causes: Cause[];
  fixes: Fix[];
  harmless: string;
  check: string;
  caused_by: string;
  cause_of: string[];
  origin: 'live' | 'replay';
  url: string;
  references: string[];
}

export interface RuleState {
  rule: string;
  code: string;
  state: RuleStateName;
  reason: string;
}

/** A kept stretch of single steps before findings opened. */
export interface Flight {
  /** Their ids. */
  findings: string[];
  first_step: number;
  last_step: number;
  signals: string[];
}

/** What there is to know of a rule beside its verdict on a run. */
export interface RuleSheet {
  rule: string;
  code: string;
  group: string;
  summary: string;
  limits: Record<string, number>;
  requires: string[];
  url: string;
}

/** Thresholds that replace a rule's own: by rule, then by limit. */
export type Limits = Record<string, Record<string, number>>;

/** What the rules say of a run with other limits. */
export interface Replay {
  run: string;
  limits: Limits;
  findings: Finding[];
  rules: RuleState[];
}

export interface RunDetail extends RunSummary {
  origin: string;
  facts: Record<string, unknown>;
  rows: Record<string, Row[]>;
  signals: Signal[];
  /** Root causes first, each followed by its consequences. */
  findings: Finding[];
  rules: RuleState[];
  flights: Flight[];
  notes: string[];
}

/** One signal of one run over its logged windows; T points, R rows. */
export interface Series {
  run: string;
  signal: string;
  fields: string[];
  rows: number;
  points: number;
  /** `[T]`: last and first step of each window. */
  steps: Float64Array;
  firstSteps: Float64Array;
  /** `[T]`: seconds since the epoch. */
  wallTimes: Float64Array;
  /** By field: `[R, T]`, row-major; NaN and infinities as measured, `NOT_MEASURED` where nothing was. */
  values: Record<string, Float32Array>;
}

/** The lowest finite float32: stands where nothing was measured. */
export const NOT_MEASURED = -3.4028234663852886e38;
