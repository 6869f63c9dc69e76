import { expect, it, vi } from 'vitest';
import { createStore } from '../src/store';

it('tells listeners of changes, and only of changes', () => {
  const store = createStore({ a: 1, b: Number.NaN });
  const listener = vi.fn();
  const end = store.subscribe(listener);
  store.set({ a: 1, b: Number.NaN });
  expect(listener).not.toHaveBeenCalled();
  store.set({ a: 2 });
  expect(store.get()).toEqual({ a: 2, b: Number.NaN });
  end();
  store.set({ a: 3 });
  expect(listener).toHaveBeenCalledTimes(1);
});

it('lets a listener end its subscription while it is told', () => {
  const store = createStore({ a: 1 });
  const other = vi.fn();
  const end = store.subscribe(() => end());
  store.subscribe(other);
  store.set({ a: 2 });
  expect(other).toHaveBeenCalledTimes(1);
});
