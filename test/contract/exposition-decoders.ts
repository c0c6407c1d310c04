/** The decoders of scraped pages that must stand mutants: each page is read by a parser that remembers the mutants before it, and by a new one. */
import type { ExpositionFormat } from '../../src/codec/exposition/exposition.ts';
import { createExpositionParser } from '../../src/codec/exposition/parser.ts';
import type { DecoderUnderTest } from './decoder-kit.ts';

const textPage = `# HELP http_requests_total The total, with \\\\ and \\n.
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

const openMetricsPage = `# TYPE a counter
# HELP a The total, with \\\\, \\" and \\n.
a_total{x="1"} 1027 1395066363.5 # {trace_id="463ac35c9f6413ad"} 0.5 1395066363.123
a_created{x="1"} 1395066363
# TYPE h_seconds histogram
# UNIT h_seconds seconds
h_seconds_bucket{le="0.05"} 24054 # {a="\u00e9",b="c"} 4
h_seconds_bucket{le="+Inf"} 144320
h_seconds_count 144320
h_seconds_sum 53423
# TYPE "go.gc" summary
{"go.gc",quantile="0.25",} 7.4e-05
# TYPE i info
i_info{version="1"} 1
# EOF
`;

const tokens: readonly string[] = [
  ...['{', '}', '"', '\\', '\\"', '\\n', '=', ',', '#', ' ', '\t', '\n', '\r', '\0', '{A}0', '{A}0\n', '{}', ' # {'],
  ...['# TYPE a histogram\n', '# HELP ', '# UNIT a_s s\n', '# EOF\n', '# TYPE "a b" gauge\n', 'NaN', '+Inf', '0x1p3'],
  ...['1_000', '1e309', '-1', '9223372036854775808', '__name__="x"', 'le="1"', '\xff', '\xc3', '\xef\xbf\xbd'],
];

function decoderOf(name: string, format: ExpositionFormat, validMessages: readonly string[]): DecoderUnderTest {
  const remember = (series: object) => series;
  const parser = createExpositionParser({ remember });
  return {
    name,
    validMessages: validMessages.map((page) => Buffer.from(page)),
    tokens,
    decode: (message) => [
      createExpositionParser({ remember }).parse(message, format),
      parser.parse(Buffer.from(message), format),
    ],
  };
}

export const prometheusText: DecoderUnderTest = decoderOf('prometheus-text', 'text', [
  textPage,
  textPage.slice(0, textPage.indexOf('# TYPE h')),
  '{A="b","m"} 0',
  'a 1',
]);

export const openMetrics: DecoderUnderTest = decoderOf('openmetrics', 'openmetrics', [
  openMetricsPage,
  `${openMetricsPage.slice(0, openMetricsPage.indexOf('# TYPE h'))}# EOF`,
  '{A="b","m"} 0\n# EOF',
  'a 1\n# EOF\n',
]);
