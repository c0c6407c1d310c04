/** Request parameters in the forms that Prometheus takes, and what it says when one is wrong. */
import type { Parameters } from '../parameters.ts';
import { parseDuration } from '../promql/literal.ts';
import { printDuration } from '../promql/print.ts';

/** A parameter is missing or cannot be read; the message is the answer's `error`. */
export class BadParameter extends Error {
  override readonly name = 'BadParameter';
}

/** As Go's ParseFloat has them, with single `_` between digits; hexadecimal ones and words aside. In linear time: the text is a stranger's. */
const floatPattern = /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?$/;
/** As Go's time.Parse takes it: capital letters, an hour of one digit, a comma before the fraction. */
const rfc3339Pattern = /^(\d{4}-\d{2}-\d{2})T(\d{1,2})(:\d{2}:\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})$/;
/** What JavaScript's dates hold, and more than any store does. */
const maxMs = 8_640_000_000_000_000;

/** Go's durations end at 2^63 ns. */
const longestMs = 9_223_372_036_854;

/** Of whole numbers of 64 bits. */
const mostDigits = 19;

/** What Go's Atoi and ParseInt say of a text that is no whole number of 64 bits; undefined where it is one. */
export function wholeNumberFault(
  text: string,
  { name, most }: { readonly name: string; readonly most: bigint },
): string | undefined {
  const fault = (what: string) => `strconv.${name}: parsing ${JSON.stringify(text)}: ${what}`;
  if (!/^[+-]?\d+$/.test(text)) return fault('invalid syntax');
  // A megabyte of digits takes a fifth of a second to read.
  if (text.replace(/^[+-]?0*/, '').length > mostDigits) return fault('value out of range');
  const value = BigInt(text.replace(/^\+/, ''));
  return value > most || value < -most - 1n ? fault('value out of range') : undefined;
}

/** The largest whole number of 64 bits. */
export const maxInt64 = 2n ** 63n - 1n;

const invalid = (name: string, message: string): BadParameter =>
  new BadParameter(`invalid parameter "${name}": ${message}`);

/** The first and the last time of Prometheus, which its clients send where they mean "from the beginning" and "to the end". */
const boundaries: Readonly<Record<string, number>> = {
  '-292273086-05-16T16:47:06Z': -maxMs,
  '292277025-08-18T07:12:54.999999999Z': maxMs,
};

const floatOf = (text: string): number => Number(text.replaceAll('_', ''));

