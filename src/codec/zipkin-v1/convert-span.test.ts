import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toV1Json, toV1Thrift, type V1SpanJson } from '../../../test/fixtures/v1-spans.ts';
import type { Span } from '../../model/span.ts';
import { zipkinDecoders } from '../zipkin-decoders.ts';
import { encodeSpan } from '../zipkin-v2-json/encode-spans.ts';

const recorded: readonly { readonly sent: V1SpanJson; readonly zipkin: readonly unknown[] }[] = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/spans/testdata/v1-random.zipkin-3.6.1.json', import.meta.url), 'utf8'),
);

const front = { serviceName: 'front', ipv4: '10.0.0.1' };
const back = { serviceName: 'back', ipv4: '10.0.0.2', port: 80 };

function convert(span: Partial<V1SpanJson>): Span[] {
  return zipkinDecoders.JSON_V1(toV1Json([{ traceId: '000000000000000a', id: '000000000000000b', ...span }]));
}

const asJson = (span: Span): string => encodeSpan(span);

describe('a v1 span', () => {
  it.each<['JSON_V1' | 'THRIFT', (spans: readonly V1SpanJson[]) => Buffer]>([
    ['JSON_V1', toV1Json],
    ['THRIFT', toV1Thrift],
  ])('becomes what Zipkin 3.6.1 made of it, from %s', (format, encode) => {
    for (const { sent, zipkin } of recorded) {
      const spans = zipkinDecoders[format](encode([sent])).map(asJson);
      expect(spans.sort(), JSON.stringify(sent)).toEqual(zipkin.map((span) => JSON.stringify(span)).sort());
    }
  });

  it('that client and server shared becomes two, and the server’s half is marked', () => {
    const spans = convert({
      annotations: [
        { timestamp: 100, value: 'cs', endpoint: front },
        { timestamp: 120, value: 'sr', endpoint: back },
        { timestamp: 180, value: 'ss', endpoint: back },
        { timestamp: 200, value: 'cr', endpoint: front },
      ],
      binaryAnnotations: [
        { key: 'a', value: '1', endpoint: front },
        { key: 'b', value: '2', endpoint: back },
      ],
    });
    expect(spans).toMatchObject([
      { kind: 'CLIENT', shared: false, startUs: 100, durationUs: 100, attributes: { a: '1' }, localEndpoint: front },
      { kind: 'SERVER', shared: true, startUs: 120, durationUs: 60, attributes: { b: '2' }, localEndpoint: back },
    ]);
  });

  it('of a service that calls itself becomes two as well', () => {
    const spans = convert({
      annotations: [
        { timestamp: 1, value: 'cs', endpoint: front },
        { timestamp: 2, value: 'sr', endpoint: { ...front, serviceName: 'Front' } },
      ],
    });
    expect(spans.map(({ kind, shared }) => [kind, shared])).toEqual([
      ['CLIENT', false],
      ['SERVER', true],
    ]);
  });

  it('of a thousand services becomes as many, each with what it wrote, whatever the case of its name', () => {
    const annotations = Array.from({ length: 3_000 }, (_, i) => ({
      timestamp: 1 + i,
      value: `v${i}`,
      endpoint: { serviceName: `${i % 2 === 0 ? 's' : 'S'}${i % 1_000}` },
    }));
    const spans = convert({ annotations });
    expect(spans).toHaveLength(1_000);
    expect(spans.every(({ events }) => events.length === 3)).toBe(true);
  });

  it('keeps the sender’s spelling of names, and compares them without regard to case', () => {
    const spans = convert({
      name: 'GET',
      annotations: [{ timestamp: 1, value: 'x', endpoint: { serviceName: 'Front' } }],
      binaryAnnotations: [{ key: 'k', value: 'v', endpoint: { serviceName: 'front', port: 1 } }],
    });
    expect(spans).toMatchObject([{ name: 'GET', localEndpoint: { serviceName: 'Front' }, attributes: { k: 'v' } }]);
  });

  it('takes an address for one whatever its value, as zipkin-ruby writes it', () => {
    const [span] = convert({
      annotations: [{ timestamp: 1, value: 'cs', endpoint: front }],
      binaryAnnotations: [{ key: 'sa', value: '1', endpoint: back }],
    });
    expect(span).toMatchObject({ remoteEndpoint: back, attributes: {} });
  });

  it('has no duration where the times are further apart than 63 bits', () => {
    const [span] = convert({
      annotations: [
        { timestamp: -(2 ** 63), value: 'sr', endpoint: back },
        { timestamp: 2 ** 62, value: 'ss', endpoint: back },
      ],
    });
    expect(span?.durationUs).toBeUndefined();
  });

  it('calls a server an error for HTTP 5xx and names its workload, as one of v2', () => {
    const [span] = convert({
      annotations: [{ timestamp: 1, value: 'sr', endpoint: { serviceName: 'b.echo' } }],
      binaryAnnotations: [
        { key: 'http.status_code', value: '503' },
        { key: 'istio.namespace', value: 'echo' },
      ],
    });
    expect(span).toMatchObject({ status: 'error', resource: { service: 'b', namespace: 'echo' } });
  });
});
