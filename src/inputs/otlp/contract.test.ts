import { describe } from 'vitest';
import { describePushRoute, describeSpanRoute } from '../../../test/contract/span-route.ts';
import { metricsInProtobuf, numberedMetrics } from '../../../test/fixtures/otlp-metrics.ts';
import { encodeProtobufSpans } from '../../codec/otlp/encode-spans.ts';
import { otlpInput } from './index.ts';
import { metricsExportPath, traceExportPath } from './otlp-signal.ts';

const mediaType = 'application/x-protobuf';

describe.each(['/v1/traces', traceExportPath])('by %s', (path) => {
  describeSpanRoute({ kind: otlpInput, path, mediaType, encode: encodeProtobufSpans });
});

describe.each(['/v1/metrics', metricsExportPath])('by %s', (path) => {
  describePushRoute({ kind: otlpInput, path, mediaType, encode: (ids) => metricsInProtobuf(numberedMetrics(ids)) });
});
