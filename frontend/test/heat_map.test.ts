import { describe, expect, it } from 'vitest';
import { CODE, createPalette } from '../src/charts/color';
import { encode, gather, paint, pool } from '../src/charts/heat_map';
import { groups } from '../src/charts/map_drawing';

const linear = { scale: 'linear', lo: 0, hi: 1 } as const;

it('encodes rows by the shared columns', () => {
  const values = Float32Array.of(0, 1, 1, Number.NaN);
  const gathered = gather(values, 2, 2, Int32Array.of(-1, 0, 1));
  const grid = encode(gathered, 2, 3, linear);
  expect([...grid.codes]).toEqual([CODE.missing, 0, 255, CODE.missing, 255, CODE.nan]);
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
