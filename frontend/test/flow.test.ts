import { expect, it } from 'vitest';
import { flowAt, flowSignals } from '../src/flow';
import { NOT_MEASURED } from '../src/wire';
import { detail, series } from './builders';

const { NaN: nan } = Number;

it('shows those of the usual signals that were measured', () => {
  expect(flowSignals(detail()).map(({ name }) => name)).toEqual(['gradient_norm', 'dead_fraction']);
});

it('takes the last value at or before a step', () => {
  const run = detail();
  const norms = series(
    [
      [1, 2],
      [3, NOT_MEASURED],
    ],
    [0, 10],
  );
  const at = (step: number) => flowAt(run, flowSignals(run), [norms, undefined], step);
  expect(at(9).map(({ values }) => values[0])).toEqual([1, 3]);
  expect(at(10).map(({ values }) => values[0])).toEqual([2, 3]);
  expect(at(-1).map(({ values }) => values[0])).toEqual([undefined, undefined]);
});

it('shows the worst row of a layer, and nothing is worse than NaN', () => {
  const kernel = detail().rows.variable?.[0];
  if (!kernel) throw new Error('The builder has a kernel.');
  const run = detail({ rows: { variable: [kernel, { ...kernel, name: 'dense/bias' }] } });
  const worst = (a: number, b: number) =>
    flowAt(run, flowSignals(run), [series([[a], [b]], [0])], 0)[0]?.values[0];
  expect(worst(1, 5)).toBe(5);
  expect(worst(nan, 5)).toBeNaN();
  expect(worst(5, nan)).toBeNaN();
});

it('leaves a bias out beside weights, unless it is not finite', () => {
  const [kernel] = detail().rows.variable ?? [];
  if (!kernel) throw new Error('The builder has a kernel.');
  const bias = { ...kernel, name: 'dense/bias', role: 'bias' };
  const run = detail({ rows: { variable: [kernel, bias] } });
  const shown = (value: number) =>
    flowAt(run, flowSignals(run), [series([[1], [value]], [0])], 0)[0]?.values[0];
  expect([shown(9), shown(nan)]).toEqual([1, nan]);
});
