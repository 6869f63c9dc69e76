import { describe, expect, it } from 'vitest';
import { mapData, mapGrid, readCell, rowValues, summarize } from '../src/map_data';
import { detail, series, signal, timeline } from './builders';

const { NaN: nan } = Number;
const rows = detail().rows.variable ?? [];
const steps = [0, 1, 2, 3, 4, 5, 6, 7];

function data(values: number[][], at: number[], change: object = {}) {
  const choice = { field: null, scale: null, allSteps: false, rowFilter: '', ...change };
  const source = {
    signal: signal({ scale: 'linear' }),
    series: series(values, at),
    rows,
    timeline: timeline(steps),
  };
  return mapData(source, mapGrid(source, choice), { ...choice, grouped: false, opened: new Set() });
}

const every = [
  [1, 2, 3, 4, 5, 6, 7, 8],
  [0, nan, 0, 0, 0, 0, 0, 0],
];

it('reads a cell by row and column', () => {
  expect(readCell(data(every, steps), 'mean', 0, 3)).toBe(4);
  expect(readCell(data(every, steps), 'mean', 1, 1)).toBeNaN();
  expect(readCell(data(every, steps), 'absent', 0, 3)).toBeUndefined();
});

it('holds a value that is measured now and then until the next one', () => {
  const sparse = data(
    [
      [1, 2],
      [3, 4],
    ],
    [0, 4],
  );
  const shown = steps.map((_, column) => readCell(sparse, 'mean', 0, column));
  expect(shown).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
  expect(rowValues(sparse, 0)).toEqual([1, 2]);
});

it('keeps the colours of rows apart from which rows are shown', () => {
  const filtered = data(every, steps, { rowFilter: 'logits' });
  expect(filtered.lines.map(({ name }) => name)).toEqual(['logits/kernel']);
  expect(filtered.grid.rows).toBe(1);
  expect(filtered.domain).toMatchObject({ lo: 0, hi: 8 });
});

it('takes another scale where asked to', () => {
  expect(data(every, steps, { scale: 'log' }).domain.scale).toBe('log');
});

it('colours by all steps where asked to, though fewer are in view', () => {
  const source = {
    signal: signal({ scale: 'linear' }),
    series: series([[100, 2, 3]], [0, 1, 2]),
    rows,
    timeline: timeline([1, 2]),
  };
  const hi = (allSteps: boolean) =>
    mapGrid(source, { field: null, scale: null, allSteps }).domain.hi;
  expect([hi(false), hi(true)]).toEqual([3, 100]);
});

describe('a summary of values', () => {
  it('counts what is not finite, and keeps it out of lowest and highest', () => {
    const values = [2, nan, Number.POSITIVE_INFINITY, 1, nan];
    expect(summarize(values)).toEqual({
      first: 2,
      lowest: 1,
      highest: 2,
      last: nan,
      nans: 2,
      infs: 1,
    });
  });

  it('has nothing to say of a row that was never measured', () => {
    expect(summarize([])).toMatchObject({ first: undefined, lowest: undefined, nans: 0 });
  });
});
