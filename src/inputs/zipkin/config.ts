import { z } from 'zod';
import { component, spanBodyLimits } from '../../config/fields.ts';

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
    ...spanBodyLimits,
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
