/** Spans as rows of the table `spans` (columns: `../schema/migrations.ts`). */
import { joinLong, type Long, subtractLongs } from '../../model/long.ts';
import { type Endpoint, type Span, spanKinds, spanStatuses } from '../../model/span.ts';
import { spanFlags } from '../schema/migrations.ts';
import { restParts } from '../schema/span-rest.ts';
import { ByteWriter } from './byte-writer.ts';
import { type Column, NativeBlock } from './native-block.ts';
import { emitterColumns, writeEmitter } from './resource.ts';
import { createDetailsWriter, createDetailTags } from './span-details.ts';

const lowCardinality = 'LowCardinality(String)';
const stringMap = 'Map(LowCardinality(String), String)';

const columns = {
  traceId: ['trace_id', 'FixedString(16)'],
  id: ['id', 'UInt64'],
  parentId: ['parent_id', 'UInt64'],
  ts: ['ts', "DateTime64(6, 'UTC')"],
  duration: ['duration_us', 'UInt64'],
  kind: ['kind', 'UInt8'],
  flags: ['flags', 'UInt8'],
  status: ['status', 'UInt8'],
  name: ['name', lowCardinality],
  localService: ['local_service', lowCardinality],
  localIpv4: ['local_ipv4', 'UInt32'],
  localIpv6: ['local_ipv6', 'String'],
  localPort: ['local_port', 'UInt16'],
  remoteService: ['remote_service', lowCardinality],
  requestId: ['request_id', 'UUID'],
  rest: ['rest', 'String'],
  eventValue: ['event_value', 'Array(String)'],
  tags: ['tags', stringMap],
} as const satisfies Record<string, Column>;

const detailColumns = {
  details: ['details', 'String'],
  tags: ['detail_tags', 'Array(String)'],
} as const satisfies Record<string, Column>;

export const spanColumns: readonly Column[] = [
  ...Object.values(columns),
  ...emitterColumns,
  ...Object.values(detailColumns),
];

/** Envoy's request id is unique a span, so it has a column of its own and stays out of the tag index. */
export const requestIdTag = 'guid:x-request-id';

const dayMs = 86_400_000;
const noId = '0000000000000000';

/** When a span is filed: at its start, or at its arrival where it has none or one that is more than a day ahead. */
export function filedUs(span: Span, arrivalMs: number): number {
  const { startUs } = span;
  return startUs === undefined || startUs > (arrivalMs + dayMs) * 1000 ? arrivalMs * 1000 : startUs;
}

/** Only the canonical spelling can be given back as it came: 8-4-4-4-12 lower-case hex digits, not all zeros. */
export function isCanonicalUuid(text: string): boolean {
  if (text.length !== 36) return false;
  let isZero = true;
  for (let i = 0; i < 36; i++) {
    const code = text.charCodeAt(i);
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (code !== 0x2d) return false;
    } else if ((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66)) {
      if (code !== 0x30) isZero = false;
    } else return false;
  }
  return !isZero;
}

const ipv4Number = (address: string | undefined): number => {
  if (address === undefined) return 0;
  let number = 0;
  let part = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === 0x2e) {
      number = number * 256 + part;
      part = 0;
    } else part = part * 10 + code - 0x30;
  }
  return number * 256 + part;
};

function writeEndpoints(block: NativeBlock, spans: readonly Span[]): void {
  block.lowCardinality(columns.localService, spans, (span) => span.localEndpoint?.serviceName ?? '');
  const out = block.column(columns.localIpv4);
  for (const span of spans) out.u32(ipv4Number(span.localEndpoint?.ipv4));
  block.strings(columns.localIpv6, spans, (span) => span.localEndpoint?.ipv6 ?? '');
  block.column(columns.localPort);
  for (const span of spans) out.u16(span.localEndpoint?.port ?? 0);
  block.lowCardinality(columns.remoteService, spans, (span) => span.remoteEndpoint?.serviceName ?? '');
}

function writeIds(block: NativeBlock, spans: readonly Span[]): void {
  const out = block.column(columns.traceId);
  for (const span of spans) out.hex(span.traceId);
  block.column(columns.id);
  for (const span of spans) out.hexU64(span.id);
  block.column(columns.parentId);
  for (const span of spans) out.hexU64(span.parentId ?? noId);
}

function writeLong(out: ByteWriter, value: Long): void {
  if (typeof value === 'number') out.i64(value);
  else out.bigI64(value);
}

function writeTimes(block: NativeBlock, spans: readonly Span[], arrivalMs: number): void {
  const out = block.column(columns.ts);
  for (const span of spans) out.i64(filedUs(span, arrivalMs));
  block.column(columns.duration);
  for (const { durationUs = 0, durationRestUs } of spans) writeLong(out, joinLong(durationUs, durationRestUs));
}

function writeFlags(block: NativeBlock, spans: readonly Span[]): void {
  const out = block.column(columns.kind);
  for (const { kind } of spans) out.u8(kind === undefined ? 0 : spanKinds.indexOf(kind) + 1);
  block.column(columns.flags);
  for (const span of spans) {
    out.u8(
      (span.shared ? spanFlags.shared : 0) |
        (span.debug ? spanFlags.debug : 0) |
        (span.startUs === undefined ? spanFlags.hasNoStart : 0),
    );
  }
  block.column(columns.status);
  for (const { status } of spans) out.u8(spanStatuses.indexOf(status));
}

