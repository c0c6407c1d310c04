/** Samples in memory, so that the evaluator can be tested by itself. Its regular expressions are JavaScript's: for trusted text only. */
import { type Label, labelValue, type Sample, type SeriesSamples } from '../../model/sample.ts';
import type { LabelMatcher } from '../../store/readers/label-matcher.ts';
import type { SeriesPoints } from '../../store/readers/samples.ts';
import type { SampleSource } from './engine.ts';

function takes(matcher: LabelMatcher, value: string): boolean {
  switch (matcher.op) {
    case '=':
      return value === matcher.value;
    case '!=':
      return value !== matcher.value;
    case '=~':
    case '!~': {
      // JavaScript has no inline flags; in tests (?i) anywhere means everywhere.
      const isFolded = /\(\?i[:)]/.test(matcher.value);
      const pattern = matcher.value.replaceAll('(?i:', '(?:').replaceAll('(?i)', '');
      const matches = new RegExp(`^(?:${pattern})$`, isFolded ? 'isu' : 'su').test(value);
      return matches === (matcher.op === '=~');
    }
  }
}

function toPoints(labels: readonly Label[], samples: readonly Sample[]): SeriesPoints {
  return {
    labels,
    timestampsMs: Float64Array.from(samples, ({ timestampMs }) => timestampMs),
    values: Float64Array.from(samples, ({ value }) => value),
    staleAt: samples.some(({ isStale }) => isStale) ? Uint8Array.from(samples, (s) => (s.isStale ? 1 : 0)) : undefined,
  };
}

/** Serves series whose samples are in order of time. */
export function createMemorySource(stored: readonly SeriesSamples[]): SampleSource {
  return {
    select({ matchers, afterMs, untilMs }) {
      const found = stored
        .filter(({ series }) => matchers.every((matcher) => takes(matcher, labelValue(series, matcher.name))))
        .map(({ series, samples }) =>
          toPoints(
            series.labels,
            samples.filter(({ timestampMs }) => timestampMs > afterMs && timestampMs <= untilMs),
          ),
        )
        .filter(({ timestampsMs }) => timestampsMs.length > 0);
      return Promise.resolve(found);
    },
  };
}
