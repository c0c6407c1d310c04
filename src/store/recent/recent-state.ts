/** What is in memory: the selections of each metric, and the series that they share. */
import { compareLabels, type Label, type SeriesSamples } from '../../model/sample.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import type { ReadSeries } from '../readers/sample-pieces.ts';
import type { SampleSelection, SeriesPoints } from '../readers/samples.ts';
import { identityOf } from '../writers/series-id.ts';
import { createHeldSeries } from './held-series.ts';
import { insertSeries, isWithin, keyOf, type RecentSelection, testOf } from './selection.ts';
import { SeriesBuffer } from './series-buffer.ts';

export interface RecentStateOptions {
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly maxBytes: number;
  /** Gives a label array made of shared pairs. */
  readonly intern: (id: SeriesKey, labels: readonly Label[]) => readonly Label[];
}

/** A selection that is to be held. */
export interface Wanted {
  readonly selection: SampleSelection;
  readonly metric: string;
  readonly spanMs: number;
}

export interface RecentState {
  find(selection: SampleSelection, metric: string): readonly SeriesPoints[] | undefined;
  keep(items: readonly SeriesSamples[]): void;
  /** From here on the samples that come are kept for the selection; it answers once it is finished. */
  begin(wanted: Wanted): RecentSelection;
  /** Adds what was read of it. */
  take(selection: RecentSelection, series: readonly ReadSeries[]): void;
  /** Whether there is room for what is held, after selections that nobody has asked for lately were given up. */
  makeRoom(): boolean;
  finish(selection: RecentSelection): void;
  giveUp(selection: RecentSelection): void;
  clear(): void;
  size(): { readonly selections: number; readonly series: number; readonly bytes: number };
}

/** Beyond what was asked for, so that the same query is answered a minute later, and one that is a little longer. */
export const spanToKeep = (askedMs: number): number => Math.max(askedMs, 0) * 1.1 + 60_000;

const maxSelections = 500;
/** A selection that nobody has asked for so long makes room for another; after the longer time it goes in any case. */
const spareAfterMs = 120_000;
const idleAfterMs = 15 * 60_000;
const tidyEveryMs = 30_000;

