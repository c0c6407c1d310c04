import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import { compareLabels, createSeries, type Label, type Series } from '../../model/sample.ts';
import { storeSectionKinds, storeTables } from '../intake/sections.ts';
import { insertSql } from '../intake/segment-sender.ts';
import { createSampleEncoder } from '../writers/samples.ts';
import { createExemplarEncoder } from '../writers/series-exemplars.ts';
import { createMetadataEncoder } from '../writers/series-metadata.ts';
import { readExemplars, readExemplarsOfTrace } from './exemplars.ts';
import { createLabelCache } from './label-cache.ts';
import type { LabelMatcher } from './label-matcher.ts';
import { readMetadata } from './metadata.ts';
import { readLabelNames, readLabelValues, readMeasurements, readSeries } from './series.ts';

const dayMs = 86_400_000;
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const today = Math.floor(nowMs / dayMs);
const signal = () => AbortSignal.timeout(20_000);
const trace = '0af7651916cd43dd8448eb211c80319c';

const seriesOf = (labels: Record<string, string>, measurement?: string): Series =>
  createSeries(Object.entries(labels), measurement === undefined ? undefined : { measurement, field: 'total' });
const requests = seriesOf({ __name__: 'requests_total', job: 'web', pod: 'web-1' }, 'requests');
const other = seriesOf({ __name__: 'requests_total', job: 'web', pod: 'web-2', zone: 'ä' }, 'requests');
const gone = seriesOf({ __name__: 'old_total', job: 'web', pod: 'web-0' }, 'old');
const is = (name: string, value: string): LabelMatcher => ({ name, op: '=', value });

let store: TestStore;
let segment = 0n;

async function insert(kind: number, body: Uint8Array): Promise<void> {
  const table = storeTables.find((each) => each.kind === kind);
  if (table === undefined) throw new Error(`no table of kind ${kind}`);
  const id = ++segment;
  await store.client.insert({
    sql: insertSql(table, id),
    body: Buffer.from(body),
    deduplicationToken: `${id}`,
    signal: signal(),
  });
}

beforeAll(async () => {
  store = await startTestStore();
  const encoder = createSampleEncoder();
  const days = (series: Series, firstDay: number, lastDay: number) =>
    insert(storeSectionKinds.series, encoder.series([{ series, firstDay, lastDay }]));
  await days(requests, today - 5, today - 5);
  await days(requests, today - 5, today);
  await days(other, today, today);
  await days(gone, today - 3, today - 3);
  const samples = [requests, other].map((series, i) => ({
    series,
    samples: [{ timestampMs: nowMs - 60_000 * (i + 1), value: 1, isStale: false }],
  }));
  await insert(storeSectionKinds.samples, encoder.samples(samples));
}, 60_000);
afterAll(() => store.stop());

const pods = (items: readonly (readonly Label[])[]) =>
  items.map((labels) => labels.find(([name]) => name === 'pod')?.[1]).sort();

