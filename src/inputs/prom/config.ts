import { z } from 'zod';
import {
  bearerAuth,
  component,
  count,
  duration,
  headers,
  pattern,
  size,
  tags,
  tlsKeys,
  url,
} from '../../config/fields.ts';

export const metricTypes = ['counter', 'gauge', 'histogram', 'summary', 'untyped', 'info'] as const;

const measurementRule = z.strictObject({
  prefix: z
    .string()
    .default('')
    .describe('Metrics whose name starts so are meant; the rest of the name becomes the field.'),
  name: z.string().default('').describe('Their measurement; empty for the prefix without its trailing underscores.'),
  pattern: z.string().default('').describe('Has no effect, as in DataKit.'),
});

/** Keys that are checked and taken, but whose behaviour is not there yet: each costs a warning. Take a key off as it comes to work. */
export const laterKeys: readonly string[] = [];

export const promInputConfig = component(
  z
    .strictObject({
      urls: z
        .array(url())
        .default([])
        .describe('The addresses to scrape.')
        .meta({ example: ['http://istiod.istio-system.svc.cluster.local:15014/metrics'] }),
      url: url()
        .optional()
        .describe("DataKit's older key for a single address; used only where `urls` is empty.")
        .meta({ example: 'http://127.0.0.1:9090/metrics' }),
      interval: duration({ minMs: 1000, maxMs: 300_000 })
        .prefault('30s')
        .describe('The time from one scrape to the next.'),
      timeout: duration({ minMs: 100 })
        .prefault('30s')
        .describe('How long a whole scrape may take; at most `interval`, whichever is shorter.'),
      source: z.string().min(1).default('prom').describe('The name of the job: the label `job` of every series.'),
      measurement_name: z
        .string()
        .default('')
        .describe("DataKit's measurement for all metrics; empty splits it from each metric's name.")
        .meta({ example: 'istio_prom' }),
      measurement_prefix: z.string().default('').describe('Put before every measurement.'),
      measurements: z
        .array(measurementRule)
        .default([])
        .describe(
          "Measurements by the start of a metric's name; the first that fits is taken, before `measurement_name`.",
        ),
      keep_exist_metric_name: z
        .boolean()
        .default(false)
        .describe("Keeps a metric's whole name as DataKit's field where its measurement is split from the name."),
      metric_types: z
        .array(
          z
            .string()
            .transform((type) => type.toLowerCase())
            .pipe(z.enum(metricTypes)),
        )
        .default([])
        .describe('The types of metrics to keep; empty keeps all.')
        .meta({ example: ['counter', 'gauge', 'histogram'] }),
      metric_name_filter: z
        .array(pattern())
        .default([])
        .describe('Keeps only metrics whose name (without `_bucket`, `_sum`, `_count`) matches one of these.'),
      metric_name_filter_ignore: z
        .array(pattern())
        .default([])
        .describe('Leaves out metrics whose name matches one of these; goes before `metric_name_filter`.'),
      tags: tags()
        .default({})
        .describe('Labels added to every series of these targets.')
        .meta({ example: { team: 'mesh' } }),
      tags_ignore: z.array(z.string()).default([]).describe('Labels that are taken off every series.'),
      tags_rename: z
        .strictObject({
          overwrite_exist_tags: z
            .boolean()
            .default(false)
            .describe('Whether a label that has the new name already gives way; otherwise nothing is renamed there.'),
          mapping: z.record(z.string(), z.string()).default({}).describe('The old name and the new one.'),
        })
        .prefault({})
        .describe('Labels that get another name.'),
      ignore_tag_kv_match: z
        .record(z.string(), z.array(pattern()))
        .default({})
        .describe('Labels that are taken off where their value matches; the sample stays.'),
      http_headers: headers().default({}).describe('Sent with every scrape.'),
      auth: bearerAuth().optional().describe('Credentials for every scrape.'),
      honor_timestamps: z.boolean().default(true).describe('Takes the time a sample carries, where it carries one.'),
      honor_labels: z
        .boolean()
        .default(false)
        .describe(
          "Where a scraped series has a label of the target's, its own one wins, rather than being renamed `exported_…`.",
        ),
      uds_path: z.string().default('').describe('A unix socket to connect to in place of the host of the URL.'),
      ignore_req_err: z
        .boolean()
        .default(false)
        .describe('Does not log a target that cannot be reached; `up` is 0 all the same.'),
      body_size_limit: size({ minBytes: 1024 })
        .prefault('16MiB')
        .describe('The largest exposition, inflated. A larger one makes the scrape fail as a whole.'),
      sample_limit: count(1)
        .default(100_000)
        .describe('The most samples of one scrape. More make the scrape fail as a whole.'),
      ...tlsKeys(),
    })
    .superRefine((config, context) => {
      if (config.urls.length === 0 && config.url === undefined) {
        context.addIssue({ code: 'custom', path: ['urls'], message: 'must name at least one address to scrape' });
      }
    }),
  {
    laterKeys,
    dataKitOnly: {
      election: 'there is no election yet: every agent with this block scrapes',
      stream_size: 'a scrape is taken whole or not at all',
      output: 'expositions are not written to files',
      max_file_size: 'expositions are not written to files',
      tls_open: 'https:// in the URL switches TLS on',
      tls_ca: 'use ca_certs',
      tls_cert: 'use cert',
      tls_key: 'use cert_key',
      ca_certs_base64: 'use ca_certs',
      cert_base64: 'use cert',
      cert_key_base64: 'use cert_key',
      as_logging: 'metrics are kept as metrics',
      disable_host_tag: 'it has no effect in DataKit either',
      disable_instance_tag: 'every series has its instance',
      disable_info_tag: 'info metrics are kept as series',
    },
  },
);

export type PromInputConfig = z.infer<typeof promInputConfig>;
