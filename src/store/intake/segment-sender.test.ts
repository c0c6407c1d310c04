import { pino } from 'pino';
import { Histogram } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/fixtures/fake-host.ts';
import type { Segment, Spool } from '../../pipeline/spool/spool.ts';
import { type StoreClient, StoreError, type StoreInsert } from '../client.ts';
import { storeSectionKinds } from './sections.ts';
import { createSegmentSender } from './segment-sender.ts';

/** What becomes of an INSERT: as a store does it, or as one that is killed at the worst moments. */
type Fate =
  | 'stored'
  | 'stored, answer lost'
  | 'token only, answer lost'
  | 'half, answer lost'
  | 'refused for good'
  | 'down';

/** A store that keeps rows by segment and remembers tokens, as the engine does: before the rows are there. */
function createFakeStore(fates: Fate[]) {
  const rows = new Map<string, number>();
  const tokens = new Set<string>();
  const inserts: { table: string; token: string }[] = [];
  const rowsOf = (insert: StoreInsert) => Number(Buffer.from(insert.body as Uint8Array).toString());
  const client: StoreClient = {
    async rows<Row>({ sql, parameters }: { sql: string; parameters?: Readonly<Record<string, unknown>> }) {
      const table = /FROM (\w+)/.exec(sql)?.[1];
      return [{ stored: String(rows.get(`${table}/${parameters?.['seg']}`) ?? 0) }] as unknown as readonly Row[];
    },
    async bytes() {
      return Buffer.alloc(0);
    },
    async command({ sql, parameters }) {
      rows.delete(`${/DELETE FROM (\w+)/.exec(sql)?.[1]}/${parameters?.['seg']}`);
    },
    async insert(insert) {
      const table = /INTO (\w+)/.exec(insert.sql)?.[1] ?? '';
      const segment = /(\d+)::UInt64/.exec(insert.sql)?.[1];
      inserts.push({ table, token: insert.deduplicationToken });
      const fate = fates.shift() ?? 'stored';
      if (fate === 'refused for good') throw new StoreError('bad block', { code: 27, isRetryable: false });
      if (fate === 'down') throw new StoreError('connection refused', { isRetryable: true });
      const share = fate === 'token only, answer lost' ? 0 : fate === 'half, answer lost' ? 0.5 : 1;
      if (!tokens.has(insert.deduplicationToken)) {
        tokens.add(insert.deduplicationToken);
        const key = `${table}/${segment}`;
        rows.set(key, (rows.get(key) ?? 0) + rowsOf(insert) * share);
      }
      if (fate !== 'stored') throw new StoreError('socket hang up', { isRetryable: true });
    },
    async close() {},
  };
  return { client, rows, inserts };
}

const block = (count: number, kind: number) => ({ kind, items: count, bytes: Buffer.from(String(count)) });

/** Sends one segment and answers what became of it. */
async function send(options: {
  fates: Fate[];
  sections: { kind: number; items: number; bytes: Buffer }[];
  isRecovered?: boolean;
}) {
  const store = createFakeStore(options.fates);
  const clock = createFakeClock();
  const stop = new AbortController();
  const failures: string[] = [];
  let end: 'released' | 'set aside' | undefined;
  let isTaken = false;
  const segment: Segment = {
    number: 9,
    writer: 1,
    id: (1n << 32n) | 9n,
    sizeBytes: 1,
    createdMs: 0,
    isRecovered: options.isRecovered ?? false,
    async *records() {
      yield { positionBytes: 32, sections: options.sections };
    },
    async release() {
      end = 'released';
    },
    async setAside() {
      end = 'set aside';
    },
    putBack() {
      isTaken = false;
    },
  };
  const spool = {
    nextSegment: (signal: AbortSignal) =>
      new Promise<Segment>((resolve, reject) => {
        if (!isTaken && end === undefined) {
          isTaken = true;
          return resolve(segment);
        }
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  } as unknown as Spool;
  const sender = createSegmentSender({
    spool,
    client: store.client,
    clock,
    log: pino({ level: 'silent' }),
    insertSeconds: new Histogram({ name: 'test_seconds', help: 'x', labelNames: ['table'], registers: [] }),
    onFailure: (why) => failures.push(why),
  });
  const running = sender.run(stop.signal);
  for (let i = 0; i < 50 && end === undefined; i++) await clock.advance(1000);
  stop.abort(new Error('done'));
  await running;
  return { ...store, failures, end };
}

const spans = [block(10, storeSectionKinds.spans)];
const key = `spans/${(1n << 32n) | 9n}`;

describe('the sender of segments', () => {
  it('inserts series before samples, so that no sample is visible without its series', async () => {
    const sections = [block(4, storeSectionKinds.samples), block(2, storeSectionKinds.series)];
    const { inserts, end } = await send({ fates: [], sections });
    expect(inserts.map(({ table }) => table)).toEqual(['series', 'samples']);
    expect(end).toBe('released');
  });

  it.each<[string, Fate[], number]>([
    ['the store was down', ['down', 'down'], 0],
    ['the answer was lost after the rows were stored', ['stored, answer lost'], 0],
    ['the engine logged the token but not the rows', ['token only, answer lost'], 1],
    ['only some partitions were stored', ['half, answer lost'], 1],
    [
      'everything went wrong in turn',
      ['half, answer lost', 'stored', 'token only, answer lost', 'stored, answer lost'],
      2,
    ],
  ])('stores every row once when %s', async (_, fates, freshTokens) => {
    const { rows, inserts, end, failures } = await send({ fates, sections: spans });
    expect(rows.get(key)).toBe(10);
    expect(end).toBe('released');
    expect(failures.length).toBeGreaterThan(0);
    expect(new Set(inserts.map(({ token }) => token)).size).toBe(1 + freshTokens);
  });

  it('counts the rows of a segment that an earlier run may have sent', async () => {
    const { rows, end } = await send({ fates: [], sections: spans, isRecovered: true });
    expect(rows.get(key)).toBe(10);
    expect(end).toBe('released');
  });

  it('sets a segment aside that the store refuses for good, after sending its other tables', async () => {
    const sections = [block(2, storeSectionKinds.series), ...spans];
    const { rows, end } = await send({ fates: ['refused for good'], sections });
    expect(end).toBe('set aside');
    expect(rows.get(key)).toBe(10);
  });
});
