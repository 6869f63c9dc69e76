import { describe, expect, it } from 'vitest';
import { CODE, coderOf, createPalette } from '../src/charts/color';
import { domainOfPoints, encode, gather } from '../src/charts/encode';
import { gatherRows, paint, pool, sliceRows, specialsIn } from '../src/charts/heat_map';
import { groups } from '../src/charts/map_drawing';
import { NOT_MEASURED } from '../src/wire';

const linear = { scale: 'linear', lo: 0, hi: 1 } as const;

it('encodes rows by the shared columns', () => {
  const values = Float32Array.of(0, 1, 1, Number.NaN);
  const gathered = gather(values, 2, 2, Int32Array.of(-1, 0, 1));
  const grid = encode(gathered, linear);
  expect([...grid.codes]).toEqual([CODE.missing, 0, 255, CODE.missing, 255, CODE.nan]);
});

it('reads a zoom in place, and spans its colours from what is in view', () => {
  const values = Float32Array.of(9, 1, 2, 9, 9, Number.NaN, 3, 9);
  const shown = Int32Array.of(1, 2);
  const zoom = gather(values, 2, 4, shown);
  expect(zoom.values).toBe(values);
  const domain = domainOfPoints(values, 4, shown, 'linear');
  expect(domain).toEqual({ scale: 'linear', lo: 1, hi: 3 });
  expect([...encode(zoom, domain).codes]).toEqual([0, 128, CODE.nan, 255]);
});

it('spans the colours of points in view that hold a value the scale can hold, and of no other', () => {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  const values = Float32Array.of(0.02, nan, -1, 0, 500, inf, NOT_MEASURED, 0.5);
  const spanned = (scale: 'log' | 'linear', ...shown: number[]) => {
    const { lo, hi } = domainOfPoints(values, 4, Int32Array.from(shown), scale);
    return [lo, hi];
  };
  expect(spanned('log', -1, 0, 1, 2, 3)).toEqual([0.01, 1000]);
  expect(spanned('log', 1, 2)).toEqual([1e-3, 1]);
  expect(spanned('linear', 2, 3)).toEqual([-1, 0.5]);
});

it('folds rows into lines, and loses no incident', () => {
  const grid = { rows: 3, columns: 2, codes: Uint16Array.of(10, CODE.nan, 20, 30, 40, 50) };
  const folded = gatherRows(grid, [[0, 1], [2]]);
  expect([folded.rows, ...folded.codes]).toEqual([2, 15, CODE.nan, 40, 50]);
});

it('encodes a log scale as the exact coder does, to within a level', () => {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  const odd = [nan, inf, -inf, NOT_MEASURED, 0, -0, -1, 1e-45, 3.4e38, -3.4e38];
  const values = Float32Array.from({ length: 5_000 }, (_, i) => 10 ** (i / 500 - 7));
  const domain = { scale: 'log', lo: 1e-6, hi: 1 } as const;
  const all = Float32Array.of(...odd, ...values);
  const codeOf = coderOf(domain);
  const { codes } = encode(gather(all, 1, all.length, Int32Array.from(all.keys())), domain);
  expect([...codes.subarray(0, odd.length)]).toEqual([...all.subarray(0, odd.length)].map(codeOf));
  values.forEach((value, i) => {
    expect(Math.abs((codes[odd.length + i] as number) - codeOf(value))).toBeLessThanOrEqual(1);
  });
});

it('lists the special codes that occur', () => {
  const codes = Uint16Array.of(3, CODE.nan, CODE.zero, 3);
  expect(specialsIn({ rows: 1, columns: 4, codes })).toEqual(new Set([CODE.nan, CODE.zero]));
});

describe('pool', () => {
  const grid = (rows: number, columns: number, codes: number[]) => ({
    rows,
    columns,
    codes: Uint16Array.from(codes),
  });

  it('leaves a grid that fits as it is', () => {
    const small = grid(1, 2, [1, 2]);
    expect(pool(small, 10, 10)).toBe(small);
  });

  it('averages levels', () => {
    expect([...pool(grid(1, 4, [0, 10, 20, 40]), 1, 2).codes]).toEqual([5, 30]);
  });

  it('never loses an incident', () => {
    const codes = [5, CODE.nan, 5, CODE.posInf, CODE.missing, CODE.zero, CODE.missing, 7];
    const pooled = pool(grid(2, 4, codes), 2, 2);
    expect([...pooled.codes]).toEqual([CODE.nan, CODE.posInf, CODE.zero, 7]);
  });

  it('may be of the rows in view alone', () => {
    const slice = sliceRows(grid(3, 4, [0, 0, 0, 0, 10, 20, 30, 50, 9, 9, 9, 9]), 1, 2);
    expect(pool(slice, 1, 2)).toEqual(grid(1, 2, [15, 40]));
  });

  it('keeps one NaN among a million cells', () => {
    const codes = new Uint16Array(1000 * 1000);
    codes[123_457] = CODE.nan;
    const pooled = pool({ rows: 1000, columns: 1000, codes }, 300, 500);
    expect([...pooled.codes].filter((code) => code === CODE.nan)).toHaveLength(1);
  });
});

describe('paint', () => {
  const palette = createPalette('light');
  const draw = (codes: number[], height: number, rowHeight: number, scrollTop = 0) => {
    const pixels = new Uint32Array(8 * height);
    const grid = { rows: codes.length, columns: 1, codes: Uint16Array.from(codes) };
    paint(pixels, grid, { width: 8, height, rowHeight, scrollTop, density: 1 }, palette);
    return pixels;
  };

  it('gives every row its height, from the scroll position on', () => {
    const pixels = draw([0, 100, 255], 8, 4, 4);
    expect(pixels[0]).toBe(palette.levels[100]);
    expect(pixels[4 * 8]).toBe(palette.levels[255]);
  });

  it('separates rows that are high enough, and fills what is beneath them', () => {
    const pixels = draw([0, 0], 24, 10);
    expect([pixels[0], pixels[9 * 8], pixels[10 * 8], pixels[21 * 8]]).toEqual([
      palette.levels[0],
      palette.gap,
      palette.levels[0],
      palette.gap,
    ]);
  });

  it('draws each kind of odd value in its own pattern', () => {
    const kinds = Object.values(CODE).map((code) => draw([code], 8, 20).join());
    expect(new Set(kinds).size).toBe(kinds.length);
  });
});

it('joins neighbouring rows', () => {
  expect(groups(new Set([4, 1, 2, 7]))).toEqual([
    [1, 2],
    [4, 4],
    [7, 7],
  ]);
});
