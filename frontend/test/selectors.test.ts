import { describe, expect, it } from 'vitest';
import {
  defaultFinding,
  filterRuns,
  focusOf,
  nearFinding,
  ruleSections,
  signalOfFinding,
  sortRuns,
  stories,
  unknownChoices,
  verdictWords,
} from '../src/selectors';
import { mapSignal, rowsOf, runSignals, stripCharts, stripSignals } from '../src/signals';
import { detail, finding, signal, summary } from './builders';

describe('sortRuns', () => {
  it('puts the sickest first and then orders by name, numbers by size', () => {
    const runs = [
      summary({ run: 'run10' }),
      summary({ run: 'run9' }),
      summary({ run: 'broken', verdict: 'unreadable' }),
      summary({ run: 'warm', verdict: 'warning' }),
      summary({ run: 'bad', verdict: 'error', counts: { error: 1, warning: 0, info: 0 } }),
      summary({ run: 'worse', verdict: 'error', counts: { error: 2, warning: 0, info: 0 } }),
    ];
    expect(sortRuns(runs).map(({ run }) => run)).toEqual([
      'worse',
      'bad',
      'warm',
      'broken',
      'run9',
      'run10',
    ]);
  });
});

it('filters by every word, whatever its case', () => {
  const runs = ['MNIST/adam', 'mnist/sgd', 'cifar/adam'].map((run) => summary({ run }));
  expect(filterRuns(runs, ' mnist ADAM').map(({ run }) => run)).toEqual(['MNIST/adam']);
  expect(filterRuns(runs, '')).toHaveLength(3);
});

describe('stories', () => {
  const lr = finding({ rule: 'learning_rate_too_high' });
  const dead = finding({ rule: 'dead_units', caused_by: 'learning_rate_too_high' });
  const vanish = finding({ rule: 'vanishing_gradients', caused_by: 'dead_units' });

  it('gathers indirect consequences under their root', () => {
    const told = stories([lr, dead, vanish]);
    expect(told).toEqual([{ root: lr, consequences: [dead, vanish] }]);
  });

  it('treats a finding whose cause is absent as a root', () => {
    expect(stories([dead]).map(({ root }) => root)).toEqual([dead]);
  });

  it('shows every finding of a circle', () => {
    const a = finding({ rule: 'a', caused_by: 'b' });
    const b = finding({ rule: 'b', caused_by: 'a' });
    expect(stories([a, b]).map(({ root }) => root)).toEqual([a, b]);
  });
});

describe('verdictWords', () => {
  it.each([
    ['healthy', [], 'Healthy', ''],
    ['error', [finding({ title: 'T' })], 'Ill', 'T'],
    ['warning', [finding({ title: 'T', open: false })], 'Was ill, has recovered', 'T'],
    ['info', [finding({ title: 'T' })], 'Healthy, with a remark', 'T'],
  ] as const)('%s', (verdict, findings, word, text) => {
    const run = detail({ verdict, findings: [...findings], headline: text });
    expect(verdictWords(run)).toMatchObject({ word, text });
  });

  it('says what to try first, while the illness goes on', () => {
    const fixes = [{ text: 'Lower it.', code: '' }];
    const remedy = (open: boolean) =>
      verdictWords(detail({ verdict: 'error', findings: [finding({ fixes, open })] })).remedy;
    expect([remedy(true), remedy(false)]).toEqual(['Lower it.', '']);
  });
});

describe('signals of the map', () => {
  it('falls back where the wanted signal was not measured', () => {
    const run = detail({ signals: [signal(), signal({ name: 'update_ratio', kept: 0 })] });
    expect(mapSignal(run, 'update_ratio')?.name).toBe('gradient_norm');
  });

  it('has none when nothing by row was measured', () => {
    expect(
      mapSignal(detail({ signals: [signal({ name: 'loss', axis: 'run' })] }), null),
    ).toBeNull();
  });

  it('draws signals of any axis but that of the run, known or not', () => {
    const unheard = signal({ name: 'unheard_of', axis: 'metric' });
    expect(mapSignal(detail({ signals: [unheard] }), 'unheard_of')).toBe(unheard);
    const ofRun = signal({ name: 'loss', axis: 'run' });
    expect(mapSignal(detail({ signals: [ofRun] }), 'loss')).toBeNull();
  });
});

describe('the curves above the map', () => {
  const ofRun = (name: string, kept = 10) => signal({ name, axis: 'run', kept });

  it('are the usual ones that were measured, validation beside training', () => {
    const signals = ['stability_margin', 'validation_loss', 'loss', 'other'].map((n) => ofRun(n));
    const run = detail({ signals: [...signals, ofRun('learning_rate', 0)] });
    const drawn = stripCharts(run).map(({ signal: { name }, companion }) => [
      name,
      companion?.name,
    ]);
    expect(drawn).toEqual([
      ['loss', 'validation_loss'],
      ['stability_margin', undefined],
    ]);
    expect(stripSignals(run)).toHaveLength(3);
  });

  it('hold what was picked, and a signal nobody heard of can be', () => {
    const run = detail({ signals: [ofRun('loss'), ofRun('unheard_of'), ofRun('other')] });
    expect(runSignals(run)).toHaveLength(3);
    const drawn = stripCharts(run, 'unheard_of\ngone').map(({ signal: { name } }) => name);
    expect(drawn).toEqual(['loss', 'unheard_of']);
  });

  it('hold what a finding names, too', () => {
    const evidence = [
      { label: '', value: 1, limit: 1, unit: '', signal: 'clip_rate', step: 0, row: '' },
    ];
    const run = detail({
      signals: [ofRun('loss'), ofRun('clip_rate')],
      findings: [finding({ evidence })],
    });
    expect(stripCharts(run).map(({ signal: { name } }) => name)).toEqual(['loss', 'clip_rate']);
  });
});

