/** The map of two runs as one: how the second stands to the first. */
import { NOT_MEASURED, type Series, type Signal } from './wire';

/** Decades between two values of a signal with a log scale; else their difference. */
export function differenceSignal(signal: Signal): Signal {
  const log = signal.scale === 'log';
  return {
    ...signal,
    title: `${signal.title}, ${log ? 'decades apart' : 'difference'}`,
    unit: log ? '' : signal.unit,
    fields: ['mean'],
    scale: 'linear',
    healthy: null,
  };
}

/**
 * Second minus first, at the steps that both have logged.
 *
 * What is not finite in one of them stays so. What a log scale cannot hold counts as not measured.
 */
export function differenceSeries(signal: Signal, first: Series, second: Series): Series {
  const pairs = commonPoints(first, second);
  const [a, b] = [firstField(first), firstField(second)];
  const values = new Float32Array(first.rows * pairs.length);
  const apart = signal.scale === 'log' ? decades : minus;
  for (let row = 0; row < first.rows; row++) {
    pairs.forEach(([i, j], column) => {
      values[row * pairs.length + column] = apart(
        a[row * first.points + i] as number,
        b[row * second.points + j] as number,
      );
    });
  }
  const pick = (times: Float64Array) => Float64Array.from(pairs, ([i]) => times[i] as number);
  return {
    ...first,
    fields: ['mean'],
    points: pairs.length,
    steps: pick(first.steps),
    firstSteps: pick(first.firstSteps),
    wallTimes: pick(first.wallTimes),
    values: { mean: values },
  };
}

function firstField({ fields, values }: Series): Float32Array {
  return values[fields[0] ?? ''] ?? new Float32Array();
}

function commonPoints(a: Series, b: Series): [number, number][] {
  const pairs: [number, number][] = [];
  let j = 0;
  a.steps.forEach((step, i) => {
    while (j < b.points && (b.steps[j] as number) < step) j++;
    if (b.steps[j] === step) pairs.push([i, j]);
  });
  return pairs;
}

function minus(a: number, b: number): number {
  return a === NOT_MEASURED || b === NOT_MEASURED ? NOT_MEASURED : b - a;
}

function decades(a: number, b: number): number {
  if (a <= 0 || b <= 0) return NOT_MEASURED;
  return Math.log10(b) - Math.log10(a);
}
