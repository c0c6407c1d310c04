import { z } from 'zod';
import { component, size } from '../../config/fields.ts';

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
    body_limit: size({ minBytes: 1024 })
      .prefault('10MiB')
      .describe('The largest body as it is on the wire, compressed or not. A larger one is refused with 413.'),
    inflated_limit: size({ minBytes: 1024 })
      .prefault('40MiB')
      .describe('The largest body after inflating. A larger one is refused with 413.'),
    max_spans: z
      .int()
      .min(1)
      .prefault(100_000)
      .describe(
        'The most spans in one body. More are refused with 413: what a span costs does not depend on its size.',
      ),
  }),
  { isShippedOn: true },
);

export type OtlpInputConfig = z.infer<typeof otlpInputConfig>;
