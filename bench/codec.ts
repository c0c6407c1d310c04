/**
 * What the codecs cost: `npx tsx bench/codec.ts` prints one JSON object. Spans are Envoy-like with 14 tags, three of them unique a span, 100 to a
 * body; the page is 50,000 series. Figures are the best of several rounds, so that a busy machine shows less.
 */

import { createExpositionParser } from '../src/codec/exposition/parser.ts';
import { decodeJsonSpans, decodeProtobufSpans } from '../src/codec/otlp/decode-spans.ts';
import { encodeJsonSpans, encodeProtobufSpans } from '../src/codec/otlp/encode-spans.ts';
import { zipkinDecoders } from '../src/codec/zipkin-decoders.ts';
import type { ZipkinFormat } from '../src/codec/zipkin-format.ts';
import { encodeSpans as encodeProto3 } from '../src/codec/zipkin-proto3/encode-spans.ts';
import { decodeSpans } from '../src/codec/zipkin-v2-json/decode-spans.ts';
import { encodeSpans } from '../src/codec/zipkin-v2-json/encode-spans.ts';
import { readSpansExactly } from '../src/codec/zipkin-v2-json/exact-reader.ts';
import type { Span } from '../src/model/span.ts';
import { createChoices } from '../test/contract/decoder-kit.ts';
import { otlpJsonBodies } from './lib/otlp-bodies.ts';
import { zipkinBodies } from './lib/zipkin-bodies.ts';

const spansPerBody = 100;
const bodyCount = 200;
const rounds = 7;
const seriesCount = 50_000;
const random = createChoices(7);

function hex(length: number): string {
  let text = '';
  while (text.length < length)
    text += random(2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return text.slice(0, length);
}

function envoySpan(): unknown {
  const service = random(50);
  const name = `service-${service}.default.svc.cluster.local:9080/${random(10)}`;
  return {
    traceId: hex(32),
    parentId: hex(16),
    id: hex(16),
    kind: random(2) === 0 ? 'CLIENT' : 'SERVER',
    name,
    timestamp: 1_795_253_305_853_895 + random(1_000_000_000),
    duration: random(1_000_000) + 1,
    localEndpoint: { serviceName: `service-${service}.default`, ipv4: `10.0.0.${service}`, port: 0 },
    annotations: [{ timestamp: 1_795_253_305_857_040, value: 'ss' }],
    tags: {
      component: 'proxy',
      node_id: `sidecar~10.0.0.${service}~service-${service}-7f4c9d.default~default.svc.cluster.local`,
      'guid:x-request-id': `${hex(8)}-${hex(4)}-4${hex(3)}-9${hex(3)}-${hex(12)}`,
      'http.method': 'GET',
      'http.protocol': 'HTTP/1.1',
      'http.url': `http://service-${service}:9080/items/${hex(8)}`,
      'http.status_code': '200',
      'peer.address': `10.0.${random(256)}.${random(256)}`,
      response_size: '1024',
      response_flags: '-',
      'istio.canonical_revision': 'v1',
      'istio.canonical_service': `service-${service}`,
      'istio.namespace': 'default',
      upstream_cluster: 'inbound|9080||',
    },
  };
}

function best(work: () => void): number {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    work();
    bestMs = Math.min(bestMs, performance.now() - start);
  }
  return bestMs;
}

function measureSpans(): Record<string, number> {
  const bodies = Array.from({ length: bodyCount }, () =>
    Buffer.from(JSON.stringify(Array.from({ length: spansPerBody }, envoySpan))),
  );
  const microseconds = (work: () => void) => Number(((best(work) * 1000) / (bodyCount * spansPerBody)).toFixed(3));
  // In turn, so that both see the same machine.
  let parseUs = Number.POSITIVE_INFINITY;
  let decodeUs = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < rounds; turn++) {
    parseUs = Math.min(
      parseUs,
      microseconds(() => {
        for (const body of bodies) JSON.parse(body.toString('latin1'));
      }),
    );
    decodeUs = Math.min(
      decodeUs,
      microseconds(() => {
        for (const body of bodies) decodeSpans(body);
      }),
    );
  }
  const spans = bodies.slice(0, 20).map((body) => decodeSpans(body));
  return {
    bytesPerSpan: Math.round(bodies.reduce((sum, body) => sum + body.length, 0) / (bodyCount * spansPerBody)),
    jsonParseUs: parseUs,
    decodeUs,
    decodeBeyondParseUs: Number((decodeUs - parseUs).toFixed(3)),
    exactReaderUs: microseconds(() => {
      for (const body of bodies) readSpansExactly(body.toString('latin1'));
    }),
    encodeUs: microseconds(() => {
      for (let i = 0; i < bodyCount; i++) Buffer.from(encodeSpans(spans[i % spans.length] ?? []));
    }),
  };
}

