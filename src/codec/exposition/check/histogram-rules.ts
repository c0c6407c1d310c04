/** What OpenMetrics 1.0 asks of the samples of one histogram together: buckets in order and cumulative, +Inf, count and sum. */
import { parseGoFloat } from '../go-float.ts';
import { type Findings, shown } from './finding.ts';
import type { SampleLine } from './page-lines.ts';

export interface HistogramRules {
  /** Takes a sample of the metric that is being read. */
  take(sample: SampleLine): void;
  /** The metric has ended: checks it, and begins another. */
  finish(): void;
}

interface Bucket {
  readonly line: number;
  readonly text: string;
  readonly bound: number;
  readonly value: number;
}

interface Point {
  readonly timestampMs: number;
  readonly line: number;
  readonly buckets: Bucket[];
  count: number | undefined;
  sum: number | undefined;
}

export interface HistogramOptions {
  readonly name: string;
  readonly type: 'histogram' | 'gaugehistogram';
  readonly findings: Findings;
}

/** Makes the rules of one family. */
export function createHistogramRules({ name, type, findings }: HistogramOptions): HistogramRules {
  /** By time: a metric may have several points. */
  let points = new Map<number, Point>();
  const [countName, sumName] = type === 'histogram' ? ['_count', '_sum'] : ['_gcount', '_gsum'];

  const take = (sample: SampleLine) => {
    const suffix = sample.name.slice(name.length);
    if (suffix === '_created') return;
    const { line, timestampMs, value } = sample;
    let point = points.get(timestampMs);
    if (point === undefined) {
      point = { timestampMs, line, buckets: [], count: undefined, sum: undefined };
      points.set(timestampMs, point);
    }
    if (suffix === countName) point.count = value;
    else if (suffix === sumName) point.sum = value;
    else {
      const text = sample.labels.find(([label]) => label === 'le')?.[1] ?? '';
      const bound = parseGoFloat(text);
      // What is no number has been told by itself.
      if (bound !== undefined && !Number.isNaN(bound)) point.buckets.push({ line, text, bound, value });
    }
  };

  const check = ({ line, buckets, count, sum }: Point) => {
    checkOrder(name, buckets, findings);
    const infinite = buckets.find(({ bound }) => bound === Number.POSITIVE_INFINITY);
    if (infinite === undefined) findings.error(line, `a ${type} ${shown(name)} lacks the bucket le="+Inf"`);
    if ((count === undefined) !== (sum === undefined)) {
      const [has, lacks] = count === undefined ? [sumName, countName] : [countName, sumName];
      const hasNegative = buckets.some(({ bound }) => bound < 0);
      // With negative observations a histogram's sum could shrink, so that it has none.
      if (!(type === 'histogram' && hasNegative && sum === undefined))
        findings.error(line, `a ${type} ${shown(name)} has ${has} and lacks ${lacks}`);
    }
    if (infinite !== undefined && count !== undefined && infinite.value !== count)
      findings.error(infinite.line, `the bucket le="+Inf" of ${shown(name)} differs from its ${countName}`);
    checkSum(line, { buckets, sum });
  };
  const checkSum = (line: number, { buckets, sum }: Pick<Point, 'buckets' | 'sum'>) => {
    if (sum === undefined) return;
    const hasNegative = buckets.some(({ bound }) => bound < 0);
    if (type === 'histogram' && hasNegative)
      findings.error(line, `the histogram ${shown(name)} has negative buckets and a _sum, which could then shrink`);
    if (type === 'gaugehistogram' && !hasNegative && sum < 0)
      findings.error(line, `${shown(`${name}_gsum`)} is negative without a negative bucket`);
  };

  return {
    take,
    finish() {
      for (const point of points.values()) check(point);
      points = new Map();
    },
  };
}

function checkOrder(name: string, buckets: readonly Bucket[], findings: Findings): void {
  const isSortedByText = buckets.every(({ text, bound }, i) => {
    const before = buckets[i - 1];
    return before === undefined || bound === Number.POSITIVE_INFINITY || before.text < text;
  });
  for (const [i, { bound, line, value }] of buckets.entries()) {
    const before = buckets[i - 1];
    if (before === undefined) continue;
    if (bound <= before.bound) {
      const text = `the buckets of ${shown(name)} are not in the order of le`;
      // Many writers sort series by the text of their labels, and readers sort buckets anyway; what has no order at all is a fault.
      if (isSortedByText) findings.warn(line, `${text} as numbers, only as texts`);
      else findings.error(line, text);
    } else if (value < before.value) findings.error(line, `a bucket of ${shown(name)} holds less than the one before`);
  }
}
