import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { Histogram } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/fixtures/fake-host.ts';
import type { Segment, Spool } from '../../pipeline/spool/spool.ts';
import { type StoreClient, StoreError, type StoreInsert, type StoreQuery } from '../client.ts';
import { storeSectionKinds } from './sections.ts';
import { createSegmentSender } from './segment-sender.ts';

/** What becomes of an INSERT: as a store does it, or as one that is killed at the worst moments. */
type Fate =
  | 'stored'
  | 'stored, answer lost'
  | 'token only, answer lost'
  | 'half, answer lost'
  | 'refused for good'
  | 'no answer'
  | 'down';

type Statement = 'insert' | 'count' | 'delete';

/** What goes wrong, beside the INSERTs' fates. */
interface Faults {
  /** Instead of an answer to a count, in turn. */
  readonly counts?: Error[];
  /** Instead of an answer to a DELETE, in turn. `left` rows are still there by then. */
  readonly deletes?: { readonly error: Error; readonly left: number }[];
}

/** A store that keeps rows by segment and remembers tokens, as the engine does: before the rows are there. */
function createFakeStore(fates: Fate[], { counts = [], deletes = [] }: Faults = {}) {
  const statements: Statement[] = [];
  const rows = new Map<string, number>();
  const tokens = new Set<string>();
  const inserts: { table: string; token: string }[] = [];
  const rowsOf = async ({ body }: StoreInsert) =>
    Number(body instanceof Uint8Array ? Buffer.from(body).toString() : await text(body));
  const client: StoreClient = {
    async rows<Row>({ sql, parameters, settings }: StoreQuery) {
      if (sql.includes('system.mutations')) return [];
      // The second query of a count asks what will be left.
      if (settings?.['apply_mutations_on_fly'] === 0) statements.push('count');
      const failure = counts.shift();
      if (failure !== undefined) throw failure;
      const table = /FROM (\w+)/.exec(sql)?.[1];
      const stored = rows.get(`${table}/${parameters?.['seg']}`) ?? 0;
      return (stored === 0 ? [] : [{ partition: '20260101', stored: String(stored) }]) as unknown as readonly Row[];
    },
    async bytes() {
      return Buffer.alloc(0);
    },
    async command({ sql, parameters }) {
      statements.push('delete');
      const key = `${/DELETE FROM (\w+)/.exec(sql)?.[1]}/${parameters?.['seg']}`;
      const failure = deletes.shift();
      if (failure === undefined) rows.delete(key);
      else {
        rows.set(key, failure.left);
        throw failure.error;
      }
    },
    async insert(insert) {
      const table = /INTO (\w+)/.exec(insert.sql)?.[1] ?? '';
      const segment = /(\d+)::UInt64/.exec(insert.sql)?.[1];
      inserts.push({ table, token: insert.deduplicationToken });
      statements.push('insert');
      const fate = fates.shift() ?? 'stored';
      if (fate === 'no answer') {
        await new Promise((resolve) => insert.signal.addEventListener('abort', resolve));
        throw new StoreError('aborted', { isRetryable: false });
      }
      if (fate === 'refused for good') throw new StoreError('bad block', { code: 27, isRetryable: false });
      if (fate === 'down') throw new StoreError('connection refused', { isRetryable: true });
      const share = fate === 'token only, answer lost' ? 0 : fate === 'half, answer lost' ? 0.5 : 1;
      if (!tokens.has(insert.deduplicationToken)) {
        tokens.add(insert.deduplicationToken);
        const key = `${table}/${segment}`;
        rows.set(key, (rows.get(key) ?? 0) + (await rowsOf(insert)) * share);
      }
      if (fate !== 'stored') throw new StoreError('socket hang up', { isRetryable: true });
    },
    async close() {},
  };
  return { client, rows, inserts, statements };
}

const block = (count: number, kind: number) => ({ kind, items: count, bytes: Buffer.from(String(count)) });

/** Sends one segment and answers what became of it. */
async function send(options: {
  fates: Fate[];
  sections: { kind: number; items: number; bytes: Buffer }[];
  isRecovered?: boolean;
  faults?: Faults;
  /** How long an INSERT may take; 20 ms unless told. */
  writeTimeoutMs?: number;
  /** Times that the spool fails to remove the segment. */
  failedReleases?: number;
}) {
  const waitsForDeadline = options.fates.includes('no answer');
  let failedReleases = options.failedReleases ?? 0;
  const store = createFakeStore(options.fates, options.faults);
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
      if (failedReleases-- > 0) throw new Error('the disk does not answer');
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
    writeTimeoutMs: options.writeTimeoutMs ?? 20,
  });
  const running = sender.run(stop.signal);
  for (let i = 0; i < 50 && end === undefined; i++) {
    // The deadline of an INSERT runs by the machine's own clock.
    if (waitsForDeadline && i < 5) await new Promise((resolve) => setTimeout(resolve, 10));
    await clock.advance(1000);
  }
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

  it.each<[string, Error]>([
    ['the table is larger than a query may read', new StoreError('too many rows', { code: 158, isRetryable: false })],
    ['the store is short of memory', new StoreError('memory limit', { code: 241, isRetryable: false })],
    ['the table is not there', new StoreError('unknown table', { code: 60, isRetryable: false })],
  ])('keeps a segment whose rows cannot be counted because %s, and counts until it can', async (_, error) => {
    const { rows, end, statements } = await send({
      fates: ['half, answer lost'],
      sections: spans,
      faults: { counts: [error, error] },
    });
    expect(end).toBe('released');
    expect(rows.get(key)).toBe(10);
    expect(statements).toEqual(['insert', 'insert', 'count', 'count', 'count', 'count', 'delete', 'insert']);
  });

  it('keeps a segment whose INSERT was not answered in time, for that is no refusal', async () => {
    const { rows, end } = await send({ fates: ['no answer'], sections: spans });
    expect(end).toBe('released');
    expect(rows.get(key)).toBe(10);
  });

  it('repeats a DELETE that was cut short before it counts again, for half of the doubled rows are as many as were sent', async () => {
    const cutShort = { error: new StoreError('gone', { code: 341, isRetryable: false }), left: 10 };
    const { rows, end, statements } = await send({
      fates: ['half, answer lost'],
      sections: spans,
      faults: { deletes: [cutShort, cutShort] },
    });
    expect(end).toBe('released');
    expect(rows.get(key)).toBe(10);
    expect(statements).toEqual([
      'insert',
      'insert',
      'count',
      'count',
      'delete',
      'count',
      'delete',
      'count',
      'delete',
      'insert',
    ]);
  });

  it('neither counts nor deletes series, which a merge may have replaced by those of a later segment', async () => {
    const sections = [block(2, storeSectionKinds.series)];
    const { end, inserts, statements } = await send({ fates: ['token only, answer lost', 'down'], sections });
    expect(end).toBe('released');
    expect(statements).toEqual(['insert', 'insert', 'insert']);
    expect(new Set(inserts.map(({ token }) => token)).size).toBe(3);
  });

  it('counts again when the spool could not let go of a segment that was sent', async () => {
    const { rows, end, statements } = await send({ fates: [], sections: spans, failedReleases: 1 });
    expect(end).toBe('released');
    expect(rows.get(key)).toBe(10);
    expect(statements).toEqual(['insert', 'insert', 'count']);
  });

  it('does not wait for a store that hangs when it is told to stop, and leaves the segment in the spool', async () => {
    const { end, failures } = await send({ fates: ['no answer'], sections: spans, writeTimeoutMs: 600_000 });
    expect(end).toBeUndefined();
    expect(failures).toEqual([]);
  });
});
