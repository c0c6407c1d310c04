import { z } from 'zod';
import {
  bearerAuth,
  component,
  count,
  duration,
  headers,
  pattern,
  secret,
  size,
  tags,
  tlsKeys,
  url,
} from '../../config/fields.ts';
import { parseDurationMs } from '../../config/quantity.ts';
import { relabelRule } from './relabel-config.ts';

/** DataKit's words, and OpenMetrics' beyond them; `untyped` and `unknown` are the same. */
export const metricTypes = [
  'counter',
  'gauge',
  'histogram',
  'summary',
  'untyped',
  'info',
  'unknown',
  'gaugehistogram',
  'stateset',
] as const;

const leastIntervalMs = 1000;
const mostIntervalMs = 300_000;

/** DataKit moves an interval into its limits rather than refusing it. */
const cautionAboutInterval = (value: unknown): string | undefined => {
  const parsed = parseDurationMs(value);
  if (!parsed.ok || (parsed.value >= leastIntervalMs && parsed.value <= mostIntervalMs)) return undefined;
  return `${String(value)} is outside of 1s to 5m; ${parsed.value < leastIntervalMs ? '1s' : '5m'} is taken`;
};

const notPem = 'must be PEM text (it begins with "-----BEGIN") written in base64';
const hasPem = (text: string): boolean => Buffer.from(text, 'base64').toString('latin1').includes('-----BEGIN');

const protocols = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
] as const;

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
        .describe("DataKit's older key for a single address; it may stand beside `urls`.")
        .meta({ example: 'http://127.0.0.1:9090/metrics' }),
      interval: duration()
        .transform((intervalMs) => Math.min(Math.max(intervalMs, leastIntervalMs), mostIntervalMs))
        .prefault('30s')
        .describe(
          'The time from one scrape to the next: 1 s to 5 min; what is outside is moved to the nearer of the two.',
        )
        .meta({ caution: cautionAboutInterval }),
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
        .array(pattern({ isAnchored: false }))
        .default([])
        .describe('Keeps only metrics whose name (without `_bucket`, `_sum`, `_count`) matches one of these.'),
      metric_name_filter_ignore: z
        .array(pattern({ isAnchored: false }))
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
        .record(z.string(), z.array(pattern({ isAnchored: false })))
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
      track_timestamps_staleness: z
        .boolean()
        .default(false)
        .describe('Ends series whose samples carry their own time too, when the target no longer exposes them.'),
      uds_path: z.string().default('').describe('A unix socket to connect to in place of the host of the URL.'),
      ignore_req_err: z
        .boolean()
        .default(false)
        .describe('Does not log a target that cannot be reached; `up` is 0 all the same.'),
      body_size_limit: size({ minBytes: 1024 })
        .prefault('16MiB')
        .describe('The largest exposition, inflated. A larger one makes the scrape fail as a whole.'),
      total_body_size_limit: size({ minBytes: 1024 })
        .prefault('128MiB')
        .describe(
          'What the expositions of all targets of the block may hold in memory at one moment. Beyond it the largest of them fails.',
        ),
      sample_limit: count(1)
        .default(100_000)
        .describe(
          'The most samples of one scrape, after filters and relabelling. More make the scrape fail as a whole.',
        ),
      series_limit: count(1)
        .default(100_000)
        .describe(
          'The most different series of one target within a day. Samples of further ones are left out and counted.',
        ),
      label_limit: count(0)
        .default(128)
        .describe(
          'The most labels of a series, its name among them. One with more makes the scrape fail; 0 is no limit below 4096.',
        ),
      label_name_length_limit: count(0)
        .default(1024)
        .describe('The longest name of a label, in bytes. A longer one makes the scrape fail; 0 is no limit.'),
      label_value_length_limit: count(0)
        .default(131_072)
        .describe(
          'The longest value of a label, in bytes. A longer one makes the scrape fail; 0 is no limit below 256 KiB.',
        ),
      relabel_configs: z
        .array(relabelRule)
        .default([])
        .describe("Prometheus's rules that change or drop a target before it is scraped, applied in order."),
      metric_relabel_configs: z
        .array(relabelRule)
        .default([])
        .describe("Prometheus's rules that change or drop series of a scrape, applied in order.")
        .meta({ example: [{ source_labels: ['__name__'], regex: 'go_.*', action: 'drop' }] }),
      scrape_protocols: z
        .array(z.enum(protocols))
        .min(1, 'must name at least one format')
        .default([...protocols])
        .describe('The formats to ask for, the first preferred.'),
      fallback_to_text: z
        .boolean()
        .default(true)
        .describe('Reads an answer whose Content-Type names no known format as text; otherwise the scrape fails.'),
      enable_compression: z.boolean().default(true).describe('Asks the target to answer with gzip.'),
      extra_scrape_metrics: z
        .boolean()
        .default(false)
        .describe(
          'Also stores `scrape_timeout_seconds`, `scrape_sample_limit`, `scrape_body_size_bytes` and `scrape_series_limit`, `…_current` and `…_samples_dropped`.',
        ),
      ...tlsKeys(),
      ca_certs_base64: z
        .array(z.string())
        .default([])
        .describe('Certificate authorities to trust beside those of `ca_certs`, as PEM text in base64.'),
      cert_base64: z.string().default('').describe('Our certificate as PEM text in base64, in place of `cert`.'),
      cert_key_base64: secret().prefault('').describe('The key of `cert_base64` as PEM text in base64.'),
      tls_ca: z.string().default('').describe("DataKit's older key: one more file for `ca_certs`."),
      tls_cert: z.string().default('').describe("DataKit's older key for `cert`; used only where that is empty."),
      tls_key: z.string().default('').describe("DataKit's older key for `cert_key`; used only where that is empty."),
    })
    .superRefine((config, context) => {
      if (config.cert_base64 !== '' && !hasPem(config.cert_base64)) {
        context.addIssue({ code: 'custom', path: ['cert_base64'], message: notPem });
      }
      config.ca_certs_base64.forEach((text, at) => {
        if (!hasPem(text)) context.addIssue({ code: 'custom', path: ['ca_certs_base64', at], message: notPem });
      });
      const key = config.cert_key_base64.reveal();
      if (key !== '' && !hasPem(key)) {
        context.addIssue({ code: 'custom', path: ['cert_key_base64'], message: notPem });
      }
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
      as_logging: 'metrics are kept as metrics',
      disable_host_tag: 'it has no effect in DataKit either',
      disable_instance_tag: 'every series has its instance',
      disable_info_tag: 'info metrics are kept as series',
    },
  },
);

export type PromInputConfig = z.infer<typeof promInputConfig>;
