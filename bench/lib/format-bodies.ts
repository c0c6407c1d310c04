/**
 * The same spans as bodies of every format that traces arrive in. A body is encoded once; then the places of its ids, times and unique
 * digits are found in its bytes, and only those are written anew for each post, so that the generator takes as little of the machine as can be.
 */
import { encodeJsonSpans, encodeProtobufSpans } from '../../src/codec/otlp/encode-spans.ts';
import { encodeSpans as encodeProto3 } from '../../src/codec/zipkin-proto3/encode-spans.ts';
import { decodeSpans } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import { encodeSpans as encodeV2Json } from '../../src/codec/zipkin-v2-json/encode-spans.ts';
import type { Span } from '../../src/model/span.ts';
import { toV1Json, toV1Thrift } from '../../test/fixtures/v1-spans.ts';
import { createNumbers, createSpanBody } from './envoy-spans.ts';
import { toV1 } from './zipkin-bodies.ts';

export const traceFormats = [
  'zipkin-v1-json',
  'zipkin-thrift',
  'zipkin-v2-json',
  'zipkin-proto3',
  'otlp-protobuf',
  'otlp-json',
  'otlp-grpc',
] as const;
export type TraceFormat = (typeof traceFormats)[number];

export interface FormatBody {
  readonly bytes: Buffer;
  /** Writes new ids, times and unique digits into `bytes`. */
  refresh(nowUs: number): void;
}

const encoders: Readonly<Record<TraceFormat, (spans: readonly Span[]) => Uint8Array>> = {
  'zipkin-v1-json': (spans) => toV1Json(spans.map(toV1)),
  'zipkin-thrift': (spans) => toV1Thrift(spans.map(toV1)),
  'zipkin-v2-json': (spans) => Buffer.from(encodeV2Json(spans)),
  'zipkin-proto3': encodeProto3,
  'otlp-protobuf': encodeProtobufSpans,
  'otlp-json': (spans) => Buffer.from(encodeJsonSpans(spans)),
  'otlp-grpc': encodeProtobufSpans,
};

/** Ids and digits come from one drawing for all places of a value: a trace's id is the same in all of its spans. */
interface RandomSlot {
  readonly places: readonly number[];
  readonly length: number;
  readonly kind: 'hex' | 'bytes' | 'digits';
}

type TimeKind = 'text' | 'big-endian' | 'little-endian' | 'little-endian nanoseconds';

interface TimeSlot {
  readonly at: number;
  readonly kind: TimeKind;
  /** 0 where a span starts, its duration where it ends. */
  readonly offsetUs: number;
  readonly span: number;
}

function placesOf(bytes: Buffer, wanted: Buffer): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + wanted.length)) places.push(at);
  return places;
}

function idSlots(bytes: Buffer, id: string): RandomSlot[] {
  const asText = placesOf(bytes, Buffer.from(id));
  if (asText.length > 0) return [{ places: asText, length: id.length, kind: 'hex' }];
  // Thrift has the halves of a trace's id in two fields.
  return [id.slice(0, 16), id.slice(16)]
    .filter((half) => half !== '')
    .map((half) => ({ places: placesOf(bytes, Buffer.from(half, 'hex')), length: 8, kind: 'bytes' }));
}

/** The runs of digits that are unique a span: the request's id, the end of its URL, the caller's address. */
function digitSlots(bytes: Buffer, span: Span): RandomSlot[] {
  const requestId = span.attributes['guid:x-request-id'] ?? '';
  const url = span.attributes['http.url'] ?? '';
  const slots: RandomSlot[] = [];
  const add = (text: string, from: number, length: number, kind: 'hex' | 'digits') => {
    const places = placesOf(bytes, Buffer.from(text)).map((at) => at + from);
    slots.push({ places, length, kind });
  };
  add(requestId, 0, 8, 'hex');
  add(requestId, 24, 12, 'hex');
  // What stands before it is shared with other spans; the last eight digits are not.
  add(url.slice(-8), 0, 8, 'hex');
  add(span.attributes['peer.address'] ?? '', -4 + (span.attributes['peer.address'] ?? '').length, 4, 'digits');
  return slots;
}

function timeBytes(kind: TimeKind, us: number): Buffer {
  if (kind === 'text') return Buffer.from(String(us));
  const bytes = Buffer.alloc(8);
  writeTime(bytes, 0, kind, us);
  return bytes;
}

function writeTime(bytes: Buffer, at: number, kind: TimeKind, us: number): void {
  if (kind === 'text') bytes.write(String(us), at, 'latin1');
  else if (kind === 'big-endian') bytes.writeBigUInt64BE(BigInt(us), at);
  else bytes.writeBigUInt64LE(kind === 'little-endian' ? BigInt(us) : BigInt(us) * 1000n, at);
}

const timeKinds: readonly TimeKind[] = ['text', 'big-endian', 'little-endian', 'little-endian nanoseconds'];

function timeSlots(bytes: Buffer, span: Span, index: number): TimeSlot[] {
  const { startUs = 0, durationUs = 0 } = span;
  return [0, durationUs].flatMap((offsetUs) =>
    timeKinds.flatMap((kind) =>
      placesOf(bytes, timeBytes(kind, startUs + offsetUs)).map((at) => ({ at, kind, offsetUs, span: index })),
    ),
  );
}

const hexDigits = Buffer.from('0123456789abcdef');

function fill(bytes: Buffer, { places, length, kind }: RandomSlot, random: () => number): void {
  const [first] = places;
  if (first === undefined) return;
  let bits = 0;
  for (let i = 0; i < length; i++) {
    if (i % 4 === 0) bits = random();
    const byte = bits & 0xff;
    bits >>>= 8;
    bytes[first + i] = kind === 'bytes' ? byte : (hexDigits[kind === 'hex' ? byte & 15 : byte % 10] ?? 48);
  }
  for (const at of places.slice(1)) bytes.copyWithin(at, first, first + length);
}

/** Makes a body of 100 Envoy-like spans with 14 tags; `seed` decides all of it but the time, and is the same span in every format. */
export function createFormatBody(format: TraceFormat, seed: number, idSeed: number): FormatBody {
  const source = createSpanBody(seed);
  // Every start is another one, so that its places are found by its value.
  source.refresh(1_795_253_305_000_000);
  const spans = decodeSpans(source.bytes).map(
    (span, i): Span => ({ ...span, startUs: 1_795_253_305_000_000 + i * 200_000 }),
  );
  const bytes = Buffer.from(encoders[format](spans));
  const ids = new Set(spans.flatMap(({ traceId, id, parentId = '' }) => [traceId, id, parentId]));
  const randoms = [
    ...[...ids].flatMap((id) => idSlots(bytes, id)),
    ...spans.flatMap((span) => digitSlots(bytes, span)),
  ].filter(({ places }) => places.length > 0);
  const times = spans.flatMap((span, i) => timeSlots(bytes, span, i));
  const random = createNumbers(idSeed);
  const starts = new Float64Array(spans.length);
  return {
    bytes,
    refresh(nowUs) {
      for (const slot of randoms) fill(bytes, slot, random);
      for (let i = 0; i < starts.length; i++) starts[i] = nowUs - (random() % 1_000_000);
      for (const { at, kind, offsetUs, span } of times) writeTime(bytes, at, kind, (starts[span] ?? nowUs) + offsetUs);
    },
  };
}
