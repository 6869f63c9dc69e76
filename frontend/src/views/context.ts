/** Hands the stores and actions to every view, and redraws a view when its part changes. */
import { createContext } from 'preact';
import { useContext, useLayoutEffect, useState } from 'preact/hooks';
import type { Actions } from '../actions';
import type { AppState, Cursor } from '../state';
import type { Store } from '../store';

export interface AppParts {
  store: Store<AppState>;
  cursor: Store<Cursor>;
  actions: Actions;
}

export const AppContext = createContext<AppParts | null>(null);

export function useApp(): AppParts {
  const parts = useContext(AppContext);
  if (!parts) throw new Error('A view was mounted outside of AppContext.Provider.');
  return parts;
}

/** The selected part of the state; `select` must return the same object for the same state. */
export function useAppState<T>(select: (state: AppState) => T): T {
  return useStore(useApp().store, select);
}

export function useCursor(): Cursor {
  return useStore(useApp().cursor, (cursor) => cursor);
}

function useStore<S extends object, T>(store: Store<S>, select: (state: S) => T): T {
  const [, redraw] = useState(0);
  const selected = select(store.get());
  useLayoutEffect(() => {
    let shown = selected;
    const check = () => {
      const next = select(store.get());
      if (Object.is(next, shown)) return;
      shown = next;
      redraw((count) => count + 1);
    };
    check();
    return store.subscribe(check);
  });
  return selected;
}
