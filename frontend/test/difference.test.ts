import { describe, expect, it } from 'vitest';
import { differenceSeries, differenceSignal } from '../src/difference';
import { NOT_MEASURED } from '../src/wire';
import { series, signal } from './builders';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe('the difference of two runs', () => {
  const apart = (scale: 'log' | 'linear', a: number[], b: number[]) =>
    differenceSeries(signal({ scale }), series([a], [0, 5, 9]), series([b], [0, 5, 9]));

  it('is in decades where the signal has a log scale', () => {
    const { mean = [] } = apart('log', [1, 10, 1], [100, 1, 1]).values;
    expect([...mean].map((value) => Math.round(value * 1e6) / 1e6)).toEqual([2, -1, 0]);
    expect(differenceSignal(signal({ title: 'Norm' })).title).toBe('Norm, decades apart');
  });

  it('keeps what is not finite, and what was not measured in one of them', () => {
    const { mean = [] } = apart('linear', [1, NOT_MEASURED, 0], [nan, 1, inf]).values;
    expect([...mean]).toEqual([nan, NOT_MEASURED, inf]);
    expect([...(apart('log', [0, 1, nan], [1, -1, 1]).values.mean ?? [])]).toEqual([
      NOT_MEASURED,
      NOT_MEASURED,
      nan,
    ]);
  });

  it('is at the steps that both have, and knows its rows', () => {
    const a = series(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [0, 5, 9],
    );
    const b = series(
      [
        [1, 7],
        [4, 8],
      ],
      [0, 9],
    );
    const found = differenceSeries(signal({ scale: 'linear' }), a, b);
    expect([...found.steps]).toEqual([0, 9]);
    expect([...(found.values.mean ?? [])]).toEqual([0, 4, 0, 2]);
  });
});