/** RFC 3339 in milliseconds; undefined where there is no such day or time. */
function parseRfc3339(text: string): number | undefined {
  const [, day = '', hour = '', rest = '', fraction = '', zone = ''] = rfc3339Pattern.exec(text) ?? [];
  const plain = `${day}T${hour.padStart(2, '0')}${rest}`;
  // JavaScript takes the 30th of February, and 24:00, for the next day.
  const isTime = !Number.isNaN(Date.parse(`${plain}Z`)) && new Date(`${plain}Z`).toISOString().startsWith(plain);
  const timeMs = isTime ? Date.parse(`${plain}.${fraction.slice(0, 3).padEnd(3, '0')}${zone}`) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** Half a number away from zero, as Go rounds. */
const roundAway = (value: number): number => Math.sign(value) * Math.round(Math.abs(value));

/** Seconds as milliseconds, by the steps in which Prometheus does it: a fraction that no double has would be rounded another way. */
function secondsToMs(seconds: number): number {
  const whole = Math.trunc(seconds);
  const nanoseconds = Math.trunc((roundAway((seconds - whole) * 1000) / 1000) * 1e9);
  return whole * 1000 + Math.floor(nanoseconds / 1e6);
}

/** Reads seconds since 1970 or RFC 3339 into milliseconds; undefined when it is neither. */
export function parseTime(text: string): number | undefined {
  const boundary = boundaries[text];
  if (boundary !== undefined) return boundary;
  if (floatPattern.test(text)) {
    const timeMs = secondsToMs(floatOf(text));
    return Math.abs(timeMs) <= maxMs ? timeMs : undefined;
  }
  return parseRfc3339(text);
}

/** A time parameter in milliseconds; without `absentMs` it must be there. */
export function timeParameter(parameters: Parameters, name: string, absentMs?: number): number {
  const text = parameters(name);
  if (text === '' && absentMs !== undefined) return absentMs;
  const timeMs = parseTime(text);
  if (timeMs === undefined) {
    // Of a time that may be absent Prometheus says so twice.
    const where = absentMs === undefined ? '' : `invalid time value for '${name}': `;
    throw invalid(name, `${where}cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  }
  return timeMs;
}

/** Float seconds or `1h30m` in milliseconds, or what is wrong with the text. */
function readDuration(text: string): number | string {
  const fault = `cannot parse ${JSON.stringify(text)} to a valid duration`;
  // Go reads these words as numbers, and no number beyond all doubles.
  if (/^[+-]?(?:nan|inf|infinity)$/i.test(text)) return `${fault}. It overflows int64`;
  const durationMs = floatPattern.test(text) ? Math.trunc(floatOf(text) * 1000) : parseDuration(text);
  if (durationMs === undefined || !Number.isFinite(durationMs)) return fault;
  return Math.abs(durationMs) > longestMs ? `${fault}. It overflows int64` : durationMs;
}

/** A duration parameter in milliseconds; undefined when absent. */
export function durationParameter(parameters: Parameters, name: string): number | undefined {
  const text = parameters(name);
  if (text === '') return undefined;
  const read = readDuration(text);
  if (typeof read === 'string') throw invalid(name, read);
  return read;
}

/** `lookback_delta`, whose errors have words of their own; undefined when absent. */
export function lookbackParameter(parameters: Parameters): number | undefined {
  const text = parameters('lookback_delta');
  if (text === '') return undefined;
  const read = readDuration(text);
  if (typeof read === 'string') throw new BadParameter(`error parsing lookback delta duration: ${read}`);
  return read;
}

/** `limit`: 0 or absent is none. */
export function limitParameter(parameters: Parameters): number {
  const text = parameters('limit');
  if (text === '') return 0;
  const fault = wholeNumberFault(text, { name: 'Atoi', most: maxInt64 });
  if (fault !== undefined) throw invalid('limit', fault);
  const limit = Number(text);
  if (limit < 0) throw invalid('limit', 'limit must be non-negative');
  return limit;
}

/** `timeout`, which may only shorten the time that there is. */
export function timeoutParameter(parameters: Parameters, longest: number): number {
  const timeoutMs = durationParameter(parameters, 'timeout');
  if (timeoutMs === undefined) return longest;
  const text = parameters('timeout');
  // Less than a millisecond is a time.
  if (timeoutMs === 0 && floatOf(text) > 0) return 1;
  if (timeoutMs <= 0) {
    const shown = timeoutMs < 0 ? `-${printDuration(-timeoutMs)}` : printDuration(timeoutMs);
    throw invalid('timeout', `timeout must be positive, got ${shown}`);
  }
  return Math.min(timeoutMs, longest);
}

export interface RangeParameters {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** `start`, `end` and `step` of a range query, within the points that a series may have. */
export function rangeParameters(parameters: Parameters, maxPointsPerSeries: number): RangeParameters {
  const startMs = timeParameter(parameters, 'start');
  const endMs = timeParameter(parameters, 'end');
  if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time');
  const stepMs = durationParameter(parameters, 'step');
  if (stepMs === undefined) throw invalid('step', 'cannot parse "" to a valid duration');
  if (stepMs <= 0) {
    throw invalid('step', 'zero or negative query resolution step widths are not accepted. Try a positive integer');
  }
  if ((endMs - startMs) / stepMs > maxPointsPerSeries) {
    const limit = maxPointsPerSeries.toLocaleString('en-US');
    throw new BadParameter(
      `exceeded maximum resolution of ${limit} points per timeseries. Try decreasing the query resolution (?step=XX)`,
    );
  }
  return { startMs, endMs, stepMs };
}
