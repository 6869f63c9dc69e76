/** Smallest valid values, to be varied by each test. */
import type { Timeline } from '../src/timeline';
import type { Finding, RunDetail, RunSummary, Series, Signal } from '../src/wire';

export function summary(patch: Partial<RunSummary> = {}): RunSummary {
  return {
    run: 'cnn',
    state: '1',
    last_step: 9,
    kept: 10,
    written: 10,
    verdict: 'healthy',
    headline: '',
    counts: { error: 0, warning: 0, info: 0 },
    reason: '',
    ...patch,
  };
}

export function signal(patch: Partial<Signal> = {}): Signal {
  return {
    name: 'gradient_norm',
    title: 'Gradient norm',
    unit: '',
    axis: 'variable',
    fields: ['mean', 'min', 'max'],
    scale: 'log',
    healthy: null,
    description: '',
    kept: 10,
    not_measured: '',
    ...patch,
  };
}

export function finding(patch: Partial<Finding> = {}): Finding {
  return {
    id: patch.rule ?? 'dead_units',
    rule: 'dead_units',
    code: 'GH401',
    severity: 'warning',
    title: 'Units of `dense` are dead',
    first_step: 4,
    last_step: 9,
    open: true,
    layers: [],
    evidence: [],
    causes: [],
    fixes: [],
    harmless: '',
    check: '',
    caused_by: '',
    cause_of: [],
    origin: 'live',
    url: '',
    references: [],
    ...patch,
  };
}

export function detail(patch: Partial<RunDetail> = {}): RunDetail {
  const row = (name: string, layer: string) => ({
    name,
    layer,
    role: 'kernel',
    size: 32,
    function: '',
  });
  return {
    ...summary(),
    origin: 'live',
    facts: {},
    rows: {
      variable: [row('dense/kernel', 'dense'), row('logits/kernel', 'logits')],
      activation: [row('dense', 'dense')],
    },
    signals: [
      signal(),
      signal({ name: 'dead_fraction', axis: 'activation', scale: 'linear' }),
      signal({ name: 'loss', axis: 'run' }),
    ],
    findings: [],
    rules: [],
    flights: [],
    notes: [],
    ...patch,
  };
}

/** `values` is `[rows][points]`, the same for each of the fields. */
export function series(values: number[][], steps: number[], patch: Partial<Series> = {}): Series {
  const fields = patch.fields ?? ['mean'];
  const flat = Float32Array.from(values.flat());
  return {
    run: 'cnn',
    signal: 'gradient_norm',
    fields,
    rows: values.length,
    points: steps.length,
    ...timeline(steps),
    wallTimes: Float64Array.from(steps),
    values: Object.fromEntries(fields.map((field) => [field, flat])),
    ...patch,
  };
}

export function timeline(steps: number[], firstSteps: number[] = steps): Timeline {
  return { steps: Float64Array.from(steps), firstSteps: Float64Array.from(firstSteps) };
}
