/** Values as Prometheus's JSON has them (web/api/v1, util/jsonutil), in chunks: an answer may be larger than a string can be. */
import { nextTurn } from '../../model/turns.ts';
import { untilEnded } from '../failure.ts';
import { formatPlain } from '../promql/go-number.ts';
import type { Grid, GridSeries, RawSeries, Value } from '../promql/value.ts';
import { type Chunk, chunkBytes, reserve, startChunk, takeChunk, takeLast, writeText } from './chunk.ts';
import { labelTexts } from './label-text.ts';
import { writeRepeated } from './repeated-values.ts';
import { formatTimestamp, formatValue, timestampBytes, valueBytes, writeTimestamp, writeValue } from './value-text.ts';

const formatPoint = (timestampMs: number, value: number): string =>
  `[${formatTimestamp(timestampMs)},"${formatValue(value)}"]`;

/** The most that a point takes, the comma before it included. */
const pointBytes = timestampBytes + valueBytes + 6;
/** So many points of one series are written before the chunk's size is looked at. */
const pointsAtOnce = 512;

/** The beginning of each point of the grid, `,[1435781451.781,"`, one every `headStride` bytes; every series has the same. */
interface PointHeads {
  readonly words: Uint32Array;
  readonly sizes: Uint8Array;
}

const headWords = Math.ceil((timestampBytes + 4) / 4);
const headStride = 4 * headWords;
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

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
  return { words: new Uint32Array(bytes.buffer), sizes };
}

/**
 * Writes the points [from, to) that the series has. Byte by byte: 240,000 points take a fifth of what they take where each is put
 * together as a string (bench/prometheus-answers.ts).
 */
