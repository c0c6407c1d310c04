import { describe, expect, it } from 'vitest';
import { labelValue, type SeriesSamples } from '../../model/sample.ts';
import { createSeriesTable, type ExposedSample, type ExposedSeries, type SeriesRules } from './series-table.ts';

const exposures = new Map<string, ExposedSeries>();
/** The same object for the same text, as the parser gives. */
function exposed(name: string, labels: Record<string, string> = {}): ExposedSeries {
  const text = `${name}${JSON.stringify(labels)}`;
  let found = exposures.get(text);
  if (found === undefined) {
    found = { name, labels: Object.entries(labels), family: name, type: 'untyped' };
    exposures.set(text, found);
  }
  return found;
}
const sample = (series: ExposedSeries, value = 1, timestampMs?: number): ExposedSample => ({
  series,
  value,
  timestampMs,
});

function table(rules: Partial<SeriesRules> = {}) {
  return createSeriesTable({
    keeps: () => true,
    labels: (series) => new Map(series.labels),
    names: (series) => ({ measurement: 'm', field: series.name }),
    honorsTimestamps: true,
    ...rules,
  });
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
    const series = table({ labels: () => new Map() });
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
    const series = table({ keeps: (one) => one.name !== 'b' });
    expect(series.take([sample(a), sample(b)], 1000)).toMatchObject({ scraped: 2, kept: 1, added: 1 });
    expect(series.take([sample(a), sample(b)], 2000)).toMatchObject({ scraped: 2, kept: 1, added: 0 });
  });

  it('forgets series that are gone, so that a target whose labels churn does not grow', () => {
    const series = table();
    for (let n = 0; n < 1000; n++) {
      series.take(
        [{ series: { name: `churn_${n}`, labels: [], family: '', type: '' }, value: 1, timestampMs: undefined }],
        n,
      );
      expect(series.size()).toBe(1);
    }
  });
});
