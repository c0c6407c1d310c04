/** The text format as samples one by one: what `codec/exposition` reads, for callers that do not take its columns. */
import type { Label } from '../../model/sample.ts';
import { createExpositionParser } from '../exposition/parser.ts';

export const metricTypes = ['counter', 'gauge', 'histogram', 'summary', 'untyped'] as const;
export type MetricType = (typeof metricTypes)[number];

export interface MetricMetadata {
  readonly type: MetricType | undefined;
  readonly help: string | undefined;
}

export interface ParsedSample {
  /** Sorted, `__name__` among them, none empty. The same array from scrape to scrape. */
  readonly labels: readonly Label[];
  readonly value: number;
  /** The line's own timestamp. */
  readonly timestampMs: number | undefined;
}

export interface ParsedPage {
  readonly samples: readonly ParsedSample[];
  /** By the name of the family. */
  readonly metadata: ReadonlyMap<string, MetricMetadata>;
}

export interface TextParser {
  /** Reads a whole page; one bad line makes the whole page a CodecError. */
  parse(page: Buffer): ParsedPage;
}

/** Makes a parser for the pages of one target. */
export function createTextParser(): TextParser {
  const parser = createExpositionParser({ remember: ({ labels }) => labels });
  return {
    parse(body) {
      const page = parser.parse(body, 'text');
      const samples = page.series.map((labels, i): ParsedSample => {
        const timestampMs = page.timestampsMs[i] ?? Number.NaN;
        return {
          labels,
          value: page.values[i] ?? Number.NaN,
          timestampMs: Number.isNaN(timestampMs) ? undefined : timestampMs,
        };
      });
      const metadata = new Map<string, MetricMetadata>();
      for (const [family, { type, help }] of page.metadata)
        metadata.set(family, { type: metricTypes.find((known) => known === type) ?? 'untyped', help });
      return { samples, metadata };
    },
  };
}
