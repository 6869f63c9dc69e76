// Synthetic runs in the shape of docs/http_api.md, for `npm run dev`. Nothing here is measured.

import { nanFindings, rules, sickFindings } from './findings.mjs';

const NOT_MEASURED = -3.4028234663852886e38;

const SIGNALS = [
  ['loss', 'Loss', 'loss', 'run', 'linear', null, 'Loss of each batch.'],
  ['learning_rate', 'Learning rate', '', 'run', 'log', null, 'Learning rate of the optimizer.'],
  [
    'gradient_global_norm',
    'Global gradient norm',
    'loss / parameter',
    'run',
    'log',
    null,
    'Norm of all gradients together, before clipping.',
  ],
  [
    'gradient_norm',
    'Gradient norm',
    'loss / parameter',
    'variable',
    'log',
    [1e-6, null],
    'Norm of the gradient of each variable, before clipping. Rows that fade towards the input are vanishing gradients.',
  ],
  [
    'update_ratio',
    'Update ratio',
    '',
    'variable',
    'log',
    [1e-4, 1e-2],
    'Size of each weight change relative to the weight. Around 1e-3 is usual.',
  ],
  [
    'weight_rms',
    'Weight RMS',
    'parameter',
    'variable',
    'log',
    null,
    'Root mean square of the weights.',
  ],
  [
    'gradient_nonfinite',
    'Non-finite gradients',
    'elements',
    'variable',
    'log',
    [null, 0],
    'Elements of the gradient that are NaN or infinite.',
  ],
  [
    'dead_fraction',
    'Dead fraction',
    '',
    'activation',
    'linear',
    [null, 0.4],
    'Share of units that stayed silent on every one of the last 512 samples.',
  ],
  [
    'saturated_fraction',
    'Saturated fraction',
    '',
    'activation',
    'linear',
    [null, 0.3],
    'Share of outputs where the activation function is flat.',
  ],
  [
    'activation_gain',
    'Activation gain',
    '',
    'activation',
    'log',
    null,
    'Spread of the output over spread of the input.',
  ],
];

/** Steps 0 to 50 one by one, then windows of ten. */
function windows(points) {
  const last = Array.from({ length: points }, (_, i) => (i <= 50 ? i : 50 + (i - 50) * 10));
  return { last, first: last.map((step, i) => (i <= 50 ? step : step - 9)) };
}

/** Repeatable noise in [-1, 1]. */
function noise(seed) {
  const x = Math.sin(seed * 127.1 + 311.7) * 43758.5453;
  return 2 * (x - Math.floor(x)) - 1;
}

function layers(count) {
  return Array.from({ length: count }, (_, i) =>
    count <= 12
      ? i === count - 1
        ? 'logits'
        : `dense_${i + 1}`
      : `encoder/block_${String(Math.floor(i / 6)).padStart(2, '0')}/dense_${i % 6}`,
  );
}

function rowsOf(names) {
  const variable = names.flatMap((layer, i) => [
    { name: `${layer}/kernel`, layer, role: 'kernel', size: 784 * (i + 32), function: '' },
    { name: `${layer}/bias`, layer, role: 'bias', size: 32 + i, function: '' },
  ]);
  const activation = names.map((layer, i) => ({
    name: layer,
    layer,
    role: i === names.length - 1 ? 'output' : 'hidden',
    size: 32 + i,
    function: i === names.length - 1 ? 'softmax' : 'relu',
  }));
  return {
    variable,
    activation,
    run: [{ name: 'run', layer: '', role: 'other', size: 1, function: '' }],
  };
}

/** Value of a signal at a row (0 to 1 through the network) and time (0 to 1 through the run). */
function value(kind, signal, depth, time, column, seed) {
  const jitter = 1 + 0.25 * noise(seed + column * 13.7);
  const nan = kind === 'nan' && time > 0.45 && depth >= 1 - (time - 0.45) * 4;
  const overflow = kind === 'nan' && time > 0.4 && !nan && depth > 0.7;
  switch (signal) {
    case 'loss':
      if (kind === 'nan' && time > 0.46) return Number.NaN;
      if (kind === 'nan' && time > 0.43) return Number.POSITIVE_INFINITY;
      return kind === 'sick'
        ? 2.3 + 0.05 * noise(column) + 1.5 * Math.exp(-40 * time)
        : 0.05 + 2.25 * Math.exp(-6 * time) + 0.08 * noise(column) * Math.exp(-2 * time);
    case 'learning_rate':
      return kind === 'sick'
        ? 0.3
        : 1e-3 * (time < 0.05 ? Math.max(0.02, time / 0.05) : 0.5 + 0.5 * Math.cos(Math.PI * time));
    case 'gradient_global_norm':
      return nan || (kind === 'nan' && time > 0.46)
        ? Number.NaN
        : (kind === 'sick' ? 3 * 10 ** (-4 * time) : 0.8 * Math.exp(-time)) * jitter;
    case 'gradient_norm':
      if (nan) return Number.NaN;
      if (overflow) return Number.POSITIVE_INFINITY;
      return (
        (kind === 'sick'
          ? 10 ** (-7.5 * (1 - depth) * Math.min(1, 0.25 + 4 * time) - time)
          : 0.3 * Math.exp(-1.4 * time) * (0.6 + depth)) * jitter
      );
    case 'update_ratio':
      return nan
        ? Number.NaN
        : kind === 'sick'
          ? 10 ** (-2 - 7 * (1 - depth) * Math.min(1, 3 * time)) * jitter
          : 1.4e-3 * jitter * (1.2 - time);
    case 'weight_rms':
      return nan ? Number.NaN : 0.05 * (1 + 0.5 * time + 0.3 * depth);
    case 'gradient_nonfinite':
      return nan ? 25_088 : 0;
    case 'dead_fraction':
      if (column < 3) return NOT_MEASURED;
      return kind === 'sick'
        ? Math.min(
            0.97,
            Math.max(0, (0.2 + 5 * time) * (0.35 + depth * 0.6) + 0.03 * noise(column + seed)),
          )
        : Math.max(0, 0.06 + 0.03 * noise(column + seed) * depth);
    case 'saturated_fraction':
      return kind === 'sick'
        ? Math.min(1, 0.1 + 0.4 * (1 - depth) * time)
        : 0.02 + 0.02 * Math.abs(noise(seed + column));
    default:
      return 0.55 + 0.2 * noise(seed) * (1 - time * 0.5);
  }
}

