import { describe, expect, it } from 'vitest';
import { CODE, coderOf, createPalette, domainOf, domainTicks, scaleOf } from '../src/charts/color';
import { NOT_MEASURED } from '../src/wire';

const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, NOT_MEASURED];

describe('domainOf', () => {
  it('spans whole decades of the positive values', () => {
    expect(domainOf([3e-5, 0.2, 0, -1, ...odd], 'log')).toEqual({ scale: 'log', lo: 1e-5, hi: 1 });
  });

  it('is 0 to 1 for shares, and as wide as the values otherwise', () => {
    expect(domainOf([0.2, 0.4, ...odd], 'linear')).toEqual({ scale: 'linear', lo: 0, hi: 1 });
    expect(domainOf([-2, 4], 'linear')).toEqual({ scale: 'linear', lo: -2, hi: 4 });
  });

  it('is never empty', () => {
    for (const domain of [domainOf(odd, 'log'), domainOf([1, 1], 'log'), domainOf([7], 'linear')]) {
      expect(domain.hi).toBeGreaterThan(domain.lo);
    }
  });
});

describe('codeOf', () => {
  const log = { scale: 'log', lo: 1e-4, hi: 1 } as const;

  it('spreads decades evenly', () => {
    expect([1e-4, 1e-2, 1].map((value) => coderOf(log)(value))).toEqual([0, 128, 255]);
  });

  it('never gives a colour of the scale to what has no place on it', () => {
    expect([...odd, 0, -1].map((value) => coderOf(log)(value))).toEqual([
      CODE.nan,
      CODE.posInf,
      CODE.negInf,
      CODE.missing,
      CODE.zero,
      CODE.zero,
    ]);
  });

  it('takes zero for a value on a linear scale', () => {
    expect(coderOf({ scale: 'linear', lo: 0, hi: 1 })(0)).toBe(0);
  });
});

it('labels decades, thinned to the room there is', () => {
  const decades = domainTicks({ scale: 'log', lo: 1e-10, hi: 0.1 }, 5);
  expect(decades.map((tick) => tick.toExponential(0))).toEqual(['1e-10', '1e-7', '1e-4', '1e-1']);
  expect(domainTicks({ scale: 'linear', lo: 0, hi: 1 }, 5)).toEqual([0, 0.25, 0.5, 0.75, 1]);
});

it('keeps values outside of the domain at its ends', () => {
  expect(scaleOf({ scale: 'log', lo: 1e-4, hi: 1 })(1e-9)).toBe(0);
  expect(scaleOf({ scale: 'linear', lo: 0, hi: 1 })(5)).toBe(1);
});

it('has levels that grow steadily lighter, within the rounding of channels', () => {
  const { levels } = createPalette('light');
  const luminance = [...levels].map(
    (pixel) =>
      0.2126 * (pixel & 255) + 0.7152 * ((pixel >> 8) & 255) + 0.0722 * ((pixel >> 16) & 255),
  );
  expect(luminance.every((value, i) => i === 0 || value > (luminance[i - 1] ?? 0) - 0.5)).toBe(
    true,
  );
});
