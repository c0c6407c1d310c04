/** Times and durations as Go writes and reads them, since Jaeger's viewers and answers spell them so. */

import { parseRfc3339Nano } from '../../codec/rfc3339.ts';

const perUnitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  // Both of Unicode's letters.
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

const maxDurationNs = 2n ** 63n - 1n;

export type Parsed<Value> =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'malformed'; readonly message: string };

const malformed = (message: string): { kind: 'malformed'; message: string } => ({ kind: 'malformed', message });

/** Reads a duration such as `1.5s` or `1h30m`, in nanoseconds, as Go's time.ParseDuration does; the messages are Go's. */
export function parseGoDuration(text: string): Parsed<bigint> {
  const quoted = JSON.stringify(text);
  const isNegative = text.startsWith('-');
  let rest = isNegative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return { kind: 'value', value: 0n };
  if (rest === '') return malformed(`time: invalid duration ${quoted}`);
  let total = 0n;
  while (rest !== '') {
    const [, digits = '', fraction = ''] = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest) ?? [];
    if (digits === '' && fraction === '') return malformed(`time: invalid duration ${quoted}`);
    rest = rest.slice(/^[0-9]*(?:\.[0-9]*)?/.exec(rest)?.[0].length ?? 0);
    const unit = /^[^0-9.]*/.exec(rest)?.[0] ?? '';
    if (unit === '') return malformed(`time: missing unit in duration ${quoted}`);
    const unitNs = Object.hasOwn(perUnitNs, unit) ? perUnitNs[unit] : undefined;
    if (unitNs === undefined) return malformed(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    rest = rest.slice(unit.length);
    // More digits than these say less than a nanosecond.
    total +=
      BigInt(digits.slice(0, 40) || '0') * BigInt(unitNs) +
      BigInt(Math.trunc(Number(`0.${fraction.slice(0, 18) || '0'}`) * unitNs));
    if (digits.length > 40 || total > maxDurationNs) return malformed(`time: invalid duration ${quoted}`);
  }
  return { kind: 'value', value: isNegative ? -total : total };
}

/** Writes nanoseconds as Go's Duration.String does: `1.5s`, `1h0m0s`, `35ms`, `0s`. */
export function goDuration(ns: bigint): string {
  const sign = ns < 0n ? '-' : '';
  const absolute = ns < 0n ? -ns : ns;
  if (absolute === 0n) return '0s';
  for (const [unit, unitNs, digits] of [
    ['ns', 1n, 0],
    ['µs', 1000n, 3],
    ['ms', 1_000_000n, 6],
  ] as const) {
    if (absolute < unitNs * 1000n) return `${sign}${decimal(absolute, unitNs, digits)}${unit}`;
  }
  const seconds = decimal(absolute % 60_000_000_000n, 1_000_000_000n, 9);
  const minutes = absolute / 60_000_000_000n;
  if (minutes === 0n) return `${sign}${seconds}s`;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}s`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}s`;
}

function decimal(ns: bigint, unitNs: bigint, digits: number): string {
  const rest =
    digits === 0
      ? ''
      : String(ns % unitNs)
          .padStart(digits, '0')
          .replace(/0+$/, '');
  return rest === '' ? String(ns / unitNs) : `${ns / unitNs}.${rest}`;
}

/** Writes a time as Go's Time.String does in UTC: `2026-11-21 14:00:00.5 +0000 UTC`. */
export function goTime(ns: bigint): string {
  const restNs = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (ns - restNs) / 1_000_000_000n;
  const rest = String(restNs).padStart(9, '0').replace(/0+$/, '');
  const [day = '', clock = ''] = new Date(Number(seconds) * 1000)
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .split('T');
  return `${day} ${clock}${rest === '' ? '' : `.${rest}`} +0000 UTC`;
}

const trueTexts: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falseTexts: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** Reads truth as Go's strconv.ParseBool does. */
export function parseGoBool(text: string): Parsed<boolean> {
  if (trueTexts.has(text)) return { kind: 'value', value: true };
  if (falseTexts.has(text)) return { kind: 'value', value: false };
  return malformed(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Reads a decimal integer of so many bits as Go's strconv.ParseInt does. */
export function parseGoInt(text: string, bits: 32 | 64): Parsed<bigint> {
  if (!/^[+-]?[0-9]+$/.test(text))
    return malformed(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = text.length > 30 ? undefined : BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (value === undefined || value !== BigInt.asIntN(bits, value)) {
    return malformed(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return { kind: 'value', value };
}

/** Reads an RFC 3339 time, in nanoseconds since 1970; the message is Go's up to what it names of the layout. */
export function parseGoTime(text: string): Parsed<bigint> {
  const bytes = Buffer.from(text);
  const ns = parseRfc3339Nano(bytes, 0, bytes.length);
  if (ns !== undefined) return { kind: 'value', value: ns };
  return malformed(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05.999999999Z07:00": cannot parse it`);
}