it('leaves room around the steps of a finding, within the run', () => {
  const short = finding({ first_step: 100, last_step: 140, open: false });
  expect(nearFinding(detail({ last_step: 145 }), short)).toEqual([90, 145]);
  expect(nearFinding(detail({ last_step: 9 }), finding({ first_step: 2 }))).toEqual([0, 9]);
});

describe('focus', () => {
  const base = { label: '', value: 1, limit: null, unit: '', step: 4 };

  it('takes the first signal of the evidence that the map can draw', () => {
    const evidence = [
      { ...base, signal: 'loss', row: '' },
      { ...base, signal: 'dead_fraction', row: 'dense' },
    ];
    expect(signalOfFinding(detail(), finding({ evidence }))).toBe('dead_fraction');
  });

  it('shows the rows that it names before those that its other evidence is of', () => {
    const feature = { name: 'x[:, 1]', layer: '', role: 'feature', size: 1, function: '' };
    const ofFeatures = signal({ name: 'input_features', axis: 'feature' });
    const run = detail({
      rows: { ...detail().rows, feature: [feature] },
      signals: [...detail().signals, ofFeatures],
    });
    const base = { label: '', value: 1, limit: null, unit: '', step: 1 };
    const evidence = [
      { ...base, signal: 'gradient_norm', row: 'dense/kernel' },
      { ...base, signal: 'input_features', row: 'x[:, 1]' },
    ];
    const unscaled = finding({ layers: ['x[:, 1]'], evidence });
    expect(signalOfFinding(run, unscaled)).toBe('input_features');
  });

  it('finds rows by their name and by their layer, and runs to the end while open', () => {
    const run = detail({ findings: [finding({ layers: ['dense'], last_step: 7 })], last_step: 9 });
    const rows = rowsOf(run, signal());
    const focus = focusOf(run, 'dead_units', rows);
    expect([...(focus?.rows ?? [])]).toEqual([0]);
    expect(focus?.steps).toEqual([4, 9]);
  });

  it('ends with a finding that is over', () => {
    const run = detail({ findings: [finding({ open: false, last_step: 7 })] });
    expect(focusOf(run, 'dead_units', [])?.steps).toEqual([4, 7]);
    expect(focusOf(run, 'other', [])).toBeNull();
  });

  it('opens with the first root cause that is more than a remark', () => {
    const remark = finding({ rule: 'remark', severity: 'info' });
    expect(defaultFinding(detail({ findings: [remark, finding()] }))).toBe('dead_units');
    expect(defaultFinding(detail({ findings: [remark] }))).toBeNull();
  });
});

it('names what the address asks for and the run does not have', () => {
  const run = detail({
    signals: [signal({ name: 'gradient_norm' })],
    findings: [finding({ id: 'dead_units' })],
  });
  const nothing = { run: run.run, signal: null, layer: null, finding: null };
  expect(unknownChoices(run, nothing)).toEqual([]);
  expect(
    unknownChoices(run, { ...nothing, signal: 'gradient_norm', finding: 'dead_units' }),
  ).toEqual([]);
  expect(
    unknownChoices(run, { ...nothing, signal: 'heat', layer: '<b>', finding: 'gone' }),
  ).toEqual([
    { key: 'signal', value: 'heat' },
    { key: 'layer', value: '<b>' },
    { key: 'finding', value: 'gone' },
  ]);
});

it('puts rules that flagged something first, and the others by what they are about', () => {
  const sheet = (rule: string, group: string) => ({
    ...{ rule, group, code: 'GH1', summary: '', url: '' },
    ...{ limits: {}, requires: [] },
  });
  const sheets = [sheet('a', 'loss'), sheet('b', 'loss'), sheet('c', 'units'), sheet('d', 'units')];
  const states = [
    { rule: 'b', state: 'cleared' as const },
    { rule: 'c', state: 'clean' as const },
    { rule: 'd', state: 'firing' as const },
  ].map((state) => ({ ...state, code: 'GH1', reason: '' }));
  const order = (...args: Parameters<typeof ruleSections>) =>
    ruleSections(...args).map(({ title, sheets: under }) => [title, ...under.map((s) => s.rule)]);
  expect(order(sheets, states)).toEqual([
    ['flagged in this run', 'b', 'd'],
    ['loss', 'a'],
    ['units', 'c'],
  ]);
  expect(order(sheets, [])[0]).toEqual(['loss', 'a', 'b']);
});
