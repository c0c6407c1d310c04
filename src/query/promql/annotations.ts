/** What an answer says beside its values: warnings and infos in Prometheus's words (util/annotations). */
import type { Place } from './ast.ts';
import { placeOf } from './error.ts';
import { formatG } from './go-number.ts';
import { quote } from './parse/tokens.ts';

export interface Annotations {
  readonly warn: (place: Pick<Place, 'from'>, message: string) => void;
  readonly inform: (place: Pick<Place, 'from'>, message: string) => void;
  readonly warnings: () => readonly string[];
  readonly infos: () => readonly string[];
}

/** Prometheus shows ten of each kind and counts the others. */
const maxShown = 10;

function shown(texts: ReadonlySet<string>, kind: string): readonly string[] {
  const all = [...texts];
  if (all.length <= maxShown) return all;
  return [...all.slice(0, maxShown), `${all.length - maxShown} more ${kind} annotations omitted`];
}

/** Collects annotations of one query; the same one counts once. */
export function createAnnotations(query: string): Annotations {
  const warnings = new Set<string>();
  const infos = new Set<string>();
  // Queries over many metrics can have one for each of them.
  const add = (texts: Set<string>, kind: string, place: Pick<Place, 'from'>, message: string): void => {
    if (texts.size < 10_000) texts.add(`PromQL ${kind}: ${message} (${placeOf(query, place.from)})`);
  };
  return {
    warn: (place, message) => add(warnings, 'warning', place, message),
    inform: (place, message) => add(infos, 'info', place, message),
    warnings: () => shown(warnings, 'warning'),
    infos: () => shown(infos, 'info'),
  };
}

const forMetric = (name: string): string => (name === '' ? '' : ` for metric name ${quote(name)}`);

export const invalidQuantile = (value: number): string =>
  `quantile value should be between 0 and 1, got ${formatG(value)}`;

export const invalidRatio = (value: number, cappedTo: number): string =>
  `ratio value should be between -1 and 1, got ${formatG(value)}, capping to ${formatG(cappedTo)}`;

export const badBucketLabel = (label: string, metric: string): string =>
  `bucket label "le" is missing or has a malformed value of ${quote(label)}${forMetric(metric)}`;

export const possibleNonCounter = (metric: string): string =>
  `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quote(metric)}`;

export const forcedMonotonicity = (metric: string): string =>
  'input to histogram_quantile needed to be fixed for monotonicity ' +
  `(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)${forMetric(metric)}`;

export const ineffectiveSort = (name: string): string =>
  `${name} is ineffective for range queries since results are always ordered by labels`;
