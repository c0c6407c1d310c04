/** What is in memory: the selections of each metric, and the series that they share. */
import { compareLabels, type Label, type SeriesSamples } from '../../model/sample.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import type { ReadSeries } from '../readers/sample-pieces.ts';
import type { SampleSelection, SeriesPoints } from '../readers/samples.ts';
import { identityOf } from '../writers/series-id.ts';
import { createHeldSeries, type HeldSeries } from './held-series.ts';
import { insertSeries, isWithin, keyOf, type RecentSelection, testOf } from './selection.ts';
import { createSelectionIndex, neededFrom, type SelectionIndex } from './selection-index.ts';
import { SeriesBuffer } from './series-buffer.ts';

export interface RecentStateOptions {
  readonly nowMs: () => number;
  /** Never goes back. */
  readonly monotonicMs: () => number;
  readonly maxBytes: number;
  /** Gives a label array made of shared pairs. */
  readonly intern: (id: SeriesKey, labels: readonly Label[]) => readonly Label[];
}

/** A selection that is to be held. */
export interface Wanted {
  readonly selection: SampleSelection;
  readonly metric: string;
  /** How far back from now it is kept. */
  readonly spanMs: number;
}

/** Beyond what was asked for, so that the same query is answered a minute later, and one that is a little longer. */
export const spanToKeep = (askedMs: number): number => Math.max(askedMs, 0) * 1.1 + 60_000;

const maxSelections = 500;
/** A selection that nobody has asked for so long makes room for another; after the longer time it goes in any case. */
const spareAfterMs = 120_000;
const idleAfterMs = 15 * 60_000;
const tidyEveryMs = 30_000;

/** Drops the samples and series that no selection needs any more. */
function prune(index: SelectionIndex, held: HeldSeries): void {
  const needed = neededFrom(index.all());
  const ended = new Set<SeriesBuffer>();
  held.retain((buffer) => {
    const fromMs = needed.get(buffer);
    if (fromMs === undefined) return false;
    buffer.forgetUntil(fromMs);
    if (buffer.newestMs > fromMs) return true;
    ended.add(buffer);
    return false;
  });
  if (ended.size === 0) return;
  for (const selection of index.all()) selection.series = selection.series.filter((buffer) => !ended.has(buffer));
}

/** The series of a metric that others hold and the test takes, in order. */
function heldByOthers(index: SelectionIndex, { metric, takes }: RecentSelection): SeriesBuffer[] {
  const all = new Set<SeriesBuffer>();
  for (const { series } of index.ofMetric(metric)) {
    for (const buffer of series) if (takes(buffer.labels)) all.add(buffer);
  }
  return [...all].sort((a, b) => compareLabels(a.labels, b.labels));
}

function viewsOf({ series }: RecentSelection, { afterMs, untilMs }: SampleSelection): readonly SeriesPoints[] {
  const found: SeriesPoints[] = [];
  for (const buffer of series) {
    const points = buffer.view(afterMs, untilMs);
    if (points !== undefined) found.push(points);
  }
  return found;
}

export class RecentState {
  readonly #options: RecentStateOptions;
  readonly #index = createSelectionIndex();
  #held = createHeldSeries();
  #tidiedAtMs: number;

  constructor(options: RecentStateOptions) {
    this.#options = options;
    this.#tidiedAtMs = options.monotonicMs();
  }

