/**
 * The series of one target from scrape to scrape: which stored series an exposed one is, which are new, and which have ended and get a
 * staleness marker. The same `Series` object stands for a series as long as the target exposes it.
 */
import type { ExposedExemplar, ExposedPage, ExposedSeries } from '../../codec/exposition/exposition.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import type { Sample, Series, SeriesSamples } from '../../model/sample.ts';
import type { SeriesBudget } from './series-budget.ts';
import { hashLabels, sameLabels } from './series-hash.ts';

/** What a target's configuration makes of exposed series. */
export interface SeriesRules {
  /** The stored series; undefined where filters or relabelling leave it out. Throws a LimitError where it has too much of something. */
  seriesOf(exposed: ExposedSeries): Series | undefined;
  readonly honorsTimestamps: boolean;
  /** Whether series with times of their own get markers too. */
  readonly tracksOwnTimestamps: boolean;
}

/** A stored series as long as the target exposes it. */
export interface Tracked {
  readonly series: Series;
  readonly hash: number;
  /** Another series with the same hash. */
  next: Tracked | undefined;
  seenIn: number;
  /** The last scrape that gave it a sample that is marked when it ends: mostly one without a time of its own. */
  stampedIn: number;
  isAlive: boolean;
  /** Whether the table has forgotten it; a text that comes back gets a new one. */
  isForgotten: boolean;
  /** Where it stands among the items of the scrape that saw it last. */
  item: number;
  lastExemplar: ExposedExemplar | undefined;
}

/** What the parser remembers for the text of a series. What it stands for is worked out when a page is taken. */
export interface TableEntry {
  /** Until it is known for good what it stands for: then its labels would be there twice. */
  exposed: ExposedSeries | undefined;
  state: 'new' | 'kept' | 'left_out' | 'over_budget';
  tracked: Tracked | undefined;
  /** The budget's day in which it was over budget. */
  day: number;
}

export interface ScrapedPage {
  /** Samples and markers; a series is there once. */
  readonly items: readonly SeriesSamples[];
  readonly exemplars: readonly Exemplar[];
  /** Samples of the body. */
  readonly scraped: number;
  /** Samples that the filters let through. */
  readonly kept: number;
  /** Series that the scrape before did not have. */
  readonly added: number;
  readonly duplicates: number;
  readonly tooFarAhead: number;
  /** Samples of series beyond the day's budget. */
  readonly overBudget: number;
  /** Exemplars whose labels are longer than OpenMetrics allows. */
  readonly longExemplars: number;
  /** Series that ended here. */
  readonly ended: readonly Tracked[];
}

export interface SeriesTable {
  /** For the parser: what stands for a series' text from now on. */
  remember(exposed: ExposedSeries): TableEntry;
  /**
   * Works out what the new series of a page are, for some milliseconds at a time: gives the sample to go on with, `page.length` at the end. Throws
   * a LimitError where the page has too much of something.
   */
  resolve(page: ExposedPage<TableEntry>, from: number): number;
  /** How many of a resolved page's samples are kept. */
  countKept(page: ExposedPage<TableEntry>): number;
  /** Takes a page that was resolved whole. */
  take(page: ExposedPage<TableEntry>, scrapeMs: number): ScrapedPage;
  /** Markers for every series that is alive: the scrape failed, or the target goes. */
  endAll(scrapeMs: number): ScrapedPage;
  /** Repeats these markers with the next page: what held them was not kept. */
  owe(ended: readonly Tracked[]): void;
  size(): number;
}

export interface SeriesTableOptions {
  readonly rules: SeriesRules;
  readonly budget: SeriesBudget;
  /** Of a clock that never goes back. */
  readonly nowMs: () => number;
}

