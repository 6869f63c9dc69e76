import { describe, expect, it } from 'vitest';
import {
  cellAt,
  columnX,
  fitsReadably,
  labelledRows,
  mapGeometry,
  rowsInView,
  scrollToRow,
} from '../src/charts/map_geometry';

describe('mapGeometry', () => {
  it('makes few rows tall, but not endlessly', () => {
    expect(mapGeometry(4, 10, 600, 300, true)).toMatchObject({ rowHeight: 28, viewHeight: 112 });
  });

  it('squeezes many rows into view, or scrolls them', () => {
    expect(mapGeometry(600, 10, 600, 300, true)).toMatchObject({ rowHeight: 0.5, fullHeight: 300 });
    expect(mapGeometry(600, 10, 600, 300, false)).toMatchObject({
      rowHeight: 14,
      viewHeight: 300,
      fullHeight: 8400,
    });
  });

  it('knows when there is nothing to choose', () => {
    expect([fitsReadably(20, 300), fitsReadably(22, 300)]).toEqual([true, false]);
  });
});

describe('cells', () => {
  const geometry = mapGeometry(100, 10, 600, 280, false);

  it('are found below the pointer, scrolled or not', () => {
    expect(cellAt(geometry, 61, 15, 0)).toEqual({ row: 1, column: 1 });
    expect(cellAt(geometry, 599, 0, 140)).toEqual({ row: 10, column: 9 });
  });

  it('end at the edges', () => {
    expect(cellAt(geometry, 600, 0, 0)).toBeNull();
    expect(cellAt(geometry, -1, 0, 0)).toBeNull();
    expect(cellAt(geometry, 0, 0, 1400)).toBeNull();
    expect(columnX(geometry, 10)).toBe(600);
  });

  it('are scrolled to by as little as needed', () => {
    expect(scrollToRow(geometry, 5, 0)).toBe(0);
    expect(scrollToRow(geometry, 5, 140)).toBe(70);
    expect(scrollToRow(geometry, 20, 0)).toBe(14);
  });
});

describe('rowsInView', () => {
  const geometry = mapGeometry(100, 10, 600, 280, false);

  it('counts rows that are partly hidden', () => {
    expect(rowsInView(geometry, 0)).toEqual([0, 20]);
    expect(rowsInView(geometry, 150)).toEqual([10, 31]);
  });

  it('ends with the last row, also where a filter left fewer than were scrolled by', () => {
    expect(rowsInView(geometry, 1390)).toEqual([99, 100]);
    expect(rowsInView(geometry, 5000)).toEqual([100, 100]);
  });
});

describe('labelledRows', () => {
  it('labels only rows in view', () => {
    const geometry = mapGeometry(100, 10, 600, 280, false);
    expect(labelledRows(geometry, 140, new Set())).toEqual(
      Array.from({ length: 20 }, (_, i) => 10 + i),
    );
  });

  it('thins labels that would overlap, sparing the wanted ones', () => {
    const geometry = mapGeometry(300, 10, 600, 300, true);
    const labels = labelledRows(geometry, 0, new Set([100]));
    expect(labels).toContain(100);
    const gaps = labels.slice(1).map((row, i) => row - (labels[i] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(13);
  });
});
