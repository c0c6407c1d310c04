/** The decoders that must stand mutants, each with valid messages to break and tokens worth inserting. */
import { readFileSync } from 'node:fs';
import { findCorrelation } from '../../src/codec/correlation.ts';
import { parseCriLine } from '../../src/codec/cri-log/cri-line.ts';
import { zipkinDecoders } from '../../src/codec/zipkin-decoders.ts';
import { encodeSpans as encodeProto3 } from '../../src/codec/zipkin-proto3/encode-spans.ts';
import { decodeSpans } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import { encodeSpans } from '../../src/codec/zipkin-v2-json/encode-spans.ts';
import { randomV1Spans, toV1Json, toV1Thrift } from '../fixtures/v1-spans.ts';
import type { DecoderUnderTest } from './decoder-kit.ts';
import { openMetrics, prometheusText } from './exposition-decoders.ts';
import { otlpJson, otlpProtobuf } from './otlp-decoders.ts';
import { otlpMetricsJson, otlpMetricsProtobuf } from './otlp-metrics-decoders.ts';

const spans = new URL('../fixtures/spans/testdata/', import.meta.url);
export const spanFixtures = ['envoy-1.40-post-1', 'envoy-1.40-post-2', 'envoy-1.40-post-3', 'every-field'] as const;

/** A body of `test/fixtures/spans/testdata`; with `.zipkin-3.6.1` behind its name, as Zipkin writes it. */
export function readSpanFixture(name: string): Buffer {
  return readFileSync(new URL(`${name}.json`, spans));
}

const smallSpan =
  '[{"traceId":"1","id":"2","kind":"CLIENT","shared":true,"tags":{"b":"x"},"localEndpoint":{"ipv6":"fe80::1"}}]';

export const zipkinV2Json: DecoderUnderTest = {
  name: 'zipkin-v2-json',
  validMessages: [...spanFixtures.map(readSpanFixture), Buffer.from(smallSpan), Buffer.from(`\n${smallSpan}`)],
  tokens: [
    ...[
      '"',
      ',',
      '{',
      '}',
      '[',
      ']',
      ':',
      '\\',
      '\\u',
      '\\ud800',
      '\\u2028',
      "\\'",
      "'",
      'null',
      'true',
      'True',
      'fAlse',
      '0',
      '-0',
    ],
    ...[
      '1e3',
      '1.5e15',
      'NaN',
      '/',
      '#',
      ' ',
      '\n',
      '\t',
      '\f',
      '\r',
      '\xff',
      '\xc3',
      '\xed\xa0\x80',
      '\xef\xbb\xbf',
      '__proto__',
    ],
    ...[
      '"tags":{"a":"b"},',
      '"kind":"CLIENT",',
      '"id":"0",',
      '"id":"00",',
      '"parentId":"0",',
      '"name":"",',
      '"serviceName":null,',
    ],
    ...[
      '"traceId":"0000000000000000000000000000000a",',
      '"port":70000,',
      '"port":-1,',
      '"timestamp":"+12",',
      '"timestamp":" 12 ",',
    ],
    ...[
      '"duration":"0x1p4",',
      '"duration":1e19,',
      '"ipv6":"1.2.3.4",',
      '"ipv4":"1:2:3:4:5:6:7:8",',
      '"ipv6":"::1.2.3.4",',
    ],
    ...[
      '"annotations":[{"timestamp":1,"value":"a"},{"timestamp":1,"value":"a"}],',
      '"a":[[[[[',
      '"__proto__":"x",',
      '{"a":',
    ],
  ],
  decode: (message) => encodeSpans(decodeSpans(message)),
};

const v1Spans = [randomV1Spans(1, 3), randomV1Spans(2, 1), randomV1Spans(3, 12)];
const smallV1Span =
  '[{"traceId":"1","id":"2","annotations":[{"timestamp":1,"value":"sr","endpoint":{"serviceName":"a"}}],"binaryAnnotations":[{"key":"sa","value":true,"endpoint":{"ipv4":"1.2.3.4"}}]}]';

