/** Pointer and keyboard on the map: reading cells, choosing a row, zooming into steps. */
import { useMemo } from 'preact/hooks';
import type { Actions } from '../actions';
import { type Cell, cellAt, type MapGeometry, scrollToRow } from '../charts/map_geometry';
import type { MapData } from '../map_data';
import type { AppState, Cursor } from '../state';
import type { Store } from '../store';
import { useApp } from './context';

type Scroller = { current: HTMLDivElement | null };

interface MapParts {
  data: MapData;
  geometry: MapGeometry;
  scroller: Scroller;
  cursor: Store<Cursor>;
  store: Store<AppState>;
  actions: Actions;
}

const MIN_DRAG = 4;

/** Handlers for the element that scrolls the map. */
export function useMapInput(data: MapData, geometry: MapGeometry, scroller: Scroller) {
  const { cursor, store, actions } = useApp();
  return useMemo(() => {
    const parts = { data, geometry, scroller, cursor, store, actions };
    return {
      ...pointerHandlers(parts),
      onKeyDown: keyHandler(parts),
      onFocus: () => cursor.set(cursorCell(parts)),
    };
  }, [data, geometry, scroller, cursor, store, actions]);
}

function pointerHandlers(parts: MapParts) {
  const { geometry, cursor, actions } = parts;
  let pressedAt: number | null = null;
  return {
    onPointerDown(event: PointerEvent) {
      if (event.button === 0) pressedAt = place(event, parts).x;
    },
    onPointerMove(event: PointerEvent) {
      cursor.set(cellUnder(event, parts) ?? { row: null, column: null });
    },
    onPointerUp(event: PointerEvent) {
      if (pressedAt === null) return;
      const [from, to] = [pressedAt, place(event, parts).x];
      pressedAt = null;
      const cell = cellUnder(event, parts);
      if (Math.abs(to - from) >= MIN_DRAG) zoomBetween(from, to, parts);
      else if (cell) openLine(cell, parts);
    },
    onPointerLeave() {
      pressedAt = null;
      cursor.set({ row: null, column: null });
    },
    /** The wheel moves rows away under a pointer that stays where it is. */
    onWheel() {
      if (geometry.fullHeight > geometry.viewHeight) cursor.set({ row: null, column: null });
    },
    onDblClick: () => void actions.zoom(null),
  };
}

/** Where the pointer is on the shown part of the cells; left of them x is negative. */
function place(event: MouseEvent, { geometry, scroller }: MapParts) {
  const element = scroller.current as HTMLDivElement;
  const { left, top } = element.getBoundingClientRect();
  const stage = element.querySelector('.map-stage')?.getBoundingClientRect();
  const x = event.clientX - (stage?.left ?? left);
  return { x, y: Math.min(geometry.viewHeight, event.clientY - top) };
}

function cellUnder(event: MouseEvent, parts: MapParts): Cell | null {
  const { x, y } = place(event, parts);
  return cellAt(parts.geometry, Math.max(0, x), y, parts.scroller.current?.scrollTop ?? 0);
}

function zoomBetween(from: number, to: number, { data, geometry, actions }: MapParts): void {
  const column = (x: number) =>
    cellAt(geometry, Math.min(geometry.width - 1, Math.max(0, x)), 0, 0)?.column ?? 0;
  const { firstSteps, steps } = data.timeline;
  const [first, last] = [column(Math.min(from, to)), column(Math.max(from, to))];
  void actions.zoom([firstSteps[first] as number, steps[last] as number]);
}

/** Unfolds a block, folds it again, or opens the layer of a row. */
function openLine({ row }: Cell, { data, actions, store }: MapParts): void {
  const line = data.lines[row];
  if (!line) return;
  if (line.row) {
    void actions.openLayer(line.row.name);
    return;
  }
  const opened = new Set(store.get().opened);
  if (!opened.delete(line.name)) opened.add(line.name);
  void actions.drawMap({ opened });
}

const MOVES: Record<string, [rows: number, columns: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-10, 0],
  PageDown: [10, 0],
  Home: [0, Number.NEGATIVE_INFINITY],
  End: [0, Number.POSITIVE_INFINITY],
};

/** Where the cursor is, or the newest value of the first row where it has not been yet. */
function cursorCell({ cursor, geometry }: MapParts): Cell {
  const { row, column } = cursor.get();
  return { row: row ?? 0, column: column ?? geometry.columns - 1 };
}

function keyHandler(parts: MapParts) {
  const { geometry, scroller, cursor, actions } = parts;
  return (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (move) {
      const next = moved(cursorCell(parts), move, geometry);
      cursor.set(next);
      const element = scroller.current as HTMLDivElement;
      element.scrollTop = scrollToRow(geometry, next.row, element.scrollTop);
    } else if (event.key === 'Enter') {
      openLine(cursorCell(parts), parts);
    } else if (event.key === 'Escape') {
      void actions.zoom(null);
    } else return;
    event.preventDefault();
  };
}

function moved(at: Cell, [rows, columns]: [number, number], geometry: MapGeometry): Cell {
  const clamp = (value: number, count: number) => Math.min(count - 1, Math.max(0, value));
  return {
    row: clamp(at.row + rows, geometry.rows),
    column: clamp(at.column + columns, geometry.columns),
  };
}
