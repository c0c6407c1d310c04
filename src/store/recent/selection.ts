/** The series that one list of matchers takes, kept in the order of their labels. */
import { compareLabels, type Label } from '../../model/sample.ts';
import type { LabelMatcher } from '../readers/label-matcher.ts';
import { matcherOf } from '../readers/matches.ts';
import type { SeriesBuffer } from './series-buffer.ts';

/** The metric that all series of a selection are of; undefined where the matchers do not say it. */
export function metricOf(matchers: readonly LabelMatcher[]): string | undefined {
  return matchers.find(({ name, op, value }) => name === '__name__' && op === '=' && value !== '')?.value;
}

const keyOfMatcher = ({ name, op, value }: LabelMatcher): string => JSON.stringify([name, op, value]);

/** The same text for the same matchers, whatever their order. */
export const keyOf = (matchers: readonly LabelMatcher[]): string => matchers.map(keyOfMatcher).sort().join();

/** Whether every series that `matchers` take is taken by `wider` too, as far as their texts tell. */
export function isWithin(matchers: readonly LabelMatcher[], wider: readonly LabelMatcher[]): boolean {
  return wider.every((one) => matchers.some((each) => keyOfMatcher(each) === keyOfMatcher(one)));
}

const valueIn = (labels: readonly Label[], name: string): string => {
  for (const label of labels) if (label[0] === name) return label[1];
  return '';
};

/** A pattern is asked once for each value; more values than this are asked again. There may be hundreds of selections with patterns of their own. */
const maxKnownValues = 200;

function remembering(takes: (value: string) => boolean): (value: string) => boolean {
  const known = new Map<string, boolean>();
  return (value) => {
    let isTaken = known.get(value);
    if (isTaken === undefined) {
      if (known.size >= maxKnownValues) known.clear();
      isTaken = takes(value);
      known.set(value, isTaken);
    }
    return isTaken;
  };
}

const isPattern = ({ op }: LabelMatcher): boolean => op === '=~' || op === '!~';

export const countPatterns = (matchers: readonly LabelMatcher[]): number => matchers.filter(isPattern).length;

/** A test of label sets. Throws an InvalidRegexError at a pattern that is none. */
export function testOf(matchers: readonly LabelMatcher[]): (labels: readonly Label[]) => boolean {
  const tests = matchers.map((matcher) => {
    const takes = matcherOf(matcher);
    return { name: matcher.name, takes: isPattern(matcher) ? remembering(takes) : takes };
  });
  return (labels) => tests.every(({ name, takes }) => takes(valueIn(labels, name)));
}

/** What was asked for again and again, and is in memory or on its way there. */
export interface RecentSelection {
  readonly key: string;
  readonly metric: string;
  readonly matchers: readonly LabelMatcher[];
  readonly takes: (labels: readonly Label[]) => boolean;
  /** How many of its matchers are patterns, which cost more than all else. */
  readonly patterns: number;
  /** How far back from now it is kept. */
  readonly spanMs: number;
  /** Its number among all that were begun; that of the wider one where it is part of one. */
  readonly number: number;
  /** Every sample after this time of every series that it takes is in memory, once it is ready. */
  fromMs: number;
  isReady: boolean;
  /** By the clock that never goes back. */
  askedAtMs: number;
  /** In the order of their labels. */
  series: SeriesBuffer[];
}

/** Puts series, which are in order, in their places. */
export function insertSeries(selection: RecentSelection, added: readonly SeriesBuffer[]): void {
  const { series } = selection;
  const merged: SeriesBuffer[] = [];
  let from = 0;
  for (const each of added) {
    const to = placeFor(series, each, from);
    for (let i = from; i < to; i++) {
      const before = series[i];
      if (before !== undefined) merged.push(before);
    }
    merged.push(each);
    from = to;
  }
  for (let i = from; i < series.length; i++) {
    const behind = series[i];
    if (behind !== undefined) merged.push(behind);
  }
  selection.series = merged;
}

/** Where a series belongs, from a place on. */
function placeFor(series: readonly SeriesBuffer[], added: SeriesBuffer, from: number): number {
  let low = from;
  let high = series.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = series[middle];
    if (other !== undefined && compareLabels(other.labels, added.labels) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