/** A sample further ahead than this is refused, as Prometheus does. */
const maxAheadMs = 10 * 60_000;
/** New series are worked out for so long in one turn of the event loop; the clock is looked at now and then. */
const sliceMs = 10;
const lookEvery = 64;
/** An item that is still being filled. */
interface ScrapedItem {
  readonly series: Series;
  readonly samples: Sample[];
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

const sameExemplar = (a: ExposedExemplar | undefined, b: ExposedExemplar): boolean =>
  a !== undefined && Object.is(a.value, b.value) && a.timestampMs === b.timestampMs && sameLabels(a.labels, b.labels);

/** Stored series by their labels. */
function createTrackedIndex() {
  const byHash = new Map<number, Tracked>();
  const find = ({ labels }: Series, hash: number): Tracked | undefined => {
    let tracked = byHash.get(hash);
    while (tracked !== undefined && !sameLabels(tracked.series.labels, labels)) tracked = tracked.next;
    return tracked;
  };
  return {
    find,
    findOrAdd(series: Series, hash: number): Tracked {
      const found = find(series, hash);
      if (found !== undefined) return found;
      const tracked: Tracked = {
        series,
        hash,
        next: byHash.get(hash),
        seenIn: 0,
        stampedIn: 0,
        isAlive: false,
        isForgotten: false,
        item: 0,
        lastExemplar: undefined,
      };
      byHash.set(hash, tracked);
      return tracked;
    },
    *all(): Iterable<Tracked> {
      for (const first of byHash.values()) {
        for (let tracked: Tracked | undefined = first; tracked !== undefined; tracked = tracked.next) yield tracked;
      }
    },
    /** Keeps only what `isKept` says. */
    sweep(isKept: (tracked: Tracked) => boolean) {
      for (const [hash, first] of byHash) {
        let kept: Tracked | undefined;
        for (let tracked: Tracked | undefined = first; tracked !== undefined; ) {
          const next: Tracked | undefined = tracked.next;
          if (isKept(tracked)) {
            tracked.next = kept;
            kept = tracked;
          } else {
            tracked.isForgotten = true;
          }
          tracked = next;
        }
        if (kept === undefined) byHash.delete(hash);
        else if (kept !== first) byHash.set(hash, kept);
      }
    },
    size: () => byHash.size,
  };
}

/** Makes the table of one target. Hot: bench/scrape.ts. */
export function createSeriesTable({ rules, budget, nowMs }: SeriesTableOptions): SeriesTable {
  const index = createTrackedIndex();
  let owed: Tracked[] = [];
  let scrape = 0;
  /** The page before was taken whole, each of its series was stamped, and nothing was owed: a page of the same series ends none. */
  let isSettled = false;

  const resolveEntry = (entry: TableEntry, exposed: ExposedSeries) => {
    const series = rules.seriesOf(exposed);
    if (series === undefined) {
      entry.state = 'left_out';
      entry.exposed = undefined;
      return;
    }
    const hash = hashLabels(series.labels);
    if (!budget.admit(hash, nowMs())) {
      entry.state = 'over_budget';
      entry.day = budget.day(nowMs());
      return;
    }
    entry.tracked = index.findOrAdd(series, hash);
    entry.state = 'kept';
    entry.exposed = undefined;
  };

  const comeBack = (entry: TableEntry, forgotten: Tracked): Tracked => {
    const tracked = index.findOrAdd(forgotten.series, forgotten.hash);
    entry.tracked = tracked;
    return tracked;
  };

  const mark = (tracked: Tracked, scrapeMs: number, items: ScrapedItem[]) => {
    const own = tracked.seenIn === scrape ? items[tracked.item] : undefined;
    if (own !== undefined) insertSample(own.samples, marker(scrapeMs));
    else items.push({ series: tracked.series, samples: [marker(scrapeMs)] });
  };

  /** Markers for what lives and was not stamped by this scrape, and for what is still owed. */
  const endSeries = (scrapeMs: number, items: ScrapedItem[]): readonly Tracked[] => {
    const ended = new Set<Tracked>();
    for (const tracked of index.all()) {
      if (!tracked.isAlive || tracked.stampedIn === scrape) continue;
      tracked.isAlive = false;
      ended.add(tracked);
    }
    for (const tracked of owed) {
      const current = index.find(tracked.series, tracked.hash) ?? tracked;
      if (!current.isAlive) ended.add(current);
    }
    owed = [];
    for (const tracked of ended) mark(tracked, scrapeMs, items);
    return [...ended];
  };

  const exemplarsOf = (page: ExposedPage<TableEntry>, scrapeMs: number) => {
    const exemplars: Exemplar[] = [];
    for (const exposed of page.exemplars) {
      const tracked = page.series[exposed.sample]?.tracked;
      if (tracked === undefined || sameExemplar(tracked.lastExemplar, exposed)) continue;
      tracked.lastExemplar = exposed;
      const { labels, value } = exposed;
      const ownMs = page.timestampsMs[exposed.sample] ?? Number.NaN;
      const sampleMs = rules.honorsTimestamps && !Number.isNaN(ownMs) ? ownMs : scrapeMs;
      exemplars.push({ series: tracked.series, labels, value, timestampMs: exposed.timestampMs ?? sampleMs });
    }
    return exemplars;
  };

  return {
    remember: (exposed) => ({ exposed, state: 'new', tracked: undefined, day: 0 }),
    resolve(page, from) {
      const day = budget.day(nowMs());
      const startedMs = nowMs();
      let resolved = 0;
      for (let i = from; i < page.length; i++) {
        const entry = page.series[i];
        if (entry?.exposed === undefined) continue;
        if (entry.state === 'over_budget' && entry.day === day) continue;
        if (++resolved % lookEvery === 0 && nowMs() - startedMs > sliceMs) return i;
        resolveEntry(entry, entry.exposed);
      }
      return page.length;
    },
    countKept(page) {
      let kept = 0;
      for (let i = 0; i < page.length; i++) if (page.series[i]?.state === 'kept') kept++;
      return kept;
    },
    take(page, scrapeMs) {
      scrape++;
      const items: ScrapedItem[] = [];
      const usesOwnTimes = rules.honorsTimestamps && page.hasTimestamps;
      const { length, series, values, timestampsMs } = page;
      let kept = 0;
      let added = 0;
      let duplicates = 0;
      let tooFarAhead = 0;
      let overBudget = 0;
      for (let i = 0; i < length; i++) {
        const entry = series[i];
        if (entry?.tracked === undefined) {
          if (entry?.state === 'over_budget') overBudget++;
          continue;
        }
        const tracked = entry.tracked.isForgotten ? comeBack(entry, entry.tracked) : entry.tracked;
        kept++;
        const ownMs = usesOwnTimes ? (timestampsMs[i] ?? Number.NaN) : Number.NaN;
        const hasOwn = usesOwnTimes && !Number.isNaN(ownMs);
        if (hasOwn && ownMs > scrapeMs + maxAheadMs) {
          tooFarAhead++;
          continue;
        }
        const sample = { timestampMs: hasOwn ? ownMs : scrapeMs, value: values[i] ?? 0, isStale: false };
        if (tracked.seenIn === scrape) {
          if (!insertSample(items[tracked.item]?.samples ?? [], sample)) {
            duplicates++;
            continue;
          }
        } else {
          if (tracked.seenIn === 0) added++;
          tracked.seenIn = scrape;
          tracked.item = items.length;
          items.push({ series: tracked.series, samples: [sample] });
        }
        if (!hasOwn || rules.tracksOwnTimestamps) {
          tracked.stampedIn = scrape;
          tracked.isAlive = true;
        }
      }
      let ended: readonly Tracked[] = [];
      if (!(isSettled && page.isSameSeries && !usesOwnTimes)) {
        ended = endSeries(scrapeMs, items);
        index.sweep((tracked) => tracked.seenIn === scrape);
      }
      isSettled = !usesOwnTimes;
      const exemplars = exemplarsOf(page, scrapeMs);
      return {
        items,
        exemplars,
        scraped: length,
        kept,
        added,
        duplicates,
        tooFarAhead,
        overBudget,
        longExemplars: page.longExemplars,
        ended,
      };
    },
    endAll(scrapeMs) {
      scrape++;
      isSettled = false;
      const items: ScrapedItem[] = [];
      const ended = endSeries(scrapeMs, items);
      // Series of pages that failed on a limit, and so were never taken.
      index.sweep((tracked) => tracked.seenIn > 0);
      return {
        items,
        exemplars: [],
        scraped: 0,
        kept: 0,
        added: 0,
        duplicates: 0,
        tooFarAhead: 0,
        overBudget: 0,
        longExemplars: 0,
        ended,
      };
    },
    owe(ended) {
      isSettled = false;
      for (const tracked of ended) owed.push(tracked);
    },
    size: () => index.size(),
  };
}
