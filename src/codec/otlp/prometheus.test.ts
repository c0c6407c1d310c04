/**
 * Requests of random metrics, and what Prometheus 3.8.0 makes of each: `NewPrometheusConverter(appender).FromMetrics` of its Go package
 * storage/remote/otlptranslator/prometheusremotewrite, with the settings of its DefaultOTLPConfig, written down sample by sample (the bits
 * of the values in hex). Names, units and attributes are made of what is hard to translate.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Label } from '../../model/sample.ts';
import { createMetricsDecoder, decodeMetrics } from './decode-metrics.ts';

interface Translated {
  readonly request: object;
  readonly samples: readonly (readonly [labels: readonly Label[], timestampMs: number, value: string])[];
  readonly exemplars: readonly (readonly [Label[], Label[], timestampMs: number, value: string])[];
  readonly metadata: readonly (readonly string[])[];
}

const recorded: readonly Translated[] = readFileSync(
  new URL('testdata/prometheus-3.8.0.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

function bitsOf(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.readBigUInt64BE().toString(16);
}

/** Samples in any order; one that is there twice counts once. */
const setOf = (items: readonly unknown[]): readonly string[] =>
  [...new Set(items.map((item) => JSON.stringify(item)))].sort();

describe('Prometheus’ own OTLP receiver', () => {
  it('makes the same samples, exemplars and metadata of the same requests', () => {
    const decoder = createMetricsDecoder({ maxSamples: 100_000, maxKnownBytes: 100_000 });
    let samples = 0;
    for (const expected of recorded) {
      const decoded = decodeMetrics(decoder, Buffer.from(JSON.stringify(expected.request)), 'json');
      const ours = decoded.items.flatMap(({ series, samples }) =>
        samples.map(({ timestampMs, value, isStale }) => [
          series.labels,
          timestampMs,
          isStale ? 'stale' : bitsOf(value),
        ]),
      );
      expect(setOf(ours)).toEqual(setOf(expected.samples));
      const exemplars = decoded.exemplars.map(({ series, labels, timestampMs, value }) => [
        series.labels,
        labels,
        timestampMs,
        bitsOf(value),
      ]);
      expect(setOf(exemplars)).toEqual(setOf(expected.exemplars));
      const metadata = decoded.metadata.map(({ family, type, help, unit }) => [family, type, help, unit]);
      expect(setOf(metadata)).toEqual(setOf(expected.metadata));
      samples += ours.length;
    }
    expect(samples).toBeGreaterThan(1000);
  });
});
