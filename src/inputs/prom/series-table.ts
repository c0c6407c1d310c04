/**
 * The series of one target from scrape to scrape: which stored series an exposed one is, which are new, and which have ended and get a
 * staleness marker. The same `Series` object stands for a series as long as the target exposes it.
 */
import {
  createSeries,
  type Label,
  type Measurement,
  type Sample,
  type Series,
  type SeriesSamples,
} from '../../model/sample.ts';

/** What a line of an exposition says about its series; the parser hands out the same object for the same text. */
export interface ExposedSeries {
  readonly name: string;
  readonly labels: readonly Label[];
  readonly family: string;
  readonly type: string;
}

export interface ExposedSample {
  readonly series: ExposedSeries;
  readonly value: number;
  /** The sample's own time, where it carries one. */
  readonly timestampMs: number | undefined;
}

/** What a target's configuration makes of exposed series. */
export interface SeriesRules {
  /** False where the filters leave the series out. */
  keeps(exposed: ExposedSeries): boolean;
  labels(exposed: ExposedSeries): ReadonlyMap<string, string>;
  names(exposed: ExposedSeries): Measurement;
  readonly honorsTimestamps: boolean;
}

export interface ScrapedPage {
  /** Samples and markers; a series is there once. */
  readonly items: readonly SeriesSamples[];
  /** Samples of the body. */
  readonly scraped: number;
  /** Samples that the filters let through. */
  readonly kept: number;
  /** Series that the scrape before did not have. */
  readonly added: number;
  readonly duplicates: number;
  readonly tooFarAhead: number;
  /** Series that ended here, by their key. */
  readonly ended: ReadonlyMap<string, Series>;
}

export interface SeriesTable {
  /** Takes a whole, well-formed page. */
  take(page: readonly ExposedSample[], scrapeMs: number): ScrapedPage;
  /** Markers for every series that is alive: the scrape failed, or the target goes. */
  endAll(scrapeMs: number): ScrapedPage;
  /** Repeats these markers with the next page: what held them was not kept. */
  owe(ended: ReadonlyMap<string, Series>): void;
  size(): number;
}

/** A sample further ahead than this is refused, as Prometheus does. */
const maxAheadMs = 10 * 60_000;

interface Tracked {
  readonly key: string;
  readonly series: Series;
  seenIn: number;
  /** The last scrape that gave it a sample without a time of its own; only those are marked when they end. */
  stampedIn: number;
  isAlive: boolean;
  samples: Sample[];
}

interface Entry {
  /** Undefined where the filters leave the series out. */
  readonly tracked: Tracked | undefined;
  seenIn: number;
}

/** Adds a sample in order of time; false if there is one of that time already. */
function insertSample(samples: Sample[], sample: Sample): boolean {
  let at = samples.length;
  for (; at > 0; at--) {
    const before = samples[at - 1];
    if (before === undefined || before.timestampMs < sample.timestampMs) break;
    if (before.timestampMs === sample.timestampMs) return false;
  }
  samples.splice(at, 0, sample);
  return true;
}

const marker = (timestampMs: number): Sample => ({ timestampMs, value: Number.NaN, isStale: true });

/** Makes the table of one target. */
export function createSeriesTable(rules: SeriesRules): SeriesTable {
  const entries = new Map<ExposedSeries, Entry>();
  const byKey = new Map<string, Tracked>();
  let owed = new Map<string, Series>();
  let scrape = 0;

  const track = (exposed: ExposedSeries): Tracked | undefined => {
    if (!rules.keeps(exposed)) return undefined;
    const series = createSeries([['__name__', exposed.name], ...rules.labels(exposed)], rules.names(exposed));
    const key = JSON.stringify(series.labels);
    let tracked = byKey.get(key);
    if (tracked === undefined) {
      tracked = { key, series, seenIn: 0, stampedIn: 0, isAlive: false, samples: [] };
      byKey.set(key, tracked);
    }
    return tracked;
  };
  const entryOf = (exposed: ExposedSeries): Entry => {
    let entry = entries.get(exposed);
    if (entry === undefined) {
      entry = { tracked: track(exposed), seenIn: 0 };
      entries.set(exposed, entry);
    }
    return entry;
  };
  /** Markers for what lives and was not stamped by this scrape, and for what is still owed. */
  const endSeries = (scrapeMs: number, items: SeriesSamples[]): Map<string, Series> => {
    const ended = new Map<string, Series>();
    for (const tracked of byKey.values()) {
      if (!tracked.isAlive || tracked.stampedIn === scrape) continue;
      tracked.isAlive = false;
      ended.set(tracked.key, tracked.series);
    }
    for (const [key, series] of owed) if (byKey.get(key)?.isAlive !== true) ended.set(key, series);
    owed = new Map();
    for (const [key, series] of ended) {
      const tracked = byKey.get(key);
      if (tracked?.seenIn === scrape) insertSample(tracked.samples, marker(scrapeMs));
      else items.push({ series, samples: [marker(scrapeMs)] });
    }
    return ended;
  };
  const forgetUnseen = () => {
    for (const [exposed, entry] of entries) if (entry.seenIn !== scrape) entries.delete(exposed);
    for (const [key, tracked] of byKey) if (tracked.seenIn !== scrape) byKey.delete(key);
  };

  return {
    take(page, scrapeMs) {
      scrape++;
      const items: SeriesSamples[] = [];
      let kept = 0;
      let added = 0;
      let duplicates = 0;
      let tooFarAhead = 0;
      for (const { series: exposed, value, timestampMs } of page) {
        const entry = entryOf(exposed);
        entry.seenIn = scrape;
        const { tracked } = entry;
        if (tracked === undefined) continue;
        kept++;
        const ownMs = rules.honorsTimestamps ? timestampMs : undefined;
        if (ownMs !== undefined && ownMs > scrapeMs + maxAheadMs) {
          tooFarAhead++;
          continue;
        }
        const sample = { timestampMs: ownMs ?? scrapeMs, value, isStale: false };
        if (tracked.seenIn === scrape) {
          if (!insertSample(tracked.samples, sample)) {
            duplicates++;
            continue;
          }
        } else {
          if (tracked.seenIn === 0) added++;
          tracked.seenIn = scrape;
          tracked.samples = [sample];
          items.push({ series: tracked.series, samples: tracked.samples });
        }
        if (ownMs === undefined) {
          tracked.stampedIn = scrape;
          tracked.isAlive = true;
        }
      }
      const ended = endSeries(scrapeMs, items);
      forgetUnseen();
      return { items, scraped: page.length, kept, added, duplicates, tooFarAhead, ended };
    },
    endAll(scrapeMs) {
      scrape++;
      const items: SeriesSamples[] = [];
      const ended = endSeries(scrapeMs, items);
      return { items, scraped: 0, kept: 0, added: 0, duplicates: 0, tooFarAhead: 0, ended };
    },
    owe(ended) {
      for (const [key, series] of ended) owed.set(key, series);
    },
    size: () => entries.size,
  };
}
