import { useSyncExternalStore } from 'react';

/** A value that components can watch; `set` merges, as React's setState on classes does. */
export function createStore(initial) {
  let state = initial;
  const watchers = new Set();
  return {
    get: () => state,
    set(change) {
      state = { ...state, ...change };
      for (const watcher of watchers) watcher();
    },
    subscribe(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}

export const useStore = (store) => useSyncExternalStore(store.subscribe, store.get);