export function createRecentState(options: RecentStateOptions): RecentState {
  const { nowMs, monotonicMs, maxBytes, intern } = options;
  const byMetric = new Map<string, Set<RecentSelection>>();
  const byKey = new Map<string, RecentSelection>();
  let held = createHeldSeries();
  let tidiedAtMs = monotonicMs();

  const selectionsOf = (metric: string): Iterable<RecentSelection> => byMetric.get(metric) ?? [];

  const register = (selection: RecentSelection): void => {
    const others = byMetric.get(selection.metric) ?? new Set();
    others.add(selection);
    byMetric.set(selection.metric, others);
  };

  const remove = (selection: RecentSelection): void => {
    const others = byMetric.get(selection.metric);
    others?.delete(selection);
    if (others?.size === 0) byMetric.delete(selection.metric);
    if (byKey.get(selection.key) === selection) byKey.delete(selection.key);
  };

  /** Drops the samples and series that no selection needs any more. */
  const prune = (): void => {
    const neededFrom = new Map<SeriesBuffer, number>();
    for (const selections of byMetric.values()) {
      for (const { fromMs, series } of selections) {
        for (const buffer of series) {
          neededFrom.set(buffer, Math.min(neededFrom.get(buffer) ?? Number.POSITIVE_INFINITY, fromMs));
        }
      }
    }
    const ended = new Set<SeriesBuffer>();
    held.retain((buffer) => {
      const fromMs = neededFrom.get(buffer);
      if (fromMs === undefined) return false;
      buffer.forgetUntil(fromMs);
      if (buffer.newestMs > fromMs) return true;
      ended.add(buffer);
      return false;
    });
    if (ended.size === 0) return;
    for (const selections of byMetric.values()) {
      for (const selection of selections) selection.series = selection.series.filter((buffer) => !ended.has(buffer));
    }
  };

  const tidy = (): void => {
    const [now, monotonic] = [nowMs(), monotonicMs()];
    tidiedAtMs = monotonic;
    for (const selection of byKey.values()) {
      if (monotonic - selection.askedAtMs > idleAfterMs) remove(selection);
      else selection.fromMs = Math.max(selection.fromMs, now - selection.spanMs);
    }
    prune();
  };

  /** Gives up the selections that were asked for longest ago, as long as memory does not do, and not those that were asked for lately. */
  const makeRoom = (isSparing: boolean): boolean => {
    const byAge = [...byKey.values()].sort((a, b) => a.askedAtMs - b.askedAtMs);
    for (const selection of byAge) {
      if (held.bytes <= maxBytes && byKey.size <= maxSelections) return true;
      if (isSparing && monotonicMs() - selection.askedAtMs < spareAfterMs) break;
      remove(selection);
      prune();
    }
    return held.bytes <= maxBytes && byKey.size <= maxSelections;
  };

  /** Makes a series' buffer for all selections that take it; undefined when none does. */
  const admit = (id: SeriesKey, labels: readonly Label[], metric: string): SeriesBuffer | undefined => {
    const takers = [...selectionsOf(metric)].filter(({ takes }) => takes(labels));
    if (takers.length === 0) {
      held.setUnwanted(id);
      return undefined;
    }
    // A selection that is ready has all series that had samples since `fromMs`: this one had none.
    const ready = takers.filter(({ isReady }) => isReady).map(({ fromMs }) => fromMs);
    const buffer = new SeriesBuffer(intern(id, labels), Math.min(Number.POSITIVE_INFINITY, ...ready));
    held.add(id, buffer);
    for (const taker of takers) insertSeries(taker, buffer);
    return buffer;
  };

  const create = ({ selection: { matchers }, metric, spanMs }: Wanted, fromMs: number): RecentSelection => ({
    key: keyOf(matchers),
    metric,
    matchers,
    takes: testOf(matchers),
    spanMs,
    fromMs,
    isReady: false,
    askedAtMs: monotonicMs(),
    series: [],
  });

  const finish = (selection: RecentSelection): void => {
    const before = byKey.get(selection.key);
    if (before !== undefined) remove(before);
    selection.isReady = true;
    byKey.set(selection.key, selection);
  };

  /** A selection that is part of one that is held has its series already. */
  const derive = (asked: SampleSelection, metric: string): RecentSelection | undefined => {
    for (const wider of selectionsOf(metric)) {
      const isCovering = wider.isReady && wider.fromMs <= asked.afterMs && isWithin(asked.matchers, wider.matchers);
      if (!isCovering) continue;
      const spanMs = spanToKeep(nowMs() - asked.afterMs);
      const derived = create({ selection: asked, metric, spanMs }, wider.fromMs);
      derived.series = wider.series.filter(({ labels }) => derived.takes(labels));
      register(derived);
      finish(derived);
      makeRoom(false);
      return derived;
    }
    return undefined;
  };

  return {
    find(asked, metric) {
      const known = byKey.get(keyOf(asked.matchers));
      const selection = known !== undefined && known.fromMs <= asked.afterMs ? known : derive(asked, metric);
      if (selection === undefined) return undefined;
      selection.askedAtMs = monotonicMs();
      const found: SeriesPoints[] = [];
      for (const buffer of selection.series) {
        const points = buffer.view(asked.afterMs, asked.untilMs);
        if (points !== undefined) found.push(points);
      }
      return found;
    },
    keep(items) {
      if (byMetric.size === 0) return;
      for (const { series, samples } of items) {
        const identity = identityOf(series);
        const metric = identity.metric.text;
        if (!byMetric.has(metric) || held.isUnwanted(identity)) continue;
        const buffer = held.get(identity) ?? admit(identity, series.labels, metric);
        if (buffer === undefined) continue;
        for (const sample of samples) buffer.add(sample, held.columns);
      }
      if (monotonicMs() - tidiedAtMs > tidyEveryMs) tidy();
      if (held.bytes > maxBytes) makeRoom(false);
    },
    begin(wanted) {
      const { afterMs } = wanted.selection;
      // The tables' key does not know times before 1970: they are looked for only where they are asked for.
      const selection = create(wanted, Math.max(nowMs() - wanted.spanMs, Math.min(afterMs, 0)));
      // What others hold of it is needed from now on, and what nobody else wants, this one may.
      const all = new Set<SeriesBuffer>();
      for (const { series } of selectionsOf(wanted.metric)) {
        for (const buffer of series) if (selection.takes(buffer.labels)) all.add(buffer);
      }
      selection.series = [...all].sort((a, b) => compareLabels(a.labels, b.labels));
      register(selection);
      held.retain(() => true);
      return selection;
    },
    take(selection, series) {
      for (const { id, points } of series) {
        const known = held.get(id);
        if (known !== undefined && known.fromMs <= selection.fromMs) continue;
        const buffer = known ?? admit(id, points.labels, selection.metric);
        if (buffer === undefined) continue;
        buffer.merge(points, held.columns);
        buffer.fromMs = selection.fromMs;
      }
    },
    makeRoom: () => makeRoom(true),
    finish(selection) {
      finish(selection);
      prune();
    },
    giveUp(selection) {
      remove(selection);
      prune();
    },
    clear() {
      byMetric.clear();
      byKey.clear();
      held = createHeldSeries();
    },
    size: () => ({ selections: byKey.size, series: held.count, bytes: held.bytes }),
  };
}
