/** What an answer says beside its values: warnings and infos in Prometheus's words (util/annotations). */
import type { Place } from './ast.ts';
import { placeOf } from './error.ts';
import { formatG, formatRounded } from './go-number.ts';
import { quote } from './parse/tokens.ts';

export interface Annotations {
  readonly warn: (place: Pick<Place, 'from'>, message: string) => void;
  readonly inform: (place: Pick<Place, 'from'>, message: string) => void;
  /** Says that counts fell from bucket to bucket: once for all points and histograms, with their extremes. */
  readonly informRaised: (place: Pick<Place, 'from'>, raised: RaisedBuckets) => void;
  readonly warnings: () => readonly string[];
  readonly infos: () => readonly string[];
}

/** Buckets of one histogram at one point that had fewer observations than one below them. */
export interface RaisedBuckets {
  readonly timeMs: number;
  /** Upper bounds. */
  readonly lowestBound: number;
  readonly highestBound: number;
  /** By how many observations a bucket was raised at most. */
  readonly most: number;
}

interface RaisedCounts {
  readonly first: RaisedBuckets;
  readonly last: RaisedBuckets;
  readonly count: number;
}

function merged(known: RaisedCounts | undefined, raised: RaisedBuckets): RaisedCounts {
  if (known === undefined) return { first: raised, last: raised, count: 1 };
  const lowestBound = Math.min(known.first.lowestBound, raised.lowestBound);
  const highestBound = Math.max(known.first.highestBound, raised.highestBound);
  const most = Math.max(known.first.most, raised.most);
  const bounds = { lowestBound, highestBound, most };
  return {
    first: { ...bounds, timeMs: Math.min(known.first.timeMs, raised.timeMs) },
    last: { ...bounds, timeMs: Math.max(known.last.timeMs, raised.timeMs) },
    count: known.count + 1,
  };
}

const wholeSeconds = (timeMs: number): string => new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z');

const raisedText = ({ first, last, count }: RaisedCounts): string =>
  'input to histogram_quantile needed to be fixed for monotonicity ' +
  '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), ' +
  `from buckets ${formatG(first.lowestBound)} to ${formatG(first.highestBound)}, with a max diff of ` +
  `${formatRounded(first.most, 2)}, over ${count} samples from ${wholeSeconds(first.timeMs)} to ${wholeSeconds(last.timeMs)}`;

/** Prometheus shows ten of each kind and counts the others. */
const maxShown = 10;

function shown(all: readonly string[], kind: string): readonly string[] {
  if (all.length <= maxShown) return all;
  return [...all.slice(0, maxShown), `${all.length - maxShown} more ${kind} annotations omitted`];
}

/** Collects annotations of one query; the same one counts once, at the place where it was said last. */
export function createAnnotations(query: string): Annotations {
  const warnings = new Map<string, number>();
  const infos = new Map<string, number>();
  let raised: RaisedCounts | undefined;
  let raisedAt = 0;
  // Queries over many metrics can have one for each of them.
  const add = (places: Map<string, number>, place: Pick<Place, 'from'>, message: string): void => {
    if (places.size < 10_000 || places.has(message)) places.set(message, place.from);
  };
  const texts = (places: ReadonlyMap<string, number>, kind: string): readonly string[] =>
    [...places].map(([message, from]) => `PromQL ${kind}: ${message} (${placeOf(query, from)})`);
  return {
    warn: (place, message) => add(warnings, place, message),
    inform: (place, message) => add(infos, place, message),
    informRaised: (place, buckets) => {
      // Of these it is the first place.
      if (raised === undefined) raisedAt = place.from;
      raised = merged(raised, buckets);
    },
    warnings: () => shown(texts(warnings, 'warning'), 'warning'),
    infos: () => {
      const known = raised === undefined ? infos : new Map([[raisedText(raised), raisedAt], ...infos]);
      return shown(texts(known, 'info'), 'info');
    },
  };
}

export const invalidQuantile = (value: number): string =>
  `quantile value should be between 0 and 1, got ${formatG(value)}`;

export const invalidRatio = (value: number, cappedTo: number): string =>
  `ratio value should be between -1 and 1, got ${formatG(value)}, capping to ${formatG(cappedTo)}`;

export const badBucketLabel = (label: string): string =>
  `bucket label "le" is missing or has a malformed value of ${quote(label)}`;

export const possibleNonCounter = (metric: string): string =>
  `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quote(metric)}`;

export const ineffectiveSort = 'sort is ineffective for range queries since results are always ordered by labels';
