/** Segments whose content follows from their number, over two days and every table, and a judge of what a store made of them. */
import type { Batch } from '../../src/model/batch.ts';
import type { LogRecord } from '../../src/model/log-record.ts';
import { emptyResource } from '../../src/model/resource.ts';
import { createSeries, type SeriesSamples } from '../../src/model/sample.ts';
import type { Span } from '../../src/model/span.ts';
import type { Spool } from '../../src/pipeline/spool/spool.ts';
import type { StoreClient } from '../../src/store/client.ts';
import { createStoreDestination } from '../../src/store/intake/store-destination.ts';

/** What stands in the store for one segment, a line a row. */
export type Rows = Readonly<Record<TableName, readonly string[]>>;

export interface SegmentVerdict {
  readonly lost: number;
  readonly storedTwice: number;
  /** There, but not as it was sent. */
  readonly altered: number;
}

const dayMs = 86_400_000;
const samplesOfSeries = 8;

/** Rows of a segment by table. */
export const rowsOfSegment = { spans: 24, series: 3, samples: 3 * samplesOfSeries, logs: 16 } as const;

export type TableName = keyof typeof rowsOfSegment;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Every second item lies on the day before. */
const timeOf = (baseMs: number, index: number): number => baseMs - (index % 2) * dayMs - index * 1000;

function spansOf(segment: number, baseMs: number): readonly Span[] {
  return Array.from({ length: rowsOfSegment.spans }, (_, index) => {
    const number = segment * 1000 + index + 1;
    return {
      traceId: hex(number, 32),
      id: hex(number, 16),
      parentId: undefined,
      kind: index % 3 === 0 ? 'CLIENT' : 'SERVER',
      shared: false,
      debug: false,
      name: `operation-${index % 5}`,
      startUs: timeOf(baseMs, index) * 1000,
      durationUs: 1 + ((number * 7919) % 100_003),
      status: index % 7 === 0 ? 'error' : 'unset',
      localEndpoint: { serviceName: `service-${index % 4}`, ipv4: undefined, ipv6: undefined, port: undefined },
      remoteEndpoint: undefined,
      events: [],
      attributes: { note: `note ${number}`, 'http.method': 'GET' },
      resource: { ...emptyResource, service: `service-${index % 4}` },
    };
  });
}

function samplesOf(segment: number, baseMs: number): readonly SeriesSamples[] {
  return Array.from({ length: rowsOfSegment.series }, (_, index) => ({
    series: createSeries([
      ['__name__', 'kill_total'],
      ['segment', String(segment)],
      ['index', String(index)],
    ]),
    samples: Array.from({ length: samplesOfSeries }, (_, at) => ({
      timestampMs: timeOf(baseMs, samplesOfSeries - at),
      value: segment * 1000 + index * 100 + at,
      isStale: false,
    })).sort((a, b) => a.timestampMs - b.timestampMs),
  }));
}

function logsOf(segment: number, baseMs: number): readonly LogRecord[] {
  return Array.from({ length: rowsOfSegment.logs }, (_, index) => ({
    timeNs: BigInt(timeOf(baseMs, index)) * 1_000_000n,
    stream: 'stdout',
    body: `line ${index} of segment ${segment}`,
    severity: 'info',
    traceId: '',
    spanId: '',
    requestId: '',
    attributes: { index: String(index) },
    resource: { ...emptyResource, pod: 'kill-1' },
  }));
}

/** Puts the content numbered `segment` into the spool, by the way that every batch takes, and closes the segment; answers its number in the spool. */
export async function spoolSegment(spool: Spool, segment: number, baseMs: number): Promise<number> {
  const destination = createStoreDestination({ spool, nowMs: () => baseMs });
  const batches: readonly Batch[] = [
    { signal: 'spans', items: spansOf(segment, baseMs) },
    { signal: 'samples', items: samplesOf(segment, baseMs) },
    { signal: 'logs', items: logsOf(segment, baseMs) },
  ];
  const outcomes = await Promise.all(batches.map((batch) => destination.append(batch, AbortSignal.timeout(10_000))));
  const refused = outcomes.find(({ kind }) => kind !== 'kept');
  if (refused !== undefined) throw new Error(`the spool did not keep segment ${segment}: ${refused.kind}`);
  return spool.rotate();
}

function expectedRows(segment: number, baseMs: number): Rows {
  const samples = samplesOf(segment, baseMs);
  return {
    spans: spansOf(segment, baseMs).map(({ id, name, startUs, durationUs, attributes, localEndpoint, status }) =>
      [
        id,
        name,
        startUs,
        durationUs,
        attributes['note'],
        localEndpoint?.serviceName,
        status === 'error' ? 2 : 0,
      ].join(),
    ),
    series: samples.map((_, index) => `kill_total,${index}`),
    samples: samples.flatMap((item, index) =>
      item.samples.map(({ timestampMs, value }) => `${index},${timestampMs},${value}`),
    ),
    logs: logsOf(segment, baseMs).map(({ body, timeNs, attributes }) => `${body},${timeNs},${attributes['index']}`),
  };
}

/** By what the rows say themselves, not by `seg`: a row of a segment may stand under another number. */
const readers: Readonly<Record<TableName, string>> = {
  spans: `SELECT concatWithSeparator(',', leftPad(lower(hex(id)), 16, '0'), name, toString(toUnixTimestamp64Micro(ts)), toString(duration_us), tags['note'], local_service, toString(status)) AS row
    FROM spans WHERE id > {segment:UInt64} * 1000 AND id < {segment:UInt64} * 1000 + 1000`,
  series: `SELECT concat(metric, ',', labels['index']) AS row FROM series FINAL WHERE labels['segment'] = toString({segment:UInt64})`,
  samples: `SELECT concatWithSeparator(',', s.labels['index'], toString(toUnixTimestamp64Milli(ts)), toString(v)) AS row
    FROM samples INNER JOIN (SELECT id, labels FROM series FINAL WHERE labels['segment'] = toString({segment:UInt64})) AS s USING id`,
  logs: `SELECT concatWithSeparator(',', body, toString(toUnixTimestamp64Nano(ts)), attributes['index']) AS row
    FROM logs WHERE endsWith(body, concat(' ', toString({segment:UInt64})))`,
};

/** What the store holds of the content numbered `segment`. */
export async function readSegmentRows(client: StoreClient, segment: number): Promise<Rows> {
  const read = async (table: TableName) => {
    const signal = AbortSignal.timeout(20_000);
    const rows = await client.rows<{ row: string }>({ sql: readers[table], parameters: { segment }, signal });
    return rows.map(({ row }) => row);
  };
  return {
    spans: await read('spans'),
    series: await read('series'),
    samples: await read('samples'),
    logs: await read('logs'),
  };
}

/** Compares what the store holds with what was sent. */
export async function judgeSegment(client: StoreClient, segment: number, baseMs: number): Promise<SegmentVerdict> {
  const stored = await readSegmentRows(client, segment);
  const sent = expectedRows(segment, baseMs);
  const verdict = { lost: 0, storedTwice: 0, altered: 0 };
  for (const table of ['spans', 'series', 'samples', 'logs'] as const) {
    const expected = new Set(sent[table]);
    const seen = new Set<string>();
    for (const row of stored[table]) {
      if (!expected.has(row)) verdict.altered++;
      else if (seen.has(row)) verdict.storedTwice++;
      seen.add(row);
    }
    for (const row of expected) if (!seen.has(row)) verdict.lost++;
  }
  return verdict;
}
