/** The decoders that must stand mutants, each with valid messages to break and tokens worth inserting. */
import { readFileSync } from 'node:fs';
import { findCorrelation } from '../../src/codec/correlation.ts';
import { parseCriLine } from '../../src/codec/cri-log/cri-line.ts';
import { createTextParser } from '../../src/codec/prometheus-text/text-parser.ts';
import { decodeSpans } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import { encodeSpans } from '../../src/codec/zipkin-v2-json/encode-spans.ts';
import type { DecoderUnderTest } from './decoder-kit.ts';

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

const page = `# HELP http_requests_total The total, with \\\\ and \\n.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200",path="/a \\"b\\" \\\\ \\n"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000
# TYPE h histogram
h_bucket{le="0.05"} 24054
h_bucket{le="1"} 1.33988e5
h_bucket{le="+Inf"} 144320
h_sum 53423
# TYPE "go.gc_seconds" summary
{"go.gc_seconds",quantile="0.25",} 7.4e-05
metric_without_labels NaN
something{a="\u00e9\u{1f600}"} -Inf
`;
const parser = createTextParser();

export const prometheusText: DecoderUnderTest = {
  name: 'prometheus-text',
  validMessages: [
    Buffer.from(page),
    Buffer.from(page.slice(0, page.indexOf('# TYPE h'))),
    Buffer.from('{A="b","m"} 0'),
    Buffer.from('a 1'),
  ],
  tokens: [
    ...[
      '{',
      '}',
      '"',
      '\\',
      '\\"',
      '\\n',
      '=',
      ',',
      '#',
      ' ',
      '\t',
      '\n',
      '\r',
      '\0',
      '# TYPE a histogram\n',
      '# HELP ',
      '{A}0',
      '{}',
    ],
    ...[
      'NaN',
      '+Inf',
      '0x1p3',
      '1_000',
      '1e309',
      '-1',
      '9223372036854775808',
      '__name__="x"',
      'le="1"',
      '\xff',
      '\xc3',
      '\xef\xbf\xbd',
    ],
  ],
  decode: (message) => [parser.parse(message), createTextParser().parse(message)],
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

export const decoders: readonly DecoderUnderTest[] = [zipkinV2Json, prometheusText, criLog];
