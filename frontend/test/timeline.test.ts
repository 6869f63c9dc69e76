import { describe, expect, it } from 'vitest';
import {
  alignColumns,
  columnsOf,
  heldColumns,
  stepTicks,
  unionTimeline,
  zoomed,
} from '../src/timeline';
import { series, timeline } from './builders';

it('shares the steps of all series, each once', () => {
  const a = series([[1, 2]], [0, 9]);
  const b = series([[1, 2]], [5, 9]);
  expect([...unionTimeline([a, b]).steps]).toEqual([0, 5, 9]);
  expect(unionTimeline([a, { ...a }])).toBe(a);
  expect(unionTimeline([]).steps).toHaveLength(0);
});

it('says which point of a series belongs to a column, or that none does', () => {
  expect([...alignColumns(timeline([0, 5, 9]), Float64Array.of(5, 9))]).toEqual([-1, 0, 1]);
});

describe('a signal that is measured now and then', () => {
  const steps = Float64Array.from({ length: 10 }, (_, step) => step);
  const held = (...at: number[]) => [
    ...heldColumns({ steps, firstSteps: steps }, Float64Array.from(at)),
  ];

  it('holds until it is measured again, no longer than its longest pause', () => {
    expect(held(1, 4)).toEqual([-1, 0, 0, 0, 1, 1, 1, -1, -1, -1]);
  });

  it('that is measured at most windows shows where it was not', () => {
    expect(held(0, 1, 2, 5, 6, 7)).toEqual([0, 1, 2, -1, -1, 3, 4, 5, -1, -1]);
  });

  it('that is measured ever more seldom holds from one time to the next', () => {
    expect(held(0, 1, 2, 3, 4, 6, 8)).toEqual([0, 1, 2, 3, 4, 4, 5, 5, 6, 6]);
  });

  it('that is measured at most windows and then no more does not seem to go on', () => {
    expect(held(0, 1, 2, 3, 4, 5)).toEqual([0, 1, 2, 3, 4, 5, -1, -1, -1, -1]);
  });

  it('that was measured once does not seem to go on', () => {
    expect(held(3).filter((source) => source >= 0)).toHaveLength(1);
  });
});

describe('ranges of steps', () => {
  const windows = timeline([0, 1, 11, 21], [0, 1, 2, 12]);

  it('take in every window that they touch', () => {
    expect(columnsOf(windows, [5, 13])).toEqual([2, 3]);
    expect(columnsOf(windows, [0, 0])).toEqual([0, 0]);
    expect(columnsOf(windows, [30, 40])).toBeNull();
  });

  it('zoom to these windows, and to all where none is left', () => {
    expect([...zoomed(windows, [1, 11]).steps]).toEqual([1, 11]);
    expect(zoomed(windows, [90, 99])).toBe(windows);
    expect(zoomed(windows, null)).toBe(windows);
  });
});

describe('stepTicks', () => {
  it('prefers round steps', () => {
    const steps = Float64Array.from({ length: 101 }, (_, i) => 10 * i + 7 - (i % 10 === 0 ? 7 : 0));
    expect(stepTicks(steps, 5).every(({ step }) => step % 100 === 0)).toBe(true);
  });

  it('leaves out no round step between two others', () => {
    const steps = Float64Array.of(...Array.from({ length: 51 }, (_, i) => i), 60, 70, 75);
    expect(stepTicks(steps, 5).map(({ step }) => step)).toEqual([0, 10, 20, 30, 40, 50]);
  });

  it('keeps labels apart where windows get longer', () => {
    const steps = Float64Array.from({ length: 66 }, (_, i) => (i <= 50 ? i : 50 + 10 * (i - 50)));
    expect(stepTicks(steps, 6).map(({ step }) => step)).toEqual([0, 10, 20, 30, 40, 100, 200]);
  });

  it('labels a single point once, and nothing when there is none', () => {
    expect(stepTicks(Float64Array.of(3), 5)).toEqual([{ column: 0, step: 3 }]);
    expect(stepTicks(new Float64Array(), 5)).toEqual([]);
  });
});