describe('stored series', () => {
  it('are found by any of several selectors, once each, with their labels in order', async () => {
    const matchers = [[is('pod', 'web-1')], [{ name: '__name__', op: '=~', value: 'req.*' } as const]];
    const { items, isTruncated } = await readSeries(store.client, { matchers }, { signal: signal() });
    expect(pods(items)).toEqual(['web-1', 'web-2']);
    expect(items.every((labels) => labels[0]?.[0] === '__name__')).toBe(true);
    expect(isTruncated).toBe(false);
  });

  it('are found in every window that touches a day on which they may have samples, and in no other', async () => {
    const during = async (startDay: number, endDay: number) => {
      const window = { startMs: startDay * dayMs, endMs: endDay * dayMs + 1 };
      return pods((await readSeries(store.client, { matchers: [], ...window }, { signal: signal() })).items);
    };
    expect(await during(today - 1, today)).toEqual(['web-1', 'web-2']);
    expect(await during(today - 3, today - 3)).toEqual(['web-0', 'web-1']);
    expect(await during(today - 9, today - 6)).toEqual([]);
    await store.client.command({ sql: 'OPTIMIZE TABLE series FINAL', signal: signal() });
    expect(await during(today - 3, today - 3)).toEqual(['web-0', 'web-1']);
    expect(await during(today, today + 1)).toEqual(['web-1', 'web-2']);
  });

  it('are cut where there are more than the limit, and it is said', async () => {
    const listed = await readSeries(store.client, { matchers: [] }, { signal: signal(), limit: 2 });
    expect([listed.items.length, listed.isTruncated]).toEqual([2, true]);
  });

  it('have the same labels and the same order where labels were read before', async () => {
    const labels = createLabelCache();
    const ask = async (limit: number) =>
      (await readSeries(store.client, { matchers: [] }, { signal: signal(), labels, limit })).items;
    const first = await ask(100);
    const again = await ask(101);
    expect(again).toEqual(first);
    expect(again.every((each, i) => each === first[i])).toBe(true);
    expect([...first].sort(compareLabels)).toEqual(first);
  });

  it('are listed as soon as they are in the store, also where the same list was read before', async () => {
    const options = { signal: signal() };
    const ask = async () => {
      const selection = { matchers: [[is('job', 'late')]] };
      const { items } = await readSeries(store.client, selection, options);
      const names = await readLabelNames(store.client, selection, options);
      const values = await readLabelValues(store.client, { ...selection, name: 'pod' }, options);
      return [items.length, names.items, values.items];
    };
    const come = (pod: string) => {
      const series = seriesOf({ __name__: 'late_total', job: 'late', pod });
      const days = { series, firstDay: today - 900, lastDay: today - 900 };
      return insert(storeSectionKinds.series, createSampleEncoder().series([days]));
    };
    expect(await ask()).toEqual([0, [], []]);
    await come('late-0');
    expect(await ask()).toEqual([1, ['__name__', 'job', 'pod'], ['late-0']]);
    await come('late-1');
    expect(await ask()).toEqual([2, ['__name__', 'job', 'pod'], ['late-0', 'late-1']]);
    await store.client.command({ sql: "DELETE FROM series WHERE metric = 'late_total'", signal: signal() });
    expect(await ask()).toEqual([0, [], []]);
  });

  it('have sorted names and values of labels', async () => {
    const all = { matchers: [] };
    const options = { signal: signal() };
    expect((await readLabelNames(store.client, all, options)).items).toEqual(['__name__', 'job', 'pod', 'zone']);
    expect((await readLabelValues(store.client, { ...all, name: 'pod' }, options)).items).toEqual([
      'web-0',
      'web-1',
      'web-2',
    ]);
    expect((await readLabelValues(store.client, { ...all, name: 'zone' }, options)).items).toEqual(['ä']);
    expect(
      (await readLabelValues(store.client, { name: '__name__', matchers: [[is('pod', 'web-0')]] }, options)).items,
    ).toEqual(['old_total']);
  });

  it('are seen as measurements with fields, tag keys and their last samples', async () => {
    const { items } = await readMeasurements(store.client, { nowMs }, { signal: signal() });
    expect(items).toEqual([
      {
        measurement: 'old',
        fields: ['total'],
        tagKeys: ['job', 'pod'],
        series: 1,
        lastDayMs: (today - 3) * dayMs,
        lastSampleMs: undefined,
      },
      {
        measurement: 'requests',
        fields: ['total'],
        tagKeys: ['job', 'pod', 'zone'],
        series: 2,
        lastDayMs: today * dayMs,
        lastSampleMs: nowMs - 60_000,
      },
    ]);
  });
});

describe('what is said of metric families', () => {
  it('is what was said last', async () => {
    const encode = createMetadataEncoder();
    const said = { family: 'requests', type: 'counter', help: 'All "requests".\nEver.', unit: '' } as const;
    await insert(storeSectionKinds.metadata, encode([said, { ...said, family: 'zzz', type: 'gauge' }], nowMs));
    await insert(storeSectionKinds.metadata, encode([{ ...said, help: 'older' }], nowMs - 1000));
    expect(await readMetadata(store.client, { signal: signal() })).toEqual([
      said,
      { ...said, family: 'zzz', type: 'gauge' },
    ]);
    expect(await readMetadata(store.client, { signal: signal(), family: 'zzz' })).toHaveLength(1);
    expect(await readMetadata(store.client, { signal: signal(), limit: 1 })).toEqual([said]);
  });
});

describe('exemplars', () => {
  const exemplar = (series: Series, timestampMs: number, labels: readonly Label[]): Exemplar => {
    return { series, timestampMs, value: 0.25, labels };
  };
  const traced: readonly Label[] = [['trace_id', trace.toUpperCase()]];

  it('are found by series and window and by trace, one that was sent twice once', async () => {
    const encode = createExemplarEncoder();
    const rows = [
      exemplar(other, nowMs, [['traceID', trace.slice(16)]]),
      exemplar(requests, nowMs, traced),
      exemplar(requests, nowMs - 5000, [['user', 'x']]),
    ];
    await insert(storeSectionKinds.exemplars, encode(rows));
    await insert(storeSectionKinds.exemplars, encode(rows.slice(1)));
    const selection = { matchers: [[is('__name__', 'requests_total')]], startMs: nowMs - 5000, endMs: nowMs };
    const found = await readExemplars(store.client, selection, { signal: signal() });
    expect(found.map(({ seriesLabels, exemplars }) => [seriesLabels, exemplars])).toEqual([
      [
        requests.labels,
        [
          { labels: [['user', 'x']], value: 0.25, timestampMs: nowMs - 5000 },
          { labels: traced, value: 0.25, timestampMs: nowMs },
        ],
      ],
      [other.labels, [{ labels: [['traceID', trace.slice(16)]], value: 0.25, timestampMs: nowMs }]],
    ]);
    const later = { ...selection, startMs: nowMs - 4999 };
    expect((await readExemplars(store.client, later, { signal: signal() }))[0]?.exemplars).toHaveLength(1);
    const ofTrace = await readExemplarsOfTrace(store.client, trace, { signal: signal() });
    expect(ofTrace.map(({ seriesLabels }) => seriesLabels)).toEqual([requests.labels]);
    expect(await readExemplarsOfTrace(store.client, trace.slice(16), { signal: signal() })).toHaveLength(1);
  });
});
