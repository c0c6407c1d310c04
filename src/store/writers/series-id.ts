/** A series' number in the store: 64 bits of a SHA-256 over its labels, the same on every agent. */
import { hash } from 'node:crypto';
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
  /** The id's halves of 32 bits, as signed numbers, which V8 keeps without an object for each. */
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
  // Hot where series are new: a Hash object and a Buffer for each take twice as long.
  const digest = hash('sha256', text, 'binary');
  const identity: SeriesIdentity = {
    low: int32At(digest, 0),
    high: int32At(digest, 4),
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

/** Four bytes, the lowest first, of a text whose letters are bytes. */
const int32At = (bytes: string, at: number): number =>
  bytes.charCodeAt(at) |
  (bytes.charCodeAt(at + 1) << 8) |
  (bytes.charCodeAt(at + 2) << 16) |
  (bytes.charCodeAt(at + 3) << 24);

/** The id of a series. */
export function seriesId(series: Series): bigint {
  const { low, high } = identityOf(series);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
