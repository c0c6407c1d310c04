import { describe, expect, it } from 'vitest';
import type { ExposedExemplar, ExposedPage, ExposedSeries } from '../../codec/exposition/exposition.ts';
import { createSeries, labelValue, type SeriesSamples } from '../../model/sample.ts';
import { createSeriesBudget } from './series-budget.ts';
import { createSeriesTable, type SeriesRules, type TableEntry } from './series-table.ts';

interface ExposedSample {
  readonly series: ExposedSeries;
  readonly value: number;
  readonly timestampMs: number | undefined;
  readonly exemplar?: Omit<ExposedExemplar, 'sample'>;
}

const exposures = new Map<string, ExposedSeries>();
/** The same object for the same text, as the parser gives. */
function exposed(name: string, labels: Record<string, string> = {}): ExposedSeries {
  const text = `${name}${JSON.stringify(labels)}`;
  let found = exposures.get(text);
  if (found === undefined) {
    found = { name, labels: Object.entries(labels), family: name, type: 'unknown' };
    exposures.set(text, found);
  }
  return found;
}
const sample = (series: ExposedSeries, value = 1, timestampMs?: number): ExposedSample => ({
  series,
  value,
  timestampMs,
});

interface Options extends Partial<SeriesRules> {
  readonly seriesLimit?: number;
  readonly nowMs?: () => number;
}

/** A table and, before it, what the parser would remember. */
function table({ seriesLimit = 1000, nowMs = () => 0, ...rules }: Options = {}) {
  const series = createSeriesTable({
    rules: {
      seriesOf: ({ name, labels }) => createSeries([['__name__', name], ...labels]),
      honorsTimestamps: true,
      tracksOwnTimestamps: false,
      ...rules,
    },
    budget: createSeriesBudget(seriesLimit),
    nowMs,
  });
  const entries = new Map<ExposedSeries, TableEntry>();
  let before: readonly TableEntry[] = [];
  const pageOf = (samples: readonly ExposedSample[]): ExposedPage<TableEntry> => {
    const remembered = samples.map((one) => {
      const entry = entries.get(one.series) ?? series.remember(one.series);
      entries.set(one.series, entry);
      return entry;
    });
    const isSameSeries = remembered.length === before.length && remembered.every((entry, at) => entry === before[at]);
    before = remembered;
    return {
      length: samples.length,
      series: remembered,
      values: Float64Array.from(samples, ({ value }) => value),
      timestampsMs: Float64Array.from(samples, ({ timestampMs }) => timestampMs ?? Number.NaN),
      hasTimestamps: samples.some(({ timestampMs }) => timestampMs !== undefined),
      exemplars: samples.flatMap(({ exemplar }, at) => (exemplar === undefined ? [] : [{ ...exemplar, sample: at }])),
      longExemplars: 0,
      metadata: new Map(),
      isSameSeries,
    };
  };
  return {
    ...series,
    /** A page that is refused before it is taken. */
    resolveOnly(samples: readonly ExposedSample[]) {
      series.resolve(pageOf(samples), 0);
    },
    take(samples: readonly ExposedSample[], scrapeMs: number) {
      const page = pageOf(samples);
      for (let at = 0; at < page.length; ) at = series.resolve(page, at);
      return series.take(page, scrapeMs);
    },
  };
}
const show = (items: readonly SeriesSamples[]) =>
  items
    .flatMap(({ series, samples }) =>
      samples.map((one) => `${labelValue(series, '__name__')}@${one.timestampMs}=${one.isStale ? 'stale' : one.value}`),
    )
    .sort();

const a = exposed('a');
const b = exposed('b');

