import { describe, expect, it } from 'vitest';
import { factDifferences, parting, ruleDifferences, runsByState } from '../src/compare';
import { NOT_MEASURED, type RuleStateName } from '../src/wire';
import { detail, series } from './builders';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe('where runs part', () => {
  const of = (a: number[], b: number[]) => parting(series([a], [0, 5, 9]), series([b], [0, 5, 9]));

  it('is the first step that both have at which they differ by more than a hundredth', () => {
    expect(of([1, 2, 3], [1.001, 2, 4])).toEqual({ step: 9, values: [3, 4] });
    expect(of([1, 2, 3], [1, 2, 3])).toBeNull();
  });

  it('skips steps that only one of them has', () => {
    const found = parting(series([[1, 2, 3]], [0, 5, 9]), series([[1, 7, 8]], [0, 6, 9]));
    expect(found?.step).toBe(9);
  });

  it.each([
    [[1, nan, 1], [1, nan, 1], null],
    [[1, nan, 1], [1, 1, 1], 5],
    [[1, inf, 1], [1, inf, 1], null],
    [[1, inf, 1], [1, -inf, 1], 5],
    [[1, NOT_MEASURED, 1], [1, 3, 1], null],
  ])('of %j and %j is %s', (a, b, step) => {
    expect(of(a, b)?.step ?? null).toBe(step);
  });
});

it('lists the rules that are flagged anywhere, first those in which runs differ', () => {
  const run = (states: Record<string, RuleStateName>) =>
    detail({
      rules: Object.entries(states).map(([rule, state]) => ({
        rule,
        code: rule,
        state,
        reason: '',
      })),
    });
  const found = ruleDifferences([
    run({ a: 'firing', b: 'clean', c: 'firing' }),
    run({ a: 'firing', b: 'clean', c: 'clean' }),
  ]);
  expect(found.map(({ rule, states }) => [rule, ...states])).toEqual([
    ['c', 'firing', 'clean'],
    ['a', 'firing', 'firing'],
  ]);
});

it('gathers runs by how a rule stands in them', () => {
  const run = (name: string, state: RuleStateName) =>
    detail({ run: name, rules: [{ rule: 'a', code: 'GH1', state, reason: '' }] });
  const runs = [run('x', 'clean'), run('y', 'firing'), run('z', 'clean')];
  expect(runsByState(runs, 'a')).toEqual([
    ['clean', ['x', 'z']],
    ['firing', ['y']],
  ]);
  expect(runsByState([], 'a')).toEqual([]);
});

it('lists the settings in which runs differ', () => {
  const runs = [
    detail({ facts: { loss: 'mse', batch: 8 } }),
    detail({ facts: { loss: 'mse', warm: true } }),
  ];
  expect(factDifferences(runs)).toEqual([
    { name: 'batch', values: ['8', '–'] },
    { name: 'warm', values: ['–', 'true'] },
  ]);
});