/** Writes the column of request ids; answers which spans have theirs there. */
function writeRequestIds(block: NativeBlock, spans: readonly Span[]): readonly boolean[] {
  const out = block.column(columns.requestId);
  const isWritten: boolean[] = [];
  for (const { attributes } of spans) {
    const id = attributes[requestIdTag];
    const isUuid = id !== undefined && isCanonicalUuid(id);
    isWritten.push(isUuid);
    if (isUuid) out.uuid(id);
    else out.zeros(16);
  }
  return isWritten;
}

/** Makes a writer of the column `rest`. */
function createRestWriter(): (block: NativeBlock, spans: readonly Span[], arrivalMs: number) => void {
  const rest = new ByteWriter(256);
  return (block, spans, arrivalMs) => {
    const out = block.column(columns.rest);
    for (const span of spans) {
      rest.clear();
      writeRest(rest, span, filedUs(span, arrivalMs));
      out.varUint(rest.length);
      if (rest.length > 0) out.bytes(rest.view());
    }
  };
}

function writeRest(out: ByteWriter, span: Span, filed: number): void {
  const { startUs, events } = span;
  // Zipkin takes any 64 bits for a start; the sum must lead back to each of them.
  const startOffset = startUs === undefined ? 0 : subtractLongs(joinLong(startUs, span.startRestUs), filed);
  const address = addressOf(span.remoteEndpoint);
  const parts =
    (startOffset === 0 ? 0 : restParts.startOffset) |
    (address === undefined ? 0 : restParts.remoteAddress) |
    (events.length === 0 ? 0 : restParts.eventTimes);
  if (parts === 0) return;
  out.u8(parts);
  if (startOffset !== 0) writeLong(out, startOffset);
  if (address !== undefined) {
    out.u32(ipv4Number(address.ipv4));
    out.string(address.ipv6 ?? '');
    out.u16(address.port ?? 0);
  }
  if (events.length === 0) return;
  out.varUint(events.length);
  for (const event of events) writeLong(out, subtractLongs(joinLong(event.timestampUs, event.restUs), filed));
}

const addressOf = (endpoint: Endpoint | undefined): Endpoint | undefined =>
  endpoint === undefined || (endpoint.ipv4 ?? endpoint.ipv6 ?? endpoint.port) === undefined ? undefined : endpoint;

function writeEvents(block: NativeBlock, spans: readonly Span[]): void {
  block.offsets(columns.eventValue, spans, (span) => span.events.length);
  for (const span of spans) for (const event of span.events) block.out.string(event.value);
}

function writeTags(block: NativeBlock, spans: readonly Span[], hasRequestId: readonly boolean[]): void {
  let row = 0;
  block.map(columns.tags, spans, ({ attributes }, put) => {
    const isElsewhere = hasRequestId[row++] === true;
    for (const key in attributes) {
      if (!isElsewhere || key !== requestIdTag) put(key, attributes[key] ?? '');
    }
  });
}

/** Makes a writer of the columns that only OpenTelemetry's spans fill. */
function createDetailColumns(): (block: NativeBlock, spans: readonly Span[]) => void {
  const writeDetails = createDetailsWriter();
  const tagsOf = createDetailTags();
  return (block, spans) => {
    const isPlain = spans.every((span) => span.details === undefined);
    const out = block.column(detailColumns.details);
    if (isPlain) out.zeros(spans.length);
    else for (const span of spans) writeDetails(out, span.details);
    block.column(detailColumns.tags);
    if (isPlain) {
      out.zeros(8 * spans.length);
      return;
    }
    const tags = spans.map((span) => tagsOf(span.details));
    let end = 0;
    for (const { length } of tags) {
      end += length;
      out.i64(end);
    }
    for (const texts of tags) for (const text of texts) out.string(text);
  };
}

/**
 * Makes an encoder of spans into Native blocks for `INSERT INTO spans`; `arrivalMs` files spans that have no usable start.
 * A block is valid until the next one is encoded.
 */
export function createSpanEncoder(): (spans: readonly Span[], arrivalMs: number) => Buffer {
  const block = new NativeBlock();
  const writeRests = createRestWriter();
  const writeDetailColumns = createDetailColumns();
  return (spans, arrivalMs) => {
    block.begin(spanColumns.length, spans.length);
    writeIds(block, spans);
    writeTimes(block, spans, arrivalMs);
    writeFlags(block, spans);
    block.lowCardinality(columns.name, spans, (span) => span.name);
    writeEndpoints(block, spans);
    const hasRequestId = writeRequestIds(block, spans);
    writeRests(block, spans, arrivalMs);
    writeEvents(block, spans);
    writeTags(block, spans, hasRequestId);
    writeEmitter(block, spans, (span) => span.resource);
    writeDetailColumns(block, spans);
    return block.end();
  };
}
