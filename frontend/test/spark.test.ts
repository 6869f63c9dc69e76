import { describe, expect, it } from 'vitest';
import { lineData, scaleOfLines } from '../src/charts/line_data';
import { sparkOf } from '../src/charts/spark';
import { series, timeline } from './builders';

const size = { width: 30, height: 10 };

function spark(values: number[], limit: number | null) {
  const steps = values.map((_, index) => index);
  const data = lineData(series([values], steps), 0, timeline(steps));
  return sparkOf(data, scaleOfLines([data], limit === null ? [] : [limit]), limit, size);
}

describe('a curve in a card', () => {
  it('breaks where nothing finite was measured, and marks it', () => {
    const { line, marks } = spark([1, Number.NaN, 1.5, 2], null);
    expect(line.match(/M/g)).toHaveLength(2);
    expect(marks).toEqual([11.3]);
  });

  it('has room for a limit that no value came near', () => {
    const { limit } = spark([1, 2, 3], 9);
    expect(limit).toBeGreaterThan(0);
    expect(limit).toBeLessThan(2);
  });

  it('has a dot where its number was read, if that can be drawn', () => {
    const dot = (value: number) => {
      const data = lineData(series([[1, 2, 3]], [0, 1, 2]), 0, timeline([0, 1, 2]));
      return sparkOf(data, scaleOfLines([data]), null, size, { column: 1, value }).point;
    };
    expect(dot(2)).toEqual({ x: 15, y: 5 });
    expect([dot(9), dot(Number.NaN)]).toEqual([null, null]);
  });

  it('is nothing where nothing finite was measured', () => {
    const { line, limit } = spark([Number.NaN, Number.NaN], 9);
    expect(line).toBe('');
    expect(limit).toBeNull();
  });
});
