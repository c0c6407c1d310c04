/** A store in memory for tests, and time that stands still unless it is moved. */
import { setImmediate as turn } from 'node:timers/promises';
import { compareLabels, labelValue, type Sample, type Series, type SeriesSamples } from '../../model/sample.ts';
import type { LabelMatcher } from '../readers/label-matcher.ts';
import { matcherOf } from '../readers/matches.ts';
import type { SamplePiece } from '../readers/sample-pieces.ts';
import { type SampleSelection, type SeriesPoints, takesPlaceOf } from '../readers/samples.ts';
import { identityOf } from '../writers/series-id.ts';
import { createRecentSamples, type RecentSamples, type RecentSamplesOptions } from './recent-samples.ts';

export const startMs = 1_736_938_800_000;
export const minuteMs = 60_000;

export const equals = (name: string, value: string): LabelMatcher => ({ name, op: '=', value });

/** The samples of one series as the readers give them: in order, the larger of two that have one stamp. */
function toPoints({ labels }: Series, samples: readonly Sample[]): SeriesPoints {
  const kept: Sample[] = [];
  for (const next of [...samples].sort((a, b) => a.timestampMs - b.timestampMs)) {
    const before = kept.at(-1);
    if (before?.timestampMs !== next.timestampMs) kept.push(next);
    else if (
      takesPlaceOf({ value: next.value, isMarker: next.isStale }, { value: before.value, isMarker: before.isStale })
    ) {
      kept[kept.length - 1] = next;
    }
  }
  return {
    labels,
    timestampsMs: Float64Array.from(kept, ({ timestampMs }) => timestampMs),
    values: Float64Array.from(kept, ({ value, isStale }) => (isStale ? Number.NaN : value)),
    staleAt: kept.some(({ isStale }) => isStale)
      ? Uint8Array.from(kept, ({ isStale }) => (isStale ? 1 : 0))
      : undefined,
  };
}

export interface StoreInMemory {
  readonly recent: RecentSamples;
  readonly failures: unknown[];
  /** How often it was read from. */
  reads(): number;
  /** Time goes on. */
  pass(ms: number): void;
  /** The clock is set. */
  shift(ms: number): void;
  now(): number;
  /** Takes samples, and memory with it. */
  add(items: readonly SeriesSamples[]): void;
  /** Answers as the readers do. */
  read(selection: SampleSelection): readonly SeriesPoints[];
}

export interface StoreOptions extends Partial<Pick<RecentSamplesOptions, 'oldestMs' | 'sliceMs' | 'sliceSeries'>> {
  /** Whether it fails this time. */
  readonly isFailing?: () => boolean;
}

/** Makes it; memory may take so much. */
export function createStore(maxBytes: number = 1 << 26, { isFailing, ...options }: StoreOptions = {}): StoreInMemory {
  const stored = new Map<Series, Sample[]>();
  const byId = new Map<string, Series>();
  const failures: unknown[] = [];
  let nowMs = startMs;
  let monotonicMs = 0;
  const mayFail = () => {
    if (isFailing?.() === true) throw new Error('the store was killed');
  };
  let visible = new Map<Series, readonly Sample[]>();
  let reads = 0;

  const select = (from: ReadonlyMap<Series, readonly Sample[]>, { matchers, afterMs, untilMs }: SampleSelection) => {
    const tests = matchers.map((matcher) => ({ name: matcher.name, takes: matcherOf(matcher) }));
    return [...from]
      .filter(([series]) => tests.every(({ name, takes }) => takes(labelValue(series, name))))
      .map(([series, samples]) => {
        const within = samples.filter(({ timestampMs }) => timestampMs > afterMs && timestampMs <= untilMs);
        return { id: identityOf(series), points: toPoints(series, within) };
      })
      .filter(({ points }) => points.values.length > 0);
  };
  const recent = createRecentSamples({
    nowMs: () => nowMs,
    monotonicMs: () => monotonicMs,
    ...options,
    maxBytes,
    intern: (_, labels) => labels,
    async freshen() {
      await turn();
      mayFail();
      visible = new Map([...stored].map(([series, samples]) => [series, [...samples]]));
    },
    async *read(selection): AsyncGenerator<SamplePiece> {
      reads++;
      const all = select(visible, selection);
      for (let from = 0; from < all.length; from += 3) {
        await turn();
        mayFail();
        yield { series: all.slice(from, from + 3), share: Math.min((from + 3) / all.length, 1) };
      }
    },
    onFailure: (error) => failures.push(error),
  });
  return {
    recent,
    failures,
    reads: () => reads,
    pass(ms) {
      nowMs += ms;
      monotonicMs += ms;
    },
    shift(ms) {
      nowMs += ms;
    },
    now: () => nowMs,
    add(items) {
      for (const { series, samples } of items) {
        // Inputs have objects of their own for one series.
        const { low, high } = identityOf(series);
        const own = byId.get(`${low} ${high}`) ?? series;
        byId.set(`${low} ${high}`, own);
        stored.set(own, [...(stored.get(own) ?? []), ...samples]);
      }
      recent.keep(items);
    },
    read: (selection) =>
      select(stored, selection)
        .map(({ points }) => points)
        .sort((a, b) => compareLabels(a.labels, b.labels)),
  };
}
