/** The table of PromQL's functions: names, types and one sentence each. What they compute is in `evaluate/`. */
import type { ValueType } from './ast.ts';

export interface FunctionSignature {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  /** How many of the last parameter may be left out (negative: it may be given any number of times, or not at all). */
  readonly variadic: number;
  readonly returns: ValueType;
  readonly doc: string;
}

type Row = readonly [name: string, parameters: string, returns: ValueType, doc: string];

/** `v` vector, `m` range vector, `s` scalar, `t` text; after the last `?`: it may be left out, `*`: any number of them, 9: as many more or none. */
const rows: readonly Row[] = [
  ['abs', 'v', 'vector', 'Absolute values.'],
  ['absent', 'v', 'vector', 'One element with the value 1 where the vector has none.'],
  ['absent_over_time', 'm', 'vector', 'One element with the value 1 where the range has no sample.'],
  ['acos', 'v', 'vector', 'Arccosine.'],
  ['acosh', 'v', 'vector', 'Inverse hyperbolic cosine.'],
  ['asin', 'v', 'vector', 'Arcsine.'],
  ['asinh', 'v', 'vector', 'Inverse hyperbolic sine.'],
  ['atan', 'v', 'vector', 'Arctangent.'],
  ['atanh', 'v', 'vector', 'Inverse hyperbolic tangent.'],
  ['avg_over_time', 'm', 'vector', 'Average of the samples.'],
  ['ceil', 'v', 'vector', 'Values rounded up.'],
  ['changes', 'm', 'vector', 'How often the value changed.'],
  ['clamp', 'vss', 'vector', 'Values held between a minimum and a maximum.'],
  ['clamp_max', 'vs', 'vector', 'Values held below a maximum.'],
  ['clamp_min', 'vs', 'vector', 'Values held above a minimum.'],
  ['cos', 'v', 'vector', 'Cosine.'],
  ['cosh', 'v', 'vector', 'Hyperbolic cosine.'],
  ['count_over_time', 'm', 'vector', 'How many samples there are.'],
  ['day_of_month', 'v?', 'vector', 'Day of the month in UTC, 1 to 31.'],
  ['day_of_week', 'v?', 'vector', 'Day of the week in UTC, 0 (Sunday) to 6.'],
  ['day_of_year', 'v?', 'vector', 'Day of the year in UTC, 1 to 366.'],
  ['days_in_month', 'v?', 'vector', 'How many days the month has.'],
  ['deg', 'v', 'vector', 'Radians as degrees.'],
  ['delta', 'm', 'vector', 'Difference between the ends of the range, extrapolated to its edges; for gauges.'],
  ['deriv', 'm', 'vector', 'Growth per second by least squares; for gauges.'],
  ['double_exponential_smoothing', 'mss', 'vector', 'Smoothed value by trend and smoothing factors.'],
  ['exp', 'v', 'vector', 'Exponential function.'],
  ['first_over_time', 'm', 'vector', 'The oldest sample.'],
  ['floor', 'v', 'vector', 'Values rounded down.'],
  ['histogram_avg', 'v', 'vector', 'Average observed value of native histograms.'],
  ['histogram_count', 'v', 'vector', 'Observations of native histograms.'],
  ['histogram_fraction', 'ssv', 'vector', 'Share of the observations between two values.'],
  ['histogram_quantile', 'sv', 'vector', 'A quantile estimated from the buckets of a histogram.'],
  ['histogram_quantiles', 'vtss9', 'vector', 'Several quantiles of the buckets of a histogram, told apart by a label.'],
  ['histogram_stddev', 'v', 'vector', 'Estimated standard deviation of native histograms.'],
  ['histogram_stdvar', 'v', 'vector', 'Estimated variance of native histograms.'],
  ['histogram_sum', 'v', 'vector', 'Sum of the observations of native histograms.'],
  ['hour', 'v?', 'vector', 'Hour of the day in UTC.'],
  ['idelta', 'm', 'vector', 'Difference between the last two samples.'],
  ['increase', 'm', 'vector', 'How much a counter grew, extrapolated to the edges of the range.'],
  ['info', 'vv?', 'vector', 'Adds the labels of info series that share identifying labels.'],
  ['irate', 'm', 'vector', 'Growth per second of a counter between its last two samples.'],
  ['label_join', 'vttt*', 'vector', 'Joins the values of labels into another label.'],
  ['label_replace', 'vtttt', 'vector', 'Sets a label from what a regular expression takes of another.'],
  ['last_over_time', 'm', 'vector', 'The newest sample.'],
  ['ln', 'v', 'vector', 'Natural logarithm.'],
  ['log10', 'v', 'vector', 'Decimal logarithm.'],
  ['log2', 'v', 'vector', 'Binary logarithm.'],
  ['mad_over_time', 'm', 'vector', 'Median absolute deviation of the samples.'],
  ['max_of', 'ss', 'scalar', 'The larger of two numbers.'],
  ['max_over_time', 'm', 'vector', 'The largest sample.'],
  ['min_of', 'ss', 'scalar', 'The smaller of two numbers.'],
  ['min_over_time', 'm', 'vector', 'The smallest sample.'],
  ['minute', 'v?', 'vector', 'Minute of the hour in UTC.'],
  ['month', 'v?', 'vector', 'Month of the year in UTC, 1 to 12.'],
  ['pi', '', 'scalar', 'The number π.'],
  ['predict_linear', 'ms', 'vector', 'The value so many seconds from now by least squares; for gauges.'],
  ['present_over_time', 'm', 'vector', '1 where there is any sample.'],
  ['quantile_over_time', 'sm', 'vector', 'A quantile of the samples.'],
  ['rad', 'v', 'vector', 'Degrees as radians.'],
  ['range', '', 'scalar', 'Seconds between the start and the end of the query.'],
  ['rate', 'm', 'vector', 'Growth per second of a counter, extrapolated to the edges of the range.'],
  ['resets', 'm', 'vector', 'How often a counter was reset.'],
  ['round', 'vs?', 'vector', 'Values rounded to the nearest multiple.'],
  ['scalar', 'v', 'scalar', 'The value of the only element, NaN where there is not exactly one.'],
  ['sgn', 'v', 'vector', 'The sign: -1, 0 or 1.'],
  ['sin', 'v', 'vector', 'Sine.'],
  ['sinh', 'v', 'vector', 'Hyperbolic sine.'],
  ['sort', 'v', 'vector', 'Elements by value, smallest first.'],
  ['sort_by_label', 'vt*', 'vector', 'Elements by labels in natural order.'],
  ['sort_by_label_desc', 'vt*', 'vector', 'Elements by labels in natural order, last first.'],
  ['sort_desc', 'v', 'vector', 'Elements by value, largest first.'],
  ['sqrt', 'v', 'vector', 'Square root.'],
  ['start', '', 'scalar', 'The start of the query in seconds since 1970.'],
  ['end', '', 'scalar', 'The end of the query in seconds since 1970.'],
  ['stddev_over_time', 'm', 'vector', 'Population standard deviation of the samples.'],
  ['stdvar_over_time', 'm', 'vector', 'Population variance of the samples.'],
  ['step', '', 'scalar', 'The step of the query in seconds.'],
  ['sum_over_time', 'm', 'vector', 'Sum of the samples.'],
  ['tan', 'v', 'vector', 'Tangent.'],
  ['tanh', 'v', 'vector', 'Hyperbolic tangent.'],
  ['time', '', 'scalar', 'The time of evaluation in seconds since 1970.'],
  ['timestamp', 'v', 'vector', 'When the samples were taken, in seconds since 1970.'],
  ['ts_of_first_over_time', 'm', 'vector', 'When the oldest sample was taken.'],
  ['ts_of_last_over_time', 'm', 'vector', 'When the newest sample was taken.'],
  ['ts_of_max_over_time', 'm', 'vector', 'When the largest sample was taken.'],
  ['ts_of_min_over_time', 'm', 'vector', 'When the smallest sample was taken.'],
  ['vector', 's', 'vector', 'A number as a vector of one element without labels.'],
  ['year', 'v?', 'vector', 'Year in UTC.'],
];

const types: Readonly<Record<string, ValueType>> = { v: 'vector', m: 'matrix', s: 'scalar', t: 'string' };

function signatureOf([name, spelled, returns, doc]: Row): FunctionSignature {
  const [, letters = '', more = ''] = /^([a-z]*)(.*)$/.exec(spelled) ?? [];
  const parameters = [...letters].map((letter) => types[letter] ?? 'scalar');
  const variadic = more === '*' ? -1 : more === '?' ? 1 : Number(more);
  return { name, parameters, variadic, returns, doc };
}

export const functions: ReadonlyMap<string, FunctionSignature> = new Map(rows.map((row) => [row[0], signatureOf(row)]));
