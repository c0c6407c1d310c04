import { describe, expect, it } from 'vitest';
import { decodeJsonSpans } from './otlp/decode-spans.ts';
import { decodeSpans as decodeProto3 } from './zipkin-proto3/decode-spans.ts';
import { encodeSpans as encodeProto3 } from './zipkin-proto3/encode-spans.ts';
import { encodeSpans } from './zipkin-v2-json/encode-spans.ts';
import { eventOfAnnotation } from './zipkin-view.ts';

const text = (key: string, value: string) => ({ key, value: { stringValue: value } });

function otlp(span: object): Buffer {
  return Buffer.from(
    JSON.stringify({
      resourceSpans: [
        {
          resource: {
            attributes: [text('service.name', 'Checkout'), text('host.name', 'node-1'), text('shadowed', 'resource')],
          },
          scopeSpans: [
            {
              scope: { name: 'http', version: '2.1', attributes: [text('lib', 'x')] },
              spans: [
                {
                  traceId: '0af7651916cd43dd8448eb211c80319c',
                  spanId: 'b7ad6b7169203331',
                  name: 'POST /Checkout',
                  startTimeUnixNano: '1795253305853895123',
                  endTimeUnixNano: '1795253305853897000',
                  ...span,
                },
              ],
            },
          ],
        },
      ],
    }),
  );
}

const zipkinOf = (span: object) => JSON.parse(encodeSpans(decodeJsonSpans(otlp(span)).spans))[0];

describe('Zipkin’s view of an OpenTelemetry span', () => {
  it('has the attributes of the resource, the scope and the span as tags, and events as annotations', () => {
    const zipkin = zipkinOf({
      kind: 2,
      traceState: 'vendor=abc',
      attributes: [{ key: 'http.response.status_code', value: { intValue: 500 } }, text('shadowed', 'span')],
      events: [
        { timeUnixNano: '1795253305853896999', name: 'late' },
        { timeUnixNano: '1795253305853896000', name: 'early', attributes: [text('n', '1')] },
      ],
      status: { code: 2, message: 'payment refused' },
    });
    expect(zipkin).toEqual({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      id: 'b7ad6b7169203331',
      kind: 'SERVER',
      name: 'post /checkout',
      timestamp: 1_795_253_305_853_895,
      duration: 1,
      localEndpoint: { serviceName: 'checkout' },
      annotations: [
        { timestamp: 1_795_253_305_853_896, value: '"early": {"n":"1"}' },
        { timestamp: 1_795_253_305_853_896, value: 'late' },
      ],
      tags: {
        error: 'payment refused',
        'host.name': 'node-1',
        'http.response.status_code': '500',
        lib: 'x',
        'otel.scope.name': 'http',
        'otel.scope.version': '2.1',
        'otel.status_code': 'ERROR',
        'service.name': 'Checkout',
        shadowed: 'span',
        'w3c.tracestate': 'vendor=abc',
      },
    });
  });

  it('writes an event with attributes as OpenTelemetry specifies for Zipkin exporters, and reads it back', () => {
    const attributes = [
      text('exception.type', 'a.b.Timeout'),
      text('exception.stacktrace', 'at <init> "x"\n at b'),
      { key: 'n', value: { intValue: '9007199254740993' } },
      { key: 'nan', value: { doubleValue: 'NaN' } },
      { key: 'list', value: { arrayValue: { values: [{ boolValue: true }, { stringValue: 'é' }] } } },
      { key: 'none', value: {} },
    ];
    const events = [{ timeUnixNano: '1795253305853896000', name: 'it "broke"', attributes }];
    const [annotation] = zipkinOf({ events }).annotations;
    expect(annotation.value).toBe(
      '"it \\"broke\\"": {"exception.type":"a.b.Timeout","exception.stacktrace":"at <init> \\"x\\"\\n at b","n":9007199254740993,"nan":"NaN","list":[true,"é"],"none":null}',
    );
    expect(eventOfAnnotation(annotation.value)).toMatchObject({
      name: 'it "broke"',
      attributes: [
        ['exception.type', 'a.b.Timeout'],
        ['exception.stacktrace', 'at <init> "x"\n at b'],
        ['n', expect.stringContaining('900719925474099')],
        ['nan', 'NaN'],
        ['list', '[true,"é"]'],
        ['none', 'null'],
      ],
    });
  });

  it.each(['ws', '"a": b', '"a": {b}', '"a": {"b":1} c', ''])('takes the annotation %j for a name', (value) => {
    expect(eventOfAnnotation(value)).toEqual({ name: value, attributes: [] });
  });

  it('leaves out the kind that Zipkin does not have, and keeps an error tag that the span has', () => {
    const zipkin = zipkinOf({ kind: 1, status: { code: 2 }, attributes: [text('error', 'of my own')] });
    expect(zipkin.kind).toBeUndefined();
    expect(zipkin.tags.error).toBe('of my own');
    expect(zipkinOf({ status: { code: 2 } }).tags.error).toBe('true');
  });

  it('gives a span of less than a microsecond the shortest duration there is', () => {
    expect(zipkinOf({ endTimeUnixNano: '1795253305853895124' }).duration).toBe(1);
    expect(zipkinOf({ endTimeUnixNano: '1795253305853895123' }).duration).toBeUndefined();
  });

  it('is the same in proto3', () => {
    const { spans } = decodeJsonSpans(otlp({ kind: 1, status: { code: 2 } }));
    expect(encodeSpans(decodeProto3(Buffer.from(encodeProto3(spans))))).toBe(encodeSpans(spans));
  });
});
