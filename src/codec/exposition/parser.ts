/** Reads the pages of one target. */
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { Label } from '../../model/sample.ts';
import { CodecError } from '../codec-error.ts';
import { createTextParser } from '../prometheus-text/text-parser.ts';
import type { ExpositionParser, ExpositionParserOptions } from './exposition.ts';
import { findFamily } from './family.ts';

/** Makes the parser of one target's pages. */
export function createExpositionParser<T>(options: ExpositionParserOptions<T>): ExpositionParser<T> {
  const parser = createTextParser(options);
  let known = new WeakMap<readonly Label[], { readonly remembered: T }>();
  let types = '';
  return {
    get remembered() {
      return parser.remembered;
    },
    parse(body, format) {
      if (format === 'openmetrics') throw new CodecError('OpenMetrics is not read yet');
      const page = parser.parse(body);
      const metadata = new Map<string, MetricMetadata>();
      for (const [family, { type, help }] of page.metadata) {
        metadata.set(family, {
          family,
          type: type === undefined || type === 'untyped' ? 'unknown' : type,
          help: help ?? '',
          unit: '',
        });
      }
      const seenTypes = JSON.stringify([...metadata.values()].map(({ family, type }) => [family, type]));
      if (seenTypes !== types) known = new WeakMap();
      types = seenTypes;
      const series = page.samples.map(({ labels }) => {
        let entry = known.get(labels);
        if (entry === undefined) {
          const name = labels.find(([label]) => label === '__name__')?.[1] ?? '';
          entry = { remembered: options.remember({ name, labels, ...findFamily(name, metadata) }) };
          known.set(labels, entry);
        }
        return entry.remembered;
      });
      return {
        length: series.length,
        series,
        values: Float64Array.from(page.samples, ({ value }) => value),
        timestampsMs: Float64Array.from(page.samples, ({ timestampMs }) => timestampMs ?? Number.NaN),
        hasTimestamps: page.samples.some(({ timestampMs }) => timestampMs !== undefined),
        exemplars: [],
        metadata,
        isSameSeries: false,
      };
    },
  };
}
