/** The selections that are held or on their way, by their matchers and by their metric. */
import type { RecentSelection } from './selection.ts';

export interface SelectionIndex {
  /** Those that are ready, one for each list of matchers. */
  readonly ready: ReadonlyMap<string, RecentSelection>;
  isEmpty(): boolean;
  hasMetric(metric: string): boolean;
  has(selection: RecentSelection): boolean;
  /** Ready or not. */
  ofMetric(metric: string): Iterable<RecentSelection>;
  all(): Iterable<RecentSelection>;
  add(selection: RecentSelection): void;
  /** From now on it answers. There must be no other one of the same matchers that is ready. */
  setReady(selection: RecentSelection): void;
  /** False where it was not there. */
  remove(selection: RecentSelection): boolean;
  clear(): void;
}

export function createSelectionIndex(): SelectionIndex {
  const byMetric = new Map<string, Set<RecentSelection>>();
  const ready = new Map<string, RecentSelection>();
  return {
    ready,
    isEmpty: () => byMetric.size === 0,
    hasMetric: (metric) => byMetric.has(metric),
    has: (selection) => byMetric.get(selection.metric)?.has(selection) === true,
    ofMetric: (metric) => byMetric.get(metric) ?? [],
    *all() {
      for (const selections of byMetric.values()) yield* selections;
    },
    add(selection) {
      const others = byMetric.get(selection.metric) ?? new Set();
      others.add(selection);
      byMetric.set(selection.metric, others);
    },
    setReady(selection) {
      selection.isReady = true;
      ready.set(selection.key, selection);
    },
    remove(selection) {
      const others = byMetric.get(selection.metric);
      if (others?.delete(selection) !== true) return false;
      if (others.size === 0) byMetric.delete(selection.metric);
      if (ready.get(selection.key) === selection) ready.delete(selection.key);
      return true;
    },
    clear() {
      byMetric.clear();
      ready.clear();
    },
  };
}
