/** Values as Prometheus's JSON has them (web/api/v1, util/jsonutil), in chunks: an answer may be larger than a string can be. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Label } from '../../model/sample.ts';
import { untilEnded } from '../failure.ts';
import type { Grid, GridSeries, RawSeries, Value } from '../promql/value.ts';
import { createMetricTexts, type MetricWriter, maxMetricBytes } from './metric-text.ts';
import { formatTimestamp, formatValue, timestampBytes, valueBytes, writeTimestamp, writeValue } from './value-text.ts';

const formatPoint = (timestampMs: number, value: number): string =>
  `[${formatTimestamp(timestampMs)},"${formatValue(value)}"]`;

/** A chunk is handed on when it is so large; writing one takes about 2 ms. */
const chunkBytes = 256 * 1024;
/** The most that a point takes, the comma before it included. */
const pointBytes = timestampBytes + valueBytes + 6;
/** So many points of one series are written before the chunk's size is looked at. */
const pointsAtOnce = 512;
/** What is written beyond a chunk's size before it is looked at usually fits. */
const spareBytes = pointsAtOnce * pointBytes + 4096;

/** Bytes that are gathered until there are enough of them to be sent. */
interface Gathered {
  buffer: Buffer;
  size: number;
}

const allocateChunk = (): Buffer => Buffer.allocUnsafe(chunkBytes + spareBytes);

/** Makes room for so many further bytes. */
function reserve(chunk: Gathered, sizeBytes: number): void {
  const wanted = chunk.size + sizeBytes;
  if (wanted <= chunk.buffer.length) return;
  const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * chunk.buffer.length));
  chunk.buffer.copy(larger, 0, 0, chunk.size);
  chunk.buffer = larger;
}

function writeText(chunk: Gathered, text: string): void {
  // A UTF-16 unit is at most three bytes of UTF-8.
  reserve(chunk, 3 * text.length);
  chunk.size += chunk.buffer.write(text, chunk.size);
}

/** The beginning of each point of the grid, `,[1435781451.781,"`, one every `headStride` bytes; every series has the same. */
interface PointHeads {
  readonly bytes: Uint8Array;
  readonly sizes: Uint8Array;
}

const headStride = timestampBytes + 4;

function pointHeads(grid: Grid): PointHeads {
  const bytes = new Uint8Array(grid.count * headStride);
  const sizes = new Uint8Array(grid.count);
  for (let i = 0; i < grid.count; i++) {
    const start = i * headStride;
    bytes[start] = comma;
    bytes[start + 1] = openBracket;
    let at = writeTimestamp(bytes, start + 2, grid.startMs + i * grid.stepMs);
    bytes[at++] = comma;
    bytes[at++] = quote;
    sizes[i] = at - start;
  }
  return { bytes, sizes };
}

/**
 * Writes the points [from, to) that the series has. Byte by byte: 240,000 points take a fifth of what they take where each is put
 * together as a string (bench/prometheus-answers.ts).
 */
function writeGridPoints(chunk: Gathered, { series, heads, from, to }: GridPart): void {
  reserve(chunk, (to - from) * pointBytes);
  const { buffer } = chunk;
  const { values, isPresent } = series;
  const { bytes, sizes } = heads;
  let at = chunk.size;
  for (let i = from; i < to; i++) {
    if (isPresent[i] !== 1) continue;
    const start = i * headStride;
    const end = start + (sizes[i] ?? 0);
    for (let k = start; k < end; k++) buffer[at++] = bytes[k] ?? 0;
    at = writeValue(buffer, at, values[i] ?? Number.NaN);
    buffer[at++] = quote;
    buffer[at++] = closeBracket;
  }
  chunk.size = at;
}

interface GridPart {
  readonly series: GridSeries;
  readonly heads: PointHeads;
  readonly from: number;
  readonly to: number;
}

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const closeBrace = 0x7d;

type Chunks = Generator<Buffer, void, undefined>;

/** What was gathered, once it is enough. */
function takeChunk(chunk: Gathered): Buffer {
  const taken = chunk.buffer.subarray(0, chunk.size);
  chunk.buffer = allocateChunk();
  chunk.size = 0;
  return taken;
}

const metricTexts = createMetricTexts();

/** Writes the beginning of an item of the result: its labels. */
function writeMetric(chunk: Gathered, { labels, before, behind }: Metric, write: MetricWriter): void {
  reserve(chunk, maxMetricBytes(labels) + before.length + behind.length);
  const { buffer } = chunk;
  const start = chunk.size + buffer.write(before, chunk.size, 'latin1');
  const end = write(buffer, start, labels);
  chunk.size = end + buffer.write(behind, end, 'latin1');
}

interface Metric {
  readonly labels: readonly Label[];
  readonly before: string;
  readonly behind: string;
}

const beforeMetric = (index: number): string => (index === 0 ? '{"metric":' : ',{"metric":');
const manyValues = ',"values":[';
const oneValue = ',"value":[';

/** Writes `1435781451.781,"12"]`; what stands before it is written already. */
function writePoint(chunk: Gathered, timestampMs: number, value: number): void {
  const { buffer } = chunk;
  let at = writeTimestamp(buffer, chunk.size, timestampMs);
  buffer[at++] = comma;
  buffer[at++] = quote;
  at = writeValue(buffer, at, value);
  buffer[at++] = quote;
  buffer[at++] = closeBracket;
  chunk.size = at;
}

