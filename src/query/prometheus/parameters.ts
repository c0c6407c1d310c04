/** Request parameters in the forms that Prometheus takes, and what it says when one is wrong. */
import type { Parameters } from '../parameters.ts';
import { parseDuration } from '../promql/literal.ts';

/** A parameter is missing or cannot be read; the message is the answer's `error`. */
export class BadParameter extends Error {
  override readonly name = 'BadParameter';
}

const floatPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const rfc3339Pattern = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;
/** What JavaScript's dates hold, and more than any store does. */
const maxMs = 8_640_000_000_000_000;

const invalid = (name: string, message: string): BadParameter =>
  new BadParameter(`invalid parameter "${name}": ${message}`);

/** The first and the last time of Prometheus, which its clients send where they mean "from the beginning" and "to the end". */
const boundaries: Readonly<Record<string, number>> = {
  '-292273086-05-16T16:47:06Z': -maxMs,
  '292277025-08-18T07:12:54.999999999Z': maxMs,
};

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
    const timeMs = secondsToMs(Number(text));
    return Math.abs(timeMs) <= maxMs ? timeMs : undefined;
  }
  if (!rfc3339Pattern.test(text)) return undefined;
  const timeMs = Date.parse(text.toUpperCase());
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** A time parameter in milliseconds; without `absentMs` it must be there. */
export function timeParameter(parameters: Parameters, name: string, absentMs?: number): number {
  const text = parameters(name);
  if (text === '' && absentMs !== undefined) return absentMs;
  const timeMs = parseTime(text);
  if (timeMs === undefined) {
    // Of a time that may be absent Prometheus says so twice.
    const where = absentMs === undefined ? '' : `Invalid time value for '${name}': `;
    throw invalid(name, `${where}cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  }
  return timeMs;
}

/** A duration parameter in milliseconds, given as float seconds or as `1h30m`; undefined when absent. */
export function durationParameter(parameters: Parameters, name: string): number | undefined {
  const text = parameters(name);
  if (text === '') return undefined;
  const durationMs = floatPattern.test(text) ? Math.trunc(Number(text) * 1000) : parseDuration(text);
  if (durationMs === undefined) throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid duration`);
  if (Math.abs(durationMs) > maxMs) {
    throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`);
  }
  return durationMs;
}

/** `limit`: 0 or absent is none. */
export function limitParameter(parameters: Parameters): number {
  const text = parameters('limit');
  if (text === '') return 0;
  const limit = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(limit)) throw invalid('limit', `cannot parse ${JSON.stringify(text)} to a number`);
  if (limit < 0) throw invalid('limit', 'limit must be non-negative');
  return limit;
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
