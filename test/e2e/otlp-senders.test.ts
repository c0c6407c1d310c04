/** What OpenTelemetry's own exporters send over HTTP and gRPC, through a whole agent and back out of Zipkin's API. */
import { context, SpanKind, SpanStatusCode, type TimeInput, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';

const startMs = 1_750_000_000_000;
const startUs = startMs * 1000;
/** Microseconds after the start, as the SDK takes a time with its nanoseconds. */
const at = (us: number): TimeInput => [startMs / 1000, us * 1000 + 123];

/** A server's span with a client's within, and what the SDK can say of them. */
async function sendCall(exporter: SpanExporter): Promise<{ traceId: string; serverId: string; clientId: string }> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'Checkout', 'host.name': 'node-1', 'process.pid': 42 }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('shop', '2.1');
  const server = tracer.startSpan('POST /checkout', { kind: SpanKind.SERVER, startTime: at(0) });
  const client = tracer.startSpan(
    'SELECT',
    {
      kind: SpanKind.CLIENT,
      startTime: at(10),
      attributes: { 'peer.service': 'cards', rows: 3, share: 0.5, list: ['a', 'b'] },
    },
    trace.setSpan(context.active(), server),
  );
  client.addEvent('retry', { attempt: 2 }, at(20));
  client.setStatus({ code: SpanStatusCode.ERROR, message: 'refused' });
  client.end(at(40));
  server.end(at(1000));
  await provider.forceFlush();
  await provider.shutdown();
  const { traceId, spanId } = server.spanContext();
  return { traceId, serverId: spanId, clientId: client.spanContext().spanId };
}

describe('an agent where an OpenTelemetry collector was', () => {
  let agent: TestAgent;

  beforeAll(async () => {
    agent = await startAgent({ sets: ['store.retention=forever'] });
    await agent.ready();
  });

  afterAll(async () => {
    await agent.remove();
  });

  const url = () => `${agent.url}/v1/traces`;
  it.each<[string, () => SpanExporter]>([
    ['protobuf', () => new ProtobufExporter({ url: url() })],
    ['protobuf, gzipped', () => new ProtobufExporter({ url: url(), compression: 'gzip' as never })],
    ['JSON', () => new JsonExporter({ url: url() })],
    ['gRPC', () => new GrpcExporter({ url: agent.url })],
    ['gRPC, gzipped', () => new GrpcExporter({ url: agent.url, compression: 'gzip' as never })],
    ['JSON at DataKit’s path', () => new JsonExporter({ url: `${agent.url}/otel/v1/traces` })],
  ])('gives back a call as the SDK sent it: %s', async (_, createExporter) => {
    const { traceId, serverId, clientId } = await sendCall(createExporter());
    const { status, text } = await agent.get(`/api/v2/trace/${traceId}`);
    expect(status, text).toBe(200);
    const common = {
      'host.name': 'node-1',
      'otel.scope.name': 'shop',
      'otel.scope.version': '2.1',
      'process.pid': '42',
      'service.name': 'Checkout',
    };
    expect(JSON.parse(text)).toEqual([
      {
        traceId,
        id: serverId,
        kind: 'SERVER',
        name: 'post /checkout',
        timestamp: startUs,
        duration: 1000,
        localEndpoint: { serviceName: 'checkout' },
        tags: common,
      },
      {
        traceId,
        parentId: serverId,
        id: clientId,
        kind: 'CLIENT',
        name: 'select',
        timestamp: startUs + 10,
        duration: 30,
        localEndpoint: { serviceName: 'checkout' },
        remoteEndpoint: { serviceName: 'cards' },
        annotations: [{ timestamp: startUs + 20, value: '"retry": {"attempt":2}' }],
        tags: {
          ...common,
          error: 'refused',
          list: '["a","b"]',
          'otel.status_code': 'ERROR',
          'peer.service': 'cards',
          rows: '3',
          share: '0.5',
        },
      },
    ]);
  });

  it('tells a sender of a bad span in the answer, and the operator in the status', async () => {
    const body = JSON.stringify({
      resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: 'abcd', spanId: '0102030405060708' }] }] }],
    });
    const { status, text } = await agent.post('/v1/traces', body, { 'content-type': 'application/json' });
    expect([status, JSON.parse(text)]).toEqual([
      200,
      { partialSuccess: { rejectedSpans: '1', errorMessage: 'span 1 of the request: traceId has 2 bytes, not 16' } },
    ]);
    expect((await agent.get('/api/trawl/status')).text).toContain('traceId has 2 bytes, not 16');
  });

  it('tells a sender of too much in the form of the protocol', async () => {
    const { status, text } = await agent.post('/v1/traces', Buffer.alloc(11 * 1024 * 1024), {
      'content-type': 'application/json',
    });
    expect([status, JSON.parse(text).code]).toEqual([413, 3]);
  });
});
