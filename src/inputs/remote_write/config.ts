import { z } from 'zod';
import { component, count, size, tags } from '../../config/fields.ts';

const path = z.string().regex(/^\/[^?#\s]*$/, 'must be a path that starts with /');
const noNeed = 'PUT and POST are the same to its senders';

export const remoteWriteInputConfig = component(
  z.strictObject({
    paths: z
      .array(path)
      .min(1)
      .prefault(['/api/v1/write', '/prom_remote_write'])
      .describe("Paths that take samples, by POST: Prometheus' own and DataKit's.")
      .meta({ typeName: 'array of paths' }),
    path: path
      .optional()
      .describe("DataKit's key for a single path; goes before `paths`.")
      .meta({ example: '/prom_remote_write' }),
    tags: tags()
      .prefault({})
      .describe('Labels added to every series that lacks them.')
      .meta({ example: { cluster: 'east' } }),
    body_limit: size({ minBytes: 1024, maxBytes: 256 * 1024 * 1024 })
      .prefault('5MiB')
      .describe('The largest body as it is on the wire. A larger one is refused with 413.'),
    inflated_limit: size({ minBytes: 1024, maxBytes: 512 * 1024 * 1024 })
      .prefault('20MiB')
      .describe('The largest body after decompressing. A larger one is refused with 413.'),
    max_samples: count(1, 1_000_000)
      .default(100_000)
      .describe('The most samples, exemplars and descriptions of metrics in one body. More are refused with 413.'),
  }),
  {
    isShippedOn: true,
    aliases: ['prom_remote_write'],
    dataKitOnly: {
      methods: noNeed,
      data_source: '',
      basic_username: 'ingest routes are open on the listener; put it behind what checks credentials',
      basic_password: '',
      measurement_prefix: '',
      measurement_name: '',
      measurement_name_filter: '',
      metric_name_filter: '',
      tags_ignore: '',
      tags_ignore_regex: '',
      tags_only: '',
      overwrite: '',
      output: '',
      http_header_tags: '',
    },
  },
);

export type RemoteWriteInputConfig = z.infer<typeof remoteWriteInputConfig>;
