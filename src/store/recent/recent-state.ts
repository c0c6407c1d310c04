/** What is in memory: the selections of each metric, and the series that they share. */
import { compareLabels, type Label, type SeriesSamples } from '../../model/sample.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import type { ReadSeries } from '../readers/sample-pieces.ts';
import type { SampleSelection, SeriesPoints } from '../readers/samples.ts';
import { identityOf, type SeriesIdentity } from '../writers/series-id.ts';
import { createHeldSeries } from './held-series.ts';
import { countPatterns, insertSeries, isWithin, keyOf, type RecentSelection, testOf } from './selection.ts';
import { createSelectionIndex } from './selection-index.ts';
import type { SeriesBuffer } from './series-buffer.ts';
import { need, placeBytes, tidy } from './tidying.ts';

export interface RecentStateOptions {
  readonly nowMs: () => number;
  /** Never goes back. */
  readonly monotonicMs: () => number;
  readonly maxBytes: number;
  /** So long may one call go on tidying up, and so many series are gone through in a step; 3 ms and 500 unless told. */
  readonly sliceMs?: number;
  readonly sliceSeries?: number;
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

interface Admitted {
  readonly buffer: SeriesBuffer;
  readonly takers: readonly RecentSelection[];
}

type Since = Pick<RecentSelection, 'fromMs' | 'number'>;

/** Beyond what was asked for, so that the same query is answered a minute later, and one that is a little longer. */
export const spanToKeep = (askedMs: number): number => Math.max(askedMs, 0) * 1.1 + 60_000;

const maxSelections = 500;
/** Series that are seen for the first time are tested by each selection of their metric. A batch that makes more work than this is not worth it. */
const maxTests = 50_000;
/** A test by a pattern is as much work as so many others. */
const patternTests = 5;
const defaultSliceSeries = 500;
const defaultSliceMs = 3;
/** A selection is not found at once among so many slices of series that a wider one takes: each has to be tested. */
const maxSlicesAtOnce = 2;
/** Series with samples that came too late, of which one costs a copy of all its samples. */
const maxLateAtOnce = 1000;
const selectionBytes = 1000;
const patternBytes = 16_000;
/** Room is made for some time to come. */
const roomyShare = 0.95;
/** A selection that nobody has asked for so long makes room for another; after the longer time it goes in any case. */
const spareAfterMs = 120_000;
const idleAfterMs = 15 * 60_000;
const tidyEveryMs = 30_000;

/** Undefined where many samples came too late: some are put in their places now, and the others when the same is asked again. */
function viewsOf(
  { series }: RecentSelection,
  { afterMs, untilMs }: SampleSelection,
): readonly SeriesPoints[] | undefined {
  const found: SeriesPoints[] = [];
  let late = 0;
  for (const buffer of series) {
    if (buffer.hasLate && ++late > maxLateAtOnce) return undefined;
    const points = buffer.view(afterMs, untilMs);
    if (points !== undefined) found.push(points);
  }
  return found;
}

/** About what it takes beside its list: patterns and what they remember take most. */
const sizeOf = ({ patterns, key }: RecentSelection): number => selectionBytes + patterns * patternBytes + key.length;

const inOrder = (a: SeriesBuffer, b: SeriesBuffer): number => compareLabels(a.labels, b.labels);

export class RecentState {
  readonly #options: RecentStateOptions;
  readonly #sliceSeries: number;
  readonly #index = createSelectionIndex();
  #held;
  #tidiedAtMs: number;
  /** What is left of the tidying that goes on. */
  #tidying: Generator<undefined, void, undefined> | undefined;
  #round = 0;
  /** How many selections were begun. */
  #begun = 0;
  /** Series that are not in the lists of those that take them yet: lists are gone through once for all of a batch. */
  #admitted: Admitted[] = [];
  /** How often series were tested by selections in this batch. What is read from the store comes in pieces that are small enough. */
  #tests = 0;

