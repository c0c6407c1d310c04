import { describe, expect, it } from 'vitest';
import { emptyResource } from '../../model/resource.ts';
import { createSeries, type Series } from '../../model/sample.ts';
import type { Span } from '../../model/span.ts';
import type { AppendResult, Section, Spool } from '../../pipeline/spool/spool.ts';
import { storeSectionKinds } from './sections.ts';
import { createStoreDestination } from './store-destination.ts';

const signal = new AbortController().signal;

const spans = (count: number): Span[] =>
  Array.from({ length: count }, (_, i) => ({
    traceId: 'a'.repeat(32),
    id: (i + 1).toString(16).padStart(16, '0'),
    parentId: undefined,
    kind: undefined,
    shared: false,
    debug: false,
    name: 'x',
    startUs: 1,
    durationUs: undefined,
    status: 'unset',
    localEndpoint: undefined,
    remoteEndpoint: undefined,
    events: [],
    attributes: {},
    resource: emptyResource,
  }));

/** A spool that takes records up to a size, and remembers how many items each had. */
function createFakeSpool(maxRecordBytes: number) {
  const records: number[] = [];
  const kinds: (readonly number[])[] = [];
  const spool = {
    async append(sections: readonly Section[]): Promise<AppendResult> {
      await new Promise((resolve) => setImmediate(resolve));
      const sizeBytes = sections.reduce((sum, { bytes }) => sum + bytes.length, 0);
      if (sizeBytes > maxRecordBytes) return { kind: 'too_large', cause: new Error('too large') };
      kinds.push(sections.map(({ kind }) => kind));
      records.push(sections.reduce((sum, { items }) => sum + items, 0));
      return { kind: 'kept' };
    },
  } as unknown as Spool;
  return { spool, records, kinds };
}

describe('the store as a destination', () => {
  it('makes one record of the batches that wait together', async () => {
    const { spool, records } = createFakeSpool(1_000_000);
    const store = createStoreDestination({ spool, nowMs: () => 0 });
    const outcomes = await Promise.all(
      [1, 2, 3, 4].map((count) => store.append({ signal: 'spans', items: spans(count) }, signal)),
    );
    expect(outcomes).toEqual(Array(4).fill({ kind: 'kept' }));
    expect(records).toEqual([1, 9]);
  });

  it('rejects a batch that is too large for a record, and none of those that happened to wait beside it', async () => {
    const { spool, records } = createFakeSpool(20_000);
    const store = createStoreDestination({ spool, nowMs: () => 0 });
    const outcomes = await Promise.all(
      [1, 1, 500, 1].map((count) => store.append({ signal: 'spans', items: spans(count) }, signal)),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual(['kept', 'kept', 'rejected', 'kept']);
    expect(outcomes[2]).toMatchObject({ count: 500 });
    expect(records.reduce((sum, items) => sum + items, 0)).toBe(3);
  });

  it('writes series and what is said of them once a day, and again once the store may have lost them', async () => {
    const { spool, kinds } = createFakeSpool(1_000_000);
    let nowMs = 0;
    const store = createStoreDestination({ spool, nowMs: () => nowMs });
    const series = createSeries([['__name__', 'requests_total']]);
    const metadata = [{ family: 'requests', type: 'counter', help: 'All', unit: '' } as const];
    const send = () => {
      const items = [{ series, samples: [{ timestampMs: nowMs, value: 1, isStale: false }] }];
      return store.append({ signal: 'samples', items, metadata }, signal);
    };
    const { samples, series: ofSeries, metadata: ofMetadata } = storeSectionKinds;
    await send();
    await send();
    nowMs += 86_400_000;
    await send();
    await send();
    store.forgetSeries();
    await send();
    expect(kinds).toEqual([
      [ofSeries, ofMetadata, samples],
      [samples],
      [ofSeries, ofMetadata, samples],
      [samples],
      [ofSeries, ofMetadata, samples],
    ]);
  });

  it('writes the series of an exemplar that comes without a sample, and nothing at all for a batch without rows', async () => {
    const { spool, kinds } = createFakeSpool(1_000_000);
    const store = createStoreDestination({ spool, nowMs: () => 0 });
    const series: Series = createSeries([['__name__', 'requests_total']]);
    const exemplars = [{ series, labels: [], value: 1, timestampMs: 5 }];
    expect(await store.append({ signal: 'samples', items: [], exemplars }, signal)).toEqual({ kind: 'kept' });
    expect(await store.append({ signal: 'samples', items: [], metadata: [] }, signal)).toEqual({ kind: 'kept' });
    expect(kinds).toEqual([[storeSectionKinds.series, storeSectionKinds.exemplars]]);
  });
});
