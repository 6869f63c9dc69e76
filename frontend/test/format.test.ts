import { describe, expect, it } from 'vitest';
import {
  formatCount,
  formatFact,
  formatNumber,
  formatSize,
  formatSteps,
  formatTicks,
  formatValue,
  sentenceCase,
  splitCode,
} from '../src/format';

describe('formatNumber', () => {
  it.each([
    [0, '0'],
    [1.23456, '1.23'],
    [0.0469, '0.0469'],
    [0.001, '1e-3'],
    [3.1e-9, '3.1e-9'],
    [12_345, '12,345'],
    [1_234_567, '1.23e6'],
    [-2.5, '−2.5'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '−Inf'],
  ])('%d is %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe('formatTicks', () => {
  it('has as few digits as tell the labels of an axis apart', () => {
    expect(formatTicks([0, 5])).toEqual(['0', '5']);
    expect(formatTicks([0.216, 0.218])).toEqual(['0.216', '0.218']);
    expect(formatTicks([1.0001, 1.0002])).toEqual(['1.0001', '1.0002']);
    expect(formatTicks([])).toEqual([]);
  });
});

describe('formatValue', () => {
  it('gives shares in percent and the rest with its unit', () => {
    expect(formatValue(0.94, '', 'dead_fraction')).toBe('94 %');
    expect(formatValue(0.94, 'loss', 'loss')).toBe('0.94 loss');
  });

  it('never gives a unit or a percent sign to what is not a number', () => {
    expect(formatValue(Number.NaN, '', 'dead_fraction')).toBe('NaN');
    expect(formatValue(Number.POSITIVE_INFINITY, 'loss', 'loss')).toBe('+Inf');
  });
});

it('names one step or a range', () => {
  expect(formatSteps(4, 4)).toBe('step 4');
  expect(formatSteps(4, 1200)).toBe('steps 4–1,200');
});

it('shortens sizes and counts things', () => {
  expect([950, 12_544, 3_100_000].map(formatSize)).toEqual(['950', '12.5k', '3.1M']);
  expect([formatCount(1, 'rule'), formatCount(1200, 'rule')]).toEqual(['1 rule', '1,200 rules']);
});

it('prints facts of any JSON type', () => {
  expect([64, 'adam', [1, 2], null, true].map(formatFact)).toEqual([
    '64',
    'adam',
    '[1,2]',
    'null',
    'true',
  ]);
});

it('turns rule names into words', () => {
  expect(sentenceCase('vanishing_gradients')).toBe('Vanishing gradients');
});

describe('splitCode', () => {
  it('separates names in backticks', () => {
    expect(splitCode('slope of `a/b` is low')).toEqual([
      { text: 'slope of ', code: false },
      { text: 'a/b', code: true },
      { text: ' is low', code: false },
    ]);
  });

  it('keeps a backtick that has no partner', () => {
    expect(splitCode('`a` and `b')).toEqual([
      { text: 'a', code: true },
      { text: ' and `b', code: false },
    ]);
  });
});
