import { describe, expect, it } from 'vitest';
import { emptyResource } from '../../model/resource.ts';
import type { Span } from '../../model/span.ts';
import type { AppendResult, Section, Spool } from '../../pipeline/spool/spool.ts';
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
  const spool = {
    async append(sections: readonly Section[]): Promise<AppendResult> {
      await new Promise((resolve) => setImmediate(resolve));
      const sizeBytes = sections.reduce((sum, { bytes }) => sum + bytes.length, 0);
      if (sizeBytes > maxRecordBytes) return { kind: 'too_large', cause: new Error('too large') };
      records.push(sections.reduce((sum, { items }) => sum + items, 0));
      return { kind: 'kept' };
    },
  } as unknown as Spool;
  return { spool, records };
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
});
