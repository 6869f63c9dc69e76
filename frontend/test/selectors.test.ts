import { describe, expect, it } from 'vitest';
import {
  defaultFinding,
  filterRuns,
  focusOf,
  mapSignal,
  rowsOf,
  signalOfFinding,
  sortRuns,
  stories,
  unknownChoices,
  verdictWords,
  wantedSignals,
} from '../src/selectors';
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

  it('loads the curves and the map, no more', () => {
    const names = wantedSignals(detail(), 'dead_fraction').map(({ name }) => name);
    expect(names).toEqual(['dead_fraction', 'loss']);
  });
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
