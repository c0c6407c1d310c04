/** The series that a scrape says about itself, named as Prometheus names them. */
import { createSeries, type Label, type Series, type SeriesSamples } from '../../model/sample.ts';

/** What a scrape came to, as its report series tell it. */
export interface ScrapeFigures {
  readonly isUp: boolean;
  readonly durationMs: number;
  readonly scraped: number;
  readonly kept: number;
  readonly added: number;
  /** -1 where the limit was hit, as Prometheus has it. */
  readonly bodyBytes: number;
  readonly currentSeries: number;
  readonly overBudget: number;
}

export interface ReportRules {
  readonly timeoutMs: number;
  readonly sampleLimit: number;
  readonly seriesLimit: number;
  /** Also writes what Prometheus writes only when asked for extra scrape metrics. */
  readonly hasExtraReports: boolean;
}

export interface Reports {
  items(figures: ScrapeFigures, scrapeMs: number): readonly SeriesSamples[];
  /** Markers for all of them; none before there was a scrape. */
  end(atMs: number): readonly SeriesSamples[];
}

type Figure = readonly [name: string, value: (figures: ScrapeFigures, rules: ReportRules) => number];

const common: readonly Figure[] = [
  ['up', ({ isUp }) => (isUp ? 1 : 0)],
  ['scrape_duration_seconds', ({ durationMs }) => durationMs / 1000],
  ['scrape_samples_scraped', ({ scraped }) => scraped],
  ['scrape_samples_post_metric_relabeling', ({ kept }) => kept],
  ['scrape_series_added', ({ added }) => added],
];
const extra: readonly Figure[] = [
  ['scrape_timeout_seconds', (_, { timeoutMs }) => timeoutMs / 1000],
  ['scrape_sample_limit', (_, { sampleLimit }) => sampleLimit],
  ['scrape_body_size_bytes', ({ bodyBytes }) => bodyBytes],
  ['scrape_series_limit', (_, { seriesLimit }) => seriesLimit],
  ['scrape_series_current', ({ currentSeries }) => currentSeries],
  ['scrape_series_limit_samples_dropped', ({ overBudget }) => overBudget],
];

/** Makes the report series of the target that has these labels. */
export function createReports(labels: Iterable<Label>, rules: ReportRules): Reports {
  const own = [...labels];
  const figures = rules.hasExtraReports ? [...common, ...extra] : common;
  const series = figures.map(([name]): Series => {
    return createSeries([['__name__', name], ...own], { measurement: 'collector', field: name });
  });
  let hasReported = false;
  const itemsOf = (sampleOf: (at: number) => SeriesSamples['samples'][number]) =>
    series.map((one, at) => ({ series: one, samples: [sampleOf(at)] }));
  return {
    items(told, timestampMs) {
      hasReported = true;
      return itemsOf((at) => ({ timestampMs, value: figures[at]?.[1](told, rules) ?? 0, isStale: false }));
    },
    end: (timestampMs) => (hasReported ? itemsOf(() => ({ timestampMs, value: Number.NaN, isStale: true })) : []),
  };
}