function* gridItems(chunk: Gathered, series: readonly GridSeries[], grid: Grid): Chunks {
  const heads = pointHeads(grid);
  const write = metricTexts.writer();
  for (const [index, one] of series.entries()) {
    writeMetric(chunk, { labels: one.labels, before: beforeMetric(index), behind: manyValues }, write);
    const first = one.isPresent.indexOf(1);
    if (first !== -1) {
      // The first has no comma before it.
      writeText(chunk, formatPoint(grid.startMs + first * grid.stepMs, one.values[first] ?? Number.NaN));
      for (let from = first + 1; from < grid.count; from += pointsAtOnce) {
        writeGridPoints(chunk, { series: one, heads, from, to: Math.min(from + pointsAtOnce, grid.count) });
        if (chunk.size >= chunkBytes) yield takeChunk(chunk);
      }
    }
    writeText(chunk, ']}');
    if (chunk.size >= chunkBytes) yield takeChunk(chunk);
  }
}

function* rawItems(chunk: Gathered, series: readonly RawSeries[]): Chunks {
  const write = metricTexts.writer();
  for (const [index, { labels, timestampsMs, values }] of series.entries()) {
    writeMetric(chunk, { labels, before: beforeMetric(index), behind: manyValues }, write);
    for (let i = 0; i < timestampsMs.length; i++) {
      reserve(chunk, pointBytes);
      if (i > 0) chunk.buffer[chunk.size++] = comma;
      chunk.buffer[chunk.size++] = openBracket;
      writePoint(chunk, timestampsMs[i] ?? 0, values[i] ?? Number.NaN);
      if (chunk.size >= chunkBytes) yield takeChunk(chunk);
    }
    writeText(chunk, ']}');
  }
}

function* instantItems(chunk: Gathered, series: readonly GridSeries[], timeMs: number): Chunks {
  const write = metricTexts.writer();
  for (const [index, { labels, values }] of series.entries()) {
    writeMetric(chunk, { labels, before: beforeMetric(index), behind: oneValue }, write);
    reserve(chunk, pointBytes);
    writePoint(chunk, timeMs, values[0] ?? Number.NaN);
    chunk.buffer[chunk.size++] = closeBrace;
    if (chunk.size >= chunkBytes) yield takeChunk(chunk);
  }
}

/** Where and when a value holds, and what is said around it. */
export interface Shown {
  readonly value: Value;
  /** A grid of one point, whose step is 0, for an instant query. */
  readonly grid: Grid;
  /** JSON before `data`, and behind it; `data` has further fields of `more`, each with a comma before it. */
  readonly before: string;
  readonly more: string;
  readonly after: string;
}

const typeOf = ({ kind }: Value, isRange: boolean): string => (isRange ? 'matrix' : kind);

function* resultOf(chunk: Gathered, { value, grid }: Shown): Chunks {
  const isRange = grid.stepMs !== 0;
  if (value.kind === 'vector') {
    writeText(chunk, '[');
    yield* isRange ? gridItems(chunk, value.series, grid) : instantItems(chunk, value.series, grid.startMs);
    writeText(chunk, ']');
  } else if (value.kind === 'scalar' && isRange) {
    // A series without labels.
    writeText(chunk, '[');
    const isPresent = new Uint8Array(grid.count).fill(1);
    yield* gridItems(chunk, [{ labels: [], values: value.values, isPresent }], grid);
    writeText(chunk, ']');
  } else if (value.kind === 'scalar') {
    writeText(chunk, formatPoint(grid.startMs, value.values[0] ?? Number.NaN));
  } else if (isRange) {
    throw new Error(`a range query cannot answer a ${value.kind}`);
  } else if (value.kind === 'string') {
    writeText(chunk, `[${formatTimestamp(grid.startMs)},${JSON.stringify(value.text)}]`);
  } else {
    writeText(chunk, '[');
    yield* rawItems(chunk, value.series);
    writeText(chunk, ']');
  }
}

/** An answer's bytes, in chunks of about a quarter of a megabyte; one that is small is one chunk. */
export function* formatChunks(shown: Shown): Chunks {
  const chunk = { buffer: allocateChunk(), size: 0 };
  const type = typeOf(shown.value, shown.grid.stepMs !== 0);
  writeText(chunk, `${shown.before}{"resultType":"${type}","result":`);
  yield* resultOf(chunk, shown);
  writeText(chunk, `${shown.more}}${shown.after}`);
  yield takeChunk(chunk);
}

/** All chunks behind the first, with turns for others in between, until the signal aborts. */
async function* withTurns(first: Buffer, second: Buffer, rest: Chunks, signal: AbortSignal): AsyncGenerator<Buffer> {
  yield first;
  yield second;
  for (const chunk of rest) {
    await untilEnded(signal, turn(undefined, { signal }));
    yield chunk;
  }
}

/** The whole of a small answer, and of a large one what writes it while it is sent, until `signal` aborts. */
export function formatAnswer(shown: Shown, signal: AbortSignal): Buffer | AsyncIterable<Buffer> {
  const chunks = formatChunks(shown);
  const first = chunks.next();
  const second = chunks.next();
  if (first.done === true) throw new Error('an answer has at least one chunk');
  return second.done === true ? first.value : withTurns(first.value, second.value, chunks, signal);
}