export function series(run, name, fields) {
  const [, , , axis] = SIGNALS.find(([known]) => known === name);
  const rows = axis === 'run' ? 1 : run.rows[axis].length;
  const { last, first } = windows(run.points);
  const header = Buffer.from(
    JSON.stringify({ run: run.run, signal: name, fields, rows, points: run.points }),
  );
  const padded = Math.ceil((4 + header.length) / 8) * 8 - 4;
  const body = Buffer.alloc(
    4 + padded + 24 * run.points + 4 * fields.length * rows * run.points,
    ' ',
  );
  body.writeUInt32LE(padded, 0);
  header.copy(body, 4);
  let at = 4 + padded;
  for (const column of [last, first, last.map((step) => 1.79e9 + step)])
    for (const number of column) at = body.writeDoubleLE(number, at);
  for (const field of fields) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < run.points; column++) {
        const mean = value(
          run.kind,
          name,
          rows > 1 ? row / (rows - 1) : 1,
          column / Math.max(1, run.points - 1),
          column,
          row,
        );
        const spread =
          column > 50 && mean !== NOT_MEASURED && name !== 'learning_rate'
            ? { mean: 1, min: 0.8, max: 1.25 }[field]
            : 1;
        at = body.writeFloatLE(mean === NOT_MEASURED ? mean : mean * spread, at);
      }
    }
  }
  return body;
}

export function createRun(
  run,
  kind,
  { layerCount = 9, points = 345, written = points, notes = [] } = {},
) {
  const last = windows(points).last.at(-1) ?? -1;
  const findings = kind === 'sick' ? sickFindings(last) : kind === 'nan' ? nanFindings(last) : [];
  const verdict = {
    sick: 'error',
    nan: 'error',
    healthy: 'healthy',
    blank: 'not measured',
    broken: 'unreadable',
  }[kind];
  const counts = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) counts[severity]++;
  const reason =
    kind === 'broken'
      ? 'The rows in the log are not JSON: unexpected end of text at character 1,024.'
      : '';
  const kept = (name) =>
    (kind === 'blank' && name !== 'loss') || name === 'activation_gain' ? 0 : points;
  return {
    run,
    kind,
    points,
    rows: rowsOf(layers(layerCount)),
    last_step: last,
    kept: points,
    written,
    verdict,
    counts,
    reason,
    headline: findings[0]?.title ?? '',
    origin: 'live',
    findings,
    rules: rules(findings, kind),
    notes,
    facts: {
      optimizer: kind === 'sick' ? 'sgd' : 'adam',
      loss: 'sparse_categorical_crossentropy',
      batch_size: 64,
    },
    signals: SIGNALS.map(([name, title, unit, axis, scale, healthy, description]) => ({
      name,
      title,
      unit,
      axis,
      scale,
      healthy,
      description,
      fields: ['mean', 'min', 'max'],
      kept: kept(name),
      not_measured:
        name === 'activation_gain' ? '`dense_1` is called inside `jit_compile=True`' : '',
    })),
  };
}

const hostile = '<img src=x onerror=alert(1)>/`NaN`/"><script>alert(2)</script>';
const sampled = {
  points: 100,
  written: 3000,
  notes: [
    'Showing 100 of 3,000 points: start TensorBoard with `--samples_per_plugin gradhealth=0` to see all.',
  ],
};

export const SETS = {
  all: [
    createRun('mnist/sgd-lr0.3', 'sick'),
    createRun('mnist/adam', 'healthy'),
    createRun('nan-in-loss', 'nan', { points: 400 }),
    createRun('transformer-300-layers', 'sick', { layerCount: 300, points: 345 }),
    createRun('sampled', 'healthy', sampled),
    createRun('nothing-measured', 'blank', { points: 40 }),
    createRun('broken-log', 'broken', { points: 0 }),
  ],
  one: [createRun('mnist/adam', 'healthy')],
  empty: [],
  many: Array.from({ length: 24 }, (_, i) =>
    createRun(
      i === 3
        ? hostile
        : `sweep/2026-11-23/learning-rate-${(0.001 * (i + 1)).toFixed(3)}-batch-64-seed-${i}`,
      ['healthy', 'sick', 'healthy', 'nan'][i % 4],
      { points: 120 },
    ),
  ),
  huge: [createRun('huge', 'sick', { layerCount: 500, points: 1500 })],
};
