import { z } from 'zod';
import { component, spanBodyLimits } from '../../config/fields.ts';

export const otlpInputConfig = component(
  z.strictObject({
    paths: z
      .array(z.string().regex(/^\/[^?#\s]*$/, 'must be a path that starts with /'))
      .min(1)
      .prefault(['/v1/traces', '/otel/v1/traces'])
      .describe('Paths that take traces, in protobuf or JSON, by POST.')
      .meta({ typeName: 'array of paths' }),
    grpc: z
      .boolean()
      .default(true)
      .describe('Takes traces over gRPC too, without TLS, wherever OTLP is served. One block only may.'),
    ...spanBodyLimits,
  }),
  { isShippedOn: true },
);

export type OtlpInputConfig = z.infer<typeof otlpInputConfig>;
