/** What senders that others wrote post, held field by field against what Zipkin's API and Jaeger's two give back. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { context, SpanKind, SpanStatusCode, type TimeInput, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Annotation, BatchRecorder, ExplicitContext, jsonEncoder, Tracer } from 'zipkin';
import { HttpLogger } from 'zipkin-transport-http';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';

let agent: TestAgent;
let relay: Server;
/** Bodies that were posted by way of the relay. */
const posted: string[] = [];

/** Hands a request on to the agent as it came and remembers its body. */
async function handOn(request: IncomingMessage): Promise<number> {
  const body = await buffer(request);
  posted.push(body.toString());
  return (await agent.post(request.url ?? '', body, { 'content-type': request.headers['content-type'] ?? '' })).status;
}

beforeAll(async () => {
  agent = await startAgent({ sets: ['store.retention=forever'] });
  await agent.ready();
  relay = createServer((request, response) => {
    handOn(request).then(
      (status) => response.writeHead(status).end(),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
});

afterAll(async () => {
  relay.close();
  relay.closeAllConnections();
  await agent.remove();
});

const relayUrl = () => `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;

async function json(path: string) {
  const { status, text } = await agent.get(path);
  expect(status, text).toBe(200);
  return JSON.parse(text);
}

interface ZipkinEndpoint {
  readonly serviceName?: string;
  readonly ipv4?: string;
  readonly port?: number;
}

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly timestamp: number;
  readonly duration?: number;
  readonly localEndpoint?: ZipkinEndpoint;
  readonly remoteEndpoint?: ZipkinEndpoint;
  readonly annotations?: readonly { readonly timestamp: number; readonly value: string }[];
  readonly tags?: Readonly<Record<string, string>>;
}

const byId = <T extends { id?: string; spanID?: string; spanId?: string }>(spans: readonly T[]): T[] => {
  const idOf = ({ id, spanID, spanId }: T) => id ?? spanID ?? spanId ?? '';
  return [...spans].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
};

/** What Zipkin says of an endpoint: its name in lower case, no port where that is 0. */
const zipkinEndpoint = ({ serviceName, port, ...address }: ZipkinEndpoint = {}) => {
  const endpoint = {
    ...(serviceName ? { serviceName: serviceName.toLowerCase() } : {}),
    ...address,
    ...(port ? { port } : {}),
  };
  return Object.keys(endpoint).length === 0 ? undefined : endpoint;
};

/** Zipkin shows every field as it was sent, names in lower case. */
const inZipkin = (span: ZipkinSpan) => ({
  ...span,
  name: span.name?.toLowerCase(),
  localEndpoint: zipkinEndpoint(span.localEndpoint),
  remoteEndpoint: zipkinEndpoint(span.remoteEndpoint),
  annotations: span.annotations?.length ? span.annotations : undefined,
  tags: Object.keys(span.tags ?? {}).length > 0 ? span.tags : undefined,
});

/** The tags that Jaeger makes of Zipkin's fields (the collector's Zipkin receiver); the rest are the span's own. */
const jaegerTags = ({ kind, localEndpoint, remoteEndpoint }: ZipkinSpan) => ({
  ...(kind === undefined ? {} : { 'span.kind': kind.toLowerCase() }),
  ...(localEndpoint?.ipv4 ? { 'network.local.address': localEndpoint.ipv4 } : {}),
  ...(localEndpoint?.port ? { 'net.host.port': localEndpoint.port } : {}),
  ...(remoteEndpoint?.serviceName ? { 'peer.service': remoteEndpoint.serviceName } : {}),
  ...(remoteEndpoint?.ipv4 ? { 'network.peer.address': remoteEndpoint.ipv4 } : {}),
  ...(remoteEndpoint?.port ? { 'net.peer.port': remoteEndpoint.port } : {}),
});

/** Tags that Jaeger has other places for: an error has a status too, and Envoy's node names the pod. */
const elsewhere = new Set(['error', 'otel.status_code', 'otel.status_description', 'w3c.tracestate', 'service.name']);

async function compareZipkinSpans(sent: readonly ZipkinSpan[]): Promise<void> {
  expect(sent.length).toBeGreaterThan(0);
  for (const traceId of new Set(sent.map((span) => span.traceId))) {
    const spans = byId(sent.filter((span) => span.traceId === traceId));
    // A field that is undefined is as good as none.
    expect(byId(await json(`/api/v2/trace/${traceId}`))).toEqual(spans.map(inZipkin));
    const [shown] = (await json(`/api/traces/${traceId}`)).data;
    const jaegerSpans = byId<{ spanID: string } & Record<string, never>>(shown.spans);
    expect(jaegerSpans.map(({ spanID }) => spanID)).toEqual(spans.map(({ id }) => id));
    for (const [n, span] of spans.entries()) compareWithJaeger(span, jaegerSpans[n], shown.processes);
    const { result } = await json(`/api/v3/traces/${traceId}`);
    const otlp = byId(spansOf(result.resourceSpans));
    expect(
      otlp.map(({ spanId, name, parentSpanId, startTimeUnixNano, endTimeUnixNano }) => ({
        id: spanId,
        name,
        parentId: parentSpanId,
        start: startTimeUnixNano,
        end: endTimeUnixNano,
      })),
    ).toEqual(
      spans.map(({ id, name, parentId, timestamp, duration = 0 }) => ({
        id,
        name,
        parentId,
        start: `${timestamp}000`,
        end: `${timestamp + duration}000`,
      })),
    );
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what Jaeger answers is what is being looked at.
type Answer = any;

function compareWithJaeger(span: ZipkinSpan, shown: Answer, processes: Answer): void {
  expect(shown).toMatchObject({
    traceID: span.traceId,
    operationName: span.name,
    startTime: span.timestamp,
    duration: span.duration ?? 0,
    references:
      span.parentId === undefined ? [] : [{ refType: 'CHILD_OF', traceID: span.traceId, spanID: span.parentId }],
  });
  expect(processes[shown.processID].serviceName).toBe(span.localEndpoint?.serviceName);
  const resourceTags: Answer[] = processes[shown.processID].tags;
  const tags = Object.fromEntries(
    [...resourceTags, ...shown.tags].map(({ key, value }: Answer) => [key, value] as const),
  );
  const own = Object.entries(span.tags ?? {}).filter(([key]) => !elsewhere.has(key));
  expect(tags).toMatchObject({ ...Object.fromEntries(own), ...jaegerTags(span) });
  if (span.tags?.['error'] !== undefined) expect(tags.error).toBe(true);
  const logs = shown.logs.map(({ timestamp, fields }: Answer) => ({ timestamp, value: fields[0].value }));
  expect(logs).toEqual(span.annotations ?? []);
}

const spansOf = (resourceSpans: Answer): Answer[] =>
  resourceSpans.flatMap((emitter: Answer) => emitter.scopeSpans.flatMap((scope: Answer) => scope.spans));

const startMs = 1_750_000_000_000;
/** Microseconds after the start, as the SDK takes a time with its nanoseconds. */
const at = (us: number): TimeInput => [startMs / 1000, us * 1000 + 123];

/** A server's span with a failing client's within, and all that the SDK can say of them; gives what was exported. */
async function sendCall(exporter: SpanExporter): Promise<ReadableSpan[]> {
  const exported: ReadableSpan[] = [];
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'Checkout', 'host.name': 'node-1', 'process.pid': 42 }),
    spanProcessors: [
      new BatchSpanProcessor({
        export(spans, done) {
          exported.push(...spans);
          exporter.export(spans, done);
        },
        shutdown: () => exporter.shutdown(),
      }),
    ],
  });
  const tracer = provider.getTracer('shop', '2.1');
  const server = tracer.startSpan('POST /Checkout', { kind: SpanKind.SERVER, startTime: at(0) });
  const attributes = {
    'peer.service': 'Cards',
    text: 'žluť',
    rows: 3,
    share: 0.5,
    isCached: false,
    list: ['a', 'b'],
    counts: [1, 2],
  };
  const client = tracer.startSpan(
    'SELECT',
    {
      kind: SpanKind.CLIENT,
      startTime: at(10),
      attributes,
      links: [{ context: server.spanContext(), attributes: { why: 'batch' } }],
    },
    trace.setSpan(context.active(), server),
  );
  client.addEvent('retry', { attempt: 2 }, at(20));
  client.setStatus({ code: SpanStatusCode.ERROR, message: 'refused' });
  client.end(at(40));
  server.end(at(1000));
  await provider.forceFlush();
  await provider.shutdown();
  return exported;
}

/** JSON that says the same: attributes by key, numbers of 64 bits as text, nothing that says nothing. */
function plain(value: Answer): Answer {
  if (Array.isArray(value)) {
    const items = value.map(plain);
    return items.every((item) => typeof item?.key === 'string')
      ? items.sort((a, b) => (a.key < b.key ? -1 : 1))
      : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, inner]): (readonly [string, Answer])[] => {
    if (key === 'intValue') return [[key, String(inner)]];
    if (key.endsWith('Value')) return [[key, plain(inner)]];
    const said = key === 'spans' ? byId(plain(inner)) : plain(inner);
    const isNothing = said === 0 || said === '' || said === undefined || (Array.isArray(said) && said.length === 0);
    return isNothing || (key === 'status' && Object.keys(said).length === 0) ? [] : [[key, said]];
  });
  return Object.fromEntries(entries);
}

describe('what a sender of Zipkin’s posts comes back from Zipkin’s API and from Jaeger’s', () => {
  it('as OpenTelemetry’s Zipkin exporter sent it', async () => {
    posted.length = 0;
    await sendCall(new ZipkinExporter({ url: `${relayUrl()}/api/v2/spans` }));
    const sent: ZipkinSpan[] = posted.flatMap((body) => JSON.parse(body));
    expect(sent).toHaveLength(2);
    await compareZipkinSpans(sent);
  });

  const sendByZipkinJs = async (path: string, encoder: typeof jsonEncoder.JSON_V2) => {
    posted.length = 0;
    const logger = new HttpLogger({ endpoint: relayUrl() + path, jsonEncoder: encoder, httpInterval: 20 });
    const tracer = new Tracer({
      ctxImpl: new ExplicitContext(),
      recorder: new BatchRecorder({ logger }),
      localServiceName: 'Zipkin-JS',
    });
    tracer.scoped(() => {
      tracer.setId(tracer.createRootId());
      tracer.recordServiceName('Zipkin-JS');
      tracer.recordRpc('GET /Items');
      tracer.recordAnnotation(new Annotation.ClientSend());
      tracer.recordAnnotation(new Annotation.ServerAddr({ serviceName: 'Items', port: 8080 }));
      tracer.recordBinary('http.path', '/items');
      tracer.recordMessage('cached');
      tracer.recordAnnotation(new Annotation.ClientRecv());
    });
    await expect.poll(() => posted.length, { timeout: 15_000 }).toBeGreaterThan(0);
    return posted.flatMap((body) => JSON.parse(body));
  };

  it('as zipkin-js sent it in v2', async () => {
    await compareZipkinSpans(await sendByZipkinJs('/api/v2/spans', jsonEncoder.JSON_V2));
  });

  it('as zipkin-js sent it in v1, whose annotations say what v2’s fields do', async () => {
    const [sent] = await sendByZipkinJs('/api/v1/spans', jsonEncoder.JSON_V1);
    const time = (value: string): number => sent.annotations.find((each: Answer) => each.value === value).timestamp;
    const { endpoint: local } = sent.annotations[0];
    const remote = sent.binaryAnnotations.find(({ key }: Answer) => key === 'sa').endpoint;
    await compareZipkinSpans([
      {
        traceId: sent.traceId,
        id: sent.id,
        kind: 'CLIENT',
        name: sent.name,
        timestamp: sent.timestamp,
        duration: sent.duration,
        localEndpoint: local,
        remoteEndpoint: remote,
        annotations: [{ timestamp: time('cached'), value: 'cached' }],
        tags: { 'http.path': '/items' },
      },
    ]);
  });

  it('as three real Envoys sent it', async () => {
    const file = new URL('../fixtures/spans/envoy-1.40.json', import.meta.url);
    const { posts }: { posts: { path: string; body: string }[] } = JSON.parse(readFileSync(file, 'utf8'));
    for (const { path, body } of posts) expect((await agent.post(path, body)).status).toBe(202);
    await compareZipkinSpans(posts.flatMap(({ body }) => JSON.parse(body)));
  });
});

describe('what OpenTelemetry’s SDK exports comes back from Jaeger’s API', () => {
  it.each<[string, () => SpanExporter]>([
    ['JSON', () => new JsonExporter({ url: `${agent.url}/v1/traces` })],
    ['protobuf', () => new ProtobufExporter({ url: `${agent.url}/v1/traces` })],
    ['gRPC', () => new GrpcExporter({ url: agent.url })],
  ])('as its own serializer has it: %s', async (_, createExporter) => {
    const exported = await sendCall(createExporter());
    const traceId = exported[0]?.spanContext().traceId;
    const sent = JSON.parse(Buffer.from(JsonTraceSerializer.serializeRequest(exported) ?? []).toString());
    const { result } = await json(`/api/v3/traces/${traceId}`);
    expect(plain(result.resourceSpans)).toEqual(plain(sent.resourceSpans));

    const [shown] = (await json(`/api/traces/${traceId}`)).data;
    for (const span of spansOf(sent.resourceSpans)) {
      const found = shown.spans.find(({ spanID }: Answer) => spanID === span.spanId);
      const startUs = Number(BigInt(span.startTimeUnixNano) / 1000n);
      expect(found).toMatchObject({
        operationName: span.name,
        startTime: startUs,
        duration: Number((BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1000n),
      });
      expect(shown.processes[found.processID].serviceName).toBe('Checkout');
      const tags = Object.fromEntries(found.tags.map(({ key, value }: Answer) => [key, value]));
      expect(tags).toMatchObject({ 'otel.scope.name': 'shop', 'otel.scope.version': '2.1' });
      if (span.attributes.length === 0) continue;
      expect(tags).toMatchObject({
        'span.kind': 'client',
        'peer.service': 'Cards',
        text: 'žluť',
        rows: 3,
        share: 0.5,
        isCached: false,
        list: '["a","b"]',
        counts: '[1,2]',
        error: true,
        'otel.status_code': 'ERROR',
        'otel.status_description': 'refused',
      });
      expect(found.logs).toMatchObject([
        {
          timestamp: startUs + 10,
          fields: [
            { key: 'event', value: 'retry' },
            { key: 'attempt', type: 'int64', value: 2 },
          ],
        },
      ]);
      expect(found.references.map(({ refType }: Answer) => refType)).toEqual(['CHILD_OF', 'FOLLOWS_FROM']);
    }
  });
});
