// What the rules say of the synthetic runs of fixtures.mjs.

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

export function sickFindings(last) {
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

export function nanFindings(last) {
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

export function rules(findings, kind) {
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
