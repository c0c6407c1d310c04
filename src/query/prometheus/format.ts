/** Values as Prometheus's JSON has them (web/api/v1, util/jsonutil), in chunks: an answer may be larger than a string can be. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Label } from '../../model/sample.ts';
import { untilEnded } from '../failure.ts';
import type { Grid, GridSeries, RawSeries, Value } from '../promql/value.ts';

/** The shortest digits that read back as the same number, an exponent below 1e-6 and from 1e21, in Go's spelling (`1e-07`, `+Inf`). */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  // JavaScript changes to an exponent at the same bounds as Go, but writes it without a second digit.
  return text.includes('e') ? text.replace(/e([+-])(\d)$/, 'e$10$2') : text;
}

/** Seconds: whole, or with exactly three decimals. */
export function formatTimestamp(timestampMs: number): string {
  const size = Math.abs(timestampMs);
  const whole = Math.floor(size / 1000);
  const rest = size % 1000;
  const sign = timestampMs < 0 ? '-' : '';
  return rest === 0 ? `${sign}${whole}` : `${sign}${whole}.${String(rest).padStart(3, '0')}`;
}

const formatMetric = (labels: readonly Label[]): string =>
  `{${labels.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;

const formatPoint = (timestampMs: number, value: number): string =>
  `[${formatTimestamp(timestampMs)},"${formatValue(value)}"]`;

/** A chunk is handed on when it is so large; writing one takes about 10 ms. */
const chunkBytes = 256 * 1024;
/** The most that a point takes: `,[-8640000000000.000,"-2.2250738585072014e-308"]`. */
const pointBytes = 48;
/** So many points of one series are written before the chunk's size is looked at. */
const pointsAtOnce = 4096;

/** Bytes that are gathered until there are enough of them to be sent. */
interface Gathered {
  buffer: Buffer;
  size: number;
}

const startChunk = (): Gathered => ({ buffer: Buffer.allocUnsafe(chunkBytes), size: 0 });

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

/** Writes a value's digits and gives the place behind them; there is room for them. */
function writeValue(buffer: Buffer, start: number, value: number): number {
  const whole = value >>> 0;
  let at = start;
  if (whole !== value || Object.is(value, -0)) {
    const text = formatValue(value);
    for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i);
    return at;
  }
  let rest = whole;
  do {
    at++;
    rest = Math.trunc(rest / 10);
  } while (rest > 0);
  rest = whole;
  for (let digit = at; digit > start; ) {
    const next = Math.trunc(rest / 10);
    buffer[--digit] = 48 + rest - next * 10;
    rest = next;
  }
  return at;
}

/** The beginning of each point of the grid, `,[1435781451.781,"`; every series has the same. */
const pointHeads = (grid: Grid): readonly Buffer[] =>
  Array.from({ length: grid.count }, (_, i) => Buffer.from(`,[${formatTimestamp(grid.startMs + i * grid.stepMs)},"`));

/**
 * Writes the points [from, to) that the series has. Byte by byte: 240,000 points take 25 ms where whole numbers are put together as
 * strings in 110 (bench/prometheus-answers.ts).
 */
function writeGridPoints(chunk: Gathered, { series, heads, from, to }: GridPart): void {
  reserve(chunk, (to - from) * pointBytes);
  const { buffer } = chunk;
  const { values, isPresent } = series;
  let at = chunk.size;
  for (let i = from; i < to; i++) {
    const head = heads[i];
    if (isPresent[i] !== 1 || head === undefined) continue;
    for (let k = 0; k < head.length; k++) buffer[at++] = head[k] ?? 0;
    at = writeValue(buffer, at, values[i] ?? Number.NaN);
    buffer[at++] = quote;
    buffer[at++] = bracket;
  }
  chunk.size = at;
}

interface GridPart {
  readonly series: GridSeries;
  readonly heads: readonly Buffer[];
  readonly from: number;
  readonly to: number;
}

const quote = 0x22;
const bracket = 0x5d;

type Chunks = Generator<Buffer, void, undefined>;

/** What was gathered, once it is enough. */
function* whenFull(chunk: Gathered): Chunks {
  if (chunk.size >= chunkBytes) yield takeChunk(chunk);
}

function takeChunk(chunk: Gathered): Buffer {
  const taken = chunk.buffer.subarray(0, chunk.size);
  chunk.buffer = Buffer.allocUnsafe(chunkBytes);
  chunk.size = 0;
  return taken;
}

/** The beginning of an item of the result: its labels. */
const writeMetric = (chunk: Gathered, index: number, labels: readonly Label[], behind: string): void =>
  writeText(chunk, `${index === 0 ? '' : ','}{"metric":${formatMetric(labels)},${behind}`);

function* gridItems(chunk: Gathered, series: readonly GridSeries[], grid: Grid): Chunks {
  const heads = pointHeads(grid);
  for (const [index, one] of series.entries()) {
    writeMetric(chunk, index, one.labels, '"values":[');
    const first = one.isPresent.indexOf(1);
    if (first !== -1) {
      // The first has no comma before it.
      writeText(chunk, formatPoint(grid.startMs + first * grid.stepMs, one.values[first] ?? Number.NaN));
      for (let from = first + 1; from < grid.count; from += pointsAtOnce) {
        writeGridPoints(chunk, { series: one, heads, from, to: Math.min(from + pointsAtOnce, grid.count) });
        yield* whenFull(chunk);
      }
    }
    writeText(chunk, ']}');
    yield* whenFull(chunk);
  }
}

function* rawItems(chunk: Gathered, series: readonly RawSeries[]): Chunks {
  for (const [index, { labels, timestampsMs, values }] of series.entries()) {
    writeMetric(chunk, index, labels, '"values":[');
    for (const [i, timestampMs] of timestampsMs.entries()) {
      writeText(chunk, `${i === 0 ? '' : ','}${formatPoint(timestampMs, values[i] ?? Number.NaN)}`);
      if (i % pointsAtOnce === pointsAtOnce - 1) yield* whenFull(chunk);
    }
    writeText(chunk, ']}');
    yield* whenFull(chunk);
  }
}

function* instantItems(chunk: Gathered, series: readonly GridSeries[], timeMs: number): Chunks {
  for (const [index, { labels, values }] of series.entries()) {
    writeMetric(chunk, index, labels, '"value":');
    writeText(chunk, `${formatPoint(timeMs, values[0] ?? Number.NaN)}}`);
    yield* whenFull(chunk);
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
  const chunk = startChunk();
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
