/** A series' number in the store: 64 bits of a SHA-256 over its labels, the same on every agent. */
import { createHash } from 'node:crypto';
import { labelValue, type Series } from '../../model/sample.ts';

/** A metric's name, one object for all of its series in turn, so that a block's dictionary need not look it up for each sample. */
export interface MetricName {
  readonly text: string;
  /** The block that last had the name in its dictionary, and the number that it has there. */
  block: number;
  number: number;
}

/** What the writers remember of a Series object. */
export interface SeriesIdentity {
  readonly id: bigint;
  /** The id's halves of 32 bits. */
  readonly low: number;
  readonly high: number;
  readonly metric: MetricName;
  /** Whose memory of written series says that the series is in the store, and for which days. */
  writtenBy: object | undefined;
  firstDay: number;
  lastDay: number;
  /** How many decimals its values have had (`samples-value.ts`). */
  decimals: number;
  /** So many values are written as bits before decimals are tried again. */
  bitsLeft: number;
}

const known = new WeakMap<Series, SeriesIdentity>();

/** Names come and go with targets; what is forgotten is only looked up once more. */
const maxMetricNames = 50_000;
const metricNames = new Map<string, MetricName>();

function metricNameOf(text: string): MetricName {
  let name = metricNames.get(text);
  if (name === undefined) {
    if (metricNames.size >= maxMetricNames) metricNames.clear();
    name = { text, block: -1, number: 0 };
    metricNames.set(text, name);
  }
  return name;
}

/** What is remembered of a series, made once for each Series object. */
export function identityOf(series: Series): SeriesIdentity {
  const identity = known.get(series);
  return identity ?? makeIdentity(series);
}

function makeIdentity(series: Series): SeriesIdentity {
  // By their lengths, since any character may stand in either: a series could otherwise be made up that has another's id.
  let text = '';
  for (const [name, value] of series.labels) text += `${name.length} ${value.length} ${name}${value}`;
  const digest = createHash('sha256').update(text).digest();
  const identity: SeriesIdentity = {
    id: digest.readBigUInt64LE(0),
    low: digest.readUInt32LE(0),
    high: digest.readUInt32LE(4),
    metric: metricNameOf(labelValue(series, '__name__')),
    writtenBy: undefined,
    firstDay: 0,
    lastDay: -1,
    decimals: 0,
    bitsLeft: 0,
  };
  known.set(series, identity);
  return identity;
}

/** The id of a series, computed once for each Series object. */
export const seriesId = (series: Series): bigint => identityOf(series).id;
