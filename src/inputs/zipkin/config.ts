import { z } from 'zod';
import { component, size } from '../../config/fields.ts';

/** DataKit takes an empty path for the default one. */
const routePath = (standard: string) =>
  z
    .string()
    .regex(/^(?:|\/[^?#\s]*)$/, 'must be a path that starts with /')
    .transform((path) => (path === '' ? standard : path))
    .prefault(standard);

export const zipkinInputConfig = component(
  z.strictObject({
    pathV1: routePath('/api/v1/spans')
      .describe('Path that takes spans in Zipkin v1 form, JSON or Thrift, by POST.')
      .meta({ typeName: 'path' }),
    pathV2: routePath('/api/v2/spans')
      .describe('Path that takes spans in Zipkin v2 form, JSON or protobuf, by POST.')
      .meta({ typeName: 'path' }),
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
        'The most spans in one body. More are refused with 413: what a span costs does not depend on its size, and 40 MiB hold 1.7 million of the smallest.',
      ),
  }),
  {
    isShippedOn: true,
    dataKitOnly: {
      ignore_tags: 'no tag is removed',
      customer_tags: 'it has no effect in DataKit either',
      pipelines: 'it has no effect in DataKit either',
      keep_rare_resource: 'every trace is kept',
      del_message: 'spans have no message field to leave out',
      close_resource: 'no trace is filtered out',
      sampler: 'every trace is kept',
      tags: 'use [global_tags] in trawl.conf',
      threads: 'there is no pool of workers to size',
      storage: 'everything acknowledged is on disk already',
    },
  },
);

export type ZipkinInputConfig = z.infer<typeof zipkinInputConfig>;