describe('series of a target', () => {
  it('hands out the same Series object scrape after scrape', () => {
    const series = table();
    const [first] = series.take([sample(a)], 1000).items;
    const [second] = series.take([sample(a, 2)], 2000).items;
    expect(second?.series).toBe(first?.series);
    expect(second?.samples).toEqual([{ timestampMs: 2000, value: 2, isStale: false }]);
  });

  it('marks a series that disappeared once, at the time of the scrape that lacks it', () => {
    const series = table();
    series.take([sample(a), sample(b)], 1000);
    expect(show(series.take([sample(a)], 2000).items)).toEqual(['a@2000=1', 'b@2000=stale']);
    expect(show(series.take([sample(a)], 3000).items)).toEqual(['a@3000=1']);
    expect(series.size()).toBe(1);
  });

  it('marks everything when a scrape fails, and nothing again when the next fails too', () => {
    const series = table();
    series.take([sample(a), sample(b)], 1000);
    expect(show(series.endAll(2000).items)).toEqual(['a@2000=stale', 'b@2000=stale']);
    expect(show(series.endAll(3000).items)).toEqual([]);
    const back = series.take([sample(a)], 4000);
    expect(show(back.items)).toEqual(['a@4000=1']);
    expect(back.added).toBe(0);
  });

  it('gives no marker to series with timestamps of their own', () => {
    const series = table();
    series.take([sample(a, 1, 500)], 1000);
    expect(show(series.take([], 2000).items)).toEqual([]);
    const ignoring = table({ honorsTimestamps: false });
    expect(show(ignoring.take([sample(a, 1, 500)], 1000).items)).toEqual(['a@1000=1']);
    expect(show(ignoring.take([], 2000).items)).toEqual(['a@2000=stale']);
  });

  it('marks a series whose samples begin to carry their own time', () => {
    const series = table();
    series.take([sample(a)], 1000);
    expect(show(series.take([sample(a, 2, 1500)], 2000).items)).toEqual(['a@1500=2', 'a@2000=stale']);
  });

  it('repeats a marker that was not kept, unless the series came back', () => {
    const series = table();
    series.take([sample(a), sample(b)], 1000);
    const lost = series.take([], 2000);
    series.owe(lost.ended);
    expect(show(series.take([sample(a)], 3000).items)).toEqual(['a@3000=1', 'b@3000=stale']);
    expect(show(series.take([sample(a)], 4000).items)).toEqual(['a@4000=1']);
  });

  it('keeps the first of two samples of one series, and both where their own times differ, in order', () => {
    const series = table();
    const twice = series.take([sample(a, 1), sample(a, 2)], 1000);
    expect(show(twice.items)).toEqual(['a@1000=1']);
    expect(twice.duplicates).toBe(1);
    const [item] = series.take([sample(b, 1, 900), sample(b, 2, 800), sample(b, 3, 900)], 2000).items;
    expect(item?.samples.map((one) => one.timestampMs)).toEqual([800, 900]);
  });

  it('takes different texts that come out as the same labels for one series', () => {
    const series = table({ seriesOf: ({ name }) => createSeries([['__name__', name]]) });
    const page = series.take([sample(exposed('a', { x: '1' })), sample(exposed('a', { x: '2' }))], 1000);
    expect(page.duplicates).toBe(1);
    expect(page.items).toHaveLength(1);
  });

  it('refuses samples more than ten minutes ahead', () => {
    const series = table();
    const page = series.take([sample(a, 1, 601_001), sample(b, 1, 601_000)], 1000);
    expect(page.tooFarAhead).toBe(1);
    expect(show(page.items)).toEqual(['b@601000=1']);
  });

  it('counts what was scraped, what the filters kept and what is new', () => {
    const series = table({
      seriesOf: ({ name }) => (name === 'b' ? undefined : createSeries([['__name__', name]])),
    });
    expect(series.take([sample(a), sample(b)], 1000)).toMatchObject({ scraped: 2, kept: 1, added: 1 });
    expect(series.take([sample(a), sample(b)], 2000)).toMatchObject({ scraped: 2, kept: 1, added: 0 });
  });

  it('forgets series that are gone, so that a target whose labels churn does not grow', () => {
    const series = table();
    for (let n = 0; n < 1000; n++) {
      series.take(
        [{ series: { name: `churn_${n}`, labels: [], family: '', type: 'unknown' }, value: 1, timestampMs: undefined }],
        n,
      );
      expect(series.size()).toBe(1);
    }
  });

  it('forgets the series of pages that failed on a limit, so that a target that always fails does not grow', () => {
    const series = table();
    for (let n = 0; n < 100; n++) {
      series.resolveOnly([sample(exposed(`churn_${n}`))]);
      series.endAll(n);
      expect(series.size()).toBe(0);
    }
    series.take([sample(a)], 1000);
    series.resolveOnly([sample(a), sample(b)]);
    expect(show(series.endAll(2000).items)).toEqual(['a@2000=stale']);
    const back = series.take([sample(a), sample(b)], 3000);
    expect([show(back.items), back.added]).toEqual([['a@3000=1', 'b@3000=1'], 1]);
  });

  it('takes a page of the same series for settled, and still marks what ends later', () => {
    const series = table();
    for (let ms = 1000; ms <= 3000; ms += 1000) {
      expect(show(series.take([sample(a), sample(b)], ms).items)).toEqual([`a@${ms}=1`, `b@${ms}=1`]);
    }
    expect(show(series.take([sample(b)], 4000).items)).toEqual(['a@4000=stale', 'b@4000=1']);
    expect(show(series.take([sample(b)], 5000).items)).toEqual(['b@5000=1']);
    expect(series.take([sample(a), sample(b)], 6000).added).toBe(1);
    expect(show(series.take([], 7000).items)).toEqual(['a@7000=stale', 'b@7000=stale']);
  });

  it('marks series with times of their own where it is told to', () => {
    const series = table({ tracksOwnTimestamps: true });
    series.take([sample(a, 1, 500)], 1000);
    expect(show(series.take([], 2000).items)).toEqual(['a@2000=stale']);
  });

  it('leaves out series beyond the budget of a day, goes on with those it has, and takes new ones a day later', () => {
    let nowMs = 0;
    const series = table({ seriesLimit: 2, nowMs: () => nowMs });
    const c = exposed('c');
    const first = series.take([sample(a), sample(b), sample(c)], 1000);
    expect(show(first.items)).toEqual(['a@1000=1', 'b@1000=1']);
    expect(first.overBudget).toBe(1);
    expect(series.take([sample(c), sample(a)], 2000)).toMatchObject({ overBudget: 1, kept: 1 });
    nowMs = 86_400_000;
    expect(show(series.take([sample(a), sample(c)], 3000).items)).toEqual(['a@3000=1', 'c@3000=1']);
  });

  it('hands an exemplar on once, until the series has another', () => {
    const series = table();
    const exemplar = (value: number) => ({
      exemplar: { labels: [['trace_id', 'abc'] as const], value, timestampMs: undefined },
    });
    const first = series.take([{ ...sample(a), ...exemplar(1) }], 1000);
    expect(first.exemplars).toMatchObject([{ value: 1, timestampMs: 1000, labels: [['trace_id', 'abc']] }]);
    expect(first.exemplars[0]?.series).toBe(first.items[0]?.series);
    expect(series.take([{ ...sample(a), ...exemplar(1) }], 2000).exemplars).toEqual([]);
    expect(series.take([{ ...sample(a), ...exemplar(2) }], 3000).exemplars).toHaveLength(1);
  });
});