export const zipkinV1Json: DecoderUnderTest = {
  name: 'zipkin-v1-json',
  validMessages: [...v1Spans.map(toV1Json), Buffer.from(smallV1Span)],
  tokens: [
    ...zipkinV2Json.tokens,
    ...[
      '{"timestamp":2,"value":"cs","endpoint":{"serviceName":"a"}},',
      '{"key":"a","value":"b"},',
      '{"key":"sa","value":true,"endpoint":{"serviceName":"b"}},',
      '"binaryAnnotations":[],',
      '"endpoint":null,',
      '"timestamp":-1,',
      '"parentId":"zz00000000000000001",',
      'Endpoint"',
    ],
  ],
  decode: (message) => encodeSpans(zipkinDecoders.JSON_V1(message)),
};

/** Lengths that lie, types and keys of fields, ends of structs. */
const binaryTokens = [
  ...[
    '\0',
    '\x01',
    '\x02',
    '\x06',
    '\x08',
    '\x0a',
    '\x0b',
    '\x0c',
    '\x0d',
    '\x0e',
    '\x0f',
    '\x10',
    '\x7f',
    '\x80',
    '\xff',
  ],
  ...[
    '\0\0\0\0',
    '\xff\xff\xff\xff',
    '\x7f\xff\xff\xff',
    '\x80\0\0\0',
    '\0\0\0\x01',
    '\xed\xa0\x80',
    'sa',
    '__proto__',
  ],
];

export const zipkinThrift: DecoderUnderTest = {
  name: 'zipkin-thrift',
  validMessages: v1Spans.map(toV1Thrift),
  tokens: [
    ...binaryTokens,
    ...[
      '\x0c\0\x63',
      '\x0f\0\x63\x0f',
      '\x0d\0\x63\x0b\x0c',
      '\x0e\0\x63\x01',
      '\x02\0\x09\x02',
      '\x0a\0\x0c\0\0\0\0\0\0\0\0',
    ],
  ],
  decode: (message) => encodeSpans(zipkinDecoders.THRIFT(message)),
};

export const zipkinProto3: DecoderUnderTest = {
  name: 'zipkin-proto3',
  validMessages: [
    ...spanFixtures.map((name) => Buffer.from(encodeProto3(decodeSpans(readSpanFixture(name))))),
    Buffer.from(encodeProto3(zipkinDecoders.JSON_V1(toV1Json(randomV1Spans(4, 5))))),
  ],
  tokens: [
    ...binaryTokens,
    ...[
      '\xff\xff\xff\xff\x0f',
      '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01',
      '\x0a\0',
      '\x12\0',
      '\x1a\x08',
      '\x20\x05',
      '\x28\x01',
    ],
    ...[
      '\x5a\0',
      '\x60\x02',
      '\x9b\x06\x9c\x06',
      '\x9d\x06',
      '\x99\x06',
      '\x9a\x06\xff\xff\xff\x07',
      '\x22\x10',
      '\x20\xff\xff\x03',
    ],
  ],
  decode: (message) => encodeProto3(zipkinDecoders.PROTO3(message)),
};

export const criLog: DecoderUnderTest = {
  name: 'cri-log',
  validMessages: [
    '2026-11-21T09:28:25.853123456Z stdout F GET /reviews/0 200',
    '2024-02-29T23:59:59+01:00 stderr P half a li\n',
    '2026-11-21T09:28:25.85Z stdout F:tag {"traceId":"463ac35c9f6413ad48485a3953bb6124","msg":"é"}\r\n',
    '2026-11-21T09:28:25Z stderr F ',
  ].map((line) => Buffer.from(line)),
  tokens: [' ', ':', 'P', 'F', 'stdout', 'stderr', 'Z', '+01:00', '-', '.', 'T', '\n', '\r', '\0', '\xff', '99', '00'],
  decode: (message) => {
    const line = parseCriLine(message);
    return [line, findCorrelation(line.text)];
  },
};

export const decoders: readonly DecoderUnderTest[] = [
  zipkinV1Json,
  zipkinThrift,
  zipkinProto3,
  zipkinV2Json,
  otlpProtobuf,
  otlpJson,
  otlpMetricsProtobuf,
  otlpMetricsJson,
  prometheusText,
  openMetrics,
  criLog,
];
