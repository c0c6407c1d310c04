/** The decoder beside the encoder of OpenTelemetry's own SDK: what that writes is read field by field, and written again as it stood. */
import { SpanKind as SdkKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { randomHex, randomText } from '../../../test/fixtures/random-details.ts';
import type { Span } from '../../model/span.ts';
import { decodeJsonSpans, decodeProtobufSpans } from './decode-spans.ts';
import { encodeJsonSpans, encodeProtobufSpans } from './encode-spans.ts';

const startSeconds = 1_795_253_305;
const seed = 20_261_121;

type Attributes = ReadableSpan['attributes'];

function createSource(random: () => number) {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const below = (limit: number) => Math.floor(random() * limit);
  const attributes = (): Attributes => ({
    text: randomText(random),
    yes: random() < 0.5,
    int: pick([0, -1, 200, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]),
    double: pick([0.1, -2.5, 1.5e-300]),
    texts: [randomText(random), 'b'],
    ints: [1, 2 ** 40],
    ['__proto__x']: 'p',
  });
  const context = () => ({
    traceId: randomHex(random, 32),
    spanId: randomHex(random, 16),
    traceFlags: pick([TraceFlags.NONE, TraceFlags.SAMPLED]),
  });
  const time = (): [number, number] => [startSeconds, below(1e9)];
  const emitters = [0, 1, 2].map((i) => ({
    resource: resourceFromAttributes({
      'service.name': `service-${i}`,
      'service.version': '1.4',
      'process.pid': 4000 + i,
      'process.args': ['node', 'x'],
    }),
    instrumentationScope: {
      name: `scope-${i}`,
      version: pick(['', '2.1']),
      schemaUrl: pick(['', 'https://opentelemetry.io/schemas/1.30.0']),
    },
  }));
  return (): ReadableSpan => {
    const own = context();
    const startTime = time();
    const nanos = startTime[1] + below(5e8);
    return {
      ...pick(emitters),
      name: randomText(random),
      kind: pick([SdkKind.INTERNAL, SdkKind.SERVER, SdkKind.CLIENT, SdkKind.PRODUCER, SdkKind.CONSUMER]),
      spanContext: () => own,
      ...(random() < 0.5 ? { parentSpanContext: { ...context(), isRemote: random() < 0.5 } } : {}),
      startTime,
      endTime: [startTime[0] + Math.floor(nanos / 1e9), nanos % 1e9],
      duration: [0, 0],
      status: pick([
        { code: SpanStatusCode.UNSET },
        { code: SpanStatusCode.OK },
        { code: SpanStatusCode.ERROR, message: 'payment refused' },
      ]),
      attributes: attributes(),
      events: Array.from({ length: below(3) }, () => ({
        name: randomText(random),
        time: time(),
        attributes: attributes(),
        droppedAttributesCount: below(3),
      })),
      links: Array.from({ length: below(3) }, () => ({
        context: { ...context(), isRemote: true },
        attributes: attributes(),
        droppedAttributesCount: below(3),
      })),
      ended: true,
      droppedAttributesCount: below(3),
      droppedEventsCount: below(3),
      droppedLinksCount: below(3),
    };
  };
}

const kinds = ['INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const ns = ([seconds, nanos]: readonly [number, number]) => BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
const typed = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(typed)
    : typeof value === 'number' && Number.isInteger(value)
      ? BigInt(value)
      : value;
const entries = (attributes: object) => Object.entries(attributes).map(([key, value]) => [key, typed(value)]);
const flags = (context: { traceFlags: number; isRemote?: boolean } | undefined, own: number) =>
  own | 0x100 | (context?.isRemote === true ? 0x200 : 0);

function expectSame(span: Span, sdk: ReadableSpan): void {
  const { details } = span;
  const start = BigInt(span.startUs ?? 0) * 1000n + BigInt(details?.startRestNs ?? 0);
  const own = sdk.spanContext();
  expect(span).toMatchObject({
    traceId: own.traceId,
    id: own.spanId,
    parentId: sdk.parentSpanContext?.spanId,
    kind: kinds[sdk.kind],
    name: sdk.name,
    status: ['unset', 'ok', 'error'][sdk.status.code],
    localEndpoint: { serviceName: sdk.resource.attributes['service.name'] },
    resource: { service: sdk.resource.attributes['service.name'], version: '1.4' },
  });
  expect(start).toBe(ns(sdk.startTime));
  expect(start + BigInt(span.durationUs ?? 0) * 1000n + BigInt(details?.durationRestNs ?? 0)).toBe(ns(sdk.endTime));
  const isNoText = ([, value]: readonly unknown[]) => typeof value !== 'string';
  expect(details?.typedAttributes).toEqual(entries(sdk.attributes).filter(isNoText));
  expect(span.attributes['text']).toBe(sdk.attributes['text']);
  expect(span.attributes['ints']).toBe('[1,1099511627776]');
  expect(Object.keys(span.attributes)).toEqual(Object.keys(sdk.attributes));
  expect(details).toMatchObject({
    flags: flags(sdk.parentSpanContext, own.traceFlags),
    statusMessage: sdk.status.message ?? '',
    scope: {
      name: sdk.instrumentationScope.name,
      version: sdk.instrumentationScope.version,
      schemaUrl: sdk.instrumentationScope.schemaUrl,
    },
    droppedAttributes: sdk.droppedAttributesCount,
    droppedEvents: sdk.droppedEventsCount,
    droppedLinks: sdk.droppedLinksCount,
  });
  expect(details?.resource.typedAttributes).toEqual([
    ['process.pid', typed(sdk.resource.attributes['process.pid'])],
    ['process.args', ['node', 'x']],
  ]);
  expect(
    span.events.map(({ timestampUs, value }, i) => [
      BigInt(timestampUs) * 1000n + BigInt(details?.events[i]?.restNs ?? 0),
      value,
      details?.events[i]?.attributes,
      details?.events[i]?.droppedAttributes,
    ]),
  ).toEqual(
    sdk.events.map((event) => [
      ns(event.time),
      event.name,
      entries(event.attributes ?? {}),
      event.droppedAttributesCount,
    ]),
  );
  expect(details?.links).toEqual(
    sdk.links.map((link) => ({
      traceId: link.context.traceId,
      spanId: link.context.spanId,
      traceState: '',
      flags: flags(link.context, link.context.traceFlags),
      attributes: entries(link.attributes ?? {}),
      droppedAttributes: link.droppedAttributesCount,
    })),
  );
}

describe('what OpenTelemetry’s SDK writes', () => {
  const next = createSource(createRandom(seed));
  const sdkSpans = Array.from({ length: 300 }, next);
  const protobuf = Buffer.from(ProtobufTraceSerializer.serializeRequest(sdkSpans) ?? []);
  const json = Buffer.from(JsonTraceSerializer.serializeRequest(sdkSpans) ?? []);

  it.each([
    ['protobuf', () => decodeProtobufSpans(protobuf).spans],
    ['JSON', () => decodeJsonSpans(json).spans],
  ])(`is read field by field in %s (seed ${seed})`, (_, decode) => {
    const byId = new Map(sdkSpans.map((span) => [span.spanContext().spanId, span]));
    const spans = decode();
    expect(spans).toHaveLength(sdkSpans.length);
    for (const span of spans) {
      const sdk = byId.get(span.id);
      if (sdk === undefined) throw new Error(`no span ${span.id}`);
      expectSame(span, sdk);
    }
  });

  it('is written again as it stood', () => {
    const { spans } = decodeProtobufSpans(protobuf);
    /** Without what both mean by leaving it out. */
    const strip = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(strip);
      if (typeof value !== 'object' || value === null) return value;
      const kept = Object.entries(value).filter(
        ([key, field]) =>
          key.endsWith('Value') ||
          !(field === 0 || field === '' || (Array.isArray(field) && field.length === 0 && key !== 'values')),
      );
      return Object.fromEntries(kept.map(([key, field]) => [key, key === 'intValue' ? String(field) : strip(field)]));
    };
    expect(strip(JSON.parse(encodeJsonSpans(spans)))).toEqual(strip(JSON.parse(json.toString())));
    expect(decodeProtobufSpans(Buffer.from(encodeProtobufSpans(spans))).spans).toEqual(spans);
  });
});