  constructor(options: RecentStateOptions) {
    this.#options = options;
    this.#sliceSeries = options.sliceSeries ?? defaultSliceSeries;
    this.#held = createHeldSeries(options.maxBytes);
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
    this.#tests = 0;
    for (const item of items) {
      const identity = identityOf(item.series);
      if (this.#index.hasMetric(identity.metric.text)) this.#keepOne(item, identity);
    }
    this.#putAdmitted();
    this.#tidySome();
    if (this.#held.bytes > this.#options.maxBytes) this.#makeRoom({ isSparing: false });
  }

  /** From here on the samples that come are kept for the selection; it answers once it is finished. */
  begin(wanted: Wanted): RecentSelection {
    const cover = this.#coverOf(wanted.selection, wanted.metric);
    // The tables' key does not know times before 1970: they are looked for only where they are asked for.
    const earliestMs = Math.min(wanted.selection.afterMs, 0);
    const fromMs = cover?.fromMs ?? Math.max(this.#options.nowMs() - wanted.spanMs, earliestMs);
    const selection = this.#create(wanted, { fromMs, number: cover?.number ?? ++this.#begun });
    this.#add(selection);
    return selection;
  }

  /** Takes what others hold of a selection that was begun, some series a step. True at the end where nothing more is needed. */
  *adopt(selection: RecentSelection): Generator<undefined, boolean, undefined> {
    const { matchers, metric, fromMs } = selection;
    const cover = this.#coverOf({ matchers, afterMs: fromMs, untilMs: fromMs }, metric);
    const others = cover === undefined ? [...this.#index.ofMetric(metric)] : [cover];
    const all = new Set<SeriesBuffer>();
    for (const other of others) if (other !== selection) for (const buffer of other.series) all.add(buffer);
    let taken: SeriesBuffer[] = [];
    let i = 0;
    for (const buffer of all) {
      if (!this.has(selection)) return false;
      if (!buffer.isGone && selection.takes(buffer.labels)) taken.push(buffer);
      if (++i % this.#sliceSeries !== 0 && i < all.size) continue;
      this.#use(selection, taken.filter(({ isGone }) => !isGone).sort(inOrder));
      taken = [];
      yield;
    }
    if (cover === undefined || this.#index.ready.get(cover.key) !== cover) return false;
    // It may have forgotten something meanwhile.
    selection.fromMs = Math.max(fromMs, cover.fromMs);
    return true;
  }

  /** Whether a selection that was begun is still to be had: everything may have been forgotten meanwhile. */
  has(selection: RecentSelection): boolean {
    return this.#index.has(selection);
  }

  /** Adds what was read of a selection that was begun. */
  take(selection: RecentSelection, series: readonly ReadSeries[]): void {
    this.#tests = Number.NEGATIVE_INFINITY;
    for (const { id, points } of series) {
      const known = this.#held.get(id);
      if (known !== undefined && known.fromMs <= selection.fromMs) continue;
      const buffer = known ?? this.#admit(id, points.labels, selection.metric);
      if (buffer === undefined) continue;
      buffer.merge(points);
      buffer.fromMs = selection.fromMs;
    }
    this.#putAdmitted();
  }

  /** Whether there is room for what is held, after selections that nobody has asked for lately were given up. */
  makeRoom(): boolean {
    return this.#makeRoom({ isSparing: true });
  }

  finish(selection: RecentSelection): void {
    const before = this.#index.ready.get(selection.key);
    if (before !== undefined) this.#remove(before);
    this.#index.setReady(selection);
  }

  giveUp(selection: RecentSelection): void {
    this.#remove(selection);
  }

  clear(): void {
    this.#index.clear();
    this.#held = createHeldSeries(this.#options.maxBytes);
    this.#admitted = [];
    this.#tidying = undefined;
  }

  #create({ selection: { matchers }, metric, spanMs }: Wanted, { fromMs, number }: Since): RecentSelection {
    const takes = testOf(matchers);
    const askedAtMs = this.#options.monotonicMs();
    const key = keyOf(matchers);
    const patterns = countPatterns(matchers);
    return { key, metric, matchers, takes, patterns, spanMs, number, fromMs, isReady: false, askedAtMs, series: [] };
  }

  /** One that answers and has all that a selection may ask for. */
  #coverOf(asked: SampleSelection, metric: string): RecentSelection | undefined {
    for (const wider of this.#index.ofMetric(metric)) {
      if (wider.isReady && wider.fromMs <= asked.afterMs && isWithin(asked.matchers, wider.matchers)) return wider;
    }
    return undefined;
  }

  /** A selection that is part of one that is held has its series already. */
  #derive(asked: SampleSelection, metric: string): RecentSelection | undefined {
    const wider = this.#coverOf(asked, metric);
    if (wider === undefined || wider.series.length > this.#sliceSeries * maxSlicesAtOnce) return undefined;
    const spanMs = spanToKeep(this.#options.nowMs() - asked.afterMs);
    const derived = this.#create({ selection: asked, metric, spanMs }, wider);
    this.#add(derived);
    this.#use(
      derived,
      wider.series.filter(({ labels, isGone }) => !isGone && derived.takes(labels)),
    );
    this.finish(derived);
    this.#makeRoom({ isSparing: false });
    // It may have had to go itself.
    return this.#index.has(derived) ? derived : undefined;
  }

  #keepOne({ series, samples }: SeriesSamples, identity: SeriesIdentity): void {
    const metric = identity.metric.text;
    let buffer = this.#held.get(identity);
    if (buffer === undefined && this.#held.unwantedBy(identity) === this.#begun) return;
    for (const sample of samples) {
      if (buffer === undefined || sample.timestampMs <= buffer.newestMs) {
        // Who sends the past again sends much of it, and no selection reaches back to it.
        if (sample.timestampMs <= this.#earliestOf(metric)) {
          if (buffer !== undefined) buffer.fromMs = Math.max(buffer.fromMs, sample.timestampMs);
          continue;
        }
        buffer ??= this.#admit(identity, series.labels, metric);
        if (buffer === undefined) return;
      }
      buffer.add(sample);
    }
  }

  #earliestOf(metric: string): number {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { fromMs } of this.#index.ofMetric(metric)) earliestMs = Math.min(earliestMs, fromMs);
    return earliestMs;
  }

  /** Makes a series' buffer for all selections that take it; undefined when none does. */
  #admit(id: SeriesKey, labels: readonly Label[], metric: string): SeriesBuffer | undefined {
    const known = this.#held.unwantedBy(id);
    const takers: RecentSelection[] = [];
    for (const selection of this.#index.ofMetric(metric)) {
      if (selection.number <= known) continue;
      if (known === 0) this.#tests += 1 + selection.patterns * patternTests;
      if (selection.takes(labels)) takers.push(selection);
    }
    if (takers.length === 0) {
      this.#held.setUnwanted(id, this.#begun);
      if (this.#tests > maxTests) this.#giveUpMetric(metric);
      return undefined;
    }
    // A selection that is ready has all series that had samples since `fromMs`: this one had none.
    const ready = takers.filter(({ isReady }) => isReady).map(({ fromMs }) => fromMs);
    const buffer = this.#held.add(id, this.#options.intern(id, labels), Math.min(Number.POSITIVE_INFINITY, ...ready));
    this.#admitted.push({ buffer, takers });
    if (this.#tests > maxTests) this.#giveUpMetric(metric);
    return buffer;
  }

  /** Puts the series that came into the lists of those that take them. */
  #putAdmitted(): void {
    if (this.#admitted.length === 0) return;
    const admitted = this.#admitted.sort((a, b) => inOrder(a.buffer, b.buffer));
    this.#admitted = [];
    const lists = new Map<RecentSelection, SeriesBuffer[]>();
    for (const { buffer, takers } of admitted) {
      for (const taker of takers) {
        const list = lists.get(taker);
        if (list === undefined) lists.set(taker, [buffer]);
        else list.push(buffer);
      }
    }
    for (const [selection, list] of lists) if (this.#index.has(selection)) this.#use(selection, list);
    for (const { buffer } of admitted) if (buffer.users === 0) this.#held.remove(buffer);
  }

  /** A selection takes series, which are in order. */
  #use(selection: RecentSelection, series: readonly SeriesBuffer[]): void {
    for (const buffer of series) {
      buffer.users++;
      need(buffer, selection.fromMs, this.#round);
    }
    insertSeries(selection, series);
    this.#held.columns.memory.bytes += series.length * placeBytes;
  }

  #add(selection: RecentSelection): void {
    this.#index.add(selection);
    this.#held.columns.memory.bytes += sizeOf(selection);
  }

  /** Gives up a selection and the series that nobody else takes. */
  #remove(selection: RecentSelection): void {
    if (!this.#index.remove(selection)) return;
    // The usual end of what has grown too large: a hundred thousand series go faster all together than one by one.
    if (this.#index.isEmpty()) {
      this.clear();
      return;
    }
    this.#held.columns.memory.bytes -= selection.series.length * placeBytes + sizeOf(selection);
    // One that is on its way may want what it has not come to yet.
    const isCertain = [...this.#index.ofMetric(selection.metric)].every(({ isReady }) => isReady);
    const unwantedBy = isCertain ? this.#begun : undefined;
    for (const buffer of selection.series) if (--buffer.users === 0) this.#held.remove(buffer, unwantedBy);
  }

  #giveUpMetric(metric: string): void {
    this.#tests = 0;
    for (const selection of [...this.#index.ofMetric(metric)]) this.#remove(selection);
  }

  #tidySome(): void {
    if (this.#tidying === undefined) {
      if (this.#options.monotonicMs() - this.#tidiedAtMs <= tidyEveryMs) return;
      this.#tidying = this.#tidy();
    }
    const tidying = this.#tidying;
    const startedMs = performance.now();
    do {
      if (tidying.next().done === true) this.#tidying = undefined;
      // It ends as well when there is nothing left.
    } while (this.#tidying === tidying && performance.now() - startedMs < (this.#options.sliceMs ?? defaultSliceMs));
  }

  *#tidy(): Generator<undefined, void, undefined> {
    const [nowMs, monotonicMs] = [this.#options.nowMs(), this.#options.monotonicMs()];
    this.#tidiedAtMs = monotonicMs;
    for (const selection of [...this.#index.ready.values()]) {
      if (monotonicMs - selection.askedAtMs <= idleAfterMs) continue;
      this.#remove(selection);
      yield;
    }
    for (const selection of this.#index.ready.values()) {
      selection.fromMs = Math.max(selection.fromMs, nowMs - selection.spanMs);
    }
    yield* tidy({ index: this.#index, held: this.#held, round: ++this.#round, sliceSeries: this.#sliceSeries });
  }

  /** Gives up the selections that were asked for longest ago, as long as memory does not do; when sparing, none that was asked for lately. */
  #makeRoom({ isSparing }: { readonly isSparing: boolean }): boolean {
    const { ready } = this.#index;
    const { maxBytes } = this.#options;
    const fits = (share: number) => this.#held.bytes <= maxBytes * share && ready.size <= maxSelections;
    if (fits(1)) return true;
    const byAge = [...ready.values()].sort((a, b) => a.askedAtMs - b.askedAtMs);
    for (const selection of byAge) {
      if (isSparing && this.#options.monotonicMs() - selection.askedAtMs < spareAfterMs) break;
      this.#remove(selection);
      if (fits(roomyShare)) return true;
    }
    return fits(1);
  }
}
