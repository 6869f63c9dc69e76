/**
 * From values to colours: a perceptually uniform scale that colour-blind people read as well,
 * and own codes for everything that is not a point on a scale.
 */
import { NOT_MEASURED } from '../wire';

export const LEVELS = 256;

/** Codes 0 to 255 are levels of the scale; these follow. */
export const CODE = { nan: 256, posInf: 257, negInf: 258, missing: 259, zero: 260 } as const;

export interface Domain {
  scale: 'log' | 'linear';
  lo: number;
  hi: number;
}

/** Smallest domain that holds all `values`; whole decades on a log scale, 0 to 1 for shares. */
export function domainOf(values: ArrayLike<number>, scale: Domain['scale']): Domain {
  const [lo, hi] = extremesOf(values, scale);
  if (lo === undefined || hi === undefined) {
    return scale === 'log' ? { scale, lo: 1e-3, hi: 1 } : { scale, lo: 0, hi: 1 };
  }
  return scale === 'log' ? wholeDecades(lo, hi) : linearDomain(lo, hi);
}

/** Lowest and highest of the values that the scale can hold; neither where it can hold none. */
function extremesOf(values: ArrayLike<number>, scale: Domain['scale']): number[] {
  let lo = Number.POSITIVE_INFINITY;
  let hi = Number.NEGATIVE_INFINITY;
  const floor = scale === 'log' ? 0 : NOT_MEASURED;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    // Leaves out NaN as well, which compares to nothing.
    if (!(value > floor && value < Number.POSITIVE_INFINITY)) continue;
    if (value < lo) lo = value;
    if (value > hi) hi = value;
  }
  return lo > hi ? [] : [lo, hi];
}

function wholeDecades(lo: number, hi: number): Domain {
  const first = Math.floor(Math.log10(lo) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(hi) - 1e-9));
  return { scale: 'log', lo: powerOfTen(first), hi: powerOfTen(last) };
}

/** `10 ** -5` is not the number that is written 1e-5, and would be printed with all its digits. */
export function powerOfTen(exponent: number): number {
  return Number(`1e${exponent}`);
}

function linearDomain(lo: number, hi: number): Domain {
  if (lo >= 0 && hi <= 1) return { scale: 'linear', lo: 0, hi: 1 };
  return lo === hi ? { scale: 'linear', lo, hi: lo + 1 } : { scale: 'linear', lo, hi };
}

/** From a finite value to its place within the domain, from 0 to 1. */
export function scaleOf({ scale, lo, hi }: Domain): (value: number) => number {
  const place = scale === 'log' ? Math.log : (value: number) => value;
  const start = place(lo);
  const perUnit = 1 / (place(hi) - start);
  return (value) => Math.min(1, Math.max(0, (place(value) - start) * perUnit));
}

/** From any measured value to its colour code. What a log scale cannot hold counts as zero. */
export function coderOf(domain: Domain): (value: number) => number {
  const scale = scaleOf(domain);
  const log = domain.scale === 'log';
  return (value) => {
    if (Number.isNaN(value)) return CODE.nan;
    if (value === Number.POSITIVE_INFINITY) return CODE.posInf;
    if (value === Number.NEGATIVE_INFINITY) return CODE.negInf;
    if (value === NOT_MEASURED) return CODE.missing;
    if (log && value <= 0) return CODE.zero;
    return Math.round(scale(value) * (LEVELS - 1));
  };
}

/** Up to `count` values to label on a legend or an axis: decades or even parts of the domain. */
export function domainTicks({ scale, lo, hi }: Domain, count: number): number[] {
  if (scale === 'linear') {
    return Array.from({ length: count }, (_, i) => lo + ((hi - lo) * i) / (count - 1));
  }
  const first = Math.round(Math.log10(lo));
  const last = Math.round(Math.log10(hi));
  const stride = Math.max(1, Math.ceil((last - first) / (count - 1)));
  const ticks: number[] = [];
  for (let decade = first; decade <= last; decade += stride) ticks.push(powerOfTen(decade));
  return ticks;
}

/** Control points of the viridis scale (van der Walt and Smith, 2015), dark to light. */
const VIRIDIS = [
  '#440154',
  '#482878',
  '#3e4989',
  '#31688e',
  '#26828e',
  '#1f9e89',
  '#35b779',
  '#6ece58',
  '#b5de2b',
  '#fde725',
] as const;

/** Blue over grey to orange: for values on both sides of 0, told apart by colour-blind people. */
const DIVERGING = [
  '#08519c',
  '#4a90c9',
  '#a6c8e0',
  '#d9d9d9',
  '#f6b98a',
  '#e0752d',
  '#9c3a00',
] as const;

const STOPS = { sequential: VIRIDIS, diverging: DIVERGING } as const;

export type ColorScale = keyof typeof STOPS;

/** CSS gradient of a scale, for the legend. */
export function scaleGradient(colors: ColorScale): string {
  return `linear-gradient(to right, ${STOPS[colors].join(', ')})`;
}

/** The same room on both sides of 0, which then has the colour in the middle. */
export function symmetric({ scale, lo, hi }: Domain): Domain {
  const reach = Math.max(Math.abs(lo), Math.abs(hi));
  return { scale, lo: -reach, hi: reach };
}

/** Ink and ground of a patterned code, as packed pixels. */
export interface Pattern {
  ground: number;
  ink: number;
}

export interface Palette {
  /** `[LEVELS]` packed pixels. */
  levels: Uint32Array;
  /** Between rows. */
  gap: number;
  patterns: Record<keyof typeof CODE, Pattern>;
}

export function createPalette(theme: 'light' | 'dark', colors: ColorScale = 'sequential'): Palette {
  const dark = theme === 'dark';
  const pattern = (ground: string, ink: string) => ({ ground: pack(ground), ink: pack(ink) });
  return {
    levels: levels(STOPS[colors]),
    gap: pack(dark ? '#26282b' : '#ffffff'),
    patterns: {
      nan: pattern('#d3095a', '#f484ad'),
      posInf: pattern('#ff6d1f', '#4a1800'),
      negInf: pattern('#ff6d1f', '#ffe9dc'),
      missing: dark ? pattern('#303337', '#4b5056') : pattern('#eef0f3', '#cfd5dc'),
      zero: dark ? pattern('#0c0d0f', '#8a9199') : pattern('#16181c', '#8a9199'),
    },
  };
}

function levels(hexes: readonly string[]): Uint32Array {
  const stops = hexes.map(channels);
  return Uint32Array.from({ length: LEVELS }, (_, level) => {
    const place = (level / (LEVELS - 1)) * (stops.length - 1);
    const index = Math.min(stops.length - 2, Math.floor(place));
    const [from, to] = [stops[index], stops[index + 1]] as [number[], number[]];
    return packChannels(from.map((c, i) => Math.round(c + (place - index) * ((to[i] ?? c) - c))));
  });
}

function channels(hex: string): number[] {
  return [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16));
}

function pack(hex: string): number {
  return packChannels(channels(hex));
}

/** Pixels of `ImageData` are RGBA in memory, so ABGR in a little-endian word. */
function packChannels([r = 0, g = 0, b = 0]: number[]): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}
