import { describe, expect, it } from 'vitest';
import { lineData, yScale } from '../src/charts/line_data';
import { NOT_MEASURED } from '../src/wire';
import { series, timeline } from './builders';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe('lineData', () => {
  it('marks what is not finite instead of drawing it', () => {
    const data = lineData(series([[1, nan, inf, -inf, NOT_MEASURED]], [0, 1, 2, 3, 4]), 0, {
      ...timeline([0, 1, 2, 3, 4]),
    });
    expect(data.mean).toEqual([1, null, null, null, null]);
    expect(data.raw).toEqual([1, nan, inf, -inf, undefined]);
    expect(data.marks).toEqual([
      { column: 1, kind: 'nan' },
      { column: 2, kind: 'posInf' },
      { column: 3, kind: 'negInf' },
    ]);
  });

  it('has a band around a mean, and none around another statistic', () => {
    const spread = series([[1, 2]], [0, 1], { fields: ['std', 'min', 'max'] });
    const mean = series([[1, 2]], [0, 1], { fields: ['mean', 'min', 'max'] });
    expect(lineData(mean, 0, mean).low).toEqual([1, 2]);
    expect(lineData(spread, 0, spread).low).toEqual([null, null]);
  });

  it('goes on where the series has no point', () => {
    expect(lineData(series([[1, 2]], [0, 9]), 0, timeline([0, 5, 9])).mean).toEqual([
      1,
      undefined,
      2,
    ]);
  });

  it('reads its own row', () => {
    const rows = series(
      [
        [1, 2],
        [3, 4],
      ],
      [0, 1],
      { fields: ['mean', 'min', 'max'] },
    );
    const data = lineData(rows, 1, timeline([0, 1]));
    expect([data.mean, data.low, data.high]).toEqual([
      [3, 4],
      [3, 4],
      [3, 4],
    ]);
  });
});

describe('yScale', () => {
  it('is logarithmic for positive values over more than two decades', () => {
    expect(yScale([1e-3, 1]).log).toBe(true);
    expect(yScale([1e-2, 1]).log).toBe(false);
    expect(yScale([0, 1e-3, 1]).log).toBe(false);
  });

  it('has room around a constant, and without any value', () => {
    for (const { lo, hi } of [yScale([3]), yScale([0]), yScale([null])])
      expect(hi).toBeGreaterThan(lo);
  });
});

describe('labels of the y axis', () => {
  it.each([
    [
      [0, 2.3],
      [0, 2],
    ],
    [
      [0.2, 0.9],
      [0.2, 0.8],
    ],
    [
      [2e-5, 3],
      [1e-4, 1e-2, 1],
    ],
    [[1e-3, 1e-3], [1e-3]],
    [[null], []],
  ])('of %j are %j', (values, ticks) => {
    const found = yScale(values).ticks;
    expect(found).toHaveLength(ticks.length);
    found.forEach((tick, i) => {
      expect(tick).toBeCloseTo(ticks[i] ?? Number.NaN, 9);
    });
  });
});
