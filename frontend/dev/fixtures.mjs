// Synthetic runs in the shape of docs/http_api.md, for `npm run dev`. Nothing here is measured.

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

const RULES = [
  'nonfinite_inputs',
  'unscaled_inputs',
  'class_imbalance',
  'poor_initialization',
  'output_loss_mismatch',
  'learning_rate_too_high',
  'learning_rate_too_low',
  'unstable_step',
  'dead_units',
  'saturated_activations',
  'attenuating_activation',
  'vanishing_gradients',
  'exploding_gradients',
  'gradient_spike',
  'frozen_layer',
  'noise_dominated',
  'nonfinite_values',
  'loss_divergence',
  'loss_oscillation',
  'loss_plateau',
  'loss_spike',
  'overfitting',
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

const evidence = (label, value, limit, signal, step, row, unit = '') => ({
  label,
  value,
  limit,
  unit,
  signal,
  step,
  row,
});

function finding(rule, code, severity, title, first, last, extra) {
  return {
    id: rule,
    rule,
    code,
    severity,
    title,
    first_step: first,
    last_step: last,
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
    url: `docs/rules/${rule}.md`,
    references: [],
    ...extra,
  };
}

function sickFindings(last) {
  return [
    finding(
      'learning_rate_too_high',
      'GH301',
      'error',
      'Learning rate is too high for `dense_1/kernel`',
      4,
      last,
      {
        layers: ['dense_1/kernel', 'dense_2/kernel'],
        evidence: [
          evidence('update ratio', 0.31, 0.01, 'update_ratio', 4, 'dense_1/kernel'),
          evidence('loss after one step, relative', 1.84, 1, 'loss', 5, ''),
        ],
        causes: [
          {
            text: 'The learning rate of `0.3` is about 100 times the usual for `sgd` with momentum',
            confidence: 'likely',
            support: 'The update ratio was above 0.1 on 48 of the first 50 steps.',
          },
          {
            text: 'Inputs are not scaled',
            confidence: 'ruled out',
            support: 'Mean 0.01, standard deviation 1.02.',
          },
        ],
        fixes: [
          {
            text: 'Divide the learning rate by 30.',
            code: 'optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)',
          },
          {
            text: 'Warm it up over the first few hundred steps.',
            code: 'schedule = keras.optimizers.schedules.CosineDecay(\n    initial_learning_rate=0.0, decay_steps=2000,\n    warmup_target=0.01, warmup_steps=200)',
          },
        ],
        harmless: 'The update ratio is high only during the first few steps of a warm start.',
        check:
          'The update ratio of `dense_1/kernel` should fall to between 1e-4 and 1e-2 within 20 steps.',
        cause_of: ['dead_units', 'vanishing_gradients', 'loss_plateau'],
        references: ['Smith 2017, Cyclical learning rates, https://arxiv.org/abs/1506.01186'],
      },
    ),
    finding('dead_units', 'GH401', 'warning', '94 % of the units of `dense_8` are dead', 12, last, {
      layers: ['dense_8', 'dense_7', 'dense_6'],
      evidence: [evidence('dead units', 0.94, 0.5, 'dead_fraction', last, 'dense_8')],
      causes: [
        {
          text: 'Large steps pushed biases below zero',
          confidence: 'likely',
          support: 'Explained by `learning_rate_too_high`.',
        },
      ],
      fixes: [
        {
          text: 'Use an activation that passes some gradient when it is off.',
          code: 'keras.layers.LeakyReLU(negative_slope=0.1)',
        },
      ],
      caused_by: 'learning_rate_too_high',
      check: 'The dead fraction should stay under 50 %.',
    }),
    finding(
      'vanishing_gradients',
      'GH501',
      'warning',
      'Gradients reaching `dense_1/kernel` and 5 more have almost stopped',
      20,
      last,
      {
        layers: [
          'dense_1/kernel',
          'dense_2/kernel',
          'dense_3/kernel',
          'dense_1/bias',
          'dense_2/bias',
          'dense_3/bias',
        ],
        evidence: [
          evidence(
            'first / largest gradient norm',
            2.6e-7,
            1e-4,
            'gradient_norm',
            last,
            'dense_1/kernel',
          ),
        ],
        caused_by: 'dead_units',
        fixes: [{ text: 'Cure the dead units first.', code: '' }],
      },
    ),
    finding('loss_plateau', 'GH604', 'info', 'Loss has not improved for 2,400 steps', 300, last, {
      evidence: [
        evidence('best loss of the last 2,000 steps / best before', 0.999, 0.98, 'loss', last, ''),
      ],
      caused_by: 'learning_rate_too_high',
      origin: 'replay',
    }),
    finding('class_imbalance', 'GH103', 'info', 'Class `3` makes up 62 % of the labels', 0, 49, {
      open: false,
      evidence: [evidence('largest class', 0.62, 0.5, 'label_fraction', 49, '3')],
      origin: 'replay',
    }),
  ];
}

function nanFindings(last) {
  return [
    finding(
      'nonfinite_values',
      'GH601',
      'error',
      'Gradient of `logits/kernel` is NaN',
      1530,
      last,
      {
        layers: ['logits/kernel', 'logits/bias'],
        evidence: [
          evidence('gradient norm', Number.NaN, null, 'gradient_norm', 1530, 'logits/kernel'),
          evidence('loss', Number.POSITIVE_INFINITY, null, 'loss', 1490, ''),
        ],
        causes: [
          {
            text: 'Overflow in the logarithm of the loss',
            confidence: 'possible',
            support: 'The loss was infinite 40 steps before the first NaN.',
          },
        ],
        fixes: [
          {
            text: 'Hand logits to the loss.',
            code: 'keras.losses.CategoricalCrossentropy(from_logits=True)',
          },
        ],
        check: 'No step should be flagged after a restart.',
        harmless: 'Never.',
      },
    ),
  ];
}

function rules(findings, kind) {
  return RULES.map((rule, i) => {
    const hit = findings.find((item) => item.rule === rule);
    const code = hit?.code ?? `GH${100 + i}`;
    if (hit) return { rule, code, state: hit.open ? 'firing' : 'cleared', reason: '' };
    if (kind === 'blank' || rule === 'noise_dominated' || rule === 'overfitting') {
      return {
        rule,
        code,
        state: 'not evaluated',
        reason:
          rule === 'overfitting'
            ? 'needs `validation_data` in `fit`'
            : 'needs signal `gradient_noise`, which preset `standard` does not measure',
      };
    }
    return { rule, code, state: 'clean', reason: '' };
  });
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
