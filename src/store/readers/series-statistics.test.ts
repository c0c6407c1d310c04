import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { createSeries } from '../../model/sample.ts';
import { storeSectionKinds, storeTables } from '../intake/sections.ts';
import { insertSql } from '../intake/segment-sender.ts';
import { createSampleEncoder } from '../writers/samples.ts';
import { readSeriesStatistics } from './series-statistics.ts';

const dayMs = 86_400_000;
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const today = Math.floor(nowMs / dayMs);
const options = () => ({ startMs: (today - 1) * dayMs, limit: 2, signal: AbortSignal.timeout(20_000) });

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
}, 60_000);
afterAll(() => store.stop());

describe('statistics of series', () => {
  it('are all zero where there is nothing', async () => {
    expect(await readSeriesStatistics(store.client, options())).toEqual({
      series: 0,
      labelPairs: 0,
      sampleParts: 0,
      firstSampleMs: undefined,
      lastSampleMs: undefined,
      seriesByMetric: [],
      valuesByLabel: [],
      valueBytesByLabel: [],
      seriesByPair: [],
    });
  });

  it('count each series once however often it was written, and none that ended before', async () => {
    const encoder = createSampleEncoder();
    const seriesOf = (labels: Record<string, string>) => createSeries(Object.entries(labels));
    const kept = ['a', 'bc', 'def'].map((pod) => seriesOf({ __name__: 'hits', job: 'web', pod }));
    const up = seriesOf({ __name__: 'up', job: 'web' });
    const rows = [...kept, up].map((series) => ({ series, firstDay: today - 1, lastDay: today }));
    const gone = { series: seriesOf({ __name__: 'old', job: 'x' }), firstDay: today - 9, lastDay: today - 5 };
    let segment = 0n;
    const insert = async (kind: number, body: Uint8Array) => {
      const table = storeTables.find((each) => each.kind === kind);
      if (table === undefined) throw new Error(`no table of kind ${kind}`);
      const id = ++segment;
      const signal = AbortSignal.timeout(20_000);
      await store.client.insert({
        sql: insertSql(table, id),
        body: Buffer.from(body),
        deduplicationToken: `${id}`,
        signal,
      });
    };
    await insert(storeSectionKinds.series, encoder.series([...rows, gone]));
    await insert(storeSectionKinds.series, encoder.series(rows));
    const at = (timestampMs: number) => ({ timestampMs, value: 1, isStale: false });
    const samples = [{ series: up, samples: [at(nowMs - 7 * dayMs), at(nowMs - 60_000), at(nowMs)] }];
    await insert(storeSectionKinds.samples, encoder.samples(samples));
    expect(await readSeriesStatistics(store.client, options())).toEqual({
      series: 4,
      labelPairs: 6,
      sampleParts: 1,
      firstSampleMs: nowMs - 60_000,
      lastSampleMs: nowMs,
      seriesByMetric: [
        { name: 'hits', value: 3 },
        { name: 'up', value: 1 },
      ],
      valuesByLabel: [
        { name: 'pod', value: 3 },
        { name: '__name__', value: 2 },
      ],
      valueBytesByLabel: [
        { name: '__name__', value: 6 },
        { name: 'pod', value: 6 },
      ],
      seriesByPair: [
        { name: 'job=web', value: 4 },
        { name: '__name__=hits', value: 3 },
      ],
    });
  });
});