  size(): { readonly selections: number; readonly series: number; readonly bytes: number } {
    return { selections: this.#index.ready.size, series: this.#held.count, bytes: this.#held.bytes };
  }

  /** The samples of a selection as views; undefined where they are not all here. */
  find(asked: SampleSelection, metric: string): readonly SeriesPoints[] | undefined {
    const known = this.#index.ready.get(keyOf(asked.matchers));
    const selection = known !== undefined && known.fromMs <= asked.afterMs ? known : this.#derive(asked, metric);
    if (selection === undefined) return undefined;
    selection.askedAtMs = this.#options.monotonicMs();
    return viewsOf(selection, asked);
  }

  /** Takes samples that were acknowledged. */
  keep(items: readonly SeriesSamples[]): void {
    const held = this.#held;
    for (const { series, samples } of items) {
      const identity = identityOf(series);
      const metric = identity.metric.text;
      if (!this.#index.hasMetric(metric) || held.isUnwanted(identity)) continue;
      const buffer = held.get(identity) ?? this.#admit(identity, series.labels, metric);
      if (buffer === undefined) continue;
      for (const sample of samples) buffer.add(sample, held.columns);
    }
    if (this.#options.monotonicMs() - this.#tidiedAtMs > tidyEveryMs) this.#tidy();
    if (held.bytes > this.#options.maxBytes) this.#makeRoom({ isSparing: false });
  }

  /** From here on the samples that come are kept for the selection; it answers once it is finished. */
  begin(wanted: Wanted): RecentSelection {
    // The tables' key does not know times before 1970: they are looked for only where they are asked for.
    const earliestMs = Math.min(wanted.selection.afterMs, 0);
    const selection = this.#create(wanted, Math.max(this.#options.nowMs() - wanted.spanMs, earliestMs));
    // What others hold of it is needed from now on, and what nobody else wants, this one may.
    selection.series = heldByOthers(this.#index, selection);
    this.#index.add(selection);
    this.#held.retain(() => true);
    return selection;
  }

  /** Adds what was read of a selection that was begun. */
  take(selection: RecentSelection, series: readonly ReadSeries[]): void {
    for (const { id, points } of series) {
      const known = this.#held.get(id);
      if (known !== undefined && known.fromMs <= selection.fromMs) continue;
      const buffer = known ?? this.#admit(id, points.labels, selection.metric);
      if (buffer === undefined) continue;
      buffer.merge(points, this.#held.columns);
      buffer.fromMs = selection.fromMs;
    }
  }

  /** Whether there is room for what is held, after selections that nobody has asked for lately were given up. */
  makeRoom(): boolean {
    return this.#makeRoom({ isSparing: true });
  }

  finish(selection: RecentSelection): void {
    this.#index.setReady(selection);
    prune(this.#index, this.#held);
  }

  giveUp(selection: RecentSelection): void {
    this.#index.remove(selection);
    prune(this.#index, this.#held);
  }

  clear(): void {
    this.#index.clear();
    this.#held = createHeldSeries();
  }

  #create({ selection: { matchers }, metric, spanMs }: Wanted, fromMs: number): RecentSelection {
    const takes = testOf(matchers);
    const askedAtMs = this.#options.monotonicMs();
    return { key: keyOf(matchers), metric, matchers, takes, spanMs, fromMs, isReady: false, askedAtMs, series: [] };
  }

  /** A selection that is part of one that is held has its series already. */
  #derive(asked: SampleSelection, metric: string): RecentSelection | undefined {
    for (const wider of this.#index.ofMetric(metric)) {
      const isCovering = wider.isReady && wider.fromMs <= asked.afterMs && isWithin(asked.matchers, wider.matchers);
      if (!isCovering) continue;
      const spanMs = spanToKeep(this.#options.nowMs() - asked.afterMs);
      const derived = this.#create({ selection: asked, metric, spanMs }, wider.fromMs);
      derived.series = wider.series.filter(({ labels }) => derived.takes(labels));
      this.#index.add(derived);
      this.#index.setReady(derived);
      this.#makeRoom({ isSparing: false });
      return derived;
    }
    return undefined;
  }

  /** Makes a series' buffer for all selections that take it; undefined when none does. */
  #admit(id: SeriesKey, labels: readonly Label[], metric: string): SeriesBuffer | undefined {
    const takers = [...this.#index.ofMetric(metric)].filter(({ takes }) => takes(labels));
    if (takers.length === 0) {
      this.#held.setUnwanted(id);
      return undefined;
    }
    // A selection that is ready has all series that had samples since `fromMs`: this one had none.
    const ready = takers.filter(({ isReady }) => isReady).map(({ fromMs }) => fromMs);
    const buffer = new SeriesBuffer(this.#options.intern(id, labels), Math.min(Number.POSITIVE_INFINITY, ...ready));
    this.#held.add(id, buffer);
    for (const taker of takers) insertSeries(taker, buffer);
    return buffer;
  }

  #tidy(): void {
    const [nowMs, monotonicMs] = [this.#options.nowMs(), this.#options.monotonicMs()];
    this.#tidiedAtMs = monotonicMs;
    for (const selection of this.#index.ready.values()) {
      if (monotonicMs - selection.askedAtMs > idleAfterMs) this.#index.remove(selection);
      else selection.fromMs = Math.max(selection.fromMs, nowMs - selection.spanMs);
    }
    prune(this.#index, this.#held);
  }

  /** Gives up the selections that were asked for longest ago, as long as memory does not do; when sparing, none that was asked for lately. */
  #makeRoom({ isSparing }: { readonly isSparing: boolean }): boolean {
    const { ready } = this.#index;
    const hasRoom = () => this.#held.bytes <= this.#options.maxBytes && ready.size <= maxSelections;
    if (hasRoom()) return true;
    const byAge = [...ready.values()].sort((a, b) => a.askedAtMs - b.askedAtMs);
    for (const selection of byAge) {
      if (isSparing && this.#options.monotonicMs() - selection.askedAtMs < spareAfterMs) break;
      this.#index.remove(selection);
      prune(this.#index, this.#held);
      if (hasRoom()) return true;
    }
    return false;
  }
}
