/** The selections that are held or on their way, by their matchers and by their metric. */
import type { RecentSelection } from './selection.ts';
import type { SeriesBuffer } from './series-buffer.ts';

export interface SelectionIndex {
  /** Those that are ready, one for each list of matchers. */
  readonly ready: ReadonlyMap<string, RecentSelection>;
  hasMetric(metric: string): boolean;
  /** Ready or not. */
  ofMetric(metric: string): Iterable<RecentSelection>;
  all(): Iterable<RecentSelection>;
  add(selection: RecentSelection): void;
  /** From now on it answers, in place of another one of the same matchers. */
  setReady(selection: RecentSelection): void;
  remove(selection: RecentSelection): void;
  clear(): void;
}

export function createSelectionIndex(): SelectionIndex {
  const byMetric = new Map<string, Set<RecentSelection>>();
  const ready = new Map<string, RecentSelection>();
  const remove = (selection: RecentSelection): void => {
    const others = byMetric.get(selection.metric);
    others?.delete(selection);
    if (others?.size === 0) byMetric.delete(selection.metric);
    if (ready.get(selection.key) === selection) ready.delete(selection.key);
  };
  return {
    ready,
    hasMetric: (metric) => byMetric.has(metric),
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
      const before = ready.get(selection.key);
      if (before !== undefined) remove(before);
      selection.isReady = true;
      ready.set(selection.key, selection);
    },
    remove,
    clear() {
      byMetric.clear();
      ready.clear();
    },
  };
}

/** From when on each series is needed by any of the selections. */
export function neededFrom(selections: Iterable<RecentSelection>): ReadonlyMap<SeriesBuffer, number> {
  const needed = new Map<SeriesBuffer, number>();
  for (const { fromMs, series } of selections) {
    for (const buffer of series) needed.set(buffer, Math.min(needed.get(buffer) ?? Number.POSITIVE_INFINITY, fromMs));
  }
  return needed;
}