function measureZipkinFormats(): Record<string, Record<string, number>> {
  const v2Json = Array.from({ length: bodyCount }, () =>
    Buffer.from(JSON.stringify(Array.from({ length: spansPerBody }, envoySpan))),
  );
  const { v1Json, thrift, proto3 } = zipkinBodies(v2Json);
  const perSpan = (work: () => void) => Number(((best(work) * 1000) / (bodyCount * spansPerBody)).toFixed(3));
  const measure = (format: ZipkinFormat, bodies: readonly Buffer[]) => ({
    bytesPerSpan: Math.round(bodies.reduce((sum, body) => sum + body.length, 0) / (bodyCount * spansPerBody)),
    decodeUs: perSpan(() => {
      for (const body of bodies) zipkinDecoders[format](body);
    }),
  });
  const formats = {
    zipkinV1Json: {
      ...measure('JSON_V1', v1Json),
      jsonParseUs: perSpan(() => {
        for (const body of v1Json) JSON.parse(body.toString('latin1'));
      }),
    },
    zipkinThrift: measure('THRIFT', thrift),
    zipkinProto3: measure('PROTO3', proto3),
  };
  const spans = v2Json.slice(0, 20).map((body) => decodeSpans(body));
  const encodeUs = perSpan(() => {
    for (let i = 0; i < bodyCount; i++) encodeProto3(spans[i % spans.length] ?? []);
  });
  return { ...formats, zipkinProto3: { ...formats.zipkinProto3, encodeUs } };
}

function measurePage(): Record<string, number> {
  const lines = ['# TYPE istio_requests_total counter'];
  for (let i = 0; i < seriesCount; i++) {
    lines.push(
      `istio_requests_total{reporter="source",source_workload="w${i % 50}",source_principal="spiffe://cluster.local/ns/default/sa/w${i % 50}",` +
        `destination_service="s${i % 70}.default.svc.cluster.local",response_code="${200 + (i % 5)}",response_flags="-",pod="p-${i}"} ${i * 3}`,
    );
  }
  const page = Buffer.from(`${lines.join('\n')}\n`);
  const parser = createExpositionParser({ remember: (series) => series });
  const start = performance.now();
  parser.parse(page, 'text');
  const firstMs = performance.now() - start;
  return {
    series: seriesCount,
    pageBytes: page.length,
    firstScrapeMs: Number(firstMs.toFixed(1)),
    nextScrapeMs: Number(best(() => parser.parse(page, 'text')).toFixed(1)),
  };
}

function measureOtlp(): Record<string, Record<string, number>> {
  const jsonBodies = otlpJsonBodies(bodyCount, 7);
  // Nothing that was decoded is kept before decoding is measured: what survives teaches V8 to allocate as if everything did.
  const protobufBodies = jsonBodies.map((body) => Buffer.from(encodeProtobufSpans(decodeJsonSpans(body).spans)));
  const perSpan = (work: () => void) => Number(((best(work) * 1000) / (bodyCount * spansPerBody)).toFixed(3));
  const bytesPerSpan = (bodies: readonly Buffer[]) =>
    Math.round(bodies.reduce((sum, body) => sum + body.length, 0) / (bodyCount * spansPerBody));
  const protobufDecodeUs = perSpan(() => {
    for (const body of protobufBodies) decodeProtobufSpans(body);
  });
  const jsonDecodeUs = perSpan(() => {
    for (const body of jsonBodies) decodeJsonSpans(body);
  });
  const jsonParseUs = perSpan(() => {
    for (const body of jsonBodies) JSON.parse(body.toString('latin1'));
  });
  const decoded = protobufBodies.slice(0, 20).map((body) => decodeProtobufSpans(body).spans);
  const encodeUs = (encode: (spans: readonly Span[]) => unknown) =>
    perSpan(() => {
      for (let i = 0; i < bodyCount; i++) encode(decoded[i % decoded.length] ?? []);
    });
  return {
    otlpProtobuf: {
      bytesPerSpan: bytesPerSpan(protobufBodies),
      decodeUs: protobufDecodeUs,
      encodeUs: encodeUs(encodeProtobufSpans),
    },
    otlpJson: {
      bytesPerSpan: bytesPerSpan(jsonBodies),
      jsonParseUs,
      decodeUs: jsonDecodeUs,
      encodeUs: encodeUs((spans) => Buffer.from(encodeJsonSpans(spans))),
    },
  };
}

console.log(
  JSON.stringify({
    zipkinV2Json: measureSpans(),
    ...measureZipkinFormats(),
    ...measureOtlp(),
    prometheusText: measurePage(),
  }),
);
