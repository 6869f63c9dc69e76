import { describe, expect, it } from 'vitest';
import { limitSeries, sharpnessOf, zoneWord } from '../src/stability';
import { NOT_MEASURED } from '../src/wire';
import { detail, series, signal } from './builders';

describe('the edge of stability', () => {
  it.each([
    [0.3, 'stable'],
    [1.05, 'at the edge'],
    [1.5, 'beyond the edge'],
    [Number.NaN, ''],
  ])('a margin of %s', (margin, word) => {
    expect(zoneWord(margin)).toBe(word);
  });

  it('is the sharpness divided by the margin, where both were measured', () => {
    const sharpness = series([[10, 30, 50]], [0, 10, 20]);
    const margin = series([[0.5, NOT_MEASURED]], [0, 20]);
    const limit = limitSeries(sharpness, margin).values.limit;
    expect([...(limit ?? [])]).toEqual([20, Math.fround(NOT_MEASURED), Math.fround(NOT_MEASURED)]);
  });

  it('is held against the sharpness that the optimizer sees', () => {
    const names = ['stability_margin', 'hessian_top_eigenvalue', 'preconditioned_sharpness'];
    const measured = (...some: string[]) =>
      detail({
        facts: { stability_limit: 'gradient descent: 2/η' },
        signals: some.map((name) => signal({ name, axis: 'run' })),
      });
    expect(sharpnessOf(measured(...names))?.name).toBe('preconditioned_sharpness');
    expect(sharpnessOf(measured(...names.slice(0, 2)))?.name).toBe('hessian_top_eigenvalue');
    expect(sharpnessOf(measured('hessian_top_eigenvalue'))).toBeNull();
  });
});
