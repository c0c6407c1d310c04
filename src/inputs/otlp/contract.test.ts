import { describe } from 'vitest';
import { describeSpanRoute } from '../../../test/contract/span-route.ts';
import { encodeProtobufSpans } from '../../codec/otlp/encode-spans.ts';
import { traceExportPath } from './grpc-route.ts';
import { otlpInput } from './index.ts';

describe.each(['/v1/traces', traceExportPath])('by %s', (path) => {
  describeSpanRoute({ kind: otlpInput, path, mediaType: 'application/x-protobuf', encode: encodeProtobufSpans });
});
