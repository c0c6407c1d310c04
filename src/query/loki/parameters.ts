/** Request parameters in the forms that Loki takes, and what it says when one is wrong (Loki, pkg/loghttp/params.go). */
import type { Parameters } from '../parameters.ts';
import { parseDuration } from '../promql/literal.ts';

/** A parameter cannot be read; the message is the answer's body. */
export class BadParameter extends Error {
  override readonly name = 'BadParameter';
}

const defaultLimit = 100;
const defaultSpanNs = 3_600_000_000_000n;
const maxNs = 2n ** 63n - 1n;
const rfc3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/**
 * Reads a time into nanoseconds since 1970: an integer of at most ten digits is seconds, a longer one nanoseconds; with a point it is
 * seconds, rounded to milliseconds; otherwise RFC 3339. Undefined when it is none of them.
 */
export function parseTimeNs(text: string): bigint | undefined {
  if (/^[+-]?\d+\.\d*$/.test(text)) {
    const ms = Math.round(Number(text) * 1000);
    return Math.abs(ms) <= 8_640_000_000_000_000 ? inRange(BigInt(ms) * 1_000_000n) : undefined;
  }
  if (/^[+-]?\d+$/.test(text)) {
    if (text.length > 20) return undefined;
    return inRange(text.length <= 10 ? BigInt(text) * 1_000_000_000n : BigInt(text));
  }
  const found = rfc3339.exec(text);
  if (found === null) return undefined;
  const [, seconds, fraction, zone] = found;
  const ms = Date.parse(`${seconds}${zone}`);
  return Number.isNaN(ms) ? undefined : inRange(BigInt(ms) * 1_000_000n + BigInt((fraction ?? '').padEnd(9, '0')));
}

const inRange = (ns: bigint): bigint | undefined => (ns > maxNs || ns < -maxNs ? undefined : ns);

function time(parameters: Parameters, name: string): bigint | undefined {
  const text = parameters(name);
  if (text === '') return undefined;
  const ns = parseTimeNs(text);
  if (ns === undefined) {
    throw new BadParameter(
      `could not parse '${name}' parameter: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return ns;
}

/** A duration in milliseconds: float seconds or `1h30m`. */
function duration(parameters: Parameters, name: string): number | undefined {
  const text = parameters(name);
  if (text === '') return undefined;
  const ms = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms === undefined || !Number.isFinite(ms)) {
    throw new BadParameter(`cannot parse ${JSON.stringify(text)} to a valid duration`);
  }
  return ms;
}

function limitOf(parameters: Parameters, maxLimit: number): number {
  const text = parameters('limit');
  if (text === '') return defaultLimit;
  if (!/^[+-]?\d{1,18}$/.test(text)) {
    throw new BadParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const limit = Number(text);
  if (limit <= 0) throw new BadParameter('limit must be a positive value');
  if (limit > maxLimit) {
    throw new BadParameter(
      `max entries limit per query exceeded, limit > max_entries_limit_per_query (${limit} > ${maxLimit})`,
    );
  }
  return limit;
}

function directionOf(parameters: Parameters): 'forward' | 'backward' {
  const text = parameters('direction');
  const direction = text.toLowerCase();
  if (direction === '' || direction === 'backward') return 'backward';
  if (direction === 'forward') return 'forward';
  throw new BadParameter(`invalid direction '${text}'`);
}

export interface RangeParameters {
  /** Inclusive. */
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
  readonly limit: number;
  readonly direction: 'forward' | 'backward';
}

/** `start`, `end`, `since`, `limit` and `direction` of a range query; the last hour, newest first, when nothing is said. */
export function rangeParameters(parameters: Parameters, nowNs: bigint, maxLimit: number): RangeParameters {
  const sinceMs = duration(parameters, 'since');
  const sinceNs = sinceMs === undefined ? defaultSpanNs : BigInt(Math.round(sinceMs)) * 1_000_000n;
  const endNs = time(parameters, 'end') ?? nowNs;
  // Like Loki, a window that ends in the future is counted back from now.
  const startNs = time(parameters, 'start') ?? (endNs < nowNs ? endNs : nowNs) - sinceNs;
  if (endNs < startNs) throw new BadParameter('end timestamp must not be before or equal to start time');
  const limit = limitOf(parameters, maxLimit);
  const direction = directionOf(parameters);
  const stepMs = duration(parameters, 'step');
  if (stepMs !== undefined && stepMs <= 0) {
    throw new BadParameter('zero or negative query resolution step widths are not accepted. Try a positive integer');
  }
  const intervalMs = duration(parameters, 'interval') ?? 0;
  if (intervalMs < 0) throw new BadParameter('interval must be >= 0');
  if (intervalMs > 0) throw new BadParameter('unsupported: parameter "interval"');
  return { startNs, endNs, limit, direction };
}
