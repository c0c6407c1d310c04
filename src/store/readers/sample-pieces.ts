/** The samples of a selection, some series at a time, so that reading many of them takes little memory and holds nobody up. */
import type { Label } from '../../model/sample.ts';
import type { StoreClient } from '../client.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import type { LabelCache } from './label-cache.ts';
import { limitSettings } from './limits.ts';
import { decodeSamples, defaultSampleLimits, findSeries, type SampleSelection, type SeriesPoints } from './samples.ts';
import { conditionOnIds, readSeriesOf } from './selected-series.ts';
import { windowCondition } from './window.ts';

/** One series that was read. */
export interface ReadSeries {
  readonly id: SeriesKey;
  readonly points: SeriesPoints;
}

export interface SamplePiece {
  readonly series: readonly ReadSeries[];
  /** How much of the selection was read with this piece, from 0 to 1. */
  readonly share: number;
}

export interface PieceOptions {
  readonly signal: AbortSignal;
  readonly labels: LabelCache;
}

/** A piece takes some 20 ms of the engine, and 5 ms of the agent where their stamps are those of others. */
const rowsOfPiece = 75_000;
const firstPieceSeries = 100;
const maxPieceSeries = 1000;

/** By the number that the halves make, which is the order of the table's key. */
const compareIds = (a: SeriesKey, b: SeriesKey): number =>
  (a.high >>> 0) - (b.high >>> 0) || (a.low >>> 0) - (b.low >>> 0);

/** Reads the samples of every series of one metric that the matchers take. Series without a sample in the window are left out. */
export async function* readSamplePieces(
  client: StoreClient,
  selection: SampleSelection & { readonly metric: string },
  { signal, labels }: PieceOptions,
): AsyncGenerator<SamplePiece> {
  // What people wait for goes first.
  const limits = { ...defaultSampleLimits, isLarge: true };
  const found = await readSeriesOf(client, selection, { signal, limits, labels });
  const ordered = [...found].sort((a, b) => compareIds(a.id, b.id));
  const window = windowCondition({
    unit: 'Milli',
    after: BigInt(Math.trunc(selection.afterMs)),
    until: BigInt(Math.trunc(selection.untilMs)),
  });
  let take = firstPieceSeries;
  for (let from = 0; from < ordered.length; ) {
    const part = ordered.slice(from, from + take);
    from += part.length;
    const condition = conditionOnIds(
      selection.metric,
      part.map(({ id }) => id),
    );
    const bytes = await client.bytes({
      sql: `SELECT id, ts, v FROM samples PREWHERE ${window.sql} AND ${condition.sql} ORDER BY id, ts`,
      parameters: { ...condition.parameters, ...window.parameters },
      format: 'RowBinary',
      signal,
      timeoutMs: limits.timeoutMs,
      settings: limitSettings(limits),
    });
    const rows = findSeries(bytes);
    const labelsById = new Map<string, readonly Label[]>(
      part.map(({ id, labels: own }) => [`${id.low} ${id.high}`, own]),
    );
    const points = decodeSamples(
      bytes,
      rows,
      rows.ids.map(({ low, high }) => labelsById.get(`${low} ${high}`)),
    );
    const series = points.map((each, i) => ({ id: rows.ids[i] ?? { low: 0, high: 0 }, points: each }));
    yield { series, share: from / ordered.length };
    const rowsEach = Math.max(rows.starts.at(-1) ?? 0, 1) / part.length;
    take = Math.min(Math.max(Math.floor(rowsOfPiece / rowsEach), 1), maxPieceSeries);
  }
}
