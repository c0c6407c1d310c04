import { z } from 'zod';
import { component, count, spanBodyLimits } from '../../config/fields.ts';

const paths = z.array(z.string().regex(/^\/[^?#\s]*$/, 'must be a path that starts with /'));

export const otlpInputConfig = component(
  z.strictObject({
    paths: paths
      .min(1)
      .prefault(['/v1/traces', '/otel/v1/traces'])
      .describe('Paths that take traces, in protobuf or JSON, by POST.')
      .meta({ typeName: 'array of paths' }),
    metrics_paths: paths
      .prefault(['/v1/metrics', '/otel/v1/metrics'])
      .describe('Paths that take metrics, likewise.')
      .meta({ typeName: 'array of paths' }),
    grpc: z
      .boolean()
      .default(true)
      .describe('Takes traces and metrics over gRPC too, without TLS, wherever OTLP is served. One block only may.'),
    ...spanBodyLimits,
    max_samples: count(1, 1_000_000)
      .default(100_000)
      .describe(
        'The most samples that the metrics of one body come to; a histogram has one for each bucket. More are refused with 413.',
      ),
  }),
  { isShippedOn: true },
);

export type OtlpInputConfig = z.infer<typeof otlpInputConfig>;
