import { describe, expect, it } from 'vitest';
import { evidenceCurve, limitOnCurve } from '../src/evidence';
import { detail, finding, series } from './builders';

describe('the curve of a finding', () => {
  const item = (patch: object) => ({
    label: '',
    value: 1,
    limit: null,
    unit: '',
    signal: 'gradient_norm',
    step: 4,
    row: 'logits/kernel',
    ...patch,
  });

  it('is that of its first number with a limit', () => {
    const evidence = [item({ signal: 'loss', row: '' }), item({ limit: 2 })];
    const curve = evidenceCurve(detail(), finding({ evidence }));
    expect([curve?.signal.name, curve?.row]).toEqual(['gradient_norm', 1]);
  });

  it('is missing where no number was read from a row that is there', () => {
    const evidence = [item({ signal: '' }), item({ row: 'gone' })];
    expect(evidenceCurve(detail(), finding({ evidence }))).toBeNull();
  });
});

describe('the limit of a number', () => {
  const item = { label: '', limit: 5, unit: '', signal: '', step: 9, row: '' };
  const curve = series([[1, 7, Number.NaN]], [0, 9, 12], { fields: ['mean'] });
  const limitOf = (value: number, step = 9) => limitOnCurve(curve, 0, { ...item, value, step });

  it('is drawn where the number is on the curve', () => {
    expect([limitOf(7), limitOf(7.01), limitOf(Number.NaN, 12)]).toEqual([5, 5, 5]);
  });

  it('is left out where the number was computed from more than the curve', () => {
    expect([limitOf(0.5), limitOf(7, 0), limitOf(7, 20)]).toEqual([null, null, null]);
  });
});