function writeGridPoints(chunk: Chunk, { series, heads, from, to }: GridPart): void {
  reserve(chunk, (to - from) * pointBytes);
  const { buffer } = chunk;
  const { values, isPresent } = series;
  const { words, sizes } = heads;
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  let at = chunk.size;
  for (let i = from; i < to; i++) {
    if (isPresent[i] !== 1) continue;
    const start = i * headWords;
    // A word too many is overwritten by the value.
    for (let k = 0; k < headWords; k++) view.setUint32(at + 4 * k, words[start + k] ?? 0, isLittleEndian);
    at += sizes[i] ?? 0;
    at = writeRepeated(view, buffer, at, values[i] ?? Number.NaN);
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

/** Writes bytes that are few. */
function writeBytes(chunk: Chunk, bytes: Uint8Array): void {
  const { buffer } = chunk;
  let at = chunk.size;
  for (let i = 0; i < bytes.length; i++) buffer[at++] = bytes[i] ?? 0;
  chunk.size = at;
}

/** Writes a value and what is behind each; what stands before it is written already. */
function endPoint(chunk: Chunk, value: number): void {
  const { buffer } = chunk;
  let at = writeValue(buffer, chunk.size, value);
  buffer[at++] = quote;
  buffer[at++] = closeBracket;
  chunk.size = at;
}

const startMetric = Buffer.from('{"metric":');
const manyValues = Buffer.from(',"values":[');

function* gridItems(chunk: Chunk, series: readonly GridSeries[], grid: Grid): Chunks {
  const heads = pointHeads(grid);
  const writeLabels = labelTexts.writer();
  for (const [index, one] of series.entries()) {
    reserve(chunk, pointBytes);
    if (index > 0) chunk.buffer[chunk.size++] = comma;
    writeBytes(chunk, startMetric);
    writeLabels(chunk, one.labels);
    reserve(chunk, pointBytes);
    writeBytes(chunk, manyValues);
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

function* rawItems(chunk: Chunk, series: readonly RawSeries[]): Chunks {
  const writeLabels = labelTexts.writer();
  for (const [index, { labels, timestampsMs, values }] of series.entries()) {
    writeText(chunk, index > 0 ? ',{"metric":' : '{"metric":');
    writeLabels(chunk, labels);
    writeText(chunk, ',"values":[');
    for (let i = 0; i < timestampsMs.length; i++) {
      reserve(chunk, pointBytes);
      const { buffer } = chunk;
      if (i > 0) buffer[chunk.size++] = comma;
      buffer[chunk.size++] = openBracket;
      let at = writeTimestamp(buffer, chunk.size, timestampsMs[i] ?? 0);
      buffer[at++] = comma;
      buffer[at++] = quote;
      chunk.size = at;
      endPoint(chunk, values[i] ?? Number.NaN);
      if (chunk.size >= chunkBytes) yield takeChunk(chunk);
    }
    writeText(chunk, ']}');
  }
}

function* instantItems(chunk: Chunk, series: readonly GridSeries[], timeMs: number): Chunks {
  const writeLabels = labelTexts.writer();
  const head = Buffer.from(`,"value":[${formatTimestamp(timeMs)},"`);
  const headBytes = head.length + pointBytes;
  for (const [index, { labels, values }] of series.entries()) {
    reserve(chunk, headBytes);
    if (index > 0) chunk.buffer[chunk.size++] = comma;
    writeBytes(chunk, startMetric);
    writeLabels(chunk, labels);
    reserve(chunk, headBytes);
    writeBytes(chunk, head);
    endPoint(chunk, values[0] ?? Number.NaN);
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

function* resultOf(chunk: Chunk, { value, grid }: Shown): Chunks {
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
    // A scalar alone has no exponent, whatever its size.
    writeText(chunk, `[${formatTimestamp(grid.startMs)},"${formatPlain(value.values[0] ?? Number.NaN)}"]`);
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

/** An answer's bytes, in chunks of about an eighth of a megabyte; one that is small is one chunk. */
export function* formatChunks(shown: Shown): Chunks {
  const chunk = startChunk();
  const type = typeOf(shown.value, shown.grid.stepMs !== 0);
  writeText(chunk, `${shown.before}{"resultType":"${type}","result":`);
  yield* resultOf(chunk, shown);
  writeText(chunk, `${shown.more}}${shown.after}`);
  yield takeLast(chunk);
}

/** All chunks, with turns for others in between, until the signal aborts. */
async function* withTurns(first: Buffer, rest: Chunks, signal: AbortSignal): AsyncGenerator<Buffer> {
  yield first;
  let usedMs = 0;
  for (;;) {
    await untilEnded(signal, nextTurn(signal, usedMs));
    const startedMs = performance.now();
    const { done, value } = rest.next();
    usedMs += performance.now() - startedMs;
    if (done === true) return;
    yield value;
  }
}

/** The whole of a small answer, and of a large one what writes it while it is sent, until `signal` aborts. */
export function answerOf(chunks: Chunks, signal: AbortSignal): Buffer | AsyncIterable<Buffer> {
  const first = chunks.next();
  if (first.done === true) throw new Error('an answer has at least one chunk');
  // A chunk that is not full is the last.
  return first.value.length < chunkBytes ? first.value : withTurns(first.value, chunks, signal);
}

/** A query's answer. */
export const formatAnswer = (shown: Shown, signal: AbortSignal): Buffer | AsyncIterable<Buffer> =>
  answerOf(formatChunks(shown), signal);

/** What stands around the items of a list: JSON before its bracket, and behind it. */
export interface ListFrame extends Pick<Shown, 'before' | 'after'> {
  /** Those of an array unless given. */
  readonly brackets?: readonly [opening: string, closing: string];
}

/** Writes a list: what is before it, each item as `write` has it, what is behind. */
export function* listChunks<Item>(
  items: Iterable<Item>,
  write: (chunk: Chunk, item: Item) => void,
  { before, after, brackets: [opening, closing] = ['[', ']'] }: ListFrame,
): Chunks {
  const chunk = startChunk();
  writeText(chunk, before + opening);
  let isFirst = true;
  for (const item of items) {
    if (!isFirst) {
      reserve(chunk, 1);
      chunk.buffer[chunk.size++] = comma;
    }
    isFirst = false;
    write(chunk, item);
    if (chunk.size >= chunkBytes) yield takeChunk(chunk);
  }
  writeText(chunk, closing + after);
  yield takeLast(chunk);
}
