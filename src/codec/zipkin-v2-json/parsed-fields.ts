/** Fields of spans that JSON.parse has parsed, each checked, and how long the text is that they came from. */
import type { Endpoint } from '../../model/span.ts';
import { addIpAddress, type RawEndpoint, toEndpoint } from './span-fields.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** How many characters what was seen takes as JSON without blanks and escapes. */
export interface Seen {
  length: number;
}

/** Says that the exact reader has to look. */
export const unusual = Symbol('unusual');
export type Unusual = typeof unusual;

/** Quotes, colon and comma around a field's name. */
export const nameOverhead = 4;

/** The elements of a list and what they take as JSON so far, or undefined when the text is unusual. */
export function parseList(text: string): { readonly list: readonly unknown[]; readonly seen: Seen } | undefined {
  // Half surrogate pairs have to become question marks.
  if (text.includes('\\ud') || text.includes('\\uD') || hasManyBrackets(text)) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // The exact reader says what is wrong, or that nothing is.
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  return { list, seen: { length: list.length === 0 ? 2 : 1 + list.length } };
}

/** Whether nothing of a text was hidden from who looked at the parsed values. */
export function isAllSeen(text: string, seen: Seen): boolean {
  return seen.length === text.length - countEscapes(text);
}

/** JSON.parse takes 0.2 µs for each array in an array: 3 s for 20 MB of brackets. The exact reader stops at its nesting limit. */
function hasManyBrackets(text: string): boolean {
  let left = 64 + text.length / 64;
  for (let at = text.indexOf('['); at !== -1; at = text.indexOf('[', at + 1)) if (--left < 0) return true;
  return false;
}

/** How many characters the escapes of a text take more than what they stand for. */
function countEscapes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\\'); at !== -1; at = text.indexOf('\\', at + 2)) {
    count += text.charCodeAt(at + 1) === 0x75 ? 5 : 1;
  }
  return count;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field that is missing, or null as good as missing. */
export function isAbsent(value: unknown, seen: Seen): value is undefined | null {
  if (value === null) seen.length += 4;
  return value === undefined || value === null;
}

export function toText(value: unknown, seen: Seen): string | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (typeof value !== 'string') return unusual;
  seen.length += value.length + 2;
  return value;
}

export function toMicroseconds(value: unknown, seen: Seen): number | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return unusual;
  seen.length += decimalLength(value);
  return value > 0 ? value : undefined;
}

/** How many characters a whole number takes. */
export function decimalLength(value: number): number {
  let rest = value < 0 ? -value : value;
  let length = value < 0 ? 2 : 1;
  if (rest >= 1e15) {
    rest /= 1e15;
    length += 15;
  }
  for (let limit = 10; rest >= limit; limit *= 10) length++;
  return length;
}

export function toFlag(value: unknown, seen: Seen): boolean | Unusual {
  if (isAbsent(value, seen)) return false;
  if (typeof value !== 'boolean') return unusual;
  seen.length += value ? 4 : 5;
  return value;
}

export function readEndpoint(value: unknown, seen: Seen): Endpoint | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (!isObject(value)) return unusual;
  const raw: RawEndpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: 0 };
  let length = 1;
  for (const field in value) {
    if (field !== 'serviceName' && field !== 'ipv4' && field !== 'ipv6' && field !== 'port') return unusual;
    length += field.length + nameOverhead;
    const item = value[field];
    if (isAbsent(item, seen)) continue;
    if (field === 'port') {
      if (typeof item !== 'number' || !Number.isSafeInteger(item) || item > 0xffff || item < -0x80000000)
        return unusual;
      length += decimalLength(item);
      raw.port = item;
      continue;
    }
    if (typeof item !== 'string') return unusual;
    length += item.length + 2;
    if (field === 'serviceName') raw.serviceName = item;
    else addIpAddress(raw, item);
  }
  seen.length += length === 1 ? 2 : length;
  return toEndpoint(raw);
}
